/* http.h -- walk 5: one HTTP request and its response, on libcurl.
 *
 * Bytes arrive in callbacks that store and wake; the end of a transfer, whatever its cause, passes
 * one function and is told once, by on_done, outside of libcurl. Nothing is sent that the caller
 * did not ask for: no redirects, no cookies, no netrc, no proxy from the environment.
 * Timers are ours, because libcurl's count what they like (LOW_SPEED fired after 9 s for 3 s).
 * Source: RFC 9110; https://curl.se/libcurl/c/; measured with libcurl 7.88.
 */
#ifndef RL_HTTP_H
#define RL_HTTP_H

#include "err.h"
#include "http_clock.h"
#include "http_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct rl_http_pool;     /* connections and running transfers of one loop */
struct rl_http;          /* one running transfer */
struct rl_http_template; /* address and header lines, made ready once for all their requests */

enum { RL_HTTP_LONG_BODY = 64 << 10 }; /* bytes: up to here libcurl sends a body with the head */

/* The body of a request. */
struct rl_http_body {
    char *bytes; /* NULL: none */
    size_t len;
    size_t (*read)(void *owner, size_t at, char *to, size_t room);
    /* ^ instead of <bytes>, for long bodies. Copies the next bytes, at most <room>, and returns how
     * many; <at> is where the last ones ended, or 0 to begin again. Until on_done */
    bool is_borrowed; /* they stay valid until on_done; else malloc'd, and taken by rl_http_start,
                         also when it fails */
    char *(*remake)(void *owner, size_t len);
    /* ^ may be NULL. Makes the same <len> bytes once more, malloc'd, or returns NULL: then ours are
     * freed when they are sent, and made again should the connection turn out to have died
     * meanwhile */
};

/* What to send. Everything but the body is copied before rl_http_start returns. */
struct rl_http_request {
    const char *url;
    const char *method;         /* "GET" ... as it stands on the wire */
    const char *const *headers; /* whole lines "Name: value", without line ends */
    size_t header_count;
    struct rl_http_template *template; /* of <url> and, instead of <headers>, its own; NULL: made of
                                        * both */
    struct rl_http_body body;
    const char *proxy; /* NULL: none, whatever the environment says */
    const char *no_proxy;
    const char *ca_file;    /* NULL: the system's */
    const char *user_agent; /* unless <headers> name one; NULL: none */
    bool http1;             /* HTTP/1.1 even where HTTP/2 is offered: for readers that pause */
    struct rl_http_limits limits;
    int64_t max_bytes; /* of the decoded body; negative: 64 MiB */
};

/* What on_bytes says about the bytes it was given. */
enum rl_http_verdict {
    RL_HTTP_MORE,  /* taken; go on */
    RL_HTTP_QUIET, /* taken, but nothing in them counts as data for quiet_ms */
    RL_HTTP_PAUSE, /* not taken; the same bytes come again after rl_http_resume. Never where the
                      head's version is 2: libcurl 7.88 would stall the other streams of the
                      connection, too */
    RL_HTTP_STOP   /* taken, and the response is complete as far as the owner cares */
};

/* on_head and on_bytes run inside libcurl: they store and wake, and call no function of this file.
 * on_done is called exactly once, outside of libcurl; the transfer is gone when it is called. */
struct rl_http_events {
    void (*on_head)(void *owner); /* the head of the final response is complete; may be NULL */
    int (*on_bytes)(void *owner, const char *bytes, size_t len, struct rl_err *err);
    /* ^ returns an rl_http_verdict, or a negative rl_code with <err> filled: the transfer fails */
    void (*on_done)(void *owner, const struct rl_err *err); /* err->code is RL_OK on success */
};

/* Makes an address and header lines ready: whole lines "Name: value", without line ends, are
 * copied. Returns one reference; NULL without memory. */
struct rl_http_template *rl_http_template_new(const char *url, const char *const *lines,
                                              size_t count);
struct rl_http_template *rl_http_template_share(struct rl_http_template *template);
void rl_http_template_unref(struct rl_http_template *template); /* NULL is fine */

/* Opens an empty pool on <loop>. Returns NULL and <err> without memory. */
struct rl_http_pool *rl_http_pool_open(uv_loop_t *loop, struct rl_err *err);

/* Cancels what runs and closes all connections; memory goes as libuv closes the handles. */
void rl_http_pool_close(struct rl_http_pool *pool);

/* Transfers that have not told their end yet. */
size_t rl_http_pool_count(const struct rl_http_pool *pool);

/* Starts a transfer. <head> is the owner's; it is filled until on_done. Returns NULL and <err> when
 * the request cannot even be made; on_done is not called then. */
struct rl_http *rl_http_start(struct rl_http_pool *pool, const struct rl_http_request *request,
                              struct rl_http_head *head, const struct rl_http_events *events,
                              void *owner, struct rl_err *err);

/* Ends the transfer now: on_done (RL_ECANCELLED) is called before this returns. */
void rl_http_cancel(struct rl_http *http);

/* Lets a paused transfer go on; on_bytes and even on_done may be called before this returns. */
void rl_http_resume(struct rl_http *http);

#endif
