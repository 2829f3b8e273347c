/* rille.c -- room 4: the public C API over one Lua state. See rille.h.
 *
 * What a host asks for is done by lua/rille/embed.lua, in tasks: C never calls into Lua, it starts
 * a task and resumes it. Every entry runs under lua_pcall of a C function, so that no error passes
 * to the host and an allocation failure is one message.
 */
#include "rille.h"

#include "blocks.h"
#include "lua_core.h"
#include "lua_embed.h"
#include "shield.h"

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A C tool; kept until the runtime closes, since a call may be under way. */
struct tool {
    struct rl_embed_tool embed;
    const rille_tool *spec; /* only while it is being added */
    struct tool *next;
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
    size_t memory;           /* bytes that Lua holds */
    int depth;               /* callbacks and pumps on the C stack */
    bool closing;            /* rille_close was called from a callback */
    struct tool *tools;
    struct rille_agent *agents;
    struct rille_run *runs;
    char error[512];
    char warning[512]; /* the pieces of a warning so far */
};


/* ------------------------------------------------------------------ memory, errors, log */

/* Lua's allocator: counts, and holds the ceiling. */
static void *allocate(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct rille *rt = user;
    size_t before = ptr != NULL ? old_size : 0;
    size_t ceiling = rt->options.max_memory;
    if (ceiling != 0 && new_size > before && rt->memory - before + new_size > ceiling)
        return NULL;
    void *memory = rt->options.allocate != NULL
                       ? rt->options.allocate(rt->options.allocate_user, ptr, before, new_size)
                       : rl_blocks_resize(&rt->blocks, ptr, before, new_size);
    if (memory != NULL || new_size == 0)
        rt->memory += new_size - before;
    return memory;
}


static void set_error(struct rille *rt, const char *text)
{
    size_t len = strlen(text);
    if (len >= sizeof(rt->error))
        len = sizeof(rt->error) - 1;
    memcpy(rt->error, text, len);
    rt->error[len] = '\0';
}


/* lua_warning's sink: pieces of a line, then the line. */
static void on_warning(void *user, const char *piece, int to_continue)
{
    struct rille *rt = user;
    size_t len = strlen(rt->warning);
    snprintf(rt->warning + len, sizeof(rt->warning) - len, "%s", piece);
    if (to_continue)
        return;
    if (rt->options.log != NULL && rt->warning[0] != '@')
        rt->options.log(rt->options.log_user, RILLE_LOG_WARN, rt->warning);
    rt->warning[0] = '\0';
}


const char *rille_error(const struct rille *rt)
{
    return rt->error;
}


const char *rille_version(void)
{
    return RILLE_VERSION;
}


/* ------------------------------------------------------------------ entering Lua */

/* One entry of the host: what it hands to the protected half, and what comes back. */
struct entry {
    struct rille *rt;
    const void *pointer; /* the agent, run or tool it is about */
    const void *other;   /* a second one, or NULL */
    const char *name;    /* of the function of embed.lua, or NULL for other work */
    const char *text[2]; /* its further arguments; NULL: nil */
    int64_t number;
};


/* Turns whatever was raised into text. */
static int l_message(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}


/* Runs <work>(entry) under lua_pcall; Lua's message becomes rille_error. Returns what <work>
 * returned to Lua as an integer, or a negative status. */
static int enter(struct rille *rt, lua_CFunction work, struct entry *entry)
{
    lua_State *L = rt->L;
    entry->rt = rt;
    rt->error[0] = '\0';
    if (!lua_checkstack(L, LUA_MINSTACK)) {
        set_error(rt, "not enough memory");
        return RILLE_ENOMEM;
    }
    lua_pushcfunction(L, l_message);
    lua_pushcfunction(L, work);
    lua_pushlightuserdata(L, entry);
    int status = lua_pcall(L, 1, 1, -3);
    int result = (int)lua_tointeger(L, -1);
    if (status != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        set_error(rt, message != NULL ? message : "an error without text");
        result = status == LUA_ERRMEM ? RILLE_ENOMEM : RILLE_ELUA;
    }
    lua_pop(L, 2);
    return result;
}


