/* lua_decode.c -- beside the walk: the decoder without a network, for `rille decode` and specs.
 *
 * core.decode, core.sse and core.retry_after. Callbacks of the parsers store C data; Lua values are
 * made when they have returned, so an error in Lua never runs through a parser.
 */
#include "canonical.h"
#include "lua_core.h"
#include "lua_json.h"
#include "lua_opt.h"
#include "message.h"
#include "sse.h"
#include "tree.h"

#include <string.h>
#include <strings.h>

#define DECODE "rille.Decode" /* metatable of the userdata that owns a decoding */
#define SSE    "rille.Sse"

struct decode_options {
    int64_t status;
    int64_t n;
    int64_t max_bytes;
    int headers;
    int cuts;
    bool stream;
    bool cumulative;
    struct rl_text want;
};

static const struct rl_opt decode_options[] = {
    {"status", RL_OPT_INTEGER, offsetof(struct decode_options, status), 0},
    {"n", RL_OPT_INTEGER, offsetof(struct decode_options, n), 0},
    {"max_bytes", RL_OPT_INTEGER, offsetof(struct decode_options, max_bytes), 0},
    {"headers", RL_OPT_VALUE, offsetof(struct decode_options, headers), 0},
    {"cuts", RL_OPT_VALUE, offsetof(struct decode_options, cuts), 0},
    {"stream", RL_OPT_BOOLEAN, offsetof(struct decode_options, stream), 0},
    {"want", RL_OPT_STRING, offsetof(struct decode_options, want), 0},
    {"cumulative", RL_OPT_BOOLEAN, offsetof(struct decode_options, cumulative), 0},
    {NULL, 0, 0, 0},
};


/* ------------------------------------------------------------------ headers */

/* A table on the stack: lower-case names -> values, or a list of lines "Name: value". */
struct headers {
    lua_State *L;
    int index;
};


/* The value in <line> when it belongs to <name>; NULL otherwise. */
static const char *value_in(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    return line + len + 1 + strspn(line + len + 1, " \t");
}


/* Raw and without a copy: what is returned stands in the table. */
static const char *look_up(const void *owner, const char *name)
{
    const struct headers *headers = owner;
    lua_State *L = headers->L;
    const char *value = NULL;
    lua_pushstring(L, name);
    if (lua_rawget(L, headers->index) == LUA_TSTRING)
        value = lua_tostring(L, -1);
    lua_pop(L, 1);
    bool is_line = true;
    for (lua_Integer i = 1; value == NULL && is_line; i++) {
        is_line = lua_rawgeti(L, headers->index, i) == LUA_TSTRING;
        if (is_line)
            value = value_in(lua_tostring(L, -1), name);
        lua_pop(L, 1);
    }
    return value;
}


/* seconds | nil = core.retry_after(headers, now) */
static int l_retry_after(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    double now = luaL_checknumber(L, 2);
    struct headers headers = {L, 1};
    struct rl_reply_head head = {0, look_up, &headers};
    double seconds;
    if (!rl_retry_after(&head, now, &seconds))
        return 0;
    lua_pushnumber(L, seconds);
    return 1;
}


/* ------------------------------------------------------------------ decode */

/* A decoding, owned by a userdata. */
struct decode {
    struct rl_message *message;
    cJSON *result; /* canonical */
    cJSON *seen;   /* list of what the observers were told */
};


static int l_decode_gc(lua_State *L)
{
    struct decode *decode = lua_touserdata(L, 1);
    rl_message_free(decode->message);
    rl_tree_free(decode->result);
    rl_tree_free(decode->seen);
    *decode = (struct decode){0};
    return 0;
}


