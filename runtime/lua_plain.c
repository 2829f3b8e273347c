/* lua_plain.c -- beside the walk: messages of the ordinary shape, read and written in one go. See
 * lua_plain.h.
 */
#include "lua_plain.h"

#include "err.h"
#include "json.h"
#include "lua_json.h"
#include "span.h"

#include <lauxlib.h>
#include <string.h>

enum { MOST_MEMBERS = 5, STACK = 16 };

struct name {
    const char *text;
    size_t len; /* another one for each name of a table; 0: no more names */
};

/* What a table of a plain message may hold, in the order of JSON: sorted. */
enum message_member { CONTENT, ROLE, CALL_ID, CALLS, ANNOTATIONS };
static const struct name message_names[] = {{"content", 7},       {"role", 4},
                                            {"tool_call_id", 12}, {"tool_calls", 10},
                                            {"annotations", 11},  {NULL, 0}};

enum call_member { FUNCTION, ID, TYPE };
static const struct name call_names[] = {{"function", 8}, {"id", 2}, {"type", 4}, {NULL, 0}};

enum function_member { ARGUMENTS, NAME };
static const struct name function_names[] = {{"arguments", 9}, {"name", 4}, {NULL, 0}};

/* Where a message is written, and what was found out about it. */
struct writer {
    struct rl_buf *out;
    bool kept;
    struct rl_plain found;
};

struct member {
    int type;         /* of Lua; LUA_TNIL: absent */
    const char *text; /* of a string; Lua's */
    size_t len;
};


/* A name may hold a NUL: then it is none of these. */
static struct member *find(struct member *members, const struct name *names, const char *text,
                           size_t len)
{
    for (size_t i = 0; names[i].len > 0; i++)
        if (names[i].len == len)
            return memcmp(names[i].text, text, len) == 0 ? &members[i] : NULL;
    return NULL;
}


/* Reads the members of these names of a table that has no metatable. Others are refused, or noted
 * in <others> where it is not NULL. What is left on the stack goes with the rest of it. */
static bool read_members(lua_State *L, int index, const struct name *names, struct member *members,
                         bool *others)
{
    memset(members, 0, MOST_MEMBERS * sizeof(*members));
    if (!lua_istable(L, index) || lua_getmetatable(L, index) != 0)
        return false;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        size_t len = 0;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &len) : NULL;
        struct member *member = find(members, names, name, len);
        if (member == NULL && (name == NULL || others == NULL))
            return false;
        if (member == NULL) {
            *others = true;
            continue;
        }
        member->type = lua_type(L, -1);
        if (member->type == LUA_TSTRING)
            member->text = lua_tolstring(L, -1, &member->len);
    }
    return true;
}


static bool is_text(const struct member *member, size_t max_bytes)
{
    return member->type == LUA_TSTRING && member->len <= max_bytes;
}


static bool says(const struct member *member, const char *word)
{
    return member->type == LUA_TSTRING && member->len == strlen(word) &&
           memcmp(member->text, word, member->len) == 0;
}


static bool is_object(const struct member *member)
{
    if (member->type != LUA_TSTRING)
        return false;
    struct rl_span span = rl_span_trim(member->text, member->len);
    return span.len > 0 && span.at[0] == '{' && rl_json_is_readable(member->text, member->len);
}


/* <before> "text" */
static void add_text(struct rl_buf *out, const char *before, const struct member *member)
{
    rl_buf_adds(out, before);
    rl_json_write_string(out, member->text, member->len);
}


static bool add_function(lua_State *L, int index, struct writer *writer)
{
    struct rl_buf *out = writer->out;
    struct member members[MOST_MEMBERS];
    if (!read_members(L, index, function_names, members, &writer->found.sheds_calls) ||
        !is_object(&members[ARGUMENTS]) || !is_text(&members[NAME], SIZE_MAX))
        return false;
    add_text(out, "{\"arguments\":", &members[ARGUMENTS]);
    add_text(out, ",\"name\":", &members[NAME]);
    return true;
}


static bool add_call(lua_State *L, int index, struct writer *writer)
{
    struct rl_buf *out = writer->out;
    struct member members[MOST_MEMBERS];
    if (!read_members(L, index, call_names, members, &writer->found.sheds_calls) ||
        !is_text(&members[ID], RL_PLAIN_ID) || !says(&members[TYPE], "function"))
        return false;
    rl_buf_adds(out, "{\"function\":");
    lua_getfield(L, index, "function"); /* no metatable: raw */
    if (!add_function(L, lua_gettop(L), writer))
        return false;
    add_text(out, "},\"id\":", &members[ID]);
    rl_buf_adds(out, ",\"type\":\"function\"}");
    return true;
}


