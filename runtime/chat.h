/* chat.h -- walk 4: one chat completion request: http -> sse -> message wired together.
 *
 * The bytes of the response go straight into the message as they arrive; what a reader wants to see
 * on the way waits in a queue with a ceiling, and when it is full the server is made to wait (over
 * HTTP/2 it goes on: max_bytes is the ceiling there). Whoever owns the chat is told that something
 * changed, and looks.
 */
#ifndef RL_CHAT_H
#define RL_CHAT_H

#include "canned.h"
#include "http.h"
#include "message.h"

enum {
    RL_CHAT_WINDOW = 64 << 10, /* bytes waiting for the reader, above which the server waits */
    RL_CHAT_QUIET_MS = 600000  /* comments and other signs of life keep a stream open this long */
};

enum rl_chat_want { RL_CHAT_NOTHING, RL_CHAT_DELTAS, RL_CHAT_CHUNKS };

enum rl_part_kind { RL_PART_TEXT, RL_PART_REASONING, RL_PART_REFUSAL, RL_PART_CHUNK };

/* What the reader takes: neighbouring deltas of one kind and choice joined, or one chunk. */
struct rl_part {
    enum rl_part_kind kind;
    int64_t choice;
    struct rl_buf text; /* carried text (json.h) */
    cJSON *chunk;
    size_t weight; /* bytes it counts in the queue */
    struct rl_part *next;
};

struct rl_chat {
    struct rl_http *http;     /* the transfer, or NULL: ended or canned */
    struct rl_canned *canned; /* likewise */
    struct rl_http_head head;
    struct rl_message *message; /* made when something comes: thousands of chats wait for that; its
                                   results exist once ended and code is not RL_ENOMEM */
    struct rl_message_options options; /* of it */
    struct rl_part *first, *last;
    size_t waiting; /* bytes in the queue */
    bool paused;
    bool ended;
    int64_t bytes; /* received */
    int code;      /* of the transport; RL_OK when it brought the whole response */
    char *why;     /* one sentence about that; NULL: fine, or no memory for it */
    bool unread;   /* nobody will take parts any more */
    void (*on_change)(
        void *owner); /* a part waits, or the end has come; in any callback: store and wake */
    void *owner;
};

struct rl_chat_request {
    struct rl_http_request http;
    int n;              /* choices asked for */
    bool is_cumulative; /* message.h */
    enum rl_chat_want want;
};

/* Prepares caller's storage; then rl_chat_close is always allowed. */
void rl_chat_init(struct rl_chat *chat, void (*on_change)(void *), void *owner);

/* Starts the request; its body is taken, also on failure. Returns 0, or a code and <err>. */
int rl_chat_start(struct rl_chat *chat, struct rl_http_pool *pool,
                  const struct rl_chat_request *request, struct rl_err *err);

/* The same without a network. */
int rl_chat_start_canned(struct rl_chat *chat, uv_loop_t *loop,
                         const struct rl_chat_request *request,
                         const struct rl_canned_response *response, struct rl_err *err);

/* Drops the first part of the queue; the server may go on when there is room again. */
void rl_chat_drop_part(struct rl_chat *chat);

/* Nobody will take parts any more: those that wait are dropped, further ones not made. */
void rl_chat_read_no_more(struct rl_chat *chat);

/* Cancels what runs: the end comes before this returns. Nothing happens after the end. */
void rl_chat_cancel(struct rl_chat *chat);

/* Cancels and frees everything but <chat> itself. Idempotent. */
void rl_chat_close(struct rl_chat *chat);

#endif
