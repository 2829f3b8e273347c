/* lua_json.c -- beside the walk: core.json_encode, core.json_decode and what the other seams share.
 *
 * A tree is owned by a userdata before the first Lua value is made from it, so no error loses it.
 * The encoder itself is lua_json_encode.c. See lua_json.h.
 */
#include "lua_json.h"

#include "base64.h"
#include "lua_core.h"
#include "names.h"

#include <math.h>
#include <string.h>

#define TREE "rille.json.tree" /* metatable of the userdata that owns a tree */
#define BUF  "rille.buf"       /* and of the one that owns a buffer */

enum { MOST_KEPT = 64 * 1024 }; /* bytes of a buffer that nobody uses */

const char rl_lua_json_slots[RL_JSON_SLOTS] = "";


/* ------------------------------------------------------------------ owners */

static int l_tree_gc(lua_State *L)
{
    cJSON **tree = lua_touserdata(L, 1);
    cJSON_free(*tree);
    *tree = NULL;
    return 0;
}


/* The kept one is collected when the state closes, and finalisers may still encode: without its
 * metatable it keeps nothing any more. */
static int l_buf_gc(lua_State *L)
{
    rl_buf_free(lua_touserdata(L, 1));
    lua_pushnil(L);
    lua_setmetatable(L, 1);
    return 0;
}


/* Pushes the owner that the registry keeps, and takes it from there; NULL when somebody has it. */
static void *take_owner(lua_State *L, enum rl_lua_json_slot slot)
{
    luaL_checkstack(L, 3, "JSON");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[slot]);
    void *owner = lua_touserdata(L, -1);
    if (owner == NULL) {
        lua_pop(L, 1);
        return NULL;
    }
    lua_pushboolean(L, 0); /* not nil: the key stays, so that putting it back allocates nothing */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[slot]);
    return owner;
}


/* registry[slot] = owner, popped */
static void keep_owner(lua_State *L, enum rl_lua_json_slot slot)
{
    lua_rawsetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[slot]);
}


static cJSON **new_tree(lua_State *L)
{
    cJSON **tree = lua_newuserdatauv(L, sizeof(cJSON *), 0);
    *tree = NULL;
    luaL_setmetatable(L, TREE);
    return tree;
}


static struct rl_buf *new_buf(lua_State *L)
{
    struct rl_buf *buf = lua_newuserdatauv(L, sizeof(*buf), 0);
    rl_buf_init(buf, 0);
    luaL_setmetatable(L, BUF);
    return buf;
}


cJSON **rl_lua_push_tree(lua_State *L)
{
    cJSON **tree = take_owner(L, RL_JSON_SLOT_TREE);
    return tree != NULL ? tree : new_tree(L);
}


struct rl_buf *rl_lua_push_buf(lua_State *L, size_t max_bytes)
{
    struct rl_buf *buf = take_owner(L, RL_JSON_SLOT_BUF);
    if (buf == NULL)
        buf = new_buf(L);
    buf->max = max_bytes;
    return buf;
}


void rl_lua_pop_tree(lua_State *L)
{
    cJSON **tree = lua_touserdata(L, -1);
    cJSON_free(*tree);
    *tree = NULL;
    keep_owner(L, RL_JSON_SLOT_TREE);
}


void rl_lua_pop_buf(lua_State *L)
{
    struct rl_buf *buf = lua_touserdata(L, -1);
    bool will_be_collected = lua_getmetatable(L, -1);
    if (will_be_collected)
        lua_pop(L, 1);
    if (will_be_collected && buf->cap <= MOST_KEPT)
        rl_buf_clear(buf);
    else
        rl_buf_free(buf);
    keep_owner(L, RL_JSON_SLOT_BUF);
}


void rl_lua_push_array_metatable(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_ARRAY]);
}


/* ------------------------------------------------------------------ cJSON to Lua */

void rl_lua_push_carried(lua_State *L, const char *carried)
{
    size_t len = strlen(carried);
    if (memchr(carried, 0xC0, len) == NULL && memchr(carried, 0xED, len) == NULL) {
        lua_pushlstring(L, carried, len); /* json.h: it is plain already */
        return;
    }
    struct rl_buf *plain = rl_lua_push_buf(L, len);
    if (rl_json_plain(plain, carried, len) != RL_OK)
        luaL_error(L, "not enough memory");
    lua_pushlstring(L, plain->data, plain->len);
    lua_insert(L, -2);
    rl_lua_pop_buf(L);
}


