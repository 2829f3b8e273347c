/* lua_chat.c -- walk 3 and 8: core.chat, one completion request that Lua starts
 * and pulls from.
 *
 * Down: options are read, the body is joined from bytes that stand already, the
 * task parks. Up: callbacks only wake; the reply becomes Lua values in the
 * continuations, and when nobody wants to see tokens none are made.
 */
#include "chat.h"
#include "lua_chat_body.h"
#include "lua_core.h"
#include "lua_http_options.h"
#include "lua_json.h"
#include "lua_transcript.h"
#include "reply_head.h"

#include <stdlib.h>
#include <string.h>

#define CHAT "rille.Chat"

struct handle {
    struct rl_chat chat;
    struct rl_chat_body body;
    struct rl_op part; /* a part waits, or the end has come */
    struct rl_op ended;
    bool delivered; /* has Lua seen a part? */
    bool closed;
};

/* Inside any callback: store and wake. */
static void on_change(void *owner)
{
    struct handle *handle = owner;
    if (handle->chat.first != NULL || handle->chat.ended)
        rl_op_complete(&handle->part);
    if (handle->chat.ended)
        rl_op_complete(&handle->ended);
}


/* ------------------------------------------------------------------ options */

struct options {
    struct rl_http_options http;
    struct rl_text head, opening, tail, key, want;
    int messages, canned; /* present? */
    bool stream;          /* the answer is believed whatever it is: this is for the reader
                             only */
    bool cumulative;
    int64_t n;
};

static const struct rl_opt option_rows[] = {
    {"url", RL_OPT_STRING, offsetof(struct options, http.url), 0},
    RL_HTTP_OPTION_ROWS(struct options),
    {"head", RL_OPT_STRING, offsetof(struct options, head), 0},
    {"opening", RL_OPT_STRING, offsetof(struct options, opening), 0},
    {"messages", RL_OPT_VALUE, offsetof(struct options, messages), 0},
    {"key", RL_OPT_STRING, offsetof(struct options, key), 0},
    {"tail", RL_OPT_STRING, offsetof(struct options, tail), 0},
    {"stream", RL_OPT_BOOLEAN, offsetof(struct options, stream), 0},
    {"n", RL_OPT_INTEGER, offsetof(struct options, n), 0},
    {"want", RL_OPT_STRING, offsetof(struct options, want), 0},
    {"cumulative", RL_OPT_BOOLEAN, offsetof(struct options, cumulative), 0},
    {"canned", RL_OPT_VALUE, offsetof(struct options, canned), 0},
    {NULL, 0, 0, 0},
};

static enum rl_chat_want read_want(lua_State *L, const struct rl_text *want)
{
    if (want->data == NULL)
        return RL_CHAT_NOTHING;
    if (strcmp(want->data, "deltas") == 0)
        return RL_CHAT_DELTAS;
    if (strcmp(want->data, "chunks") != 0)
        luaL_error(L, "option 'want': \"deltas\" or \"chunks\" expected, got \"%s\"", want->data);
    return RL_CHAT_CHUNKS;
}


/* ------------------------------------------------------------------ canned responses */

static const size_t *read_cuts(lua_State *L, size_t *count)
{
    luaL_checktype(L, -1, LUA_TTABLE);
    *count = (size_t)lua_rawlen(L, -1);
    size_t *cuts = lua_newuserdatauv(L, (*count + 1) * sizeof(*cuts), 0);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        lua_Integer cut = luaL_checkinteger(L, -1);
        cuts[i] = cut > 0 ? (size_t)cut : 0;
        lua_pop(L, 1);
    }
    return cuts;
}


/* Reads the response on top of the stack; leaves what keeps it alive above it.
 */
static void read_canned(lua_State *L, struct rl_canned_response *response)
{
    luaL_checktype(L, -1, LUA_TTABLE);
    luaL_checkstack(L, 8, "a scripted response");
    int table = lua_gettop(L);
    lua_getfield(L, table, "status");
    response->status = (int)luaL_optinteger(L, -1, 200);
    lua_getfield(L, table, "body");
    response->body = luaL_optlstring(L, -1, "", &response->body_len);
    if (lua_getfield(L, table, "headers") != LUA_TNIL)
        response->headers = rl_lua_header_lines(L, -1, &response->header_count);
    if (lua_getfield(L, table, "cuts") != LUA_TNIL)
        response->cuts = read_cuts(L, &response->cut_count);
}


/* ------------------------------------------------------------------ the start
 */

static struct handle *push_handle(lua_State *L)
{
    struct handle *handle = lua_newuserdatauv(L, sizeof(*handle), RL_CHAT_BODY_TEXTS);
    memset(handle, 0, sizeof(*handle));
    rl_chat_init(&handle->chat, on_change, handle);
    luaL_setmetatable(L, CHAT);
    return handle;
}


