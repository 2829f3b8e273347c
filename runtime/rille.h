/* rille.h -- agents in a C program: the public face of librille.
 *
 * A runtime belongs to one thread and shares nothing with others. No function here blocks (except
 * rille_exec, which is the `rille` program), exits, prints, or installs a signal handler (but see
 * rille_options.interrupts). Work happens inside rille_pump only; callbacks are called from there,
 * on the same thread.
 *
 * Text is UTF-8, structured values are JSON text. Arguments are copied. Functions that can fail
 * return 0 or a negative enum rille_status (pointers: NULL); rille_error says why in one sentence.
 *
 *     rille *rt = rille_open(NULL);
 *     rille_tool door = {.name = "open_door", .run = open_door, .user = game};
 *     rille_tool_add(rt, &door);
 *     rille_agent *npc = rille_agent_open(rt, "{\"model\":\"...\",\"instructions\":\"...\"}");
 *     rille_run *run = rille_agent_send(npc, "Who goes there?", on_event, game);
 *     while (game_is_running)
 *         rille_pump(rt, 2000);
 *     rille_close(rt);
 */
#ifndef RILLE_H
#define RILLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RILLE_API __attribute__((visibility("default")))
#else
#define RILLE_API
#endif

/* Everything of one runtime: Lua state, event loop, connections, agents, runs. */
typedef struct rille rille;

/* An agent and the transcript of its conversation. */
typedef struct rille_agent rille_agent;

/* One run: from a prompt to the final reply. */
typedef struct rille_run rille_run;

/* One call of a C tool that waits for its answer. */
typedef struct rille_call rille_call;

/* What functions return when they fail; rille_error says more. */
enum rille_status {
    RILLE_OK = 0,
    RILLE_ENOMEM = -1, /* memory is missing, or the ceiling was reached */
    RILLE_EINVAL = -2, /* an argument is NULL, out of range or not the JSON it should be */
    RILLE_ELUA = -3,   /* Lua code failed; rille_error has file and line */
    RILLE_ESTATE = -4  /* not now: the run has ended, or this is called from a callback */
};

/* How much a log line matters, in rising order. */
enum rille_log_level { RILLE_LOG_DEBUG, RILLE_LOG_INFO, RILLE_LOG_WARN, RILLE_LOG_ERROR };

/* All members may be 0. */
typedef struct rille_options {
    /* Memory for Lua: as realloc(ptr, new_size), free when new_size is 0; NULL when there is none.
     * NULL: the C library's. */
    void *(*allocate)(void *user, void *ptr, size_t old_size, size_t new_size);
    void *allocate_user; /* handed to allocate */
    size_t max_memory;   /* ceiling for Lua memory, in bytes; 0: none */
    /* Non-zero: a tool or script that spins (while true do end) is stopped at its deadline. From
     * the first deadline on this installs a handler for SIGURG and runs one small thread. */
    int interrupts;
    /* Gets one line per message, without a newline; NULL: messages are dropped. */
    void (*log)(void *user, enum rille_log_level level, const char *line);
    void *log_user; /* handed to log */
} rille_options;

/* Opens a runtime; <options> NULL means all defaults. NULL when memory or descriptors are missing.
 */
RILLE_API rille *rille_open(const rille_options *options);

/* Cancels what still runs, calls no callback any more, and frees everything of this runtime:
 * agents, runs and their strings too. Called from a callback it takes effect when rille_pump
 * returns. NULL is fine. */
RILLE_API void rille_close(rille *rt);

/* Works for about <max_us> microseconds at most, without waiting for the network: 0 does one round.
 * Returns 1 while runs or tasks are under way, 0 when there is nothing to do, or a negative status.
 */
RILLE_API int rille_pump(rille *rt, int64_t max_us);

/* A descriptor that becomes readable when rille_pump has work, for poll(2) and its relatives; -1
 * where the system has none. */
RILLE_API int rille_fd(const rille *rt);

/* Milliseconds until rille_pump has work even if the descriptor stays quiet; 0: now, -1: no limit.
 */
RILLE_API int rille_timeout_ms(const rille *rt);

/* One sentence about the last failure of this runtime; "" when there was none. Owned by the
 * runtime, valid until its next call. */