static int on_delta(void *owner, enum rl_delta_kind kind, int64_t choice, const char *carried,
                    size_t len)
{
    static const char *const kinds[] = {"text", "reasoning", "refusal"};
    struct decode *decode = owner;
    cJSON *delta = cJSON_CreateObject();
    if (delta == NULL)
        return RL_ENOMEM;
    cJSON_AddItemToArray(decode->seen, delta);
    struct rl_buf text; /* carried text stays carried: no NUL is in it */
    rl_buf_init(&text, len);
    bool ok = rl_buf_add(&text, carried, len) == RL_OK &&
              cJSON_AddStringToObject(delta, "kind", kinds[kind]) != NULL &&
              cJSON_AddStringToObject(delta, "text", text.data) != NULL &&
              cJSON_AddNumberToObject(delta, "choice", (double)choice) != NULL;
    rl_buf_free(&text);
    return ok ? RL_OK : RL_ENOMEM;
}


static int on_chunk(void *owner, const cJSON *chunk)
{
    struct decode *decode = owner;
    cJSON *copy = rl_tree_copy(chunk);
    if (copy == NULL)
        return RL_ENOMEM;
    cJSON_AddItemToArray(decode->seen, copy);
    return RL_OK;
}


/* Feeds <body> in the slices that the list of offsets at <cuts> makes of it; 0: whole. Does not
 * raise. */
static int feed(lua_State *L, struct rl_message *message, const char *body, size_t len, int cuts)
{
    size_t at = 0;
    int rc = RL_OK;
    for (lua_Integer i = 1; rc == RL_OK && cuts != 0; i++) {
        lua_rawgeti(L, cuts, i);
        lua_Integer cut = lua_tointeger(L, -1);
        bool is_cut = lua_isnumber(L, -1);
        lua_pop(L, 1);
        if (!is_cut)
            break;
        if (cut < 0 || (size_t)cut < at || (size_t)cut > len)
            continue;
        rc = rl_message_feed(message, body + at, (size_t)cut - at);
        at = (size_t)cut;
    }
    return rc == RL_OK ? rl_message_feed(message, body + at, len - at) : rc;
}


/* Makes what observers are told visible, when it is wanted. */
static void watch(lua_State *L, struct decode *decode, const char *want,
                  struct rl_message_options *options)
{
    if (want == NULL)
        return;
    bool deltas = strcmp(want, "deltas") == 0;
    luaL_argcheck(L, deltas || strcmp(want, "chunks") == 0, 2, "want: \"deltas\" or \"chunks\"");
    options->on_delta = deltas ? on_delta : NULL;
    options->on_chunk = deltas ? NULL : on_chunk;
    decode->seen = cJSON_CreateArray();
}


/* Pushes the userdata of a decoding. */
static struct decode *push_decode(lua_State *L)
{
    struct decode *decode = lua_newuserdatauv(L, sizeof(*decode), 0);
    *decode = (struct decode){0};
    luaL_setmetatable(L, DECODE);
    return decode;
}


static int push_result(lua_State *L, const struct decode *decode)
{
    luaL_checkstack(L, 4, "a decoded reply");
    rl_lua_push_json(L, decode->result, true);
    if (decode->seen == NULL)
        return 1;
    rl_lua_push_json(L, decode->seen, true);
    return 2;
}


/* canonical [, seen] = core.decode(body, options) */
static int l_decode(lua_State *L)
{
    size_t len;
    const char *body = luaL_checklstring(L, 1, &len);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    struct decode_options o;
    rl_opt_read(L, 2, decode_options, &o);
    lua_getfield(L, 2, "headers"); /* 3 */
    lua_getfield(L, 2, "cuts");    /* 4 */
    if (o.headers)
        luaL_checktype(L, 3, LUA_TTABLE);
    if (o.cuts)
        luaL_checktype(L, 4, LUA_TTABLE);
    struct decode *decode = push_decode(L);
    struct rl_message_options options = {
        .n = (int)o.n, .is_cumulative = o.cumulative, .owner = decode};
    if (o.max_bytes > 0)
        options.max_bytes = (size_t)o.max_bytes;
    watch(L, decode, o.want.data, &options);
    decode->message = rl_message_new(&options);
    if (decode->message == NULL || (o.want.data != NULL && decode->seen == NULL))
        return luaL_error(L, "out of memory");
    struct headers headers = {L, 3};
    struct rl_reply_head head = {o.status > 0 ? (int)o.status : 200, o.headers ? look_up : NULL,
                                 &headers};
    rl_message_head(decode->message, &head);
    int rc = feed(L, decode->message, body, len, o.cuts ? 4 : 0);
    if (rc >= 0)
        rc = rl_message_finish(decode->message);
    decode->result = rc == RL_OK ? rl_canonical(decode->message) : NULL;
    if (decode->result == NULL)
        return luaL_error(L, "out of memory");
    return push_result(L, decode);
}