static void start_canned(lua_State *L, struct handle *handle, const struct rl_chat_request *request)
{
    struct rl_canned_response response = {0};
    struct rl_err err;
    lua_getfield(L, 1, "canned");
    read_canned(L, &response);
    uv_loop_t *loop = rl_lua_http_loop(L);
    if (rl_chat_start_canned(&handle->chat, loop, request, &response, &err) != RL_OK)
        luaL_error(L, "%s", err.message);
}


/* The same bytes once more; NULL when the wire forms have changed since. */
static char *remake(void *owner, size_t len)
{
    const struct rl_chat *chat = owner;
    const struct handle *handle = chat->owner;
    size_t made = 0;
    char *bytes = rl_chat_body_join(&handle->body, &made);
    if (made == len)
        return bytes;
    free(bytes);
    return NULL;
}


/* Stack: options, handle. The texts of the body stay where Lua keeps them. */
static void anchor_texts(lua_State *L, struct handle *handle, const struct options *options)
{
    rl_chat_body_anchor(L, 1);
    handle->body.head = options->head;
    handle->body.opening = options->opening;
    handle->body.tail = options->tail;
    handle->body.key = options->key;
}


/* Allocates last, so that nothing can raise before the transfer takes the bytes. */
static void join_messages(lua_State *L, struct handle *handle, struct rl_http_body *body)
{
    lua_getfield(L, 1, "messages");
    const struct rl_transcript *messages = rl_check_transcript(L, lua_gettop(L));
    if (rl_chat_body_take(&handle->body, messages) != RL_OK)
        luaL_error(L, "not enough memory for a request");
    *body = (struct rl_http_body){.remake = remake};
    body->bytes = rl_chat_body_join(&handle->body, &body->len);
    if (body->bytes == NULL)
        luaL_error(L, "the request is larger than 1 GiB, or memory is short");
}


static void start_real(lua_State *L, struct handle *handle, const struct options *options,
                       struct rl_chat_request *request)
{
    struct rl_http_pool *pool = rl_lua_http_pool(L);
    struct rl_err err;
    if (options->http.url.data == NULL)
        luaL_error(L, "option 'url' is missing");
    anchor_texts(L, handle, options);
    rl_http_options_request(L, 1, &options->http, &request->http);
    if (options->http.method.data == NULL)
        request->http.method = "POST";
    if (options->messages)
        join_messages(L, handle, &request->http.body);
    if (rl_chat_start(&handle->chat, pool, request, &err) != RL_OK)
        luaL_error(L, "%s", err.message);
}


/* chat = core.chat(options) */
static int l_chat(lua_State *L)
{
    struct options options;
    rl_opt_read(L, 1, option_rows, &options);
    lua_settop(L, 1);
    struct rl_chat_request request = {
        .want = read_want(L, &options.want), .n = 1, .is_cumulative = options.cumulative};
    if (options.n > 0)
        request.n = options.n < 128 ? (int)options.n : 128;
    struct handle *handle = push_handle(L);
    if (options.canned) {
        request.http.max_bytes = options.http.max_bytes;
        start_canned(L, handle, &request);
    } else {
        start_real(L, handle, &options, &request);
    }
    lua_settop(L, 2);
    return 1;
}


/* ------------------------------------------------------------------ the parts of the reply */

static struct handle *check_handle(lua_State *L)
{
    struct handle *handle = luaL_checkudata(L, 1, CHAT);
    luaL_argcheck(L, !handle->closed, 1, "the chat was closed");
    return handle;
}


static int push_part(lua_State *L, const struct rl_part *part)
{
    static const char *const names[] = {"text", "reasoning", "refusal", "chunk"};
    lua_pushstring(L, names[part->kind]);
    if (part->kind == RL_PART_CHUNK)
        rl_lua_push_json(L, part->chunk, false);
    else
        rl_lua_push_carried(L, part->text.data != NULL ? part->text.data : "");
    lua_pushinteger(L, part->choice);
    return 3;
}


static int k_next(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct handle *handle = (struct handle *)ctx;
    if (handle->closed || handle->chat.first == NULL)
        return 0;
    int count = push_part(L, handle->chat.first); /* may raise; the part then waits on */
    handle->delivered = true;
    rl_chat_drop_part(&handle->chat);
    handle->part.done = handle->chat.first != NULL || handle->chat.ended;
    return count;
}


/* kind, delta, choice | nil = chat:next() */
static int l_next(lua_State *L)
{
    struct handle *handle = check_handle(L);
    return rl_park(L, &handle->part, -1, (lua_KContext)handle, k_next);
}


/* ------------------------------------------------------------------ the end of the reply */

static const char *look_up(const void *headers, const char *name)
{
    return rl_http_head_get(headers, name);
}


static void set_flag(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}


/* info.effective, info.reasoning: lists beside completion.choices */
static void set_choice_notes(lua_State *L, const struct rl_message *message)
{
    size_t count = rl_message_choices(message);
    lua_createtable(L, (int)count, 0);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, rl_message_effective(message, i));
        lua_rawseti(L, -3, (lua_Integer)i + 1);
        rl_lua_push_carried(L, rl_message_reasoning(message, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -3, "reasoning");
    lua_setfield(L, -2, "effective");
}


