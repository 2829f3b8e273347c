/* http_check.c -- beside the walk: the C contract of http.h and what stands below it, from C.
 *
 * spec/http_contract_spec.lua compiles it together with those files, `malloc` and its kin renamed
 * to the counting ones of fail_alloc.h, and runs it: `http_check <name>` runs one check. Silence and
 * status 0 mean that all is well. The server that it talks to lives on the same loop.
 */
#undef calloc
#include "fail_alloc.h"

#include "canned.h"
#include "http.h"
#include "http_clock.h"
#include "http_error.h"
#include "http_head.h"
#include "http_request.h"

#include <stdio.h>
#include <string.h>

void *check_calloc(size_t count, size_t size);

static int mistakes;


void *check_calloc(size_t count, size_t size)
{
    void *block = is_refused() ? NULL : calloc(count, size);
    alive += block != NULL;
    return block;
}


static void expect(bool ok, const char *what, long detail)
{
    if (ok)
        return;
    mistakes++;
    printf("%s (%ld)\n", what, detail);
}


static void expect_text(const char *got, const char *wanted, const char *what)
{
    if (got != NULL && wanted != NULL ? strcmp(got, wanted) == 0 : got == wanted)
        return;
    mistakes++;
    printf("%s: %s, not %s\n", what, got != NULL ? got : "NULL", wanted != NULL ? wanted : "NULL");
}


/* ------------------------------------------------------------------ heads */

static int add_line(struct rl_http_head *head, const char *line)
{
    return rl_http_head_line(head, line, strlen(line));
}


static void check_head(void)
{
    struct rl_http_head head;
    rl_http_head_init(&head);
    expect_text(rl_http_head_get(&head, "x"), NULL, "an empty head has no field");
    add_line(&head, "HTTP/1.1 103 Early Hints\r\n");
    add_line(&head, "Link: early\r\n");
    add_line(&head, "\r\n");
    expect(head.complete && head.status == 103, "an interim head is one", head.status);
    add_line(&head, "HTTP/2 200 \r\n");
    expect(!head.complete && head.status == 200 && head.version == 2, "the next replaces it", 0);
    expect_text(rl_http_head_get(&head, "link"), NULL, "its fields are gone");
    add_line(&head, "Content-TYPE:text/html\r\n");
    add_line(&head, "X-Blank: \t \r\n");
    add_line(&head, "X-Twice:  a \r\n");
    add_line(&head, "x-twice:b:c\n");
    add_line(&head, "no colon\r\n");
    add_line(&head, ": no name\r\n");
    rl_http_head_line(&head, "X-Nul: a\0b\r\n", 12);
    expect_text(rl_http_head_get(&head, "content-type"), "text/html", "names in any case");
    expect_text(rl_http_head_get(&head, "X-BLANK"), "", "an empty value");
    expect_text(rl_http_head_get(&head, "X-Twice"), "a", "the first of two");
    expect_text(rl_http_head_get(&head, "x-nul"), "a b", "a NUL does not end a value");
    add_line(&head, "\r\n");
    add_line(&head, "X-Trailer: late\r\n");
    expect_text(rl_http_head_get(&head, "x-trailer"), NULL, "trailers are not fields");
    const char *name;
    const char *value;
    int fields = 0;
    for (size_t at = 0; rl_http_head_next(&head, &at, &name, &value);)
        fields++;
    expect(fields == 5, "fields in all", fields);
    rl_http_head_free(&head);
}


static void check_head_limits(void)
{
    static const char *const odd[] = {"HTTP/1.1\r\n", "HTTP/1.1 \r\n", "HTTP/1.1 abc\r\n", "HTTP/\r\n"};
    struct rl_http_head head;
    rl_http_head_init(&head);
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        add_line(&head, odd[i]);
        expect(head.status == 0, "no status where none stands", (long)i);
    }
    add_line(&head, "HTTP/1.1 99999999999999999999 x\r\n");
    expect(head.status == 999, "a status has three digits", head.status);
    int rc = RL_OK;
    int lines = 0;
    while (rc == RL_OK && lines < 10000) {
        rc = add_line(&head, "X-Flood: 0123456789\r\n");
        lines++;
    }
    expect(rc == RL_ETOOBIG && lines * 21 > RL_HTTP_HEAD_MAX - 200, "a flood ends", lines);
    rl_http_head_free(&head);
}


