/* rille_agent.c -- room 4: the public C API: tools, agents and their runs. See rille.h.
 *
 * The Lua half of each is in lua/rille/embed.lua, which knows them by their addresses.
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>


/* ------------------------------------------------------------------ tools */

static int l_add_tool(lua_State *L)
{
    struct rl_host_entry *entry = lua_touserdata(L, 1);
    const struct rl_host_tool *tool = entry->pointer;
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
        return rl_host_refuse(rt, RILLE_EINVAL, "rille_tool_add: name and run are required");
    struct rl_host_tool *tool = calloc(1, sizeof(*tool));
    if (tool == NULL)
        return rl_host_refuse(rt, RILLE_ENOMEM, "not enough memory");
    tool->embed = (struct rl_embed_tool){.run = spec->run, .user = spec->user};
    tool->spec = spec;
    int status = rl_host_enter(rt, l_add_tool, &(struct rl_host_entry){.pointer = tool});
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
        rl_host_refuse(rt, RILLE_EINVAL,
                       agent == NULL ? "not enough memory" : "options or path: NULL");
        free(agent);
        return NULL;
    }
    agent->rt = rt;
    if (rl_host_call(rt, &(struct rl_host_entry){.name = how, .pointer = agent, .text = {text}}) !=
        RILLE_OK) {
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
        return rl_host_refuse(agent->rt, RILLE_ESTATE, "rille_agent_reset: a run is under way");
    return rl_host_call(agent->rt, &(struct rl_host_entry){
                                       .name = "reset_agent", .pointer = agent, .text = {NULL}});
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
    rl_host_call(rt,
                 &(struct rl_host_entry){.name = "close_agent", .pointer = agent, .text = {NULL}});
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
        rl_host_refuse(rt, RILLE_ESTATE,
                       prompt == NULL ? "rille_agent_send: prompt is NULL"
                                      : "rille_agent_send: a run of this agent is under way");
        return NULL;
    }
    struct rille_run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        rl_host_refuse(rt, RILLE_ENOMEM, "not enough memory");
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
    struct rl_host_entry entry = {
        .name = "send", .pointer = agent, .other = &run->embed, .text = {prompt}};
    if (rl_host_call(rt, &entry) == RILLE_OK)
        return run;
    char why[sizeof(rt->error)];
    memcpy(why, rt->error, sizeof(why));
    rille_run_close(run);
    rl_host_refuse(rt, RILLE_ELUA, why);
    return NULL;
}


static int about_run(struct rille_run *run, const char *name, const char *first, const char *second)
{
    if (run == NULL)
        return RILLE_EINVAL;
    struct rille *rt = run->agent->rt;
    if (!run->active)
        return rl_host_refuse(rt, RILLE_ESTATE, "the run has ended");
    struct rl_host_entry entry = {.name = name, .pointer = &run->embed, .text = {first, second}};
    return rl_host_call(rt, &entry);
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
    rl_host_call(
        rt, &(struct rl_host_entry){.name = "close_run", .pointer = &run->embed, .text = {NULL}});
    if (agent->run == run)
        agent->run = NULL;
    struct rille_run **link = &rt->runs;
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    free(run->text);
    free(run);
}
