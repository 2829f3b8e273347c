/* lua_http.c -- beside the walk: core.http, one transfer as a handle that Lua pulls from.
 *
 * The body waits in a buffer with a window: when nobody reads, the server is made to wait.
 * Collecting or closing the handle cancels the transfer.
 */
#include "lua_core.h"
#include "lua_http_options.h"

#define HTTP "rille.Http"

enum { URL = 1, BODY = 2 };  /* uservalues of a handle */
enum { WINDOW = 256 << 10 }; /* bytes waiting for a reader, above which the server waits */

struct handle {
    struct rl_http *http; /* NULL: ended */
    struct rl_http_head head;
    struct rl_buf body;    /* not read yet */
    struct rl_op headed;   /* the head is complete, or the end has come */
    struct rl_op readable; /* bytes wait, or the end has come */
    struct rl_op ended;
    bool whole; /* somebody waits for all of the body: no window */
    bool paused;
    bool closed;
    struct rl_err err; /* RL_OK, or why it ended */
};


/* ------------------------------------------------------------------ what the transfer tells */

static void on_head(void *owner)
{
    struct handle *handle = owner;
    rl_op_complete(&handle->headed);
}


static int on_bytes(void *owner, const char *bytes, size_t len, struct rl_err *err)
{
    struct handle *handle = owner;
    if (!handle->whole && handle->body.len >= WINDOW && handle->head.version < 2) {
        handle->paused = true;
        return RL_HTTP_PAUSE;
    }
    int rc = rl_buf_add(&handle->body, bytes, len);
    if (rc != RL_OK)
        return rl_err_set(err, rc, "not enough memory for the response");
    rl_op_complete(&handle->readable);
    return RL_HTTP_MORE;
}


static void on_done(void *owner, const struct rl_err *err)
{
    struct handle *handle = owner;
    handle->http = NULL;
    handle->err = *err;
    rl_op_complete(&handle->headed);
    rl_op_complete(&handle->readable);
    rl_op_complete(&handle->ended);
}


/* ------------------------------------------------------------------ the start */

static const struct rl_http_events events = {on_head, on_bytes, on_done};

struct options {
    struct rl_http_options http;
    bool stream;
};

static const struct rl_opt option_rows[] = {
    {"url", RL_OPT_STRING, offsetof(struct options, http.url), RL_OPT_REQUIRED},
    RL_HTTP_OPTION_ROWS(struct options),
    {"stream", RL_OPT_BOOLEAN, offsetof(struct options, stream), 0},
    {NULL, 0, 0, 0},
};


/* handle.uservalues = url, body: C reads the body where Lua keeps it */
static struct handle *push_handle(lua_State *L, const struct rl_http_options *options)
{
    struct handle *handle = lua_newuserdatauv(L, sizeof(*handle), 2);
    *handle = (struct handle){0};
    rl_http_head_init(&handle->head);
    rl_buf_init(&handle->body, SIZE_MAX / 2); /* max_bytes bounds it */
    luaL_setmetatable(L, HTTP);
    lua_pushstring(L, options->url.data);
    lua_setiuservalue(L, -2, URL);
    lua_getfield(L, 1, "body");
    lua_setiuservalue(L, -2, BODY);
    return handle;
}


/* handle = core.http(options) */
static int l_http(lua_State *L)
{
    struct options options;
    struct rl_http_request request;
    struct rl_http_pool *pool = rl_lua_http_pool(L);
    rl_opt_read(L, 1, option_rows, &options);
    rl_http_options_request(L, 1, &options.http, &request);
    request.http1 = options.stream;
    struct handle *handle = push_handle(L, &options.http);
    struct rl_err err;
    handle->http = rl_http_start(pool, &request, &handle->head, &events, handle, &err);
    if (handle->http == NULL)
        on_done(handle, &err);
    return 1;
}


/* ------------------------------------------------------------------ waiting */

static struct handle *check_handle(lua_State *L)
{
    struct handle *handle = luaL_checkudata(L, 1, HTTP);
    luaL_argcheck(L, !handle->closed, 1, "the transfer was closed");
    return handle;
}


/* Did the wait end with nothing? Then nil and a failure are pushed. */
static bool push_trouble(lua_State *L, const struct handle *handle)
{
    if (rl_wake_reason(L) != RL_WAKE_DONE)
        rl_push_failure(L, "internal", "deadlock: nothing is left that could bring the response");
    else if (handle->err.code != RL_OK)
        rl_push_err(L, &handle->err);
    else
        return false;
    return true;
}


static int k_head(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct handle *handle = (struct handle *)ctx;
    if (!handle->head.complete && push_trouble(L, handle))
        return 2;
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, handle->head.status);
    lua_setfield(L, -2, "status");
    rl_lua_push_fields(L, &handle->head, NULL);
    lua_setfield(L, -2, "headers");
    lua_getiuservalue(L, 1, URL);
    lua_setfield(L, -2, "url");
    return 1;
}


/* head | nil, failure = handle:head() */
static int l_head(lua_State *L)
{
    struct handle *handle = check_handle(L);
    return rl_park(L, &handle->headed, -1, (lua_KContext)handle, k_head);
}


static void resume(struct handle *handle)
{
    if (!handle->paused || handle->http == NULL)
        return;
    handle->paused = false;
    rl_http_resume(handle->http);
}


/* Bytes that came before trouble are handed out first. */
static int k_read(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct handle *handle = (struct handle *)ctx;
    if (handle->body.len == 0) {
        if (!push_trouble(L, handle)) {
            lua_pushnil(L);
            return 1;
        }
        return 2;
    }
    lua_pushlstring(L, handle->body.data, handle->body.len);
    rl_buf_free(&handle->body);
    handle->readable.done = handle->http == NULL;
    resume(handle);
    return 1;
}


/* bytes | nil [, failure] = handle:read() */
static int l_read(lua_State *L)
{
    struct handle *handle = check_handle(L);
    return rl_park(L, &handle->readable, -1, (lua_KContext)handle, k_read);
}


static int k_body(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct handle *handle = (struct handle *)ctx;
    if (push_trouble(L, handle))
        return 2;
    lua_pushlstring(L, handle->body.len > 0 ? handle->body.data : "", handle->body.len);
    rl_buf_free(&handle->body);
    return 1;
}


/* body | nil, failure = handle:body() */
static int l_body(lua_State *L)
{
    struct handle *handle = check_handle(L);
    handle->whole = true;
    resume(handle);
    return rl_park(L, &handle->ended, -1, (lua_KContext)handle, k_body);
}


/* handle:close(), also when it is collected or leaves its block */
static int l_close(lua_State *L)
{
    struct handle *handle = luaL_checkudata(L, 1, HTTP);
    if (handle->closed)
        return 0;
    handle->closed = true;
    if (handle->http != NULL)
        rl_http_cancel(handle->http);
    rl_buf_free(&handle->body);
    rl_http_head_free(&handle->head);
    return 0;
}


static const luaL_Reg functions[] = {{"http", l_http}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"head", l_head},  {"read", l_read},     {"body", l_body}, {"close", l_close},
    {"__gc", l_close}, {"__close", l_close}, {NULL, NULL},
};


int rl_open_http(lua_State *L)
{
    rl_core_class(L, HTTP, methods);
    rl_core_functions(L, functions);
    return 0;
}