/* ------------------------------------------------------------------ clocks */

static void expect_due(const struct rl_http_clock *clock, uint64_t at, enum rl_http_limit limit,
                       const char *what)
{
    struct rl_http_due due = rl_http_clock_due(clock);
    expect(due.at == at && due.limit == limit, what, (long)due.at);
}


static void check_clock(void)
{
    struct rl_http_clock clock = {.limits = {10, 20, 30, 100, 1000}, .started_at = 5};
    expect_due(&clock, 15, RL_HTTP_CONNECT, "connecting");
    clock.phase = RL_HTTP_WAITING;
    clock.sent_at = 50;
    expect_due(&clock, 70, RL_HTTP_FIRST_BYTE, "waiting");
    clock.phase = RL_HTTP_RECEIVING;
    clock.byte_at = clock.data_at = 100;
    expect_due(&clock, 130, RL_HTTP_IDLE, "receiving");
    clock.byte_at = 190; /* signs of life, no data */
    expect_due(&clock, 200, RL_HTTP_QUIET_LIMIT, "signs of life do not last for ever");
    clock.data_at = 190;
    expect_due(&clock, 220, RL_HTTP_IDLE, "data do");
    clock.paused = true;
    expect_due(&clock, 1005, RL_HTTP_TOTAL, "paused: only the total counts");
    clock.paused = false;
    clock.byte_at = clock.data_at = 990;
    expect_due(&clock, 1005, RL_HTTP_TOTAL, "the total comes first");
    clock.limits = (struct rl_http_limits){-1, -1, -1, -1, -1};
    expect_due(&clock, UINT64_MAX, RL_HTTP_NO_LIMIT, "no limit");
    clock.limits.idle_ms = 0;
    expect_due(&clock, 990, RL_HTTP_IDLE, "a limit of 0 is one");
}


static void check_clock_sentences(void)
{
    static const char *const names[] = {[RL_HTTP_CONNECT] = "connect",
                                        [RL_HTTP_FIRST_BYTE] = "first_byte",
                                        [RL_HTTP_IDLE] = "idle",
                                        [RL_HTTP_QUIET_LIMIT] = "idle",
                                        [RL_HTTP_TOTAL] = "total"};
    struct rl_http_clock clock = {.limits = {1500, 1500, 1500, 1500, 1500}};
    for (int limit = RL_HTTP_CONNECT; limit <= RL_HTTP_TOTAL; limit++) {
        struct rl_err err;
        char mark[40];
        snprintf(mark, sizeof(mark), "(%s timeout)", names[limit]);
        int rc = rl_http_clock_explain(&clock, (enum rl_http_limit)limit, "http://a/", &err);
        expect(rc == RL_ETIMEOUT && strstr(err.message, "1.5 s") && strstr(err.message, "http://a/") &&
                   strstr(err.message, mark),
               err.message, limit);
    }
}


/* ------------------------------------------------------------------ words */

static void check_words(void)
{
    static const char *const pairs[][2] = {
        {"https://u:secret@host:8/p?key=secret#secret", "https://host:8/p"},
        {"http://host", "http://host/"},
        {"no url at all secret", "the address"},
        {"", "the address"},
    };
    char shown[RL_HTTP_SHOWN_MAX];
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        rl_http_shown_url(shown, pairs[i][0]);
        expect_text(shown, pairs[i][1], "shown");
    }
    char longest[4000] = "http://host/";
    memset(longest + 12, 'a', sizeof(longest) - 13);
    longest[sizeof(longest) - 1] = '\0';
    rl_http_shown_url(shown, longest);
    expect(strlen(shown) == RL_HTTP_SHOWN_MAX - 1 && strcmp(shown + 116, "...") == 0, shown, 0);
}