static void push_info(lua_State *L, const struct handle *handle)
{
    const struct rl_chat *chat = &handle->chat;
    struct rl_reply_head head = {chat->head.status, look_up, &chat->head};
    lua_createtable(L, 0, 9);
    if (chat->head.complete) {
        lua_pushinteger(L, chat->head.status);
        lua_setfield(L, -2, "status");
    }
    rl_lua_push_fields(L, &chat->head);
    lua_setfield(L, -2, "headers");
    lua_pushstring(L, rl_request_id(&head));
    lua_setfield(L, -2, "request_id");
    lua_pushinteger(L, chat->bytes);
    lua_setfield(L, -2, "bytes");
    set_flag(L, "delivered", handle->delivered);
    set_flag(L, "done", rl_message_done(chat->message));
    set_flag(L, "complete", rl_message_complete(chat->message));
    set_choice_notes(L, chat->message);
}


/* What the transport's trouble means for a reply of which a part came. */
static const char *transport_kind(const struct rl_chat *chat)
{
    bool answered = chat->head.complete && chat->head.status < 300;
    if (chat->err.code == RL_ECONNECT && answered)
        return rl_err_name(RL_EINCOMPLETE);
    return rl_err_name(chat->err.code);
}


static void push_transport_error(lua_State *L, const struct rl_chat *chat)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, transport_kind(chat));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, chat->err.message);
    lua_setfield(L, -2, "message");
    set_flag(L, "retryable", chat->err.code == RL_ECONNECT || chat->err.code == RL_ETIMEOUT);
}


/* The transport's trouble explains more than the hole it left in the reply;
 * only what the server said about a failed request explains more than that. */
static bool is_transport_error(const struct rl_chat *chat)
{
    if (chat->err.code == RL_OK || rl_message_complete(chat->message))
        return false;
    const cJSON *error = rl_message_error(chat->message);
    const char *kind = rl_json_text(rl_json_get(error, "kind"));
    return kind == NULL || chat->head.status < 300 || strcmp(kind, "http_error") != 0;
}


static void push_completion(lua_State *L, const struct rl_chat *chat)
{
    const cJSON *completion = rl_message_completion(chat->message);
    if (completion != NULL)
        rl_lua_push_json(L, completion, false);
    else
        lua_pushnil(L);
}


/* nil, info, error; error.partial = the part that came */
static int push_failed(lua_State *L, const struct handle *handle)
{
    const struct rl_chat *chat = &handle->chat;
    lua_pushnil(L);
    push_info(L, handle);
    if (is_transport_error(chat))
        push_transport_error(L, chat);
    else
        rl_lua_push_json(L, rl_message_error(chat->message), false);
    push_completion(L, chat);
    lua_setfield(L, -2, "partial");
    return 3;
}


/* Another task closed the chat while this one waited. */
static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushstring(L, rl_err_name(RL_ECANCELLED));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, "the request was cancelled");
    lua_setfield(L, -2, "message");
    return 3;
}


static int k_finish(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct handle *handle = (struct handle *)ctx;
    if (handle->closed)
        return push_closed(L);
    if (rl_wake_reason(L) != RL_WAKE_DONE)
        return luaL_error(L, "deadlock: nothing is left that could bring the response");
    if (handle->chat.err.code == RL_ENOMEM)
        return luaL_error(L, "%s", handle->chat.err.message);
    if (is_transport_error(&handle->chat) || rl_message_error(handle->chat.message) != NULL)
        return push_failed(L, handle);
    push_completion(L, &handle->chat);
    push_info(L, handle);
    return 2;
}


/* completion, info | nil, info, error = chat:finish() */
static int l_finish(lua_State *L)
{
    struct handle *handle = check_handle(L);
    rl_chat_read_no_more(&handle->chat);
    return rl_park(L, &handle->ended, -1, (lua_KContext)handle, k_finish);
}


/* completion = chat:abort() */
static int l_abort(lua_State *L)
{
    struct handle *handle = check_handle(L);
    rl_chat_cancel(&handle->chat);
    push_completion(L, &handle->chat);
    return 1;
}


/* chat:close(), also when it is collected or leaves its block */
static int l_close(lua_State *L)
{
    struct handle *handle = luaL_checkudata(L, 1, CHAT);
    if (!handle->closed) {
        handle->closed = true;
        rl_chat_close(&handle->chat);
        rl_chat_body_free(&handle->body);
    }
    return 0;
}


static const luaL_Reg functions[] = {{"chat", l_chat}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"next", l_next},  {"finish", l_finish}, {"abort", l_abort}, {"close", l_close},
    {"__gc", l_close}, {"__close", l_close}, {NULL, NULL},
};

int rl_open_chat(lua_State *L)
{
    rl_core_class(L, CHAT, methods);
    rl_core_functions(L, functions);
    return 0;
}
