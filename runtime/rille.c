/* rille.c -- room 4: the public C API over one Lua state. See rille.h.
 *
 * What a host asks for is done by lua/rille/embed.lua, in tasks: C never calls into Lua, it starts
 * a task and resumes it. Every entry runs under lua_pcall of a C function, so that no error passes
 * to the host and an allocation failure is one message.
 */
#include "host.h"

#include "shield.h"

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* Per cent of the memory in use at which a collection begins anew; Lua's own choice is 200. What a
 * turn leaves behind still fits into the cache then, and dead objects hold less memory that Lua
 * does not see. docs/numbers.md has the measurements. */
enum { GC_PAUSE = 150 };

/* KB that a state may take before it collects for the first time: what loading the library makes is
 * there to stay, and a collector that looks through it again and again finds nothing. */
enum { GC_CREDIT_KB = 1024 };


/* ------------------------------------------------------------------ memory, errors, log */

/* Lua's allocator where the host has brought one, or set a ceiling. */
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

/* Turns whatever was raised into text. */
static int l_message(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}


int rl_host_enter(struct rille *rt, lua_CFunction work, struct rl_host_entry *entry)
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


static int l_call_embed(lua_State *L)
{
    struct rl_host_entry *entry = lua_touserdata(L, 1);
    lua_pushlightuserdata(L, (void *)entry->pointer);
    lua_pushstring(L, entry->text[0]);
    lua_pushstring(L, entry->text[1]);
    lua_pushlightuserdata(L, (void *)entry->other);
    rl_embed(L, entry->rt->engine, entry->name, 4);
    return 1;
}


int rl_host_call(struct rille *rt, struct rl_host_entry *entry)
{
    return rl_host_enter(rt, l_call_embed, entry);
}


int rl_host_refuse(struct rille *rt, int status, const char *why)
{
    set_error(rt, why);
    return status;
}


/* ------------------------------------------------------------------ open, pump, close */

static int l_open(lua_State *L)
{
    struct rl_host_entry *entry = lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_gc(L, LUA_GCINC, GC_PAUSE, 0, 0);
    lua_gc(L, LUA_GCSTEP, -GC_CREDIT_KB);
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
    if (rt->options.allocate != NULL || rt->options.max_memory != 0)
        rt->L = lua_newstate(allocate, rt);
    else
        rt->L = lua_newstate(rl_blocks_resize, &rt->blocks);
    if (rt->L == NULL) {
        rl_blocks_close(&rt->blocks);
        free(rt);
        return NULL;
    }
    lua_setwarnf(rt->L, on_warning, rt);
    if (rl_host_enter(rt, l_open, &(struct rl_host_entry){0}) != RILLE_OK) {
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
        struct rl_host_tool *tool = rt->tools;
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
    for (struct rl_host_tool *tool = rt->tools; tool != NULL; tool = tool->next)
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
    struct rl_host_entry *entry = lua_touserdata(L, 1);
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
        return rl_host_refuse(rt, RILLE_ESTATE, "rille_pump: not from a callback");
    struct rl_shield shield;
    rl_shield_raise(&shield);
    rt->depth++;
    int status =
        rl_host_enter(rt, l_pump, &(struct rl_host_entry){.number = max_us > 0 ? max_us : 0});
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


/* ------------------------------------------------------------------ the program */

/* the list of arguments, [0] the program's name -> exit status */
static int l_exec(lua_State *L)
{
    struct rl_host_entry *entry = lua_touserdata(L, 1);
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
    int status =
        rl_host_enter(rt, l_exec, &(struct rl_host_entry){.pointer = argv, .number = argc});
    rl_shield_lower(&shield);
    if (status >= 0)
        return status;
    snprintf(rt->warning, sizeof(rt->warning), "rille: %.500s", rt->error);
    if (rt->options.log != NULL)
        rt->options.log(rt->options.log_user, RILLE_LOG_ERROR, rt->warning);
    rt->warning[0] = '\0';
    return 1;
}
