/* lua_http_options.h -- walk 3: what core.http and core.chat share: options, the pool, heads.
 */
#ifndef RL_LUA_HTTP_OPTIONS_H
#define RL_LUA_HTTP_OPTIONS_H

#include "http.h"
#include "lua_opt.h"
#include "task.h"

#include <lua.h>
#include <stddef.h>

struct rl_http_options {
    struct rl_text url, method, body, proxy, no_proxy, ca_file;
    int headers; /* present? */
    int64_t connect_ms, first_byte_ms, idle_ms, total_ms, max_bytes;
};

/* Rows of a struct rl_opt table for <type>, whose member `http` is a struct rl_http_options. */
#define RL_HTTP_OPTION_ROWS(type)                                                                  \
    {"method", RL_OPT_STRING, offsetof(type, http.method), 0},                                     \
        {"headers", RL_OPT_VALUE, offsetof(type, http.headers), 0},                                \
        {"body", RL_OPT_STRING, offsetof(type, http.body), 0},                                     \
        {"connect", RL_OPT_SECONDS, offsetof(type, http.connect_ms), 0},                           \
        {"first_byte", RL_OPT_SECONDS, offsetof(type, http.first_byte_ms), 0},                     \
        {"idle", RL_OPT_SECONDS, offsetof(type, http.idle_ms), 0},                                 \
        {"total", RL_OPT_SECONDS, offsetof(type, http.total_ms), 0},                               \
        {"max_bytes", RL_OPT_INTEGER, offsetof(type, http.max_bytes), 0},                          \
        {"proxy", RL_OPT_STRING, offsetof(type, http.proxy), 0},                                   \
        {"no_proxy", RL_OPT_STRING, offsetof(type, http.no_proxy), 0},                             \
    {                                                                                              \
        "ca_file", RL_OPT_STRING, offsetof(type, http.ca_file), 0                                  \
    }

/* Makes the request, without its body, from options that were read from the table at <index>.
 * Raises for what HTTP cannot say. Pushes one value, which owns the header lines: leave it on the
 * stack until the request is started. */
void rl_http_options_request(lua_State *L, int index, const struct rl_http_options *options,
                             struct rl_http_request *request);

/* Pushes one userdata: the list of the strings in the table on top of the stack, which it checks
 * to be header lines. <count> gets their number. */
const char *const *rl_lua_header_lines(lua_State *L, int table, size_t *count);

/* The loop of this runtime. Raises when that is closed: finalisers may still run. */
uv_loop_t *rl_lua_http_loop(lua_State *L);

/* The pool of this runtime, opened on first use. Raises without memory. */
struct rl_http_pool *rl_lua_http_pool(lua_State *L);

/* Transfers of this runtime whose end nobody knows yet. */
size_t rl_lua_http_count(struct rl_engine *engine);

/* Pushes the fields of a head as a table: names in lower case, repeated ones joined with ", ".
 * With <prefix>, only those whose names begin so, and nil instead of an empty table. */
void rl_lua_push_fields(lua_State *L, const struct rl_http_head *head, const char *prefix);

#endif
