/* lua_transcript.c -- beside the walk: core.transcript and its methods. See transcript.h; docs in
 * transcript.lua.
 *
 * Every message that enters is checked and encoded here, once; what comes out is decoded anew, so
 * nobody can change what was said.
 */
#include "lua_transcript.h"

#include "json.h"
#include "lua_core.h"
#include "lua_json.h"
#include "lua_plain.h"

#include <string.h>

static const char TRANSCRIPT[] = "rille.Transcript";

struct object {
    const char *class; /* TRANSCRIPT */
    struct rl_transcript transcript;
};

/* Our own text: only the nesting is bounded. */
static const struct rl_json_limits own_limits = {SIZE_MAX, RL_LUA_JSON_DEPTH, SIZE_MAX};


struct rl_transcript *rl_check_transcript(lua_State *L, int arg)
{
    return &((struct object *)rl_core_check(L, arg, TRANSCRIPT))->transcript;
}


static struct rl_transcript *push_transcript(lua_State *L)
{
    struct object *object = lua_newuserdatauv(L, sizeof(*object), 0);
    *object = (struct object){.class = TRANSCRIPT};
    rl_transcript_init(&object->transcript);
    luaL_setmetatable(L, TRANSCRIPT);
    return &object->transcript;
}


static void check_memory(lua_State *L, int code)
{
    if (code != RL_OK)
        luaL_error(L, "not enough memory");
}


/* 1 and up from the front, -1 and down from the end -> from 0; false when there is none. */
static bool find_index(const struct rl_transcript *transcript, lua_Integer i, size_t *found)
{
    lua_Integer count = (lua_Integer)transcript->count;
    if (i < 0)
        i += count + 1;
    if (i < 1 || i > count)
        return false;
    *found = (size_t)(i - 1);
    return true;
}


/* The message that argument 2 of a method names, from 0. Look last: collecting garbage can run a
 * finaliser that shortens the transcript. */
static size_t check_index(lua_State *L, const struct rl_transcript *transcript)
{
    lua_Integer i = luaL_checkinteger(L, 2);
    size_t found = 0;
    if (!find_index(transcript, i, &found))
        luaL_error(L, "bad argument #1 (no message %I in a transcript of %I)", (LUAI_UACINT)i,
                   (LUAI_UACINT)transcript->count);
    return found;
}


/* Raises for what is no message: the argument, or number <i> of a list. */
static int refuse(lua_State *L, lua_Integer i, const char *expected, int found)
{
    const char *name = i > 0 ? lua_pushfstring(L, "messages[%I]", (LUAI_UACINT)i) : "message";
    return luaL_error(L, "%s: %s expected, got %s", name, expected, luaL_typename(L, found));
}


/* Pushes the message at <arg> as it is kept: `content` is null, not absent, where servers want to
 * see it. */
static void push_kept(lua_State *L, int arg)
{
    luaL_checkstack(L, 4, "a message");
    lua_pushvalue(L, arg);
    lua_pushliteral(L, "content");
    if (lua_rawget(L, arg) == LUA_TNIL) {
        lua_newtable(L);
        for (lua_pushnil(L); lua_next(L, arg) != 0;) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2); /* the next step takes the other one */
            lua_rawset(L, -4);
        }
        lua_pushlightuserdata(L, NULL);
        lua_setfield(L, -2, "content");
        lua_replace(L, -3);
    }
    lua_pop(L, 1);
}


static void check_table(lua_State *L, int arg, lua_Integer i)
{
    if (!lua_istable(L, arg))
        refuse(L, i, "table", arg);
}


/* Behind the <len> bytes of a plain message: the same with the empty list that was left out of it.
 * Its name is the first of all. */
static void add_annotated(struct rl_buf *text, size_t len)
{
    static const char opening[] = "{\"annotations\":[],";
    if (rl_buf_reserve(text, strlen(opening) + len) != RL_OK)
        return;
    rl_buf_adds(text, opening);
    rl_buf_add(text, text->data + strlen("{"), len - strlen("{"));
}


static void add_neutral(lua_State *L, int arg, bool kept, struct rl_buf *text)
{
    int top = lua_gettop(L);
    if (kept)
        push_kept(L, arg);
    rl_lua_encode_json(L, kept ? top + 1 : arg, text);
    lua_settop(L, top);
}


/* The message whose neutral text stands in <text>, behind <start> bytes of its plain or bare one.
 */
static struct rl_message_text *new_message(const struct rl_buf *text, size_t start,
                                           const char *role, bool plain, bool bare)
{
    const char *neutral = text->data + start;
    size_t len = text->len - start;
    if (plain)
        return rl_message_text_new_plain(neutral, len, role, text->data, start > 0 ? start : len);
    return bare ? rl_message_text_new_bare(neutral, len, role, text->data, start)
                : rl_message_text_new(neutral, len, role);
}


