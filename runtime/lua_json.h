/* lua_json.h -- beside the walk: JSON between Lua values and bytes, for every seam.
 *
 * Encoding goes straight from Lua to bytes; decoding goes through the guard and cJSON. Neither runs
 * Lua code: tables are read raw, and only three names in a metatable count (core.lua in
 * lua/rille/_meta).
 */
#ifndef RL_LUA_JSON_H
#define RL_LUA_JSON_H

#include "buf.h"
#include "json.h"

#include <lua.h>
#include <stdbool.h>

enum {
    RL_LUA_JSON_DEPTH = 128,      /* nested tables */
    RL_LUA_JSON_BYTES = 256 << 20 /* ceiling for what core.json_encode makes */
};

/* Pushes the Lua value for <item>: arrays get core.array_metatable, null becomes core.null, or nil
 * without <nulls>; integers that fit are integers, "1.0" too. Raises without memory, so the tree
 * must be anchored (rl_lua_push_tree). Returns 1. */
int rl_lua_push_json(lua_State *L, const cJSON *item, bool nulls);

/* table[name] = value for each of these items, NULL for none; nulls are nil. <table> is absolute
 * and has no metatable. Raises as above. */
void rl_lua_set_members(lua_State *L, int table, cJSON *const *items, size_t count);

/* Pushes carried text as a Lua string with its plain bytes. */
void rl_lua_push_carried(lua_State *L, const char *carried);

/* Pushes a userdata that owns a tree in one block (json.h): store it in the slot as soon as it is
 * there, and NULL to take it back. Collecting the userdata deletes the tree. */
cJSON **rl_lua_push_tree(lua_State *L);

/* Pushes a userdata that owns an empty buffer; collecting it frees the bytes. */
struct rl_buf *rl_lua_push_buf(lua_State *L, size_t max_bytes);

/* Pop such an owner from the top of the stack, with what it owns. One of each is kept in the
 * registry for the next push; an owner that an error leaves behind is collected. Never raises. */
void rl_lua_pop_tree(lua_State *L);
void rl_lua_pop_buf(lua_State *L);

/* Appends the JSON of the value at <index>. Raises, after freeing <out>, with the path to what JSON
 * cannot hold; nothing else in here raises. Leaves the stack as it was. Returns 0. */
int rl_lua_encode_json(lua_State *L, int index, struct rl_buf *out);

/* Pushes core.array_metatable. */
void rl_lua_push_array_metatable(lua_State *L);

/* What the registry keeps for JSON: registry[&rl_lua_json_slots[n]]. */
enum rl_lua_json_slot {
    RL_JSON_SLOT_ARRAY,  /* core.array_metatable */
    RL_JSON_SLOT_OBJECT, /* core.object_metatable */
    RL_JSON_SLOT_TYPE,   /* "__jsontype", so that looking it up allocates nothing */
    RL_JSON_SLOT_ORDER,  /* "__jsonorder" */
    RL_JSON_SLOT_TREE,   /* an owner of a tree that nobody uses; false while somebody does */
    RL_JSON_SLOT_BUF,    /* and one of a buffer */
    RL_JSON_SLOT_NAMES,  /* list of the names of names.h, by number from 1 */
    RL_JSON_SLOTS
};
extern const char rl_lua_json_slots[RL_JSON_SLOTS];

#endif
