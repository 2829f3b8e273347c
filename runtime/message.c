/* message.c -- walk 7: bytes -> events or a body -> chunks -> the result. See message.h.
 *
 * The first byte that is not white decides what the bytes are: "{" and "[" begin a JSON document
 * and "<" a page, whatever the content type says; everything else is a stream of events.
 */
#include "message.h"

#include "buf.h"
#include "err.h"
#include "json.h"
#include "reply_error.h"
#include "response.h"
#include "span.h"
#include "sse.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ENOUGH = 1,               /* what feed returns when the reply has ended */
    HEAD_BYTES = 2048,        /* of a stream, kept until its first event: it may be plain text */
    ERROR_BYTES = 1 << 20,    /* of an error body or a page; more says nothing new */
    DEFAULT_BYTES = 64 << 20, /* ceiling of an event or a body */
    NODES = 1000000           /* values kept of one reply */
};

enum mode { UNDECIDED, EVENTS, DOCUMENT, PAGE, FAILURE };

struct rl_message {
    enum mode mode;
    int status;
    char should_retry[8]; /* the header, cut; "" when absent */
    struct rl_sse sse;
    struct rl_buf body; /* a document, page or error body; the head of a stream */
    struct rl_response response;
    size_t events;
    size_t offset;     /* bytes seen while undecided, up to 3 */
    cJSON *document;   /* begins the block where the items of a document lie */
    cJSON *completion; /* after finish; belongs to response */
    cJSON *error;
    int broken;       /* RL_ENOMEM or the observer's value, once feed returned it */
    bool in_comment;  /* while undecided: in a line that begins with a colon */
    bool has_events;  /* did any event come, ignored ones too? */
    bool is_done;     /* [DONE] came */
    bool has_ended;   /* nothing more is taken */
    bool is_finished; /* finish was called: no byte follows */
    bool is_complete;
};


/* Ids need to differ, not to be secret. */
static uint64_t make_seed(const void *address)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           (uint64_t)(uintptr_t)address;
}


/* Records what went wrong and ends the reply. Takes <error>; NULL means that memory is missing. */
static int fail(struct rl_message *message, cJSON *error)
{
    message->has_ended = true;
    if (error == NULL)
        return RL_ENOMEM;
    rl_tree_free(message->error);
    message->error = error;
    return ENOUGH;
}


static int fail_text(struct rl_message *message, const char *kind, const char *text)
{
    return fail(message, rl_reply_error_text(kind, text, strlen(text)));
}


/* "malformed JSON in stream: " and the beginning of what stood there. */
static int fail_malformed(struct rl_message *message, struct rl_span data)
{
    struct rl_buf text;
    rl_buf_init(&text, 2 * HEAD_BYTES);
    rl_buf_adds(&text, "malformed JSON in stream: ");
    rl_buf_add(&text, data.at, data.len < HEAD_BYTES ? data.len : HEAD_BYTES);
    bool is_whole = text.status == RL_OK;
    cJSON *error = is_whole ? rl_reply_error_text("bad_chunk", text.data, text.len) : NULL;
    rl_buf_free(&text);
    return fail(message, error);
}


/* What the response said to what it was given. */
static int taken(struct rl_message *message, int rc)
{
    static const char why[] = "the reply holds more than may be kept of one";
    return rc != RL_ETOOBIG ? rc : fail_text(message, "bad_chunk", why);
}


/* Takes one object: an event, or a body. It is deleted, or becomes the error's detail. */
static int take_object(struct rl_message *message, cJSON *object, bool is_named, bool is_body)
{
    if (rl_reply_is_error(object, is_named))
        return fail(message, rl_reply_error_json("stream_error", rl_tree_take(NULL, object)));
    int rc = taken(message, rl_response_take(&message->response, object, is_body));
    rl_tree_free(object);
    return rc;
}


/* Takes what was parsed; a list is taken one by one. */
static int take_payload(struct rl_message *message, cJSON *payload, bool is_named, bool is_body)
{
    if (!cJSON_IsArray(payload) || payload->child == NULL)
        return take_object(message, payload, is_named, is_body);
    int rc = RL_OK;
    while (rc == RL_OK && payload->child != NULL)
        rc = take_object(message, cJSON_DetachItemViaPointer(payload, payload->child), is_named,
                         is_body);
    rl_tree_free(payload);
    return rc;
}


