/* embed_host.c -- a C host that does what hosts do, and what they should not; embed_spec.lua runs
 * it.
 *
 *     embed_host BASE_URL CASE     prints what happened; exits with 0 when every check held
 */
#include "rille.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: %s\n", __LINE__, #condition);                                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const char *const parameters = "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":"
                                      "\"string\"}},\"required\":[\"city\"]}";

struct host {
    rille *rt;
    rille_agent *agent;
    rille_run *run;
    rille_call *open_call; /* to be answered later */
    int events, calls, ends;
    char last[4096];
    int close_in_callback;
};


static void run_tool(rille_call *call, const char *arguments, void *user)
{
    struct host *host = user;
    host->calls++;
    CHECK(strcmp(arguments, "{\"city\":\"Oslo\"}") == 0);
    CHECK(rille_call_result(call, "sunny") == RILLE_OK);
}


static void run_tool_later(rille_call *call, const char *arguments, void *user)
{
    struct host *host = user;
    (void)arguments;
    host->calls++;
    host->open_call = call;
}


static void run_tool_fail(rille_call *call, const char *arguments, void *user)
{
    struct host *host = user;
    (void)arguments;
    host->calls++;
    CHECK(rille_call_fail(call, "out of order") == RILLE_OK);
}


static void on_event(rille_run *run, const char *event, void *user)
{
    struct host *host = user;
    host->events++;
    CHECK(host->run == NULL || run == host->run);
    snprintf(host->last, sizeof(host->last), "%s", event);
    if (strstr(event, "\"type\":\"done\"") != NULL || strstr(event, "\"type\":\"failed\"") != NULL)
        host->ends++;
    CHECK(rille_pump(host->rt, 0) == RILLE_ESTATE); /* not from a callback */
    if (strstr(event, "\"type\":\"approval\"") != NULL) {
        CHECK(rille_run_approve(run, "no such call") < 0);
        CHECK(rille_run_approve(run, "call_1") == RILLE_OK);
    }
    if (host->close_in_callback == 1)
        rille_close(host->rt);
    else if (host->close_in_callback == 2)
        rille_run_close(run);
}


static void open_host(struct host *host, const char *base_url, rille_tool_run *run, int approve)
{
    char options[512];
    memset(host, 0, sizeof(*host));
    host->rt = rille_open(NULL);
    CHECK(host->rt != NULL);
    rille_tool tool = {.name = "get_weather",
                       .description = "Weather.",
                       .parameters = parameters,
                       .run = run,
                       .user = host,
                       .approve = approve};
    CHECK(rille_tool_add(host->rt, &tool) == RILLE_OK);
    snprintf(options, sizeof(options), "{\"model\":\"m\",\"base_url\":\"%s\",\"api_key\":\"k\"}",
             base_url);
    host->agent = rille_agent_open(host->rt, options);
    CHECK(host->agent != NULL);
    host->run = rille_agent_send(host->agent, "Weather in Oslo?", on_event, host);
    CHECK(host->run != NULL);
}


/* Frames until <*flag> is set, five seconds at most. */
static void frames(struct host *host, const int *flag)
{
    for (int i = 0; i < 5000 && !*flag; i++) {
        CHECK(rille_pump(host->rt, 1000) >= 0);
        struct pollfd fd = {.fd = rille_fd(host->rt), .events = POLLIN};
        int timeout = rille_timeout_ms(host->rt);
        poll(&fd, 1, timeout < 0 || timeout > 10 ? 10 : timeout);
    }
    CHECK(*flag);
}


static void case_answers(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool, 0);
    CHECK(rille_agent_send(host.agent, "again", NULL, NULL) == NULL); /* one run at a time */
    CHECK(strstr(rille_error(host.rt), "under way") != NULL);
    CHECK(rille_agent_reset(host.agent) == RILLE_ESTATE);
    frames(&host, &host.ends);
    CHECK(host.calls == 1 && host.ends == 1);
    CHECK(rille_run_text(host.run) != NULL);
    CHECK(strcmp(rille_run_text(host.run), "It is sunny.") == 0);
    CHECK(!rille_run_is_active(host.run));
    CHECK(rille_run_cancel(host.run, NULL) == RILLE_ESTATE);
    CHECK(strstr(host.last, "\"messages\":[") != NULL);
    CHECK(rille_agent_reset(host.agent) == RILLE_OK);
    rille_close(host.rt);
}


