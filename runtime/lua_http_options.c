/* lua_http_options.c -- walk 3: what core.http and core.chat share. See lua_http_options.h. */
#include "lua_http_options.h"

#include "lua_core.h"

#include <string.h>


static void close_pool(void *pool)
{
    rl_http_pool_close(pool);
}


uv_loop_t *rl_lua_http_loop(lua_State *L)
{
    struct rl_engine *engine = rl_engine_of(L);
    if (rl_engine_slot(engine, RL_SLOT_HTTP, close_pool) == NULL)
        luaL_error(L, "the runtime is closed");
    return rl_engine_loop(engine);
}


struct rl_http_pool *rl_lua_http_pool(lua_State *L)
{
    uv_loop_t *loop = rl_lua_http_loop(L);
    void **slot = rl_engine_slot(rl_engine_of(L), RL_SLOT_HTTP, close_pool);
    struct rl_err err;
    if (*slot == NULL && (*slot = rl_http_pool_open(loop, &err)) == NULL)
        luaL_error(L, "%s", err.message);
    return *slot;
}


size_t rl_lua_http_count(struct rl_engine *engine)
{
    void **slot = rl_engine_slot(engine, RL_SLOT_HTTP, close_pool);
    return slot != NULL && *slot != NULL ? rl_http_pool_count(*slot) : 0;
}


/* The text of an option that C reads up to its first NUL. */
static const char *plain_text(lua_State *L, const char *name, const struct rl_text *text)
{
    if (text->data != NULL && strlen(text->data) != text->len)
        luaL_error(L, "option '%s' holds a NUL byte", name);
    return text->data;
}


/* The name may be told, the value may be a secret. */
static const char *check_line(lua_State *L, int index, size_t i)
{
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_error(L, "headers[%d]: string expected, got %s", (int)i, luaL_typename(L, index));
    size_t len;
    const char *line = lua_tolstring(L, index, &len);
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || colon == line)
        luaL_error(L, "headers[%d]: a line \"Name: value\" expected", (int)i);
    if (strcspn(line, "\r\n") != len) {
        lua_pushlstring(L, line, strcspn(line, ":\r\n"));
        luaL_error(L, "header '%s' holds a line break or a NUL byte", lua_tostring(L, -1));
    }
    return line;
}


const char *const *rl_lua_header_lines(lua_State *L, int table, size_t *count)
{
    table = lua_absindex(L, table);
    *count = (size_t)lua_rawlen(L, table);
    const char **lines = lua_newuserdatauv(L, (*count + 1) * sizeof(*lines), 0);
    for (size_t i = 1; i <= *count; i++) {
        lua_rawgeti(L, table, (lua_Integer)i);
        lines[i - 1] = check_line(L, lua_gettop(L), i);
        lua_pop(L, 1); /* the table keeps it */
    }
    return lines;
}


#define TEMPLATE "rille.HttpTemplate"

static int l_template_gc(lua_State *L)
{
    struct rl_http_template **template = luaL_checkudata(L, 1, TEMPLATE);
    rl_http_template_unref(*template);
    *template = NULL;
    return 0;
}


/* Pushes the owner of a template: of <url>, and the header lines in the table on top of the stack.
 */
static struct rl_http_template *push_template(lua_State *L, const char *url)
{
    static const luaL_Reg methods[] = {{"__gc", l_template_gc}, {NULL, NULL}};
    struct rl_http_template **template = lua_newuserdatauv(L, sizeof(*template), 0);
    *template = NULL;
    rl_core_class(L, TEMPLATE, methods);
    luaL_setmetatable(L, TEMPLATE);
    size_t count;
    lua_pushvalue(L, -2);
    const char *const *lines = rl_lua_header_lines(L, -1, &count);
    *template = rl_http_template_new(url, lines, count);
    if (*template == NULL)
        luaL_error(L, "not enough memory for a request");
    lua_pop(L, 2);
    return *template;
}


/* A method stands in the request line: letters, digits and a few signs. */
static const char *check_method(lua_State *L, const struct rl_text *method)
{
    if (method->data == NULL)
        return "GET";
    if (method->len == 0 ||
        strspn(method->data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789-_") != method->len)
        luaL_error(L, "option 'method': '%s' is no HTTP method", method->data);
    return method->data;
}


void rl_http_options_request(lua_State *L, int index, const struct rl_http_options *options,
                             struct rl_http_request *request)
{
    index = lua_absindex(L, index);
    *request = (struct rl_http_request){
        .url = plain_text(L, "url", &options->url),
        .method = check_method(L, &options->method),
        .proxy = plain_text(L, "proxy", &options->proxy),
        .no_proxy = plain_text(L, "no_proxy", &options->no_proxy),
        .ca_file = plain_text(L, "ca_file", &options->ca_file),
        .user_agent = "rille/" RILLE_VERSION,
        .limits = {options->connect_ms, options->first_byte_ms, options->idle_ms, -1,
                   options->total_ms},
        .max_bytes = options->max_bytes,
        .body = {.bytes = (char *)options->body.data,
                 .len = options->body.len,
                 .is_borrowed = true},
    };
    if (!options->headers) {
        lua_pushnil(L);
        return;
    }
    if (lua_getfield(L, index, "headers") != LUA_TTABLE)
        luaL_error(L, "option 'headers': list of lines expected, got %s", luaL_typename(L, -1));
    request->template = push_template(L, request->url);
    lua_remove(L, -2);
}


void rl_lua_push_fields(lua_State *L, const struct rl_http_head *head, const char *prefix)
{
    const char *name;
    const char *value;
    size_t prefix_len = prefix != NULL ? strlen(prefix) : 0;
    if (prefix != NULL)
        lua_pushnil(L);
    else
        lua_newtable(L);
    for (size_t at = 0; rl_http_head_next(head, &at, &name, &value);) {
        if (prefix_len > 0 && strncmp(name, prefix, prefix_len) != 0)
            continue;
        if (lua_isnil(L, -1)) {
            lua_newtable(L);
            lua_replace(L, -2);
        }
        if (lua_getfield(L, -1, name) == LUA_TSTRING)
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
        else
            lua_pushstring(L, value);
        lua_setfield(L, -3, name);
        lua_pop(L, 1);
    }
}