static void check_sentences(void)
{
    CURL *easy = curl_easy_init();
    for (int result = CURLE_OK; result < CURL_LAST; result++) {
        struct rl_err err;
        rl_http_explain(&err, easy, (CURLcode)result, false, "the detail", 7);
        bool ok = result == CURLE_OK ? err.code == RL_OK : err.code < 0 && strlen(err.message) > 10;
        expect(ok, "every result has its sentence", result);
    }
    struct rl_err err;
    rl_http_explain(&err, easy, CURLE_OUT_OF_MEMORY, true, "", 0);
    expect(err.code == RL_ETOOBIG, "a line beyond libcurl's limit", err.code);
    rl_http_explain(&err, easy, CURLE_UNSUPPORTED_PROTOCOL, false, "Received HTTP/0.9 when not", 0);
    expect(err.code == RL_ESYNTAX, "bytes that are no HTTP", err.code);
    rl_http_explain_size(&err, easy, RL_ENOMEM, "x", 1);
    expect(err.code == RL_ENOMEM, "memory", err.code);
    curl_easy_cleanup(easy);
}


/* ------------------------------------------------------------------ fields */

static bool lists(const struct curl_slist *list, const char *line)
{
    for (; list != NULL; list = list->next)
        if (strcmp(list->data, line) == 0)
            return true;
    return false;
}


static void check_template(void)
{
    static const char *const lines[] = {"A: b", "Empty:", "Blank: \t", "EXPECT: x", "Time: 1:2:", "content-type: c"};
    struct rl_http_template *template = rl_http_template_new("u:p@h:8/p?q", lines, 6);
    const struct curl_slist *list = template->list;
    expect(lists(list, "A: b") && lists(list, "Time: 1:2:"), "lines as they are", 0);
    expect(lists(list, "Empty;") && lists(list, "Blank;"), "empty ones in libcurl's way", 0);
    expect(!lists(list, "Expect:") && lists(list, "EXPECT: x"), "the caller's Expect", 0);
    expect(!lists(list, "Content-Type:"), "the caller's type", 0);
    expect(lists(list, "Accept-Encoding:"), "nothing that libcurl adds", 0);
    expect(template->parts != NULL && !template->names_agent, "the address in parts", 0);
    expect_text(template->url, "http://u:p@h:8/p?q", "and whole");
    expect(rl_http_template_share(template) == template, "one template for two requests", 0);
    rl_http_template_unref(template);
    expect(lists(list, "A: b"), "which the last one frees", 0);
    rl_http_template_unref(template);
    template = rl_http_template_new("http://h:99999/", NULL, 0);
    list = template->list;
    expect(template->parts == NULL && template->url == NULL, "no address: libcurl says why", 0);
    expect(lists(list, "Expect:") && lists(list, "Content-Type:"), "without lines", 0);
    rl_http_template_unref(template);
    template = rl_http_template_new("http://h/", (const char *const[]){"user-agent: me"}, 1);
    expect(template->names_agent, "the caller's agent", 0);
    rl_http_template_unref(template);
    rl_http_template_unref(NULL);
}


/* ------------------------------------------------------------------ transfers */

struct server {
    uv_loop_t loop;
    uv_tcp_t listener, peer;
    bool has_peer;
    const char *bytes; /* said to the first connection at once */
    char url[64];
};


static void on_read_room(uv_handle_t *peer, size_t size, uv_buf_t *buf)
{
    static char room[65536];
    (void)peer;
    (void)size;
    *buf = uv_buf_init(room, sizeof(room));
}


static void on_read(uv_stream_t *peer, ssize_t len, const uv_buf_t *buf)
{
    (void)peer;
    (void)len;
    (void)buf;
}


static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    (void)status;
    if (server->has_peer)
        return;
    server->has_peer = true;
    uv_tcp_init(&server->loop, &server->peer);
    uv_accept(listener, (uv_stream_t *)&server->peer);
    uv_read_start((uv_stream_t *)&server->peer, on_read_room, on_read);
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)server->bytes, (unsigned)strlen(server->bytes));
    uv_try_write((uv_stream_t *)&server->peer, &buf, 1);
}


static void open_server(struct server *server, const char *bytes)
{
    struct sockaddr_in address;
    int size = sizeof(address);
    memset(server, 0, sizeof(*server));
    uv_loop_init(&server->loop);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(&server->loop, &server->listener);
    uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    server->listener.data = server;
    server->bytes = bytes;
    uv_listen((uv_stream_t *)&server->listener, 8, on_connection);
    uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &size);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
}


static void close_server(struct server *server)
{
    uv_close((uv_handle_t *)&server->listener, NULL);
    if (server->has_peer)
        uv_close((uv_handle_t *)&server->peer, NULL);
    while (uv_run(&server->loop, UV_RUN_DEFAULT) != 0)
        continue;
    expect(uv_loop_close(&server->loop) == 0, "no handle is left", 0);
}


