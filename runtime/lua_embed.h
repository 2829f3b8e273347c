/* lua_embed.h -- beside the walk: what a host's C code and lua/rille/embed.lua say to each other.
 *
 * Lua calls the host through two functions of rille.core: host_call runs a C tool and parks until
 * it is answered; host_event hands an event out. The host calls Lua only by starting tasks
 * (rl_embed).
 */
#ifndef RL_LUA_EMBED_H
#define RL_LUA_EMBED_H

#include "task.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* A tool call that a host answers, now or later; rille.h knows it as an opaque type. Two owners:
 * the parked Lua side and the host; the last one frees it. */
struct rille_call {
    struct rl_op op;
    int owners;
    char *content; /* the answer, malloc'd; NULL until then, and when memory was missing */
    bool failed;   /* the answer is a reason */
    bool answered;
    bool dropped; /* the Lua side is gone: nobody waits */
};

/* A host's tool; owned by the host's runtime, lives as long as the state. */
struct rl_embed_tool {
    void (*run)(struct rille_call *call, const char *arguments, void *user);
    void *user;
};

/* A run's line to its host; first member of the host's own struct. */
struct rl_embed_run {
    void (*on_event)(struct rl_embed_run *run, const char *event);
    void (*on_end)(struct rl_embed_run *run, const char *text); /* text: NULL when it failed */
};

/* Takes the host's answer and gives up the host's share of <call>. Returns false without memory for
 * a copy (the call then fails, saying so). */
bool rl_embed_answer(struct rille_call *call, const char *content, bool failed);

/* Starts embed.<name>(the <nargs> values on top of the stack) as a task, lets it run until its
 * first wait, and replaces the arguments by one result (nil when it waits or returned nothing).
 * Raises what it raised. */
void rl_embed(lua_State *L, struct rl_engine *engine, const char *name, int nargs);

/* Runs the module <name>'s function `main` with the list of strings on top of the stack as a task,
 * to its end, turning the loop. Returns the integer it returned. Raises what it raised. */
int rl_embed_main(lua_State *L, struct rl_engine *engine, const char *name);

#endif
