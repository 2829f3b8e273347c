/* lua_calls.c -- walk 11: the calls of a message as most models write them, read in one step.
 *
 * Such a message needs nothing put right: its calls have ids of their own, name tools that are
 * known, and their arguments are JSON objects that fit a shape (lua/rille/schema/shape.lua). Of any
 * other message nothing is said here, and nothing in it is touched: rille.dispatch.calls reads it.
 * Invariant: the value in a record is what decoding its frozen bytes without nulls would give, and
 * nobody else holds it.
 */
#include "lua_core.h"
#include "lua_json.h"
#include "utf8.h"

#include <math.h>
#include <string.h>

enum {
    MOST_CALLS = 128,            /* of one message: as in lua/rille/dispatch/calls.lua */
    LONGEST_ARGUMENTS = 1 << 20, /* bytes */
    FIELDS = 16,                 /* of a record, those that come later, too */
    DEEPEST = 128                /* nested values: as decoding has it */
};

/* The slots of a shape. */
enum { TYPES = 1, MEMBERS, NEEDED, IS_CLOSED, ITEMS, WORDS, LEAST, MOST, IS_NEEDED, FILLS };

/* The slots of what stands for an absent member: of a list in FILLS. */
enum { FILL_NAME = 1, FILL_NULL, FILL_DEFAULT };

enum { STRING = 1, INTEGER = 2, FLOAT = 4, BOOLEAN = 8, OBJECT = 16, ARRAY = 32 };


/* ------------------------------------------------------------------ does a value fit? */

/* Does the shape (0: any) allow one of these types? */
static bool allows(lua_State *L, int shape, lua_Integer type)
{
    if (shape == 0)
        return true;
    lua_rawgeti(L, shape, TYPES);
    bool is_allowed = (lua_tointeger(L, -1) & type) != 0;
    lua_pop(L, 1);
    return is_allowed;
}


/* Is it UTF-8? Else its frozen bytes would say something else. */
static bool is_text(lua_State *L, int index)
{
    size_t len = 0;
    const char *p = lua_tolstring(L, index, &len), *end = p + len;
    while ((p = rl_utf8_plain_run(p, end)) < end) {
        int step = (unsigned char)*p < 0x80 ? 1 : rl_utf8_step(p, end);
        if (step < 0)
            return false;
        p += step;
    }
    return true;
}


static bool is_listed(lua_State *L, int value, int shape)
{
    bool is = true;
    if (shape != 0 && lua_rawgeti(L, shape, WORDS) == LUA_TTABLE) {
        lua_pushvalue(L, value);
        is = lua_rawget(L, -2) != LUA_TNIL;
        lua_pop(L, 1);
    }
    if (shape != 0)
        lua_pop(L, 1);
    return is;
}


/* The bound in <slot>, if there is one, against the value. */
static bool is_within(lua_State *L, int value, int shape, int slot)
{
    bool is =
        lua_rawgeti(L, shape, slot) != LUA_TNUMBER ||
        (slot == LEAST ? lua_compare(L, -1, value, LUA_OPLE) : lua_compare(L, value, -1, LUA_OPLE));
    lua_pop(L, 1);
    return is;
}


/* A float that is integral would be an integer once it is frozen, or is too large to say. */
static bool number_fits(lua_State *L, int value, int shape)
{
    lua_Number number = lua_tonumber(L, value);
    bool is_integer = lua_isinteger(L, value);
    if (!is_integer && !(isfinite(number) && number != floor(number)))
        return false;
    return allows(L, shape, is_integer ? INTEGER : FLOAT) &&
           (shape == 0 || (is_within(L, value, shape, LEAST) && is_within(L, value, shape, MOST)));
}


static bool fits(lua_State *L, int value, int shape, int depth);


static bool items_fit(lua_State *L, int value, int shape, int depth)
{
    int items = 0;
    if (shape != 0 && lua_rawgeti(L, shape, ITEMS) == LUA_TTABLE)
        items = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, value);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, value, i);
        if (!fits(L, lua_gettop(L), items, depth + 1))
            return false;
        lua_pop(L, 1);
    }
    return true;
}


/* The member whose name and value are on top of the stack; its shape is pushed. */
static bool member_fits(lua_State *L, int members, bool is_closed, int *found, int depth)
{
    int name = lua_gettop(L) - 1, shape = 0;
    if (lua_type(L, name) != LUA_TSTRING || !is_text(L, name))
        return false;
    if (members != 0) {
        lua_pushvalue(L, name);
        shape = lua_rawget(L, members) == LUA_TTABLE ? name + 2 : 0;
    }
    if (shape != 0) {
        lua_rawgeti(L, shape, IS_NEEDED);
        *found += lua_toboolean(L, -1);
    }
    return (shape != 0 || !is_closed) && fits(L, name + 1, shape, depth + 1);
}


