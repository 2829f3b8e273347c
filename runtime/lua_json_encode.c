/* lua_json_encode.c -- beside the walk: Lua values straight to JSON bytes. See lua_json.h.
 *
 * Between the first byte and the last nothing may raise, so that nothing can be lost: every call
 * used here neither allocates in Lua nor runs Lua code. Trouble is noted in the encoder, grows its
 * path on the way out, and is raised at the end. The keys of open objects stand on the Lua stack,
 * which keeps their bytes alive.
 */
#include "lua_json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEYS_AT_HAND = 32, /* that need no memory of their own */
    FEW_KEYS = 12,     /* so many are sorted by insertion */
    MAX_HOLES = 16     /* of a marked array beyond one per element: more is an accident */
};

struct key {
    const char *bytes;
    size_t len;
    int slot;    /* the key on the Lua stack */
    size_t rank; /* its place in __jsonorder, SIZE_MAX without */
};

struct encoder {
    lua_State *L;
    struct rl_buf *out;
    struct key *keys; /* of all open objects, innermost last */
    size_t count;
    size_t cap;
    unsigned depth;
    char why[128];  /* what went wrong, "" while nothing did */
    char path[200]; /* where, from the innermost table that has been left */
    struct key few[KEYS_AT_HAND];
};

enum kind { UNMARKED, ARRAY, OBJECT, REFUSED };

/* What the keys of a table look like. */
struct census {
    lua_Integer integers; /* how many integer keys */
    lua_Integer largest;
    size_t strings;
    int other; /* type of a key that is neither, or LUA_TNONE */
    bool bad;  /* an integer key below 1? */
};

static bool encode_value(struct encoder *e, int index);


/* ------------------------------------------------------------------ trouble */

static bool refuse(struct encoder *e, const char *why)
{
    snprintf(e->why, sizeof(e->why), "%s", why);
    return false;
}


/* path = step .. path, cut at the far end; always false. */
static bool leave(struct encoder *e, const char *step, size_t len)
{
    size_t room = sizeof(e->path) - 1;
    size_t kept = strlen(e->path);
    len = len < room ? len : room;
    kept = kept < room - len ? kept : room - len;
    memmove(e->path + len, e->path, kept);
    memcpy(e->path, step, len);
    e->path[len + kept] = '\0';
    return false;
}


static bool leave_element(struct encoder *e, lua_Integer i)
{
    char step[32];
    int len = snprintf(step, sizeof(step), "[%lld]", (long long)i);
    return leave(e, step, (size_t)len);
}


static bool leave_member(struct encoder *e, const struct key *key)
{
    char step[64];
    bool name = key->len > 0 && key->len < 48;
    for (size_t i = 0; i < key->len && name; i++)
        name = key->bytes[i] == '_' || (key->bytes[i] >= '0' && key->bytes[i] <= '9') ||
               ((key->bytes[i] | 0x20) >= 'a' && (key->bytes[i] | 0x20) <= 'z');
    int shown = key->len < 48 ? (int)key->len : 48;
    int len = snprintf(step, sizeof(step), name ? ".%.*s" : "[\"%.*s\"]", shown, key->bytes);
    return leave(e, step, (size_t)len);
}


/* ------------------------------------------------------------------ keys */

static int compare_bytes(const struct key *a, const struct key *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->bytes, b->bytes, len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}


static int compare_keys(const void *a, const void *b)
{
    const struct key *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return compare_bytes(left, right);
}


static void sort_keys(struct key *keys, size_t count)
{
    if (count > FEW_KEYS) {
        qsort(keys, count, sizeof(*keys), compare_keys);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct key key = keys[i];
        size_t j = i;
        for (; j > 0 && compare_keys(&keys[j - 1], &key) > 0; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}


static bool grow(struct encoder *e)
{
    bool is_first = e->keys == e->few;
    size_t cap = e->cap * 2;
    struct key *keys = realloc(is_first ? NULL : e->keys, cap * sizeof(*keys));
    if (keys == NULL)
        return refuse(e, "not enough memory");
    if (is_first)
        memcpy(keys, e->few, sizeof(e->few));
    e->keys = keys;
    e->cap = cap;
    return true;
}


/* Notes the string on top of the stack as a key of the innermost object. */
static bool add_key(struct encoder *e)
{
    if (e->count == e->cap && !grow(e))
        return false;
    struct key *key = &e->keys[e->count++];
    key->bytes = lua_tolstring(e->L, -1, &key->len);
    key->slot = lua_gettop(e->L);
    key->rank = SIZE_MAX;
    return true;
}


/* Looks at every key of the table at <table>; string keys stay on the stack and are noted. */
static bool take_census(struct encoder *e, int table, struct census *census)
{
    lua_State *L = e->L;
    *census = (struct census){.other = LUA_TNONE};
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING) {
            census->strings++;
            if (!lua_checkstack(L, 8))
                return refuse(e, "too many keys");
            if (!add_key(e))
                return false;
            lua_pushvalue(L, -1); /* the next step takes this one */
        } else if (lua_isinteger(L, -1)) {
            lua_Integer i = lua_tointeger(L, -1);
            census->integers++;
            census->bad = census->bad || i < 1;
            census->largest = i > census->largest ? i : census->largest;
        } else {
            census->other = lua_type(L, -1);
        }
    }
    return true;
}