/* An integer where Lua can hold it exactly, else the nearest double. Beyond 2^53 only what was
 * written as an integer counts as one: 1e17 stays a double. */
static void push_number(lua_State *L, const cJSON *item)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    double number = 0;
    int64_t integer = 0;
    if (!cJSON_IsNumber(item)) {
        bool whole = strpbrk(item->valuestring, ".eE") == NULL;
        if (whole && rl_json_integer(item, &integer)) {
            lua_pushinteger(L, integer);
            return;
        }
        if (!rl_json_double(item, &number))
            luaL_error(L, "not enough memory");
        lua_pushnumber(L, number);
        return;
    }
    number = item->valuedouble;
    bool fits = number >= -exact && number <= exact;
    bool negative_zero = number == 0 && signbit(number);
    if (fits && number == (double)(lua_Integer)number && !negative_zero)
        lua_pushinteger(L, (lua_Integer)number);
    else
        lua_pushnumber(L, number);
}


/* Text, or a number that is carried as such. */
static void push_string(lua_State *L, const cJSON *item)
{
    const char *text = rl_json_text(item);
    if (text != NULL)
        rl_lua_push_carried(L, text);
    else
        push_number(L, item);
}


/* How many places their table needs; <nulls>: for nulls, too. */
static int count_children(const cJSON *item, bool nulls)
{
    int count = 0;
    for (const cJSON *child = item->child; child != NULL; child = child->next)
        count += nulls || (child->type & 0xFF) != cJSON_NULL;
    return count;
}


/* <names>: where the list of shared names stands on the stack. */
static void push_value(lua_State *L, const cJSON *item, bool nulls, int names);


static void push_array(lua_State *L, const cJSON *array, bool nulls, int names)
{
    luaL_checkstack(L, 6, "JSON nested too deep");
    lua_createtable(L, count_children(array, true), 0);
    lua_Integer i = 0;
    for (const cJSON *child = array->child; child != NULL; child = child->next) {
        push_value(L, child, nulls, names);
        lua_rawseti(L, -2, ++i);
    }
    rl_lua_push_array_metatable(L);
    lua_setmetatable(L, -2);
}


/* name, value = name and value of <item> */
static void push_member(lua_State *L, const cJSON *item, bool nulls, int names)
{
    int number = rl_name_number(item->string);
    if (number >= 0)
        lua_rawgeti(L, names, number + 1);
    else
        rl_lua_push_carried(L, item->string);
    push_value(L, item, nulls, names);
}


static void push_object(lua_State *L, const cJSON *object, bool nulls, int names)
{
    luaL_checkstack(L, 6, "JSON nested too deep");
    lua_createtable(L, 0, count_children(object, nulls));
    for (const cJSON *child = object->child; child != NULL; child = child->next) {
        push_member(L, child, nulls, names);
        lua_rawset(L, -3);
    }
}


static void push_value(lua_State *L, const cJSON *item, bool nulls, int names)
{
    switch (item != NULL ? item->type & 0xFF : cJSON_NULL) {
    case cJSON_String: push_string(L, item); break;
    case cJSON_Number: push_number(L, item); break;
    case cJSON_Object: push_object(L, item, nulls, names); break;
    case cJSON_Array: push_array(L, item, nulls, names); break;
    case cJSON_True:
    case cJSON_False: lua_pushboolean(L, cJSON_IsTrue(item)); break;
    default:
        if (nulls)
            lua_pushlightuserdata(L, NULL);
        else
            lua_pushnil(L);
    }
}


static int push_names(lua_State *L)
{
    luaL_checkstack(L, 6, "JSON");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_NAMES]);
    return lua_gettop(L);
}


int rl_lua_push_json(lua_State *L, const cJSON *item, bool nulls)
{
    push_value(L, item, nulls, push_names(L));
    lua_remove(L, -2);
    return 1;
}


void rl_lua_set_members(lua_State *L, int table, cJSON *const *items, size_t count)
{
    int names = push_names(L);
    for (size_t i = 0; i < count; i++) {
        if (items[i] == NULL)
            continue;
        push_member(L, items[i], false, names);
        lua_rawset(L, table);
    }
    lua_pop(L, 1);
}


/* ------------------------------------------------------------------ functions */

/* json = core.json_encode(value) */
static int l_json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    struct rl_buf *out = rl_lua_push_buf(L, RL_LUA_JSON_BYTES);
    rl_lua_encode_json(L, 1, out);
    lua_pushlstring(L, out->data, out->len);
    lua_insert(L, -2);
    rl_lua_pop_buf(L);
    return 1;
}