struct owner {
    struct rl_http_head head;
    size_t bytes;
    int heads, ends, code;
    int verdict; /* what on_bytes says */
    uv_loop_t *loop;
};


static void on_head(void *owner)
{
    ((struct owner *)owner)->heads++;
}


static int on_bytes(void *owner, const char *bytes, size_t len, struct rl_err *err)
{
    struct owner *self = owner;
    (void)bytes;
    if (self->verdict < 0)
        return rl_err_set(err, self->verdict, "the owner does not want it");
    if (self->verdict != RL_HTTP_PAUSE)
        self->bytes += len;
    return self->verdict;
}


static void on_done(void *owner, const struct rl_err *err)
{
    struct owner *self = owner;
    self->ends++;
    self->code = err->code;
    uv_stop(self->loop);
}


static const struct rl_http_events events = {on_head, on_bytes, on_done};
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";


static char *remake(void *owner, size_t len)
{
    (void)owner;
    return check_malloc(len);
}


enum { LONG_BODY = 200000 };

static size_t read_body(void *owner, size_t at, char *to, size_t room)
{
    (void)owner;
    size_t len = room < LONG_BODY - at ? room : LONG_BODY - at;
    memset(to, 'y', len);
    return len;
}


static struct rl_http *start(struct server *server, struct rl_http_pool *pool, struct owner *owner,
                             int verdict)
{
    static const char *const lines[] = {"A: b"};
    struct rl_err err;
    memset(owner, 0, sizeof(*owner));
    owner->loop = &server->loop;
    owner->verdict = verdict;
    rl_http_head_init(&owner->head);
    struct rl_http_request request = {
        .url = server->url,
        .method = "POST",
        .headers = lines,
        .header_count = 1,
        .body = {.bytes = check_malloc(5000), .len = 5000, .remake = remake},
        .limits = {2000, 2000, 2000, -1, verdict == RL_HTTP_PAUSE ? 200 : 5000},
        .max_bytes = -1,
    };
    if (request.body.bytes == NULL)
        return NULL;
    memset(request.body.bytes, 'x', 5000);
    if (verdict == RL_HTTP_QUIET) {
        check_free(request.body.bytes);
        request.body = (struct rl_http_body){.len = LONG_BODY, .read = read_body};
    }
    return rl_http_start(pool, &request, &owner->head, &events, owner, &err);
}


/* One transfer, whatever becomes of it: told once, nothing left. Returns its code. */
static int transfer(int verdict, bool cancel)
{
    struct server server;
    struct owner owner;
    struct rl_err err;
    open_server(&server, answer);
    struct rl_http_pool *pool = rl_http_pool_open(&server.loop, &err);
    struct rl_http *http = pool != NULL ? start(&server, pool, &owner, verdict) : NULL;
    if (http != NULL) {
        if (cancel)
            rl_http_cancel(http);
        else
            uv_run(&server.loop, UV_RUN_DEFAULT);
        expect(rl_http_pool_count(pool) == (size_t)(owner.ends == 0), "the pool counts", owner.ends);
    }
    if (pool != NULL)
        rl_http_pool_close(pool);
    close_server(&server);
    if (http == NULL)
        return RL_ENOMEM;
    expect(owner.ends == 1, "the end is told once", owner.ends);
    rl_http_head_free(&owner.head);
    return owner.code;
}


static void check_transfers(void)
{
    expect(transfer(RL_HTTP_MORE, false) == RL_OK, "a whole response", 0);
    expect(transfer(RL_HTTP_QUIET, false) == RL_OK, "a quiet one, for a body that is read", 0);
    expect(transfer(RL_HTTP_STOP, false) == RL_OK, "enough of it", 0);
    expect(transfer(RL_ESYNTAX, false) == RL_ESYNTAX, "the owner's own trouble", 0);
    expect(transfer(RL_HTTP_PAUSE, false) == RL_ETIMEOUT, "a pause without end", 0);
    expect(transfer(RL_HTTP_MORE, true) == RL_ECANCELLED, "a cancelled one", 0);
}