/* rank of key = its first place in the list on top of the stack. <keys> are sorted by bytes. */
static void rank_keys(struct encoder *e, struct key *keys, size_t count)
{
    size_t listed = lua_rawlen(e->L, -1);
    for (size_t i = 0; i < listed; i++) {
        struct key wanted = {.rank = SIZE_MAX};
        if (lua_rawgeti(e->L, -1, (lua_Integer)i + 1) == LUA_TSTRING)
            wanted.bytes = lua_tolstring(e->L, -1, &wanted.len);
        for (size_t low = 0, high = count; wanted.bytes != NULL && low < high;) {
            size_t middle = low + (high - low) / 2;
            int order = compare_bytes(&keys[middle], &wanted);
            if (order == 0 && keys[middle].rank == SIZE_MAX)
                keys[middle].rank = i;
            low = order < 0 ? middle + 1 : order == 0 ? high : low;
            high = order > 0 ? middle : high;
        }
        lua_pop(e->L, 1);
    }
}


/* The order of the keys: what the metatable lists, then the rest by bytes. */
static void order_keys(struct encoder *e, int table, struct key *keys, size_t count)
{
    sort_keys(keys, count);
    if (!lua_getmetatable(e->L, table))
        return;
    lua_rawgetp(e->L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_ORDER]);
    if (lua_rawget(e->L, -2) == LUA_TTABLE) {
        rank_keys(e, keys, count);
        sort_keys(keys, count);
    }
    lua_pop(e->L, 2);
}


/* ------------------------------------------------------------------ tables */

/* What metatable.__jsontype says. */
static enum kind kind_of(struct encoder *e, int table)
{
    lua_State *L = e->L;
    enum kind kind = UNMARKED;
    if (!lua_getmetatable(L, table))
        return UNMARKED;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &rl_lua_json_slots[RL_JSON_SLOT_TYPE]);
    if (lua_rawget(L, -2) == LUA_TSTRING) {
        const char *type = lua_tostring(L, -1);
        if (strcmp(type, "array") == 0)
            kind = ARRAY;
        else if (strcmp(type, "object") == 0)
            kind = OBJECT;
        else
            kind = REFUSED;
    }
    lua_pop(L, 2);
    return kind;
}


/* Decides what the table is, or refuses it. */
static enum kind judge(struct encoder *e, enum kind kind, const struct census *census)
{
    const char *why = NULL;
    bool sequence = census->integers == census->largest && !census->bad;
    if (kind == REFUSED)
        why = "json.absent removes a member in `extra`; it has no JSON";
    else if (census->other != LUA_TNONE)
        why = "a key is neither a string nor an integer";
    else if (kind == OBJECT && census->integers > 0)
        why = "an object must not have integer keys";
    else if (kind == ARRAY && (census->strings > 0 || census->bad))
        why = "an array must have the keys 1..n only";
    else if (kind == ARRAY && census->largest > 2 * census->integers + MAX_HOLES)
        why = "an array has too many holes";
    else if (kind == UNMARKED && census->integers > 0 && census->strings > 0)
        why = "a table mixes string keys with integer keys";
    else if (kind == UNMARKED && !sequence)
        why = "a list must have the keys 1..n without holes";
    if (why != NULL) {
        refuse(e, why);
        return REFUSED;
    }
    if (kind == UNMARKED)
        return census->integers > 0 ? ARRAY : OBJECT;
    return kind;
}


static bool encode_array(struct encoder *e, int table, lua_Integer count)
{
    rl_buf_addc(e->out, '[');
    for (lua_Integer i = 1; i <= count; i++) {
        if (i > 1)
            rl_buf_addc(e->out, ',');
        lua_rawgeti(e->L, table, i);
        bool ok = lua_isnil(e->L, -1) ? rl_buf_adds(e->out, "null") == RL_OK
                                      : encode_value(e, lua_gettop(e->L));
        if (!ok)
            return leave_element(e, i);
        lua_pop(e->L, 1);
    }
    rl_buf_addc(e->out, ']');
    return true;
}