static void case_later(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool_later, 0);
    frames(&host, &host.calls);
    for (int i = 0; i < 20; i++)
        CHECK(rille_pump(host.rt, 0) == 1);
    CHECK(rille_call_result(host.open_call, "sunny") == RILLE_OK);
    frames(&host, &host.ends);
    CHECK(rille_run_text(host.run) != NULL);
    CHECK(strcmp(rille_run_text(host.run), "It is sunny.") == 0);
    rille_close(host.rt);
}


static void case_fails(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool_fail, 0);
    frames(&host, &host.ends);
    CHECK(strstr(host.last, "out of order") != NULL);
    rille_close(host.rt);
}


static void case_cancel(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool_later, 0);
    frames(&host, &host.calls);
    CHECK(rille_run_cancel(host.run, "the player left") == RILLE_OK);
    frames(&host, &host.ends);
    CHECK(strstr(host.last, "\"code\":\"cancelled\"") != NULL);
    CHECK(strstr(host.last, "the player left") != NULL);
    CHECK(rille_run_text(host.run) == NULL);
    CHECK(rille_call_result(host.open_call, "too late") == RILLE_OK); /* dropped */
    rille_close(host.rt);
}


static void case_approve(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool, 1);
    frames(&host, &host.ends);
    CHECK(host.calls == 1);
    rille_close(host.rt);
}


/* A call that is still open when its runtime is gone. */
static void case_close_early(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool_later, 0);
    frames(&host, &host.calls);
    rille_close(host.rt);
    CHECK(host.ends == 0);
    CHECK(rille_call_result(host.open_call, "nobody is there") == RILLE_OK);
}


static void case_close_in_callback(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool, 0);
    host.close_in_callback = 1;
    while (rille_pump(host.rt, 1000) > 0)
        poll(NULL, 0, 1);
    CHECK(host.events == 1);
}


static void case_close_run_in_callback(const char *url)
{
    struct host host;
    open_host(&host, url, run_tool, 0);
    host.close_in_callback = 2;
    while (rille_pump(host.rt, 1000) > 0)
        poll(NULL, 0, 1);
    CHECK(host.events == 1);
    host.close_in_callback = 0;
    host.run = NULL;
    host.run = rille_agent_send(host.agent, "Weather in Oslo?", on_event, &host);
    CHECK(host.run != NULL);
    rille_agent_close(host.agent);
    rille_close(host.rt);
}


/* A game that was saved: the agent goes on where the messages of its last reply end. */
static void case_continues(const char *url)
{
    struct host host;
    char options[512];
    memset(&host, 0, sizeof(host));
    host.rt = rille_open(NULL);
    snprintf(options, sizeof(options),
             "{\"model\":\"m\",\"base_url\":\"%s\",\"api_key\":\"k\",\"transcript\":["
             "{\"role\":\"user\",\"content\":\"I am Ada.\"},"
             "{\"role\":\"assistant\",\"content\":\"Hello.\"}]}",
             url);
    host.agent = rille_agent_open(host.rt, options);
    CHECK(host.agent != NULL);
    host.run = rille_agent_send(host.agent, "Weather in Oslo?", on_event, &host);
    frames(&host, &host.ends);
    CHECK(strstr(host.last, "I am Ada.") != NULL);
    CHECK(rille_agent_reset(host.agent) == RILLE_OK);
    host.ends = 0;
    host.run = NULL;
    host.run = rille_agent_send(host.agent, "Weather in Oslo?", on_event, &host);
    frames(&host, &host.ends);
    CHECK(strstr(host.last, "I am Ada.") == NULL);
    rille_close(host.rt);
}