static void check_closing(void)
{
    struct server server;
    struct owner owners[20];
    struct rl_err err;
    open_server(&server, answer);
    struct rl_http_pool *pool = rl_http_pool_open(&server.loop, &err);
    for (int i = 0; i < 20; i++)
        start(&server, pool, &owners[i], i % 2 == 0 ? RL_HTTP_PAUSE : RL_HTTP_MORE);
    for (int i = 0; i < 10; i++)
        uv_run(&server.loop, UV_RUN_NOWAIT);
    rl_http_pool_close(pool);
    for (int i = 0; i < 20; i++) {
        expect(owners[i].ends == 1, "closing a pool ends what runs", i);
        rl_http_head_free(&owners[i].head);
    }
    close_server(&server);
}


static void check_faults(void)
{
    transfer(RL_HTTP_MORE, false); /* libcurl's own beginnings */
    for (int mode = 0; mode < 2; mode++) {
        keeps_failing = mode == 1;
        made = 0;
        transfer(RL_HTTP_MORE, false);
        long all = made;
        for (long n = 0; n < all; n++) {
            countdown = n;
            int code = transfer(RL_HTTP_MORE, false);
            countdown = -1;
            expect(code == RL_OK || code == RL_ENOMEM || code == RL_ECONNECT || code == RL_ETIMEOUT,
                   "a fault has a code of its own", code);
            expect(alive == 0, "a fault leaks nothing", n);
        }
    }
}


/* ------------------------------------------------------------------ canned responses */

static void tell_canned(int verdict, bool cancel, size_t wanted, int code)
{
    static const char *const lines[] = {"X: y"};
    static const size_t cuts[] = {1, 1, 3, 99};
    struct rl_canned_response response = {.status = 201, .headers = lines, .header_count = 1,
                                          .body = "hello", .body_len = 5, .cuts = cuts, .cut_count = 4};
    struct owner owner = {.verdict = verdict};
    struct rl_err err;
    uv_loop_t loop;
    uv_loop_init(&loop);
    owner.loop = &loop;
    rl_http_head_init(&owner.head);
    struct rl_canned *canned = rl_canned_start(&loop, &response, &owner.head, &events, &owner, &err);
    if (canned != NULL) {
        expect(owner.heads == 0, "nothing is told at once", 0);
        if (cancel)
            rl_canned_cancel(canned);
        else
            uv_run(&loop, UV_RUN_DEFAULT);
        if (verdict == RL_HTTP_PAUSE && !cancel) {
            expect(owner.ends == 0, "a paused one waits", 0);
            owner.verdict = RL_HTTP_MORE;
            rl_canned_resume(canned);
            uv_run(&loop, UV_RUN_DEFAULT);
        }
        expect(owner.ends == 1 && owner.code == code, "its end is told once", owner.code);
        expect(owner.bytes == wanted, "all its bytes", (long)owner.bytes);
        expect(owner.head.status == 201, "its status", owner.head.status);
    }
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
        continue;
    expect(uv_loop_close(&loop) == 0, "no handle is left", 0);
    rl_http_head_free(&owner.head);
}


static void check_canned(void)
{
    tell_canned(RL_HTTP_MORE, false, 5, RL_OK);
    tell_canned(RL_HTTP_PAUSE, false, 5, RL_OK);
    tell_canned(RL_HTTP_STOP, false, 1, RL_OK);
    tell_canned(RL_ESYNTAX, false, 0, RL_ESYNTAX);
    tell_canned(RL_HTTP_MORE, true, 0, RL_ECANCELLED);
    for (long n = 0; n < 8; n++) {
        countdown = n;
        tell_canned(RL_HTTP_MORE, false, 5, RL_OK);
        countdown = -1;
        expect(alive == 0, "a fault leaks nothing", n);
    }
}


int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } checks[] = {
        {"head", check_head},           {"head_limits", check_head_limits},
        {"clock", check_clock},         {"clock_sentences", check_clock_sentences},
        {"words", check_words},         {"sentences", check_sentences},
        {"fields", check_template},       {"transfers", check_transfers},
        {"closing", check_closing},     {"faults", check_faults},
        {"canned", check_canned},
    };
    bool found = false;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
        if (argc == 2 && strcmp(argv[1], checks[i].name) == 0) {
            found = true;
            checks[i].run();
            expect(alive == 0, "everything is freed", alive);
        }
    }
    expect(found, "no such check", argc);
    return mistakes > 0;
}