/* Is this the beginning of an event whose end is missing? */
static bool is_cut(struct rl_span text)
{
    static const char done[] = "[DONE]";
    return (text.len < strlen(done) && memcmp(text.at, done, text.len) == 0) ||
           rl_json_is_cut(text.at, text.len);
}


static int take_json(struct rl_message *message, struct rl_span data, bool is_named)
{
    struct rl_err err;
    int rc;
    if (!is_named && rl_response_repeats(&message->response, data, &rc))
        return taken(message, rc);
    cJSON *payload = rl_json_parse(data.at, data.len, NULL, RL_JSON_PASSING, &err);
    if (payload != NULL) {
        rc = take_payload(message, payload, is_named, false);
        rl_response_expect(&message->response, is_named || rc != RL_OK ? NULL : payload, data);
        cJSON_free(payload);
        return rc;
    }
    rl_response_expect(&message->response, NULL, data);
    if (err.code == RL_ENOMEM)
        return RL_ENOMEM;
    if (is_named)
        return fail(message, rl_reply_error_text("stream_error", data.at, data.len));
    if (err.code == RL_ETOOBIG)
        return fail_text(message, "bad_chunk", err.message);
    if (message->is_finished && is_cut(data))
        return RL_OK; /* the stream was cut inside this event: judge says what that means */
    return fail_malformed(message, data);
}


static int on_event(void *owner, const struct rl_sse_event *event)
{
    struct rl_message *message = owner;
    struct rl_span data = rl_span_trim(event->data, event->data_len);
    message->has_events = true;
    if (data.len == 0 || data.at[0] == ':' || (data.at[0] == 'n' && rl_span_is(data, "null")))
        return RL_OK; /* keep-alives in three dresses */
    message->events++;
    if (data.at[0] != '{' && (rl_span_is(data, "[DONE]") || rl_span_is(data, "\"[DONE]\""))) {
        message->is_done = true;
        message->has_ended = true;
        return ENOUGH;
    }
    return take_json(message, data, strcmp(event->type, "error") == 0);
}


struct rl_message *rl_message_new(const struct rl_message_options *options)
{
    struct rl_message *message = calloc(1, sizeof(*message));
    if (message == NULL)
        return NULL;
    const struct rl_message_options none = {0}, *o = options != NULL ? options : &none;
    size_t max_bytes = o->max_bytes > 0 ? o->max_bytes : DEFAULT_BYTES;
    message->status = 200;
    message->response.n = o->n;
    message->response.max_bytes = max_bytes;
    message->response.gather = (struct rl_gather){
        .room = {.bytes = 2 * max_bytes, .nodes = NODES}, /* reasoning may have two names */
        .ids = {.state = o->seed != 0 ? o->seed : make_seed(message)},
        .is_cumulative = o->is_cumulative,
        .on_delta = o->on_delta,
        .on_chunk = o->on_chunk,
        .owner = o->owner,
    };
    rl_sse_init(&message->sse, max_bytes, on_event, message);
    rl_buf_init(&message->body, max_bytes);
    rl_again_init(&message->response.again);
    return message;
}


void rl_message_free(struct rl_message *message)
{
    if (message == NULL)
        return;
    rl_sse_free(&message->sse);
    rl_buf_free(&message->body);
    rl_response_free(&message->response);
    rl_tree_free(message->error);
    cJSON_free(message->document);
    free(message);
}


void rl_message_head(struct rl_message *message, const struct rl_reply_head *head)
{
    message->status = head->status != 0 ? head->status : 200;
    if (message->status >= 300)
        message->mode = FAILURE;
    const char *again = rl_reply_header(head, "x-should-retry");
    size_t len = again != NULL ? strlen(again) : 0;
    if (len < sizeof(message->should_retry))
        memcpy(message->should_retry, len > 0 ? again : "", len + 1);
}


/* The first byte that is neither white nor in a comment decides: keep-alives come before documents,
 * too. Returns how many bytes were skipped before it. */