/* What is wrong comes back as a status and a sentence. */
static void case_errors(const char *url)
{
    (void)url;
    rille *rt = rille_open(NULL);
    CHECK(rille_agent_open(rt, "{nonsense") == NULL);
    printf("%s\n", rille_error(rt));
    CHECK(rille_agent_open(rt, "{\"modle\":\"m\"}") == NULL);
    printf("%s\n", rille_error(rt));
    CHECK(rille_agent_open(rt, "{\"tools\":[\"nothing\"]}") == NULL);
    printf("%s\n", rille_error(rt));
    CHECK(rille_agent_load(rt, "/no/such/file.lua") == NULL);
    printf("%s\n", rille_error(rt));
    CHECK(rille_tool_add(rt, &(rille_tool){.name = "no spaces", .run = run_tool}) == RILLE_ELUA);
    printf("%s\n", rille_error(rt));
    CHECK(rille_agent_open(rt, "{\"transcript\":[{\"content\":\"x\"}]}") == NULL);
    printf("%s\n", rille_error(rt));
    CHECK(rille_agent_open(rt, "{\"tools\":\"get_weather\"}") == NULL);
    printf("%s\n", rille_error(rt));
    CHECK(rille_agent_load(rt, "spec/support/embed_wrong.lua") == NULL);
    printf("%s\n", rille_error(rt));
    CHECK(rille_agent_open(rt, "{\"model\":\"m\",\"name\":null}") != NULL);
    CHECK(rille_tool_add(rt, NULL) == RILLE_EINVAL);
    CHECK(rille_pump(NULL, 0) == RILLE_EINVAL);
    CHECK(rille_agent_send(NULL, "x", NULL, NULL) == NULL);
    CHECK(rille_run_cancel(NULL, NULL) == RILLE_EINVAL);
    CHECK(rille_call_result(NULL, "x") == RILLE_EINVAL);
    rille_run_close(NULL);
    rille_agent_close(NULL);
    rille_close(NULL);
    rille_close(rt);
}


/* Every ceiling from nothing to enough: open says no or works, and nothing is left behind. */
static void case_memory(const char *url)
{
    (void)url;
    int opened = 0;
    for (size_t ceiling = 1000; ceiling < 1500000; ceiling += ceiling / 40 + 1) {
        rille *rt = rille_open(&(rille_options){.max_memory = ceiling});
        if (rt == NULL)
            continue;
        rille_agent *agent =
            rille_agent_open(rt, "{\"model\":\"m\",\"base_url\":\"http://127.0.0.1:9\"}");
        if (agent == NULL)
            CHECK(rille_error(rt)[0] != '\0');
        rille_run *run = rille_agent_send(agent, "Hello?", NULL, NULL);
        for (int i = 0; i < 50 && rille_run_is_active(run); i++) {
            rille_pump(rt, 1000);
            poll(NULL, 0, 1);
        }
        opened += run != NULL;
        rille_close(rt);
    }
    CHECK(opened > 0);
}


/* Many runtimes, side by side and one after the other. */
static void case_many(const char *url)
{
    struct host hosts[8];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++)
            open_host(&hosts[i], url, run_tool, 0);
        for (int i = 0; i < 8; i++)
            frames(&hosts[i], &hosts[i].ends);
        for (int i = 0; i < 8; i++)
            rille_close(hosts[i].rt);
    }
}


static const struct {
    const char *name;
    void (*run)(const char *url);
} cases[] = {
    {"answers", case_answers},
    {"later", case_later},
    {"fails", case_fails},
    {"cancel", case_cancel},
    {"approve", case_approve},
    {"close_early", case_close_early},
    {"close_in_callback", case_close_in_callback},
    {"close_run_in_callback", case_close_run_in_callback},
    {"continues", case_continues},
    {"errors", case_errors},
    {"memory", case_memory},
    {"many", case_many},
};


int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof(cases) / sizeof(*cases); i++) {
        if (strcmp(cases[i].name, argv[2]) != 0)
            continue;
        cases[i].run(argv[1]);
        return 0;
    }
    puts("no such case");
    return 1;
}