static bool members_fit(lua_State *L, int value, int shape, int depth)
{
    int found = 0, members = 0;
    lua_Integer needed = 0;
    bool is_closed = false;
    if (shape != 0) {
        lua_rawgeti(L, shape, NEEDED);
        needed = lua_tointeger(L, -1);
        lua_rawgeti(L, shape, IS_CLOSED);
        is_closed = lua_toboolean(L, -1);
        lua_pop(L, 2);
        lua_rawgeti(L, shape, MEMBERS);
        members = lua_gettop(L);
    }
    lua_pushnil(L);
    while (lua_next(L, value) != 0) {
        int name = lua_gettop(L) - 1;
        if (!member_fits(L, members, is_closed, &found, depth))
            return false;
        lua_settop(L, name);
    }
    return found == needed;
}


static bool table_fits(lua_State *L, int value, int shape, int depth)
{
    bool is_array = false;
    if (depth >= DEEPEST)
        return false;
    luaL_checkstack(L, 10, "nested too deep");
    if (lua_getmetatable(L, value)) {
        rl_lua_push_array_metatable(L);
        is_array = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (!is_array)
            return false;
    }
    if (is_array)
        return allows(L, shape, ARRAY) && items_fit(L, value, shape, depth);
    return allows(L, shape, OBJECT) && members_fit(L, value, shape, depth);
}


/* A yes is a yes of the schema, too; a no says nothing. Leaves the stack as it was. */
static bool fits(lua_State *L, int value, int shape, int depth)
{
    int top = lua_gettop(L);
    bool does = false;
    switch (lua_type(L, value)) {
    case LUA_TSTRING:
        does = allows(L, shape, STRING) && is_text(L, value) && is_listed(L, value, shape);
        break;
    case LUA_TNUMBER: does = number_fits(L, value, shape); break;
    case LUA_TBOOLEAN: does = allows(L, shape, BOOLEAN); break;
    case LUA_TTABLE: does = table_fits(L, value, shape, depth); break;
    default: break; /* null may stand for what is absent */
    }
    lua_settop(L, top);
    return does;
}


