/* chat.c -- walk 4: one chat completion request. See chat.h. */
#include "chat.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the queue
 */

static void free_part(struct rl_part *part)
{
    rl_buf_free(&part->text);
    rl_tree_free(part->chunk);
    free(part);
}


static struct rl_part *add_part(struct rl_chat *chat, enum rl_part_kind kind, int64_t choice)
{
    struct rl_part *part = calloc(1, sizeof(*part));
    if (part == NULL)
        return NULL;
    part->kind = kind;
    part->choice = choice;
    rl_buf_init(&part->text, SIZE_MAX / 2); /* the window bounds it */
    if (chat->last != NULL)
        chat->last->next = part;
    else
        chat->first = part;
    chat->last = part;
    return part;
}


static void weigh(struct rl_chat *chat, struct rl_part *part, size_t bytes)
{
    part->weight += bytes;
    chat->waiting += bytes;
}


/* walk 7 tells a delta. */
static int on_delta(void *owner, enum rl_delta_kind kind, int64_t choice, const char *carried,
                    size_t len)
{
    static const enum rl_part_kind kinds[] = {[RL_DELTA_TEXT] = RL_PART_TEXT,
                                              [RL_DELTA_REASONING] = RL_PART_REASONING,
                                              [RL_DELTA_REFUSAL] = RL_PART_REFUSAL};
    struct rl_chat *chat = owner;
    if (chat->unread)
        return RL_OK;
    struct rl_part *part = chat->last;
    if (part == NULL || part->kind != kinds[kind] || part->choice != choice)
        part = add_part(chat, kinds[kind], choice);
    if (part == NULL)
        return RL_ENOMEM;
    weigh(chat, part, len);
    return rl_buf_add(&part->text, carried, len);
}


/* walk 7 tells a chunk. */
static int on_chunk(void *owner, const cJSON *chunk)
{
    enum { CHUNK_WEIGHT = 1024 }; /* about what the tree of an ordinary chunk takes */
    struct rl_chat *chat = owner;
    if (chat->unread)
        return RL_OK;
    struct rl_part *part = add_part(chat, RL_PART_CHUNK, 0);
    if (part == NULL || (part->chunk = rl_tree_copy(chunk)) == NULL)
        return RL_ENOMEM;
    weigh(chat, part, CHUNK_WEIGHT);
    return RL_OK;
}


void rl_chat_drop_part(struct rl_chat *chat)
{
    struct rl_part *part = chat->first;
    chat->first = part->next;
    if (chat->first == NULL)
        chat->last = NULL;
    chat->waiting -= part->weight;
    free_part(part);
    if (!chat->paused || chat->waiting > RL_CHAT_WINDOW / 2)
        return;
    chat->paused = false;
    if (chat->http != NULL)
        rl_http_resume(chat->http);
    else if (chat->canned != NULL)
        rl_canned_resume(chat->canned);
}


void rl_chat_read_no_more(struct rl_chat *chat)
{
    chat->unread = true;
    while (chat->first != NULL)
        rl_chat_drop_part(chat);
}


/* ------------------------------------------------------------------ what the transport tells */

static const char no_memory[] = "not enough memory for the response";


static const char *look_up(const void *headers, const char *name)
{
    return rl_http_head_get(headers, name);
}


/* The message, from the moment on that something came; NULL without memory. */
static struct rl_message *message_of(struct rl_chat *chat)
{
    struct rl_reply_head head = {chat->head.status, look_up, &chat->head};
    if (chat->message != NULL || (chat->message = rl_message_new(&chat->options)) == NULL)
        return chat->message;
    if (chat->head.complete)
        rl_message_head(chat->message, &head);
    return chat->message;
}


static void on_head(void *owner)
{
    message_of(owner);
}


static int on_bytes(void *owner, const char *bytes, size_t len, struct rl_err *err)
{
    struct rl_chat *chat = owner;
    if (chat->waiting > RL_CHAT_WINDOW && chat->head.version < 2) {
        chat->paused = true;
        return RL_HTTP_PAUSE;
    }
    if (message_of(chat) == NULL)
        return rl_err_set(err, RL_ENOMEM, no_memory);
    chat->bytes += (int64_t)len;
    size_t events = rl_message_events(chat->message);
    int rc = rl_message_feed(chat->message, bytes, len);
    if (rc < 0)
        return rl_err_set(err, rc, no_memory);
    if (chat->first != NULL)
        chat->on_change(chat->owner);
    if (rc > 0)
        return RL_HTTP_STOP;
    return rl_message_events(chat->message) != events ? RL_HTTP_MORE : RL_HTTP_QUIET;
}


/* The only end, whatever the cause. */
static void on_done(void *owner, const struct rl_err *err)
{
    struct rl_chat *chat = owner;
    chat->http = NULL;
    chat->canned = NULL;
    chat->ended = true;
    chat->code = err->code;
    chat->why = err->code != RL_OK ? strdup(err->message) : NULL;
    if (message_of(chat) == NULL || rl_message_finish(chat->message) < 0 ||
        (err->code != RL_OK && chat->why == NULL))
        chat->code = RL_ENOMEM;
    chat->on_change(chat->owner);
}


static const struct rl_http_events events = {on_head, on_bytes, on_done};

/* ------------------------------------------------------------------ the life of a chat */

void rl_chat_init(struct rl_chat *chat, void (*on_change)(void *), void *owner)
{
    *chat = (struct rl_chat){.on_change = on_change, .owner = owner};
    rl_http_head_init(&chat->head);
}


static void plan_message(struct rl_chat *chat, const struct rl_chat_request *request)
{
    chat->options = (struct rl_message_options){
        .n = request->n, .is_cumulative = request->is_cumulative, .owner = chat};
    if (request->http.max_bytes > 0)
        chat->options.max_bytes = (size_t)request->http.max_bytes;
    if (request->want == RL_CHAT_DELTAS)
        chat->options.on_delta = on_delta;
    if (request->want == RL_CHAT_CHUNKS)
        chat->options.on_chunk = on_chunk;
}


int rl_chat_start(struct rl_chat *chat, struct rl_http_pool *pool,
                  const struct rl_chat_request *request, struct rl_err *err)
{
    struct rl_http_request http = request->http;
    plan_message(chat, request);
    if (http.limits.idle_ms >= 0)
        http.limits.quiet_ms =
            http.limits.idle_ms > RL_CHAT_QUIET_MS ? http.limits.idle_ms : RL_CHAT_QUIET_MS;
    chat->http = rl_http_start(pool, &http, &chat->head, &events, chat, err);
    return chat->http != NULL ? RL_OK : err->code;
}


int rl_chat_start_canned(struct rl_chat *chat, uv_loop_t *loop,
                         const struct rl_chat_request *request,
                         const struct rl_canned_response *response, struct rl_err *err)
{
    plan_message(chat, request);
    chat->canned = rl_canned_start(loop, response, &chat->head, &events, chat, err);
    return chat->canned != NULL ? RL_OK : err->code;
}


void rl_chat_cancel(struct rl_chat *chat)
{
    if (chat->http != NULL)
        rl_http_cancel(chat->http);
    else if (chat->canned != NULL)
        rl_canned_cancel(chat->canned);
}


void rl_chat_close(struct rl_chat *chat)
{
    rl_chat_cancel(chat);
    while (chat->first != NULL)
        rl_chat_drop_part(chat);
    rl_message_free(chat->message);
    chat->message = NULL;
    free(chat->why);
    chat->why = NULL;
    rl_http_head_free(&chat->head);
}