/* embed.<name>(pointer, text, text, other); its result, an integer or nothing, is the status */
static int l_call_embed(lua_State *L)
{
    struct entry *entry = lua_touserdata(L, 1);
    lua_pushlightuserdata(L, (void *)entry->pointer);
    lua_pushstring(L, entry->text[0]);
    lua_pushstring(L, entry->text[1]);
    lua_pushlightuserdata(L, (void *)entry->other);
    rl_embed(L, entry->rt->engine, entry->name, 4);
    return 1;
}


static int call_embed(struct rille *rt, const char *name, const void *pointer, const char *text)
{
    return enter(rt, l_call_embed,
                 &(struct entry){.name = name, .pointer = pointer, .text = {text, NULL}});
}


static int refuse(struct rille *rt, int status, const char *why)
{
    set_error(rt, why);
    return status;
}


/* ------------------------------------------------------------------ open, pump, close */

static int l_open(lua_State *L)
{
    struct entry *entry = lua_touserdata(L, 1);
    luaL_openlibs(L);
    rl_open_core(L, true);
    entry->rt->engine = rl_core_engine(L);
    if (entry->rt->options.interrupts)
        rl_engine_allow_interrupts(entry->rt->engine);
    lua_pushinteger(L, RILLE_OK);
    return 1;
}


struct rille *rille_open(const rille_options *options)
{
    struct rille *rt = calloc(1, sizeof(*rt));
    if (rt == NULL)
        return NULL;
    if (options != NULL)
        rt->options = *options;
    rt->L = lua_newstate(allocate, rt);
    if (rt->L == NULL) {
        rl_blocks_close(&rt->blocks);
        free(rt);
        return NULL;
    }
    lua_setwarnf(rt->L, on_warning, rt);
    if (enter(rt, l_open, &(struct entry){0}) != RILLE_OK) {
        rille_close(rt);
        return NULL;
    }
    return rt;
}


static void free_lists(struct rille *rt)
{
    while (rt->runs != NULL) {
        struct rille_run *run = rt->runs;
        rt->runs = run->next;
        free(run->text);
        free(run);
    }
    while (rt->agents != NULL) {
        struct rille_agent *agent = rt->agents;
        rt->agents = agent->next;
        free(agent);
    }
    while (rt->tools != NULL) {
        struct tool *tool = rt->tools;
        rt->tools = tool->next;
        free(tool);
    }
}


/* Stands in for the host's tools once it has closed the runtime. */
static void refuse_call(struct rille_call *call, const char *arguments, void *user)
{
    (void)arguments;
    (void)user;
    rille_call_fail(call, "the runtime is being closed");
}


static void stop_calling_back(struct rille *rt)
{
    rt->closing = true;
    for (struct tool *tool = rt->tools; tool != NULL; tool = tool->next)
        tool->embed.run = refuse_call;
}


void rille_close(struct rille *rt)
{
    if (rt == NULL)
        return;
    stop_calling_back(rt);
    if (rt->depth > 0) /* from a callback: the pump does it */
        return;
    lua_close(rt->L);
    rl_blocks_close(&rt->blocks);
    free_lists(rt);
    free(rt);
}


/* the state of things: 1 while tasks are left, else 0 */
static int l_pump(lua_State *L)
{
    struct entry *entry = lua_touserdata(L, 1);
    struct rl_engine *engine = entry->rt->engine;
    rl_engine_pump(L, engine, (uint64_t)entry->number * 1000);
    lua_pushinteger(L, rl_engine_tasks(engine) > 0);
    return 1;
}


int rille_pump(struct rille *rt, int64_t max_us)
{
    if (rt == NULL)
        return RILLE_EINVAL;
    if (rt->depth > 0)
        return refuse(rt, RILLE_ESTATE, "rille_pump: not from a callback");
    struct rl_shield shield;
    rl_shield_raise(&shield);
    rt->depth++;
    int status = enter(rt, l_pump, &(struct entry){.number = max_us > 0 ? max_us : 0});
    rt->depth--;
    rl_shield_lower(&shield);
    if (rt->closing) {
        rille_close(rt);
        return 0;
    }
    return status;
}


int rille_fd(const struct rille *rt)
{
    return uv_backend_fd(rl_engine_loop(rt->engine));
}


int rille_timeout_ms(const struct rille *rt)
{
    return rl_engine_timeout_ms(rt->engine);
}


