/* lua_core.h -- walk 3: what the seams share: registration, failures, the module table.
 *
 * Seam files are the only ones that see Lua and the wire. Each exports one rl_open_… that adds its
 * functions to the module table on top of the stack. Every C function and method of ours carries
 * the engine as upvalue 1 (rl_engine_of).
 */
#ifndef RL_LUA_CORE_H
#define RL_LUA_CORE_H

#include "err.h"
#include "task.h"

#include <lauxlib.h>
#include <lua.h>

#define RILLE_VERSION "0.1.0"

/* The Lua modules compiled in (embedded.c, made at build time), sorted by name. */
struct rl_module {
    const char *name;          /* "rille.agent" */
    const char *where;         /* "@rille/agent.lua", for messages */
    const unsigned char *code; /* compiled by the Lua of the build, lines kept */
    size_t code_len;           /* bytes */
    const unsigned char *text; /* for a Lua that refuses the code */
    size_t text_len;
};
extern const struct rl_module rl_embedded[];
extern const size_t rl_embedded_count;

/* Adds <functions> to the table on top of the stack. */
void rl_core_functions(lua_State *L, const luaL_Reg *functions);

/* Makes (or completes) the metatable registry[<name>] whose __index is itself; names that begin
 * with
 * "__" are metamethods. Leaves the stack as it was. */
void rl_core_class(lua_State *L, const char *name, const luaL_Reg *methods);

/* As luaL_checkudata, for classes whose userdata begin with the address of <name>: what is called
 * at every turn need not look for the metatable. */
void *rl_core_check(lua_State *L, int arg, const char *name);

/* Pushes nil and a failure table; returns 2. <message> is one sentence. */
int rl_push_failure(lua_State *L, const char *code, const char *message);
int rl_push_err(lua_State *L, const struct rl_err *err);

/* Pushes a failure table alone. */
void rl_new_failure(lua_State *L, const char *code, const char *message);

/* Is the value at <index> a failure, ours or one made in Lua? */
bool rl_is_failure(lua_State *L, int index);

/* Opens everything: engine, luv's loop, all seams. Pushes the module table and keeps it in
 * package.loaded["rille.core"]; a second call pushes the same one. The compiled-in Lua library
 * becomes findable by require: before package.path when the state is <ours>, after it in a host's
 * state. A directory named by RILLE_PATH comes before what is compiled in. Returns 1. */
int rl_open_core(lua_State *L, bool ours);

/* The engine of a state in which rl_open_core has run. */
struct rl_engine *rl_core_engine(lua_State *L);

/* How callbacks of libuv get into Lua (luv_CFpcall): an error in one becomes a warning, never the
 * end of the host. Stack: function and <nargs> arguments -> results. Returns how many there are; a
 * negative status after an error. <flags> are luv's. */
int rl_call_back(lua_State *L, int nargs, int nresults, int flags);

/* Loads and runs the compiled-in module <name>, pushes what it returns. Raises. Returns 1. */
int rl_load_library(lua_State *L, const char *name);

int rl_open_task(lua_State *L);
int rl_open_coroutine(lua_State *L);
int rl_open_json(lua_State *L);
int rl_open_same(lua_State *L);
int rl_open_calls(lua_State *L);
int rl_open_transcript(lua_State *L);
int rl_open_http(lua_State *L);
int rl_open_chat(lua_State *L);
int rl_open_chat_plan(lua_State *L);
int rl_open_decode(lua_State *L);
int rl_open_regex(lua_State *L);
int rl_open_usage(lua_State *L);
int rl_open_sigint(lua_State *L);
int rl_open_embed(lua_State *L);

/* Milliseconds for seconds at <index>: nil or absent gives -1; raises below 0. */
int64_t rl_opt_ms(lua_State *L, int index);

#endif
