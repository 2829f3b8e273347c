/* floor.c -- beside the walk: what libcurl and libuv can do at best, without Lua and without JSON.
 *
 * The same conversations as bench/agent.lua has, with bodies that stand already; of an answer only
 * "call_<round>_…" and the text of the deltas are looked for. Tuned as it was when the goals were
 * set: several multi handles on one loop, one poll handle per connection that stays armed between
 * transfers, easy handles reused. (An address taken apart once would save it an eighth:
 * docs/numbers.md.) Usage: floor url=http://127.0.0.1:PORT/r2c0 runs=300 at_once=64 result=100
 * warm=64 [wait=MS] [sample=1]
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

enum { SHARD_AGENTS = 128, MAX_SOCKETS = 65536, SAMPLE_MS = 10 };

static const char head[] =
    "{\"model\":\"bench\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful "
    "weather "
    "assistant.\"},{\"role\":\"user\",\"content\":\"What's the weather like in Oslo today?\"}";
static const char tail[] =
    "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":"
    "\"Get "
    "the current weather in a given city.\",\"parameters\":{\"type\":\"object\",\"properties\":{"
    "\"city\":{\"type\":\"string\",\"description\":\"The city\"}},\"required\":[\"city\"]}}}]";

struct shard {
    CURLM *multi;
    uv_timer_t timer;
};

struct sock {
    uv_poll_t poll;
    struct shard *shard;
    curl_socket_t fd;
    int armed;
    bool wanted;
};

/* One conversation at a time. */
struct agent {
    CURL *easy;
    struct shard *shard;
    char *request; /* head, rounds, tail */
    size_t len, cap;
    char *answer; /* of a plain body all of it, of a stream the unfinished line */
    size_t answer_len, answer_cap;
    size_t text_len; /* bytes of deltas */
    int round;       /* whose calls were asked for; 0: it was the answer */
    bool streams;
    uv_timer_t *tools; /* one for each call, when they take time */
    long tools_running;
};

static struct {
    const char *url;
    long runs, at_once, result, warm, wait, sample;
    long parallel; /* calls of a round, from the URL */
} options = {.runs = 1, .at_once = 1, .result = 100, .parallel = 1};

static uv_loop_t *loop;
static struct sock *socks[MAX_SOCKETS];
static struct curl_slist *fields;
static char *result_text;
static long left, running, requests, chunks;
static size_t resident_max;


static void fail(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}


static void append(char **data, size_t *len, size_t *cap, const char *bytes, size_t count)
{
    if (*len + count > *cap) {
        *cap = (*len + count) * 2;
        *data = realloc(*data, *cap);
        if (*data == NULL)
            fail("out of memory");
    }
    memcpy(*data + *len, bytes, count);
    *len += count;
}


/* ------------------------------------------------------------------ libcurl on libuv */

static void on_end(CURL *easy, CURLcode result);


static void act(struct shard *shard, curl_socket_t fd, int flags)
{
    int any;
    CURLMsg *message;
    curl_multi_socket_action(shard->multi, fd, flags, &any);
    while ((message = curl_multi_info_read(shard->multi, &any)) != NULL)
        if (message->msg == CURLMSG_DONE)
            on_end(message->easy_handle, message->data.result);
}


static void on_timeout(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}


static int on_timer_wish(CURLM *multi, long timeout_ms, void *owner)
{
    (void)multi;
    struct shard *shard = owner;
    if (timeout_ms < 0)
        uv_timer_stop(&shard->timer);
    else
        uv_timer_start(&shard->timer, on_timeout, (uint64_t)timeout_ms, 0);
    return 0;
}


static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct sock *sock = poll->data;
    if (!sock->wanted) {
        uv_poll_stop(poll);
        sock->armed = 0;
        return;
    }
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(sock->shard, sock->fd, flags);
}


static void arm(struct sock *sock, int events)
{
    if (sock->armed != events)
        uv_poll_start(&sock->poll, events, on_poll);
    sock->armed = events;
}


static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *unused)
{
    (void)easy;
    (void)unused;
    struct sock *sock = socks[fd];
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL)
            sock->wanted = false;
        return 0;
    }
    if (sock == NULL) {
        sock = socks[fd] = calloc(1, sizeof(*sock));
        uv_poll_init_socket(loop, &sock->poll, fd);
        sock->poll.data = sock;
        sock->shard = owner;
        sock->fd = fd;
    }
    sock->wanted = true;
    arm(sock, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
    return 0;
}


static void on_sock_closed(uv_handle_t *handle)
{
    free(handle->data);
}


static int on_close_socket(void *owner, curl_socket_t fd)
{
    (void)owner;
    if (socks[fd] != NULL)
        uv_close((uv_handle_t *)&socks[fd]->poll, on_sock_closed);
    socks[fd] = NULL;
    return uv_fs_close(NULL, &(uv_fs_t){0}, fd, NULL);
}