/* ------------------------------------------------------------------ tools */

static int l_add_tool(lua_State *L)
{
    struct entry *entry = lua_touserdata(L, 1);
    const struct tool *tool = entry->pointer;
    const rille_tool *spec = tool->spec;
    lua_pushlightuserdata(L, (void *)&tool->embed);
    lua_pushstring(L, spec->name);
    lua_pushstring(L, spec->description);
    lua_pushstring(L, spec->parameters);
    lua_pushnumber(L, spec->timeout_ms > 0 ? (lua_Number)spec->timeout_ms / 1000 : 60);
    lua_pushboolean(L, spec->approve);
    lua_pushboolean(L, spec->sequential);
    rl_embed(L, entry->rt->engine, "add_tool", 7);
    return 1;
}


int rille_tool_add(struct rille *rt, const rille_tool *spec)
{
    if (rt == NULL)
        return RILLE_EINVAL;
    if (spec == NULL || spec->name == NULL || spec->run == NULL)
        return refuse(rt, RILLE_EINVAL, "rille_tool_add: name and run are required");
    struct tool *tool = calloc(1, sizeof(*tool));
    if (tool == NULL)
        return refuse(rt, RILLE_ENOMEM, "not enough memory");
    tool->embed = (struct rl_embed_tool){.run = spec->run, .user = spec->user};
    tool->spec = spec;
    int status = enter(rt, l_add_tool, &(struct entry){.pointer = tool});
    tool->spec = NULL; /* everything was copied */
    tool->next = rt->tools;
    rt->tools = tool;
    return status;
}


int rille_call_result(struct rille_call *call, const char *content)
{
    if (call == NULL || content == NULL)
        return RILLE_EINVAL;
    return rl_embed_answer(call, content, false) ? RILLE_OK : RILLE_ENOMEM;
}


int rille_call_fail(struct rille_call *call, const char *reason)
{
    if (call == NULL)
        return RILLE_EINVAL;
    return rl_embed_answer(call, reason != NULL ? reason : "the tool failed", true) ? RILLE_OK
                                                                                    : RILLE_ENOMEM;
}


/* ------------------------------------------------------------------ agents */

static struct rille_agent *open_agent(struct rille *rt, const char *how, const char *text)
{
    if (rt == NULL)
        return NULL;
    struct rille_agent *agent = calloc(1, sizeof(*agent));
    if (agent == NULL || text == NULL) {
        set_error(rt, agent == NULL ? "not enough memory" : "options or path: NULL");
        free(agent);
        return NULL;
    }
    agent->rt = rt;
    if (call_embed(rt, how, agent, text) != RILLE_OK) {
        free(agent);
        return NULL;
    }
    agent->next = rt->agents;
    rt->agents = agent;
    return agent;
}


struct rille_agent *rille_agent_open(struct rille *rt, const char *options)
{
    return open_agent(rt, "open_agent", options);
}


struct rille_agent *rille_agent_load(struct rille *rt, const char *path)
{
    return open_agent(rt, "load_agent", path);
}


int rille_agent_reset(struct rille_agent *agent)
{
    if (agent == NULL)
        return RILLE_EINVAL;
    if (agent->run != NULL && agent->run->active)
        return refuse(agent->rt, RILLE_ESTATE, "rille_agent_reset: a run is under way");
    return call_embed(agent->rt, "reset_agent", agent, NULL);
}


void rille_agent_close(struct rille_agent *agent)
{
    if (agent == NULL)
        return;
    struct rille *rt = agent->rt;
    for (struct rille_run *run = rt->runs, *next; run != NULL; run = next) {
        next = run->next;
        if (run->agent == agent)
            rille_run_close(run);
    }
    call_embed(rt, "close_agent", agent, NULL);
    struct rille_agent **link = &rt->agents;
    while (*link != agent)
        link = &(*link)->next;
    *link = agent->next;
    free(agent);
}


/* ------------------------------------------------------------------ runs */

static void on_run_event(struct rl_embed_run *base, const char *event)
{
    struct rille_run *run = (struct rille_run *)base;
    struct rille *rt = run->agent->rt;
    if (run->user_on_event == NULL || rt->closing)
        return;
    rt->depth++;
    run->user_on_event(run, event, run->user); /* may free the run */
    rt->depth--;
}


