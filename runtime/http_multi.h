/* http_multi.h -- walk 5: libcurl's multi handles on a uv loop: sockets, timers, completion. No
 * HTTP.
 *
 * One multi handle scans its connection cache several times per request, so transfers are spread
 * over shards of RL_MULTI_TRANSFERS each; connections stay in the shard that opened them. A
 * connection keeps one uv_poll_t for life, armed for reading also while it rests between
 * transfers, which saves two thirds of the documented example's system calls.
 * Nothing of libcurl may be called inside its own callbacks; completions are therefore reported
 * from the drain step, after every curl_multi_socket_action.
 * Source: https://curl.se/libcurl/c/libcurl-multi.html, docs/examples/multi-uv.c and its traps.
 */
#ifndef RL_HTTP_MULTI_H
#define RL_HTTP_MULTI_H

#include "err.h"

#include <curl/curl.h>
#include <uv.h>

enum {
    RL_MULTI_TRANSFERS = 96, /* per shard: above, searching the connection cache costs more; and up
                                to 100 share one connection where the server speaks HTTP/2 */
    RL_MULTI_REST_MS = 60000 /* a shard without transfers closes its connections after this */
};

struct rl_multi; /* all shards of one loop */
struct rl_shard; /* one multi handle with its connections */

/* Called outside of libcurl when <easy> has ended by itself; it calls rl_multi_remove. */
typedef void rl_multi_on_end(CURL *easy, CURLcode result);

/* Initialises libcurl on the first call of the process. Returns NULL and <err> without memory. */
struct rl_multi *rl_multi_open(uv_loop_t *loop, rl_multi_on_end *on_end, struct rl_err *err);

/* Closes all connections; every transfer has been removed before, and every easy handle cleaned up.
 * The memory goes when libuv has closed the last handle. */
void rl_multi_close(struct rl_multi *multi);

/* Gives a new easy handle what it keeps for life: sockets and shared caches of <multi>. */
void rl_multi_adopt(struct rl_multi *multi, CURL *easy);

/* Starts the transfer of <easy> on the next turn of the loop. Returns its shard, or NULL and <err>.
 */
struct rl_shard *rl_multi_add(struct rl_multi *multi, CURL *easy, struct rl_err *err);

/* <easy> has ended well: what it used is a connection. Spares a system call each time it is used.
 */
void rl_multi_trust(struct rl_multi *multi, CURL *easy);

/* One transfer more (1) or less (-1) whose write callback returned CURL_WRITEFUNC_PAUSE. */
void rl_multi_count_paused(struct rl_multi *multi, int change);

/* Ends the transfer of <easy>, finished or not. Not inside a callback of libcurl. */
void rl_multi_remove(struct rl_shard *shard, CURL *easy);

/* Lets <easy> go on after its write callback returned CURL_WRITEFUNC_PAUSE; the callback may be
 * called before this returns. Returns libcurl's verdict; not CURLE_OK means: end the transfer. */
CURLcode rl_multi_resume(struct rl_shard *shard, CURL *easy);

#endif