RILLE_API const char *rille_error(const rille *rt);

/* "0.1.0" */
RILLE_API const char *rille_version(void);

/* Answers a tool call. Called once for each call of the model, inside rille_pump. <arguments> is a
 * JSON object that was validated against the tool's parameters, valid during the callback. Answer
 * now or later, exactly once, with rille_call_result or rille_call_fail. */
typedef void rille_tool_run(rille_call *call, const char *arguments, void *user);

/* A tool written in C, as rille_tool_add takes it; everything is copied. */
typedef struct rille_tool {
    const char *name;        /* ^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$ */
    const char *description; /* what the model reads; may be NULL */
    const char *parameters;  /* JSON Schema of the arguments, an object; NULL: none */
    rille_tool_run *run;
    void *user;         /* handed to run */
    int64_t timeout_ms; /* the call fails after this time; 0: 60 s */
    int approve;        /* non-zero: every call asks first ("approval" event, rille_run_approve) */
    int sequential;     /* non-zero: never beside another call of the same turn */
} rille_tool;

/* Makes a C tool known to agents that are opened later: all of them get it, unless their options
 * name "tools" (a list of names). A second tool of the same name replaces the first. */
RILLE_API int rille_tool_add(rille *rt, const rille_tool *tool);

/* Ends a call: <content> goes to the model as it is (text or JSON). The call is gone afterwards,
 * also when the run was cancelled meanwhile, in which case the content is dropped. */
RILLE_API int rille_call_result(rille_call *call, const char *content);

/* Ends a call with an error the model sees. */
RILLE_API int rille_call_fail(rille_call *call, const char *reason);

/* Opens an agent from a JSON object with the options of rille.agent: model, instructions, limits,
 * params, base_url, api_key, … "tools" names those of rille_tool_add; "transcript" holds messages
 * to go on from (a saved game); "output" is a JSON Schema, as text where the order of its members
 * matters. Freed by rille_agent_close or rille_close. NULL on failure. */
RILLE_API rille_agent *rille_agent_open(rille *rt, const char *options);

/* Opens the agent that the Lua file <path> returns (rille.agent{…}); C tools are added to its own.
 */
RILLE_API rille_agent *rille_agent_load(rille *rt, const char *path);

/* Cancels the agent's runs and frees it. NULL is fine. */
RILLE_API void rille_agent_close(rille_agent *agent);

/* Forgets the conversation. RILLE_ESTATE while a run is under way. */
RILLE_API int rille_agent_reset(rille_agent *agent);

/* Called with each event of a run, one JSON object with "type", "path", "time" and what the manual
 * lists for the type; the last one is "done" or "failed". <event> is valid during the callback. */
typedef void rille_on_event(rille_run *run, const char *event, void *user);

/* Starts a run: the prompt is appended to the agent's transcript. One run at a time per agent
 * (RILLE_ESTATE). <on_event> may be NULL. NULL on failure. The run lives until rille_run_close,
 * rille_agent_close or rille_close. */
RILLE_API rille_run *rille_agent_send(rille_agent *agent, const char *prompt,
                                      rille_on_event *on_event, void *user);

/* Stops a run: transfers and tools end, a "failed" event with code "cancelled" follows. <reason>
 * may be NULL. */
RILLE_API int rille_run_cancel(rille_run *run, const char *reason);

/* Adds a user message before the run's next request. */
RILLE_API int rille_run_steer(rille_run *run, const char *text);

/* Answers an "approval" event: <call_id> is event.call.id. */
RILLE_API int rille_run_approve(rille_run *run, const char *call_id);
RILLE_API int rille_run_deny(rille_run *run, const char *call_id, const char *reason);

/* 1 while the run is under way, 0 when it has ended. */
RILLE_API int rille_run_is_active(const rille_run *run);

/* The text of the final reply, or NULL (not ended, or failed). Owned by the run. */
RILLE_API const char *rille_run_text(const rille_run *run);

/* Frees a run; cancels it first when it is under way (no event follows). NULL is fine. */
RILLE_API void rille_run_close(rille_run *run);

/* The `rille` program: runs a command line to its end and returns the exit status. Blocks. */
RILLE_API int rille_exec(rille *rt, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