/* Is the table on top of the stack marked as an array, or not at all? */
static bool may_be_list(lua_State *L)
{
    if (lua_getmetatable(L, -1) == 0)
        return true;
    rl_lua_push_array_metatable(L);
    bool is_array = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is_array;
}


/* A list that is not empty, of plain calls, without holes or anything beside it. */
static bool add_calls(lua_State *L, int message, struct writer *writer)
{
    struct rl_buf *out = writer->out;
    lua_getfield(L, message, "tool_calls");
    int calls = lua_gettop(L);
    if (!lua_istable(L, calls) || !may_be_list(L))
        return false;
    lua_Integer count = 0;
    for (lua_pushnil(L); lua_next(L, calls) != 0; lua_pop(L, 1))
        count++;
    rl_buf_adds(out, ",\"tool_calls\":[");
    for (lua_Integer i = 1; i <= count; i++) {
        if (i > 1)
            rl_buf_addc(out, ',');
        lua_rawgeti(L, calls, i);
        if (!add_call(L, calls + 1, writer))
            return false;
        lua_settop(L, calls);
    }
    rl_buf_addc(out, ']');
    return count > 0;
}


/* Is the list of annotations empty, and marked as a list? What is left on the stack goes with the
 * rest of it. */
static bool has_no_annotations(lua_State *L, int message)
{
    lua_getfield(L, message, "annotations");
    if (!lua_istable(L, -1) || lua_getmetatable(L, -1) == 0)
        return false;
    rl_lua_push_array_metatable(L);
    bool is_list = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    lua_pushnil(L);
    return is_list && lua_next(L, -2) == 0;
}


static bool add_assistant(lua_State *L, int index, const struct member *members,
                          struct writer *writer)
{
    struct rl_buf *out = writer->out;
    bool has_calls = members[CALLS].type != LUA_TNIL;
    if (members[CALL_ID].type != LUA_TNIL)
        return false;
    if (members[ANNOTATIONS].type != LUA_TNIL) {
        if (has_no_annotations(L, index))
            writer->found.annotated = true;
        else
            writer->found.sheds = true;
    }
    if (members[CONTENT].type == LUA_TSTRING) {
        add_text(out, "{\"content\":", &members[CONTENT]);
    } else {
        lua_getfield(L, index, "content");
        bool is_null = lua_islightuserdata(L, -1) && lua_touserdata(L, -1) == NULL;
        if (!has_calls || !(is_null || (writer->kept && lua_isnil(L, -1))))
            return false; /* neither a text nor null */
        rl_buf_adds(out, "{\"content\":null");
    }
    rl_buf_adds(out, ",\"role\":\"assistant\"");
    return !has_calls || add_calls(L, index, writer);
}


static bool add_message(lua_State *L, int index, struct writer *writer)
{
    struct rl_buf *out = writer->out;
    struct member members[MOST_MEMBERS];
    if (!read_members(L, index, message_names, members, &writer->found.sheds))
        return false;
    if (says(&members[ROLE], "assistant"))
        return add_assistant(L, index, members, writer);
    bool is_result = says(&members[ROLE], "tool");
    if (!is_result && !says(&members[ROLE], "user") && !says(&members[ROLE], "system"))
        return false;
    if (writer->found.sheds || !is_text(&members[CONTENT], SIZE_MAX) ||
        members[CALLS].type != LUA_TNIL || members[ANNOTATIONS].type != LUA_TNIL ||
        is_text(&members[CALL_ID], RL_PLAIN_ID) != is_result)
        return false;
    add_text(out, "{\"content\":", &members[CONTENT]);
    add_text(out, ",\"role\":", &members[ROLE]);
    if (is_result)
        add_text(out, ",\"tool_call_id\":", &members[CALL_ID]);
    return is_result || members[CALL_ID].type == LUA_TNIL;
}


bool rl_lua_encode_plain(lua_State *L, int index, bool kept, struct rl_buf *out,
                         struct rl_plain *found)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, STACK, "a message");
    struct writer writer = {out, kept, {false, false, false}};
    bool bare = add_message(L, lua_absindex(L, index), &writer) && rl_buf_addc(out, '}') == RL_OK;
    *found = writer.found;
    if (!bare)
        rl_buf_clear(out);
    lua_settop(L, top);
    return bare;
}
