/* lua_opt.h -- beside the walk: reads an options table into a C struct, by a table of rows.
 *
 * Unknown names and wrong types raise, so a typo dies where it was made. Strings stay owned by Lua:
 * they are valid while the options table is on the stack.
 */
#ifndef RL_LUA_OPT_H
#define RL_LUA_OPT_H

#include <lua.h>
#include <stddef.h>

enum rl_opt_type {
    RL_OPT_STRING,  /* struct rl_text */
    RL_OPT_INTEGER, /* int64_t, 0 or more; -1 when absent */
    RL_OPT_SECONDS, /* int64_t milliseconds; -1 when absent */
    RL_OPT_BOOLEAN, /* bool */
    RL_OPT_VALUE    /* int: 1 when present (read it yourself with lua_getfield), 0 when nil */
};

enum { RL_OPT_REQUIRED = 1 };

/* Bytes that Lua owns; data is NULL when the option is absent. */
struct rl_text {
    const char *data;
    size_t len;
};

struct rl_opt {
    const char *name; /* NULL ends the table */
    enum rl_opt_type type;
    size_t offset; /* of the member in <out> */
    unsigned flags;
};

/* Reads the table at <index> into <out>; every member named by <options> is written. Raises
 * "option 'idle': number expected, got string", naming the argument. */
void rl_opt_read(lua_State *L, int index, const struct rl_opt *options, void *out);

#endif