static size_t sniff(struct rl_message *message, const char *bytes, size_t len)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t i = 0;
    for (; i < len; i++) {
        if (message->offset < 3 && bytes[i] == mark[message->offset]) {
            message->offset++;
            continue;
        }
        message->offset = 3;
        if (bytes[i] == '\n' || bytes[i] == '\r')
            message->in_comment = false;
        if (bytes[i] == ':')
            message->in_comment = true;
        if (message->in_comment || rl_is_white(bytes[i]))
            continue;
        message->mode = bytes[i] == '{' || bytes[i] == '[' ? DOCUMENT
                        : bytes[i] == '<'                  ? PAGE
                                                           : EVENTS;
        break;
    }
    return i;
}


/* Keeps the bytes up to <most> of all; the rest is dropped. */
static int keep_head(struct rl_message *message, const char *bytes, size_t len, size_t most)
{
    most = most < message->body.max ? most : message->body.max;
    size_t room = message->body.len < most ? most - message->body.len : 0;
    return rl_buf_add(&message->body, bytes, len < room ? len : room);
}


static int feed_events(struct rl_message *message, const char *bytes, size_t len)
{
    int rc = rl_sse_feed(&message->sse, bytes, len);
    if (message->has_events)
        rl_buf_free(&message->body);
    return rc != RL_OK || message->has_events ? rc : keep_head(message, bytes, len, HEAD_BYTES);
}


/* Makes a limit of ours an error of the reply, and remembers what cannot be one. */
static int settle(struct rl_message *message, int rc)
{
    if (rc == RL_ETOOBIG)
        rc = fail_text(message, "bad_chunk", "the reply is larger than the limit");
    if (rc != RL_OK && rc != ENOUGH)
        message->broken = rc;
    if (message->broken != RL_OK)
        message->has_ended = true;
    return rc;
}


int rl_message_feed(struct rl_message *message, const char *bytes, size_t len)
{
    if (message->has_ended || message->is_finished)
        return message->broken != RL_OK ? message->broken : ENOUGH;
    if (message->mode == UNDECIDED) {
        size_t skipped = sniff(message, bytes, len);
        bytes += skipped;
        len -= skipped;
    }
    if (len == 0)
        return RL_OK;
    if (message->mode != EVENTS && message->mode != UNDECIDED)
        message->events++;
    switch (message->mode) {
    case EVENTS: return settle(message, feed_events(message, bytes, len));
    case DOCUMENT: return settle(message, rl_buf_add(&message->body, bytes, len));
    default: return settle(message, keep_head(message, bytes, len, ERROR_BYTES));
    }
}


/* Does <text> begin like a line of an event stream? A stream may end in the middle of the first
 * one. */
static bool is_field(struct rl_span text)
{
    static const char *const starts[] = {"data:", "event:", "id:", "retry:", "error:", ":"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t len = strlen(starts[i]);
        if (memcmp(text.at, starts[i], text.len < len ? text.len : len) == 0)
            return true;
    }
    return false;
}


/* What stands behind the first value of a document: more values, [DONE], or events. */
static int finish_rest(struct rl_message *message, struct rl_span rest)
{
    int rc = RL_OK;
    while (rc == RL_OK && (rl_span_starts(rest, "{") || rl_span_starts(rest, "["))) {
        size_t first = rl_json_first(rest.at, rest.len);
        if (first == 0)
            break;
        cJSON *payload = rl_json_parse(rest.at, first, NULL, 0, NULL);
        rc = payload != NULL ? take_payload(message, payload, false, true) : RL_ENOMEM;
        rest = rl_span_trim(rest.at + first, rest.len - first);
    }
    if (rc != RL_OK || rest.len == 0)
        return rc;
    if (rl_span_is(rest, "[DONE]")) {
        message->is_done = true;
        return RL_OK;
    }
    if (!is_field(rest))
        return fail(message, rl_reply_error_text("bad_body", rest.at, rest.len));
    rc = rl_sse_feed(&message->sse, rest.at, rest.len);
    return rc != RL_OK ? rc : rl_sse_finish(&message->sse);
}


