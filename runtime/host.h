/* host.h -- room 4: what rille.c and rille_agent.c share. Private to them: see rille.h for the
 * public face.
 *
 * Ownership: the runtime owns its tools, agents and runs; each stays in its list until the host
 * closes it (a tool: until the runtime is closed, since a call of it may be under way).
 */
#ifndef RL_HOST_H
#define RL_HOST_H

#include "rille.h"

#include "blocks.h"
#include "lua_core.h"
#include "lua_embed.h"

/* A C tool; kept until the runtime closes, since a call may be under way. */
struct rl_host_tool {
    struct rl_embed_tool embed;
    const rille_tool *spec; /* only while it is being added */
    struct rl_host_tool *next;
};

struct rille_run {
    struct rl_embed_run embed; /* first: embed.lua knows the run by this address */
    struct rille_agent *agent;
    rille_on_event *user_on_event; /* NULL: the host does not listen (any more) */
    void *user;
    bool active;
    char *text; /* of the final reply */
    struct rille_run *next;
};

struct rille_agent {
    struct rille *rt;
    struct rille_run *run; /* the last one sent, or NULL */
    struct rille_agent *next;
};

struct rille {
    lua_State *L;
    struct rl_engine *engine;
    rille_options options;
    struct rl_blocks blocks; /* unless the host allocates */
    size_t memory;           /* bytes that Lua holds, when there is a ceiling */
    int depth;               /* callbacks and pumps on the C stack */
    bool closing;            /* rille_close was called from a callback */
    struct rl_host_tool *tools;
    struct rille_agent *agents;
    struct rille_run *runs;
    char error[512];
    char warning[512]; /* the pieces of a warning so far */
};

/* One entry of the host: what it hands to the protected half, and what comes back. */
struct rl_host_entry {
    struct rille *rt;
    const void *pointer; /* the agent, run or tool it is about */
    const void *other;   /* a second one, or NULL */
    const char *name;    /* of the function of embed.lua, or NULL for other work */
    const char *text[2]; /* its further arguments; NULL: nil */
    int64_t number;
};

/* Runs <work>(entry) under lua_pcall; Lua's message becomes rille_error. Returns what <work>
 * returned to Lua as an integer, or a negative status. */
int rl_host_enter(struct rille *rt, lua_CFunction work, struct rl_host_entry *entry);

/* embed.<entry->name>(pointer, text, text, other), entered; its result, an integer or nothing, is
 * the status. */
int rl_host_call(struct rille *rt, struct rl_host_entry *entry);

/* rille_error says <why>; returns <status>. */
int rl_host_refuse(struct rille *rt, int status, const char *why);

#endif