static struct shard *open_shard(void)
{
    struct shard *shard = calloc(1, sizeof(*shard));
    shard->multi = curl_multi_init();
    uv_timer_init(loop, &shard->timer);
    shard->timer.data = shard;
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)SHARD_AGENTS);
    return shard;
}


/* ------------------------------------------------------------------ what comes back */

/* One line of a stream. */
static void look_at_line(struct agent *agent, const char *line, size_t len)
{
    static const char content[] = "\"content\":\"", call[] = "\"id\":\"call_";
    if (len < 6 || memcmp(line, "data: ", 6) != 0)
        return;
    chunks++;
    const char *at = memmem(line, len, content, sizeof(content) - 1);
    if (at != NULL) {
        at += sizeof(content) - 1;
        for (const char *end = line + len; at < end && *at != '"'; at++)
            agent->text_len += 1 + (*at == '\\' ? at++ != NULL : 0);
    } else if ((at = memmem(line, len, call, sizeof(call) - 1)) != NULL) {
        agent->round = atoi(at + sizeof(call) - 1);
    }
}


static size_t take_lines(struct agent *agent, const char *bytes, size_t len)
{
    const char *at = bytes, *end = bytes + len, *stop;
    while ((stop = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (agent->answer_len == 0) {
            look_at_line(agent, at, (size_t)(stop - at));
        } else {
            append(&agent->answer, &agent->answer_len, &agent->answer_cap, at, (size_t)(stop - at));
            look_at_line(agent, agent->answer, agent->answer_len);
            agent->answer_len = 0;
        }
        at = stop + 1;
    }
    append(&agent->answer, &agent->answer_len, &agent->answer_cap, at, (size_t)(end - at));
    return len;
}


static size_t on_bytes(char *bytes, size_t size, size_t count, void *owner)
{
    struct agent *agent = owner;
    if (agent->streams)
        return take_lines(agent, bytes, size * count);
    append(&agent->answer, &agent->answer_len, &agent->answer_cap, bytes, size * count);
    return size * count;
}


static void look_at_body(struct agent *agent)
{
    append(&agent->answer, &agent->answer_len, &agent->answer_cap, "", 1);
    const char *at = strstr(agent->answer, "\"id\":\"call_");
    if (at != NULL)
        agent->round = atoi(at + strlen("\"id\":\"call_"));
}


/* ------------------------------------------------------------------ conversations */

static void send_request(struct agent *agent)
{
    size_t messages = agent->len;
    append(&agent->request, &agent->len, &agent->cap, tail, sizeof(tail) - 1);
    if (agent->streams)
        append(&agent->request, &agent->len, &agent->cap, ",\"stream\":true", 14);
    append(&agent->request, &agent->len, &agent->cap, "}", 1);
    curl_easy_setopt(agent->easy, CURLOPT_POSTFIELDSIZE, (long)agent->len);
    curl_easy_setopt(agent->easy, CURLOPT_POSTFIELDS, agent->request);
    agent->len = messages;
    agent->answer_len = 0;
    agent->round = 0;
    requests++;
    curl_multi_add_handle(agent->shard->multi, agent->easy);
}


static void begin(struct agent *agent)
{
    if (left == 0) {
        if (--running == 0)
            uv_stop(loop); /* it would first wait for another event */
        return;
    }
    left--;
    agent->len = 0;
    append(&agent->request, &agent->len, &agent->cap, head, sizeof(head) - 1);
    send_request(agent);
}


static void add(struct agent *agent, const char *text)
{
    append(&agent->request, &agent->len, &agent->cap, text, strlen(text));
}


/* The calls and their results enter the conversation. */
static void add_round(struct agent *agent)
{
    char text[256];
    add(agent, ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[");
    for (long i = 0; i < options.parallel; i++) {
        snprintf(text, sizeof(text),
                 "%s{\"id\":\"call_%d_%ld\",\"type\":\"function\",\"function\":{\"name\":"
                 "\"get_weather\",\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"}}",
                 i > 0 ? "," : "", agent->round, i);
        add(agent, text);
    }
    add(agent, "]}");
    for (long i = 0; i < options.parallel; i++) {
        snprintf(text, sizeof(text),
                 ",{\"role\":\"tool\",\"tool_call_id\":\"call_%d_%ld\",\"content\":\"",
                 agent->round, i);
        add(agent, text);
        append(&agent->request, &agent->len, &agent->cap, result_text, (size_t)options.result);
        add(agent, "\"}");
    }
    send_request(agent);
}


static void on_tool_end(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    if (--agent->tools_running == 0)
        add_round(agent);
}


static void run_tools(struct agent *agent)
{
    if (options.wait == 0) {
        add_round(agent);
        return;
    }
    uv_update_time(loop);
    agent->tools_running = options.parallel;
    for (long i = 0; i < options.parallel; i++)
        uv_timer_start(&agent->tools[i], on_tool_end, (uint64_t)options.wait, 0);
}


static void on_end(CURL *easy, CURLcode result)
{
    struct agent *agent;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &agent);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status != 200)
        fail(curl_easy_strerror(result));
    curl_multi_remove_handle(agent->shard->multi, easy);
    options.sample = 0; /* the first answer ends it */
    if (!agent->streams)
        look_at_body(agent);
    if (agent->round == 0)
        begin(agent);
    else
        run_tools(agent);
}