static int finish_document(struct rl_message *message)
{
    struct rl_span body = rl_span_trim(message->body.data, message->body.len);
    struct rl_err err;
    message->document = rl_json_parse(body.at, body.len, NULL, RL_JSON_ONE_BLOCK, &err);
    if (message->document != NULL)
        return take_payload(message, message->document, false, true);
    if (err.code == RL_ENOMEM)
        return RL_ENOMEM;
    if (err.code == RL_ETOOBIG)
        return fail_text(message, "bad_chunk", err.message);
    return finish_rest(message, body);
}


/* A page with status 200 is mostly a wrong address: the site answers, not its API. */
static int finish_page(struct rl_message *message)
{
    cJSON *error = rl_reply_error_page("bad_body", message->body.data, message->body.len);
    if (error != NULL &&
        !rl_reply_error_hint(error, "the server answered with a web page, not with "
                                    "JSON: does the base URL end in /v1?")) {
        rl_tree_free(error);
        error = NULL;
    }
    return fail(message, error);
}


static const char *look_up_kept(const void *headers, const char *name)
{
    const char *kept = ((const struct rl_message *)headers)->should_retry;
    return strcmp(name, "x-should-retry") == 0 && kept[0] != '\0' ? kept : NULL;
}


static int finish_failure(struct rl_message *message)
{
    struct rl_reply_head head = {message->status, look_up_kept, message};
    const char *bytes = message->body.data != NULL ? message->body.data : "";
    return fail(message, rl_reply_error_body(&head, bytes, message->body.len));
}


/* Takes what waited for the end of the bytes. */
static int finish_bytes(struct rl_message *message)
{
    switch (message->mode) {
    case EVENTS: return rl_sse_finish(&message->sse);
    case DOCUMENT: return finish_document(message);
    case PAGE: return finish_page(message);
    case FAILURE: return finish_failure(message);
    default: return RL_OK;
    }
}


/* Is a reply without error really whole? */
static int judge(struct rl_message *message)
{
    const struct rl_response *response = &message->response;
    struct rl_span text = rl_span_trim(message->body.data, message->body.len);
    if (message->error != NULL)
        return RL_OK;
    if (response->count == 0 && message->mode == EVENTS && !message->has_events && !is_field(text))
        return fail(message, rl_reply_error_text("bad_body", text.at, text.len));
    if (response->count == 0)
        return fail(message,
                    rl_reply_error_empty(text.at, message->mode == DOCUMENT ? text.len : 0));
    if (rl_response_is_finished(response))
        return RL_OK;
    bool has_ended =
        message->is_done || (message->mode == DOCUMENT && rl_response_is_document(response));
    if (has_ended && !rl_response_has_cut_calls(response))
        return RL_OK;
    return fail(message, rl_reply_error_text("incomplete_stream", NULL, 0));
}


int rl_message_finish(struct rl_message *message)
{
    if (message->is_finished || message->broken != RL_OK)
        return message->broken;
    message->is_finished = true;
    int rc = message->has_ended ? RL_OK : settle(message, finish_bytes(message));
    if (rc == RL_OK || rc == ENOUGH)
        rc = settle(message, rl_response_finish(&message->response));
    if (rc == RL_OK || rc == ENOUGH)
        rc = settle(message, judge(message));
    if (rc != RL_OK && rc != ENOUGH)
        return rc;
    rl_sse_free(&message->sse); /* when many streams end at once, this is what they hold */
    rl_again_free(&message->response.again);
    message->is_complete = message->error == NULL;
    message->completion = rl_response_build(&message->response, &rc);
    return settle(message, rc);
}


size_t rl_message_events(const struct rl_message *message)
{
    return message->events;
}


cJSON *rl_message_completion(const struct rl_message *message)
{
    return message->completion;
}


cJSON *rl_message_error(const struct rl_message *message)
{
    return message->error;
}


bool rl_message_done(const struct rl_message *message)
{
    return message->is_done;
}


bool rl_message_complete(const struct rl_message *message)
{
    return message->is_complete;
}


size_t rl_message_choices(const struct rl_message *message)
{
    return message->completion != NULL ? message->response.count : 0;
}


const char *rl_message_effective(const struct rl_message *message, size_t i)
{
    return i < rl_message_choices(message) ? message->response.choices[i]->effective : "unknown";
}


const char *rl_message_reasoning(const struct rl_message *message, size_t i)
{
    return i < rl_message_choices(message) ? message->response.choices[i]->reasoning : "";
}