/* ------------------------------------------------------------------ events alone */

/* An event parser with the events that came since it was last asked. */
struct sse {
    struct rl_sse parser;
    struct rl_buf events; /* struct record, type, data; and again */
};

struct record {
    size_t type_len;
    size_t data_len;
};


static int on_event(void *owner, const struct rl_sse_event *event)
{
    struct sse *sse = owner;
    struct record record = {strlen(event->type), event->data_len};
    rl_buf_add(&sse->events, &record, sizeof(record));
    rl_buf_add(&sse->events, event->type, record.type_len);
    return rl_buf_add(&sse->events, event->data, record.data_len);
}


/* Pushes the list of events that wait. */
static int push_events(lua_State *L, struct sse *sse)
{
    lua_newtable(L);
    size_t at = 0;
    for (lua_Integer i = 1; at < sse->events.len; i++) {
        struct record record;
        memcpy(&record, sse->events.data + at, sizeof(record));
        at += sizeof(record);
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, sse->events.data + at, record.type_len);
        lua_setfield(L, -2, "type");
        at += record.type_len;
        lua_pushlstring(L, sse->events.data + at, record.data_len);
        lua_setfield(L, -2, "data");
        at += record.data_len;
        lua_rawseti(L, -2, i);
    }
    rl_buf_clear(&sse->events);
    return 1;
}


static int push_outcome(lua_State *L, struct sse *sse, int rc)
{
    if (rc == RL_OK)
        return push_events(L, sse);
    rl_buf_clear(&sse->events);
    return rl_push_failure(L, rl_err_name(rc), "an event is larger than the limit");
}


/* events | nil, failure = sse:feed(bytes) */
static int l_feed(lua_State *L)
{
    struct sse *sse = luaL_checkudata(L, 1, SSE);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    return push_outcome(L, sse, rl_sse_feed(&sse->parser, bytes, len));
}


/* events | nil, failure = sse:finish() */
static int l_finish(lua_State *L)
{
    struct sse *sse = luaL_checkudata(L, 1, SSE);
    return push_outcome(L, sse, rl_sse_finish(&sse->parser));
}


static int l_sse_gc(lua_State *L)
{
    struct sse *sse = lua_touserdata(L, 1);
    rl_sse_free(&sse->parser);
    rl_buf_free(&sse->events);
    return 0;
}


/* sse = core.sse([max_bytes]) */
static int l_sse(lua_State *L)
{
    lua_Integer max_bytes = luaL_optinteger(L, 1, 64 << 20);
    luaL_argcheck(L, max_bytes > 0, 1, "bytes, more than 0");
    struct sse *sse = lua_newuserdatauv(L, sizeof(*sse), 0);
    rl_sse_init(&sse->parser, (size_t)max_bytes, on_event, sse);
    rl_buf_init(&sse->events, SIZE_MAX / 4);
    luaL_setmetatable(L, SSE);
    return 1;
}


int rl_open_decode(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"decode", l_decode}, {"sse", l_sse}, {"retry_after", l_retry_after}, {NULL, NULL}};
    static const luaL_Reg decoding[] = {{"__gc", l_decode_gc}, {NULL, NULL}};
    static const luaL_Reg events[] = {
        {"feed", l_feed}, {"finish", l_finish}, {"__gc", l_sse_gc}, {NULL, NULL}};
    rl_core_class(L, DECODE, decoding);
    rl_core_class(L, SSE, events);
    rl_core_functions(L, functions);
    return 0;
}