static struct agent *open_agent(struct shard *shard)
{
    static char url[256];
    struct agent *agent = calloc(1, sizeof(*agent));
    CURL *easy = agent->easy = curl_easy_init();
    agent->shard = shard;
    snprintf(url, sizeof(url), "%s/chat/completions", options.url);
    const char *c = strrchr(options.url, 'c');
    agent->streams = c != NULL && c[1] > '0' && c[1] <= '9';
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, agent);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, agent);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    if (options.sample)
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
    agent->tools =
        options.wait > 0 ? calloc((size_t)options.parallel, sizeof(*agent->tools)) : NULL;
    for (long i = 0; agent->tools != NULL && i < options.parallel; i++) {
        uv_timer_init(loop, &agent->tools[i]);
        agent->tools[i].data = agent;
    }
    return agent;
}


/* ------------------------------------------------------------------ the program */

static void on_sample(uv_timer_t *timer)
{
    size_t resident = 0;
    if (!options.sample) {
        uv_close((uv_handle_t *)timer, NULL);
        return;
    }
    uv_resident_set_memory(&resident);
    if (resident > resident_max)
        resident_max = resident;
}


static void converse(struct agent **agents, long count)
{
    left = count;
    running = options.at_once;
    for (long i = 0; i < options.at_once; i++)
        begin(agents[i]);
    while (running > 0)
        uv_run(loop, UV_RUN_ONCE);
}


static void read_option(const char *word)
{
    static const struct {
        const char *name;
        long *value;
    } numbers[] = {
        {"runs=", &options.runs}, {"at_once=", &options.at_once}, {"result=", &options.result},
        {"warm=", &options.warm}, {"wait=", &options.wait},       {"sample=", &options.sample},
    };
    if (strncmp(word, "url=", 4) == 0) {
        options.url = word + 4;
        const char *parallel = strchr(strrchr(options.url, '/'), 'p');
        if (parallel != NULL)
            options.parallel = atol(parallel + 1);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strncmp(word, numbers[i].name, strlen(numbers[i].name)) == 0)
            *numbers[i].value = atol(word + strlen(numbers[i].name));
}


static double cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}


static struct agent **open_agents(void)
{
    static const char *const lines[] = {"Content-Type: application/json",
                                        "Authorization: Bearer sk-bench", "Expect:"};
    for (int i = 0; i < 3; i++)
        fields = curl_slist_append(fields, lines[i]);
    result_text = malloc((size_t)options.result + 1);
    memset(result_text, 'x', (size_t)options.result);
    struct agent **agents = calloc((size_t)options.at_once, sizeof(*agents));
    struct shard *shard = NULL;
    for (long i = 0; i < options.at_once; i++) {
        if (i % SHARD_AGENTS == 0)
            shard = open_shard();
        agents[i] = open_agent(shard);
    }
    return agents;
}


int main(int argc, char **argv)
{
    struct rusage used;
    size_t resident = 0;
    uv_timer_t sampler;
    for (int i = 1; i < argc; i++)
        read_option(argv[i]);
    if (options.url == NULL)
        fail("url=… is missing");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    loop = uv_default_loop();
    uv_resident_set_memory(&resident);
    struct agent **agents = open_agents();
    if (options.warm > 0)
        converse(agents, options.warm);
    uv_timer_init(loop, &sampler);
    if (options.sample)
        uv_timer_start(&sampler, on_sample, SAMPLE_MS, SAMPLE_MS);
    double cpu = cpu_us();
    uint64_t started = uv_hrtime();
    requests = chunks = 0;
    converse(agents, options.runs);
    cpu = cpu_us() - cpu;
    getrusage(RUSAGE_SELF, &used);
    printf("requests=%ld chunks=%ld cpu_us=%.0f wall_us=%.0f peak_kb=%ld suspended_kb=%.0f\n",
           requests, chunks, cpu, (double)(uv_hrtime() - started) / 1e3, used.ru_maxrss,
           resident_max > resident ? (double)(resident_max - resident) / 1024 : 0);
    return 0;
}