/* fits = core.fits(value, shape) */
static int l_fits(lua_State *L)
{
    luaL_checkany(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushboolean(L, fits(L, 1, 2, 0));
    return 1;
}


/* ------------------------------------------------------------------ what is absent */

/* Is the value on top of the stack absent, for what stands in its place? */
static bool is_absent(lua_State *L, int fill)
{
    bool is_null = lua_islightuserdata(L, -1) && lua_touserdata(L, -1) == NULL;
    bool is = lua_isnil(L, -1);
    if (is_null) {
        lua_rawgeti(L, fill, FILL_NULL);
        is = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    return is;
}


/* Puts defaults where members of the object are absent, and takes out nulls that mean the same. */
static void complete(lua_State *L, int value, int shape)
{
    int fills = lua_gettop(L) + 1, fill = fills + 1, name = fill + 1;
    if (lua_rawgeti(L, shape, FILLS) != LUA_TTABLE) {
        lua_pop(L, 1);
        return;
    }
    for (lua_Integer i = 1; lua_rawgeti(L, fills, i) == LUA_TTABLE; i++) {
        lua_rawgeti(L, fill, FILL_NAME);
        lua_pushvalue(L, name);
        bool was_there = lua_rawget(L, value) != LUA_TNIL;
        bool absent = is_absent(L, fill);
        lua_settop(L, name);
        bool has_default = lua_rawgeti(L, fill, FILL_DEFAULT) != LUA_TNIL;
        if (absent && (was_there || has_default))
            lua_rawset(L, value);
        lua_settop(L, fills);
    }
    lua_settop(L, fills - 1);
}


/* ------------------------------------------------------------------ reading a call */

/* The names of the members that are looked at and written, upvalues of read_calls from here on. */
enum { TYPE = 2, ID, FUNCTION, NAME, ARGUMENTS, SHAPE, KIND, TOOL, DECODED, WIRE, NAMES };

static const char *const names[NAMES] = {
    [TYPE] = "type",           [ID] = "id",        [FUNCTION] = "function", [NAME] = "name",
    [ARGUMENTS] = "arguments", [SHAPE] = "_shape", [KIND] = "kind",         [TOOL] = "tool",
    [DECODED] = "decoded",     [WIRE] = "wire",
};


/* Pushes table[name]. */
static int get(lua_State *L, int table, int name)
{
    lua_pushvalue(L, lua_upvalueindex(name));
    return lua_rawget(L, table);
}


/* Pushes the string table[name]; false when it is none, or empty. */
static bool get_string(lua_State *L, int table, int name)
{
    return get(L, table, name) == LUA_TSTRING && lua_rawlen(L, -1) > 0;
}


/* record[name] = the value at <index> */
static void keep(lua_State *L, int record, int name, int index)
{
    lua_pushvalue(L, lua_upvalueindex(name));
    lua_pushvalue(L, index);
    lua_rawset(L, record);
}


/* Pushes the object that the text at <index> holds; false when it is none. */
static bool decode_object(lua_State *L, int index)
{
    size_t len = 0;
    const char *text = lua_tolstring(L, index, &len);
    struct rl_err err = {0};
    if (len > LONGEST_ARGUMENTS)
        return false;
    cJSON **tree = rl_lua_push_tree(L);
    *tree = rl_json_parse(text, len, NULL, RL_JSON_UNIQUE_KEYS | RL_JSON_ONE_BLOCK, &err);
    bool is_object = cJSON_IsObject(*tree);
    if (is_object) {
        rl_lua_push_json(L, *tree, true);
        lua_insert(L, -2);
    }
    rl_lua_pop_tree(L);
    return is_object;
}


/* Pushes the canonical JSON of the value at <value>: often the very <text> that it was. */
static void push_frozen(lua_State *L, int value, int text)
{
    size_t len = 0;
    const char *given = lua_tolstring(L, text, &len);
    struct rl_buf *out = rl_lua_push_buf(L, RL_LUA_JSON_BYTES);
    rl_lua_encode_json(L, value, out);
    if (out->len == len && memcmp(out->data, given, len) == 0)
        lua_pushvalue(L, text);
    else
        lua_pushlstring(L, out->data, out->len);
    lua_insert(L, -2);
    rl_lua_pop_buf(L);
}


/* Is the string on top of the stack the id of no other call? ids[id] = true; no table: it is alone
 */
static bool is_own(lua_State *L, int ids)
{
    int id = lua_gettop(L);
    if (lua_isnil(L, ids))
        return true;
    lua_pushvalue(L, id);
    bool is = lua_rawget(L, ids) == LUA_TNIL;
    lua_pushvalue(L, id);
    lua_pushboolean(L, 1);
    lua_rawset(L, ids);
    lua_settop(L, id);
    return is;
}


/* Pushes a record of the call at <entry>; false when there is anything to put right. */
static bool read_call(lua_State *L, int entry, int tools, int ids, bool completes)
{
    /* what is pushed stands in this order */
    int type = entry + 1, id = type + 1, called = id + 1, name = called + 1, tool = name + 1,
        shape = tool + 1, text = shape + 1, value = text + 1, bytes = value + 1, record = bytes + 1;
    if (!lua_istable(L, entry) || get(L, entry, TYPE) != LUA_TSTRING ||
        !lua_rawequal(L, type, lua_upvalueindex(FUNCTION)))
        return false;
    if (!get_string(L, entry, ID) || !is_own(L, ids) || get(L, entry, FUNCTION) != LUA_TTABLE ||
        !get_string(L, called, NAME))
        return false;
    lua_pushvalue(L, name);
    if (lua_rawget(L, tools) != LUA_TTABLE || get(L, tool, SHAPE) != LUA_TTABLE)
        return false;
    if (!get_string(L, called, ARGUMENTS) || !decode_object(L, text))
        return false;
    if (completes)
        complete(L, value, shape);
    if (!fits(L, value, shape, 0))
        return false;
    push_frozen(L, value, text);
    lua_createtable(L, 0, FIELDS);
    keep(L, record, KIND, type);
    keep(L, record, ID, id);
    keep(L, record, NAME, name);
    keep(L, record, TOOL, tool);
    keep(L, record, ARGUMENTS, bytes);
    keep(L, record, DECODED, value);
    keep(L, record, WIRE, entry);
    return true;
}


/* records | nil = core.read_calls(tool_calls, tools by name [, completes]) */
static int l_read_calls(lua_State *L)
{
    enum { LIST = 1, TOOLS, RECORDS, IDS, ENTRY };
    bool completes = lua_toboolean(L, 3);
    lua_settop(L, 2);
    luaL_checktype(L, TOOLS, LUA_TTABLE);
    size_t count = lua_istable(L, LIST) ? lua_rawlen(L, LIST) : 0;
    if (count == 0 || count > MOST_CALLS)
        return 0;
    lua_createtable(L, (int)count, 0);
    if (count > 1)
        lua_newtable(L);
    else
        lua_pushnil(L);
    luaL_checkstack(L, 20, "calls");
    for (lua_Integer i = 1; i <= (lua_Integer)count; i++) {
        lua_rawgeti(L, LIST, i);
        if (!read_call(L, ENTRY, TOOLS, IDS, completes))
            return 0;
        lua_rawseti(L, RECORDS, i);
        lua_settop(L, IDS);
    }
    lua_settop(L, RECORDS);
    return 1;
}


static const luaL_Reg functions[] = {{"fits", l_fits}, {NULL, NULL}};


int rl_open_calls(lua_State *L)
{
    rl_core_functions(L, functions);
    lua_pushlightuserdata(L, rl_core_engine(L));
    for (int i = TYPE; i < NAMES; i++)
        lua_pushstring(L, names[i]);
    lua_pushcclosure(L, l_read_calls, NAMES - 1);
    lua_setfield(L, -2, "read_calls");
    return 0;
}