static void on_run_end(struct rl_embed_run *base, const char *text)
{
    struct rille_run *run = (struct rille_run *)base;
    run->active = false;
    if (text != NULL)
        run->text = strdup(text);
}


struct rille_run *rille_agent_send(struct rille_agent *agent, const char *prompt,
                                   rille_on_event *on_event, void *user)
{
    if (agent == NULL)
        return NULL;
    struct rille *rt = agent->rt;
    if (prompt == NULL || (agent->run != NULL && agent->run->active)) {
        set_error(rt, prompt == NULL ? "rille_agent_send: prompt is NULL"
                                     : "rille_agent_send: a run of this agent is under way");
        return NULL;
    }
    struct rille_run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        set_error(rt, "not enough memory");
        return NULL;
    }
    *run = (struct rille_run){.embed = {.on_event = on_run_event, .on_end = on_run_end},
                              .agent = agent,
                              .user_on_event = on_event,
                              .user = user,
                              .active = true,
                              .next = rt->runs};
    rt->runs = run;
    agent->run = run;
    struct entry entry = {.name = "send", .pointer = agent, .other = &run->embed, .text = {prompt}};
    if (enter(rt, l_call_embed, &entry) == RILLE_OK)
        return run;
    char why[sizeof(rt->error)];
    memcpy(why, rt->error, sizeof(why));
    rille_run_close(run);
    set_error(rt, why);
    return NULL;
}


static int about_run(struct rille_run *run, const char *name, const char *first, const char *second)
{
    if (run == NULL)
        return RILLE_EINVAL;
    struct rille *rt = run->agent->rt;
    if (!run->active)
        return refuse(rt, RILLE_ESTATE, "the run has ended");
    struct entry entry = {.name = name, .pointer = &run->embed, .text = {first, second}};
    return enter(rt, l_call_embed, &entry);
}


int rille_run_cancel(struct rille_run *run, const char *reason)
{
    return about_run(run, "cancel", reason, NULL);
}


int rille_run_steer(struct rille_run *run, const char *text)
{
    return text == NULL ? RILLE_EINVAL : about_run(run, "steer", text, NULL);
}


int rille_run_approve(struct rille_run *run, const char *call_id)
{
    return call_id == NULL ? RILLE_EINVAL : about_run(run, "approve", call_id, NULL);
}


int rille_run_deny(struct rille_run *run, const char *call_id, const char *reason)
{
    return call_id == NULL ? RILLE_EINVAL : about_run(run, "deny", call_id, reason);
}


int rille_run_is_active(const struct rille_run *run)
{
    return run != NULL && run->active;
}


const char *rille_run_text(const struct rille_run *run)
{
    return run != NULL ? run->text : NULL;
}


void rille_run_close(struct rille_run *run)
{
    if (run == NULL)
        return;
    struct rille_agent *agent = run->agent;
    struct rille *rt = agent->rt;
    run->user_on_event = NULL;
    call_embed(rt, "close_run", &run->embed, NULL);
    if (agent->run == run)
        agent->run = NULL;
    struct rille_run **link = &rt->runs;
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    free(run->text);
    free(run);
}


/* ------------------------------------------------------------------ the program */

/* the list of arguments, [0] the program's name -> exit status */
static int l_exec(lua_State *L)
{
    struct entry *entry = lua_touserdata(L, 1);
    char *const *argv = entry->pointer;
    lua_createtable(L, (int)entry->number, 1);
    for (int i = 0; i < entry->number; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, rl_embed_main(L, entry->rt->engine, "rille.cli"));
    return 1;
}


int rille_exec(struct rille *rt, int argc, char **argv)
{
    struct rl_shield shield;
    rl_shield_raise(&shield);
    int status = enter(rt, l_exec, &(struct entry){.pointer = argv, .number = argc});
    rl_shield_lower(&shield);
    if (status >= 0)
        return status;
    snprintf(rt->warning, sizeof(rt->warning), "rille: %.500s", rt->error);
    if (rt->options.log != NULL)
        rt->options.log(rt->options.log_user, RILLE_LOG_ERROR, rt->warning);
    rt->warning[0] = '\0';
    return 1;
}