/* The message in the table at <arg>, encoded by way of the empty <text>; raises when it is none;
 * <i> as for refuse. <kept>: see push_kept. NULL without memory. Leaves the stack as it was. */
static struct rl_message_text *encode_message(lua_State *L, int arg, lua_Integer i, bool kept,
                                              struct rl_buf *text)
{
    int top = lua_gettop(L);
    lua_pushliteral(L, "role");
    if (lua_rawget(L, arg) != LUA_TSTRING)
        refuse(L, i, "a role (string)", top + 1);
    const char *role = lua_tostring(L, -1);
    struct rl_plain found;
    bool bare = rl_lua_encode_plain(L, arg, kept, text, &found);
    bool plain = bare && !found.sheds && !found.sheds_calls;
    size_t start = plain && !found.annotated ? 0 : text->len; /* of the neutral text */
    if (!plain)
        add_neutral(L, arg, kept, text);
    else if (start > 0)
        add_annotated(text, start);
    struct rl_message_text *message = NULL;
    if (text->status == RL_OK)
        message = new_message(text, start, role, plain, bare);
    if (message != NULL)
        message->sheds_calls = bare && found.sheds_calls;
    rl_buf_clear(text);
    lua_settop(L, top);
    return message;
}


/* The same with a buffer of its own. */
static struct rl_message_text *check_message(lua_State *L, int arg, lua_Integer i)
{
    arg = lua_absindex(L, arg);
    check_table(L, arg, i);
    struct rl_buf *text = rl_lua_push_buf(L, RL_LUA_JSON_BYTES);
    struct rl_message_text *message = encode_message(L, arg, i, false, text);
    rl_lua_pop_buf(L);
    return message;
}


/* Pushes a decoded copy of message <index>, nil when there is none. The owner of the tree comes
 * first, so that nothing allocates in Lua between finding the message and being done with it. */
static void push_message(lua_State *L, const struct rl_transcript *transcript, lua_Integer index)
{
    struct rl_err err = {0};
    size_t i = 0;
    cJSON **tree = rl_lua_push_tree(L);
    if (find_index(transcript, index, &i)) {
        const struct rl_message_text *message = rl_transcript_message(transcript, i);
        *tree = rl_json_parse(message->text, message->len, &own_limits, RL_JSON_ONE_BLOCK, &err);
        if (*tree == NULL)
            luaL_error(L, "%s", err.message);
    }
    rl_lua_push_json(L, *tree, false);
    lua_insert(L, -2);
    rl_lua_pop_tree(L);
}


/* transcript = core.transcript([messages]) */
static int l_transcript(lua_State *L)
{
    lua_settop(L, 1);
    bool given = !lua_isnil(L, 1);
    if (given)
        luaL_checktype(L, 1, LUA_TTABLE);
    struct rl_transcript *transcript = push_transcript(L);
    lua_Integer count = given ? (lua_Integer)lua_rawlen(L, 1) : 0;
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, i);
        check_memory(L, rl_transcript_append(transcript, check_message(L, -1, i)));
        lua_pop(L, 1);
    }
    return 1;
}


/* transcript = transcript:append(message) */
static int l_append(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    check_memory(L, rl_transcript_append(transcript, check_message(L, 2, 0)));
    lua_settop(L, 1);
    return 1;
}


/* append_each(transcript, list, message | nil) */
static int append_each(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    struct rl_buf *text = rl_lua_push_buf(L, RL_LUA_JSON_BYTES);
    if (!lua_isnil(L, 3))
        check_memory(L, rl_transcript_append(transcript, encode_message(L, 3, 0, true, text)));
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 2, i);
        check_table(L, 5, 0);
        check_memory(L, rl_transcript_append(transcript, encode_message(L, 5, 0, false, text)));
        lua_pop(L, 1);
    }
    rl_lua_pop_buf(L);
    return 0;
}


/* transcript:append_all(list [, message]) */
static int l_append_all(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    size_t before = transcript->count;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    if (!lua_isnil(L, 3))
        check_table(L, 3, 0);
    lua_pushcfunction(L, append_each);
    for (int i = 1; i <= 3; i++)
        lua_pushvalue(L, i);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK)
        return 0;
    if (transcript->count > before)
        rl_transcript_truncate(transcript, before);
    return lua_error(L);
}