static bool option(lua_State *L, const char *name, bool otherwise)
{
    if (lua_isnoneornil(L, 2))
        return otherwise;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushstring(L, name);
    bool value = lua_rawget(L, 2) == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}


/* value | nil, failure = core.json_decode(text [, {nulls = true, unique_keys = false}]) */
static int l_json_decode(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    bool nulls = option(L, "nulls", true);
    unsigned flags = option(L, "unique_keys", false) ? RL_JSON_UNIQUE_KEYS : 0;
    struct rl_err err = {0};
    size_t len = 0;
    const char *text = lua_tolstring(L, 1, &len);
    cJSON **tree = rl_lua_push_tree(L);
    *tree = rl_json_parse(text, len, NULL, flags | RL_JSON_ONE_BLOCK, &err);
    if (*tree == NULL)
        return rl_push_err(L, &err);
    rl_lua_push_json(L, *tree, nulls);
    lua_insert(L, -2);
    rl_lua_pop_tree(L);
    return 1;
}


/* text = core.base64(bytes) */
static int l_base64(lua_State *L)
{
    size_t len = 0;
    const char *bytes = luaL_checklstring(L, 1, &len);
    struct rl_buf *out = rl_lua_push_buf(L, RL_LUA_JSON_BYTES);
    if (rl_base64_encode(out, bytes, len) != RL_OK)
        return luaL_error(L, "too many bytes for base64");
    lua_pushlstring(L, out->data, out->len);
    lua_insert(L, -2);
    rl_lua_pop_buf(L);
    return 1;
}


/* bytes | nil, failure = core.base64_decode(text | list of pieces) */
static int l_base64_decode(lua_State *L)
{
    static const struct rl_err bad = {RL_ESYNTAX, "not base64"};
    lua_settop(L, 1); /* the buffer stands at 2 */
    bool pieces = lua_istable(L, 1);
    lua_Integer count = pieces ? (lua_Integer)lua_rawlen(L, 1) : 1;
    struct rl_base64 decoder;
    rl_base64_init(&decoder);
    struct rl_buf *out = rl_lua_push_buf(L, RL_LUA_JSON_BYTES);
    for (lua_Integer i = 1; i <= count; i++) {
        size_t len = 0;
        if (pieces)
            lua_rawgeti(L, 1, i);
        const char *text = luaL_checklstring(L, pieces ? -1 : 1, &len);
        if (rl_base64_decode(&decoder, out, text, len) != RL_OK)
            return rl_push_err(L, &bad);
        lua_settop(L, 2);
    }
    if (rl_base64_finish(&decoder, out) != RL_OK)
        return rl_push_err(L, &bad);
    lua_pushlstring(L, out->data != NULL ? out->data : "", out->len);
    rl_buf_free(out);
    return 1;
}


/* ------------------------------------------------------------------ opening */

static const luaL_Reg functions[] = {
    {"json_encode", l_json_encode},
    {"json_decode", l_json_decode},
    {"base64", l_base64},
    {"base64_decode", l_base64_decode},
    {NULL, NULL},
};

static const luaL_Reg tree_methods[] = {{"__gc", l_tree_gc}, {NULL, NULL}};
static const luaL_Reg buf_methods[] = {{"__gc", l_buf_gc}, {NULL, NULL}};


/* core[name] = registry[slot] = {__jsontype = type} */
static void open_metatable(lua_State *L, enum rl_lua_json_slot slot, const char *name,
                           const char *type)
{
    lua_createtable(L, 0, 1);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__jsontype");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[slot]);
    lua_setfield(L, -2, name);
}


int rl_open_json(lua_State *L)
{
    rl_core_class(L, TREE, tree_methods);
    rl_core_class(L, BUF, buf_methods);
    rl_core_functions(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    open_metatable(L, RL_JSON_SLOT_ARRAY, "array_metatable", "array");
    open_metatable(L, RL_JSON_SLOT_OBJECT, "object_metatable", "object");
    lua_pushliteral(L, "__jsontype");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_TYPE]);
    lua_pushliteral(L, "__jsonorder");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_ORDER]);
    lua_createtable(L, RL_NAMES, 0);
    for (int i = 0; i < RL_NAMES; i++) {
        lua_pushstring(L, rl_name_at(i));
        lua_rawseti(L, -2, i + 1);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_NAMES]);
    new_tree(L);
    keep_owner(L, RL_JSON_SLOT_TREE);
    new_buf(L);
    keep_owner(L, RL_JSON_SLOT_BUF);
    return 0;
}