/* The keys from <first> on are those of this object. */
static bool encode_object(struct encoder *e, int table, size_t first)
{
    size_t end = e->count;
    order_keys(e, table, e->keys + first, end - first);
    rl_buf_addc(e->out, '{');
    for (size_t i = first; i < end; i++) {
        struct key key = e->keys[i]; /* the array may move below */
        if (i > first)
            rl_buf_addc(e->out, ',');
        rl_json_write_string(e->out, key.bytes, key.len);
        rl_buf_addc(e->out, ':');
        lua_pushvalue(e->L, key.slot);
        lua_rawget(e->L, table);
        if (!encode_value(e, lua_gettop(e->L)))
            return leave_member(e, &key);
        lua_pop(e->L, 1);
    }
    rl_buf_addc(e->out, '}');
    return true;
}


static bool encode_table(struct encoder *e, int table)
{
    struct census census;
    size_t first = e->count;
    if (e->depth == RL_LUA_JSON_DEPTH)
        return refuse(e, "nested more than 128 deep (a cycle?)");
    if (!lua_checkstack(e->L, 8))
        return refuse(e, "too many keys");
    enum kind kind = kind_of(e, table);
    if (!take_census(e, table, &census))
        return false;
    kind = judge(e, kind, &census);
    if (kind == REFUSED)
        return false;
    e->depth++;
    bool ok =
        kind == ARRAY ? encode_array(e, table, census.largest) : encode_object(e, table, first);
    e->depth--;
    e->count = first;
    lua_settop(e->L, table);
    return ok;
}


/* ------------------------------------------------------------------ values */

static bool encode_number(struct encoder *e, int index)
{
    if (lua_isinteger(e->L, index)) {
        rl_json_write_integer(e->out, lua_tointeger(e->L, index));
        return true;
    }
    double number = lua_tonumber(e->L, index);
    if (!isfinite(number))
        return refuse(e, isnan(number) ? "NaN has no JSON" : "infinity has no JSON");
    rl_json_write_double(e->out, number);
    return true;
}


static bool refuse_type(struct encoder *e, int type)
{
    char why[64];
    snprintf(why, sizeof(why), "a %s has no JSON", lua_typename(e->L, type));
    return refuse(e, why);
}


/* <index> is absolute, and for a table the top of the stack or an argument of encode. */
static bool encode_value(struct encoder *e, int index)
{
    lua_State *L = e->L;
    int type = lua_type(L, index);
    size_t len = 0;
    switch (type) {
    case LUA_TSTRING: {
        const char *bytes = lua_tolstring(L, index, &len);
        rl_json_write_string(e->out, bytes, len);
        break;
    }
    case LUA_TNUMBER: return encode_number(e, index);
    case LUA_TBOOLEAN: rl_buf_adds(e->out, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TTABLE: return encode_table(e, index);
    case LUA_TNIL: rl_buf_adds(e->out, "null"); break;
    default:
        if (type != LUA_TLIGHTUSERDATA || lua_touserdata(L, index) != NULL)
            return refuse_type(e, type);
        rl_buf_adds(e->out, "null");
    }
    return true;
}


int rl_lua_encode_json(lua_State *L, int index, struct rl_buf *out)
{
    struct encoder e; /* not cleared as a whole: <few> is a kilobyte */
    e.L = L;
    e.out = out;
    e.keys = e.few;
    e.cap = KEYS_AT_HAND;
    e.count = e.depth = 0;
    e.why[0] = e.path[0] = '\0';
    int top = lua_gettop(L);
    bool ok = lua_checkstack(L, 8) ? true : refuse(&e, "too many keys");
    if (ok) {
        lua_pushvalue(L, index);
        ok = encode_value(&e, top + 1);
    }
    if (e.keys != e.few)
        free(e.keys);
    lua_settop(L, top);
    if (ok && out->status == RL_OK)
        return 0;
    if (ok)
        refuse(&e, out->status == RL_ETOOBIG ? "too many bytes" : "not enough memory");
    rl_buf_free(out);
    const char *path = e.path[0] == '.' ? e.path + 1 : e.path;
    if (*path == '\0')
        return luaL_error(L, "json: %s", e.why);
    return luaL_error(L, "json: %s: %s", path, e.why);
}
