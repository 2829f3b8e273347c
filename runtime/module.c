/* module.c -- beside the walk: what a stock Lua interpreter finds in core.so.
 *
 * require "rille.core" opens the C side; require "rille" (through rille.so, the same file) also
 * loads the Lua library that is compiled in.
 */
#include "lua_core.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int luaopen_rille_core(lua_State *L);
EXPORT int luaopen_rille(lua_State *L);


int luaopen_rille_core(lua_State *L)
{
    return rl_open_core(L, false);
}


int luaopen_rille(lua_State *L)
{
    rl_open_core(L, false);
    return rl_load_library(L, "rille");
}
