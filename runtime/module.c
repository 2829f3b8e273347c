/* module.c -- beside the walk: what a stock Lua interpreter finds in core.so.
 *
 * require "rille.core" opens the C side; require "rille" (through rille.so, the same file) also
 * loads the Lua library that is compiled in.
 */
#include "lua_core.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int luaopen_rille_core(lua_State *L);
EXPORT int luaopen_rille(lua_State *L);


/* An interpreter is a program: deadlines may use its SIGURG. */
int luaopen_rille_core(lua_State *L)
{
    rl_open_core(L, false);
    rl_engine_allow_interrupts(rl_core_engine(L));
    return 1;
}


int luaopen_rille(lua_State *L)
{
    luaopen_rille_core(L);
    return rl_load_library(L, "rille");
}