/* transcript = transcript:replace(i, message) */
static int l_replace(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    check_index(L, transcript);
    struct rl_message_text *message = check_message(L, 3, 0);
    check_memory(L, message != NULL ? RL_OK : RL_ENOMEM);
    size_t i = 0; /* looked up again: collecting garbage may have shortened the transcript */
    if (find_index(transcript, lua_tointeger(L, 2), &i))
        check_memory(L, rl_transcript_replace(transcript, i, message));
    else
        rl_message_text_unref(message);
    lua_settop(L, 1);
    return 1;
}


/* transcript = transcript:truncate(n) */
static int l_truncate(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    lua_Integer count = luaL_checkinteger(L, 2);
    luaL_argcheck(L, count >= 0, 2, "number of messages, 0 or more");
    if ((lua_Unsigned)count < transcript->count)
        check_memory(L, rl_transcript_truncate(transcript, (size_t)count));
    lua_settop(L, 1);
    return 1;
}


/* clone = transcript:clone() */
static int l_clone(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    rl_transcript_clone(push_transcript(L), transcript);
    return 1;
}


/* list = transcript:messages() */
static int l_messages(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    lua_createtable(L, (int)transcript->count, 0);
    rl_lua_push_array_metatable(L);
    lua_setmetatable(L, -2);
    for (lua_Integer i = 1; (size_t)i <= transcript->count; i++) {
        push_message(L, transcript, i);
        lua_rawseti(L, -2, i);
    }
    return 1;
}


static int push_wire(lua_State *L, struct rl_transcript *transcript, const char *key)
{
    rl_transcript_measure(transcript);
    struct rl_buf *out = rl_lua_push_buf(L, SIZE_MAX / 4);
    rl_buf_reserve(out, rl_transcript_wire_size(transcript, key) + 2);
    rl_buf_addc(out, '[');
    rl_transcript_add_wire(transcript, key, out);
    check_memory(L, rl_buf_addc(out, ']'));
    lua_pushlstring(L, out->data, out->len);
    rl_buf_free(out);
    return 1;
}


/* json = transcript:encode() */
static int l_encode(lua_State *L)
{
    return push_wire(L, rl_check_transcript(L, 1), NULL);
}


/* json = transcript:wire([key]) */
static int l_wire(lua_State *L)
{
    return push_wire(L, rl_check_transcript(L, 1), luaL_optstring(L, 2, NULL));
}


/* index | nil = transcript:unwired(key [, from [, plain_serves]]) */
static int l_unwired(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    const char *key = luaL_checkstring(L, 2);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, from >= 1, 3, "index of a message, 1 or more");
    size_t found = rl_transcript_unwired(transcript, key, (size_t)(from - 1), lua_toboolean(L, 4));
    if (found == transcript->count)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)found + 1);
    return 1;
}


/* transcript:set_wire(i, key, json | nil) */
static int l_set_wire(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    size_t len = 0;
    const char *key = luaL_checkstring(L, 3);
    const char *text = luaL_optlstring(L, 4, NULL, &len);
    size_t i = check_index(L, transcript);
    check_memory(L, rl_transcript_set_wire(transcript, i, key, text, len));
    return 0;
}


/* message | method | nil = transcript[key] */
static int l_index(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    if (lua_isinteger(L, 2)) {
        push_message(L, transcript, lua_tointeger(L, 2));
        return 1;
    }
    lua_getmetatable(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}


/* count = #transcript */
static int l_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)rl_check_transcript(L, 1)->count);
    return 1;
}


static int l_tostring(lua_State *L)
{
    struct rl_transcript *transcript = rl_check_transcript(L, 1);
    lua_pushfstring(L, "rille.Transcript (%I messages)", (LUAI_UACINT)transcript->count);
    return 1;
}


static int l_gc(lua_State *L)
{
    rl_transcript_free(rl_check_transcript(L, 1));
    return 0;
}


static const luaL_Reg methods[] = {
    {"append_all", l_append_all},
    {"append", l_append},
    {"replace", l_replace},
    {"truncate", l_truncate},
    {"clone", l_clone},
    {"messages", l_messages},
    {"encode", l_encode},
    {"unwired", l_unwired},
    {"set_wire", l_set_wire},
    {"wire", l_wire},
    {"__len", l_len},
    {"__gc", l_gc},
    {"__tostring", l_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {{"transcript", l_transcript}, {NULL, NULL}};


int rl_open_transcript(lua_State *L)
{
    static const luaL_Reg index[] = {{"__index", l_index}, {NULL, NULL}};
    rl_core_class(L, TRANSCRIPT, methods);
    luaL_getmetatable(L, TRANSCRIPT);
    rl_core_functions(L, index); /* takes the place of the plain __index */
    lua_pop(L, 1);
    rl_core_functions(L, functions);
    return 0;
}
