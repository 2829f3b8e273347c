/* lua_chat.c -- walk 3 and 8: core.chat, one completion request that Lua starts
 * and pulls from.
 *
 * Down: the body is joined from bytes that stand already (lua_chat_plan.h, transcript.h), the task
 * parks. Up: callbacks only wake; the reply becomes Lua values in the
 * continuations, and when nobody wants to see tokens none are made.
 */
#include "chat.h"
#include "lua_canned.h"
#include "lua_chat_body.h"
#include "lua_chat_plan.h"
#include "lua_core.h"
#include "lua_http_options.h"
#include "lua_json.h"
#include "lua_transcript.h"
#include "reply_head.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#define LIMITS "x-ratelimit-" /* the header fields that announce limits */

static const char CHAT[] = "rille.Chat", CLOSED[] = "rille.Chat (closed)";

struct handle {
    const char *class; /* CHAT */
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


/* ------------------------------------------------------------------ the start */

/* arguments of l_chat */
enum { THE_PLAN = 1, MESSAGES, OPENING, WANT, TOTAL, CANNED };

/* The options of a single request are a plan, and what a plan leaves open. Stack: options -> plan,
 * messages, opening, want, total, canned */
static void spread_options(lua_State *L)
{
    rl_push_chat_plan(L, 1);
    lua_getfield(L, 1, "messages");
    lua_getfield(L, 1, "opening");
    lua_getfield(L, 1, "want");
    lua_pushnil(L); /* the plan has it */
    lua_getfield(L, 1, "canned");
    lua_remove(L, 1);
}


static enum rl_chat_want read_want(lua_State *L)
{
    static const char *const names[] = {"deltas", "chunks", NULL};
    static const enum rl_chat_want wants[] = {RL_CHAT_DELTAS, RL_CHAT_CHUNKS};
    if (lua_isnil(L, WANT))
        return RL_CHAT_NOTHING;
    return wants[luaL_checkoption(L, WANT, NULL, names)];
}


/* Keeps its plan and its opening: handle.uservalues = {plan, opening} */
static struct handle *push_handle(lua_State *L)
{
    struct handle *handle = lua_newuserdatauv(L, sizeof(*handle), 2);
    *handle = (struct handle){.class = CHAT};
    rl_chat_init(&handle->chat, on_change, handle);
    luaL_setmetatable(L, CHAT);
    lua_pushvalue(L, THE_PLAN);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, OPENING);
    lua_setiuservalue(L, -2, 2);
    return handle;
}


static void start_canned(lua_State *L, struct handle *handle, const struct rl_chat_request *request)
{
    struct rl_canned_response response = {0};
    struct rl_err err;
    lua_pushvalue(L, CANNED);
    rl_lua_read_canned(L, &response);
    uv_loop_t *loop = rl_lua_http_loop(L);
    if (rl_chat_start_canned(&handle->chat, loop, request, &response, &err) != RL_OK)
        luaL_error(L, "%s", err.message);
}


static struct rl_chat_body *body_of(void *chat)
{
    struct handle *handle = ((struct rl_chat *)chat)->owner;
    return &handle->body;
}


/* The same bytes once more. */
static char *remake(void *owner, size_t len)
{
    (void)len;
    return rl_chat_body_join(body_of(owner));
}


static size_t read_body(void *owner, size_t at, char *to, size_t room)
{
    return rl_chat_body_read(body_of(owner), at, to, room);
}


/* Allocates last, so that nothing can raise before the transfer takes the bytes. */
static void set_body(lua_State *L, struct handle *handle, struct rl_http_body *body)
{
    enum { MAX_REQUEST = 1 << 30 }; /* bytes */
    rl_chat_body_take(&handle->body, rl_check_transcript(L, MESSAGES));
    *body = (struct rl_http_body){.len = handle->body.len};
    if (body->len > MAX_REQUEST)
        luaL_error(L, "the request is larger than 1 GiB");
    if (body->len > RL_HTTP_LONG_BODY) {
        body->read = read_body;
        return;
    }
    body->remake = remake;
    body->bytes = rl_chat_body_join(&handle->body);
    if (body->bytes == NULL)
        luaL_error(L, "not enough memory for a request");
}


static void start_real(lua_State *L, struct handle *handle, struct rl_chat_request *request)
{
    struct rl_http_pool *pool = rl_lua_http_pool(L);
    struct rl_err err;
    if (request->http.url == NULL)
        luaL_error(L, "option 'url' is missing");
    if (!lua_isnil(L, MESSAGES))
        set_body(L, handle, &request->http.body);
    if (rl_chat_start(&handle->chat, pool, request, &err) != RL_OK)
        luaL_error(L, "%s", err.message);
}


static bool lacks_forms(lua_State *L, const struct rl_chat_plan *plan)
{
    if (plan->key.data == NULL || lua_isnil(L, MESSAGES))
        return false;
    struct rl_transcript *messages = rl_check_transcript(L, MESSAGES);
    rl_transcript_measure(messages);
    bool lacks =
        rl_transcript_unwired(messages, plan->key.data, 0, plan->plain_serves) < messages->count;
    if (!lacks || !plan->has_rules)
        return lacks;
    struct rl_buf *text = rl_lua_push_buf(L, RL_LUA_JSON_BYTES);
    lacks = !rl_form_fill(messages, plan->key.data, plan->plain_serves, &plan->rules, text);
    rl_lua_pop_buf(L);
    return lacks;
}


/* chat = core.chat(plan [, messages [, opening [, want [, total]]]]) or core.chat(options); nil
 * when a message lacks its wire form */
static int l_chat(lua_State *L)
{
    if (lua_istable(L, THE_PLAN))
        spread_options(L);
    lua_settop(L, CANNED);
    const struct rl_chat_plan *plan = rl_check_chat_plan(L, THE_PLAN);
    if (lacks_forms(L, plan))
        return 0;
    struct rl_chat_request request = {.http = plan->http,
                                      .want = read_want(L),
                                      .n = plan->n,
                                      .is_cumulative = plan->is_cumulative};
    if (!lua_isnil(L, TOTAL))
        request.http.limits.total_ms = rl_opt_ms(L, TOTAL);
    struct handle *handle = push_handle(L);
    handle->body.plan = plan;
    handle->body.opening.data = luaL_optlstring(L, OPENING, NULL, &handle->body.opening.len);
    if (lua_isnil(L, CANNED))
        start_real(L, handle, &request);
    else
        start_canned(L, handle, &request);
    lua_settop(L, CANNED + 1);
    return 1;
}


/* ------------------------------------------------------------------ the parts of the reply */

static struct handle *check_handle(lua_State *L)
{
    struct handle *handle = rl_core_check(L, 1, CHAT);
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


/* How the response went, for those who look closely. */
static void set_progress(lua_State *L, const struct handle *handle)
{
    const struct rl_chat *chat = &handle->chat;
    lua_pushinteger(L, chat->bytes);
    lua_setfield(L, -2, "bytes");
    set_flag(L, "delivered", handle->delivered);
    set_flag(L, "done", rl_message_done(chat->message));
    set_flag(L, "complete", rl_message_complete(chat->message));
}


/* info; <few>: of the header fields only the limits, and nothing about the way here */
static void push_info(lua_State *L, const struct handle *handle, bool few)
{
    const struct rl_chat *chat = &handle->chat;
    struct rl_reply_head head = {chat->head.status, look_up, &chat->head};
    lua_createtable(L, 0, 9); /* with what rille.chat adds */
    if (chat->head.complete) {
        lua_pushinteger(L, chat->head.status);
        lua_setfield(L, -2, "status");
    }
    rl_lua_push_fields(L, &chat->head, few ? LIMITS : NULL);
    lua_setfield(L, -2, "headers");
    lua_pushstring(L, rl_request_id(&head));
    lua_setfield(L, -2, "request_id");
    if (!few)
        set_progress(L, handle);
    set_choice_notes(L, chat->message);
}


/* What the transport's trouble means for a reply of which a part came. */
static const char *transport_kind(const struct rl_chat *chat)
{
    bool answered = chat->head.complete && chat->head.status < 300;
    if (chat->code == RL_ECONNECT && answered)
        return rl_err_name(RL_EINCOMPLETE);
    return rl_err_name(chat->code);
}


static void push_transport_error(lua_State *L, const struct rl_chat *chat)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, transport_kind(chat));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, chat->why);
    lua_setfield(L, -2, "message");
    set_flag(L, "retryable", chat->code == RL_ECONNECT || chat->code == RL_ETIMEOUT);
}


/* The transport's trouble explains more than the hole it left in the reply;
 * only what the server said about a failed request explains more than that. */
static bool is_transport_error(const struct rl_chat *chat)
{
    if (chat->code == RL_OK || rl_message_complete(chat->message))
        return false;
    const cJSON *error = rl_message_error(chat->message);
    const char *kind = rl_json_text(rl_json_get(error, "kind"));
    return kind == NULL || chat->head.status < 300 || strcmp(kind, "http_error") != 0;
}


static void push_completion(lua_State *L, const struct rl_chat *chat)
{
    const cJSON *completion = chat->code != RL_ENOMEM ? rl_message_completion(chat->message) : NULL;
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
    push_info(L, handle, false);
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


/* What a turn keeps of a reply. */
static void fill_turn(lua_State *L, int turn, const struct rl_message *message)
{
    enum { ID, MODEL, USAGE, CHOICES, MESSAGE, MEMBERS };
    static const char *const names[] = {"id", "model", "usage", "choices"};
    cJSON *members[MEMBERS];
    rl_tree_pick(rl_message_completion(message), names, MESSAGE, members);
    members[MESSAGE] = rl_json_get(members[CHOICES]->child, "message");
    members[CHOICES] = NULL;
    rl_lua_set_members(L, turn, members, MEMBERS);
    lua_pushstring(L, rl_message_effective(message, 0));
    lua_setfield(L, turn, "finish_reason");
    if (rl_message_reasoning(message, 0)[0] == '\0')
        return;
    rl_lua_push_carried(L, rl_message_reasoning(message, 0));
    lua_setfield(L, turn, "reasoning");
}


/* turn, {headers = limits} | nil */
static int push_turn(lua_State *L, int turn, const struct rl_chat *chat)
{
    fill_turn(L, turn, chat->message);
    lua_pushvalue(L, turn);
    rl_lua_push_fields(L, &chat->head, LIMITS);
    if (lua_isnil(L, -1))
        return 2;
    lua_createtable(L, 0, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "headers");
    return 2;
}


static int k_finish(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct handle *handle = (struct handle *)ctx;
    if (handle->closed)
        return push_closed(L);
    if (rl_wake_reason(L) != RL_WAKE_DONE)
        return luaL_error(L, "deadlock: nothing is left that could bring the response");
    if (handle->chat.code == RL_ENOMEM)
        return luaL_error(L, "not enough memory for the response");
    if (is_transport_error(&handle->chat) || rl_message_error(handle->chat.message) != NULL)
        return push_failed(L, handle);
    if (lua_istable(L, 2))
        return push_turn(L, 2, &handle->chat);
    push_completion(L, &handle->chat);
    push_info(L, handle, lua_toboolean(L, 2));
    return 2;
}


/* completion, info | turn, info? | nil, info, error = chat:finish([few | turn]) */
static int l_finish(lua_State *L)
{
    struct handle *handle = check_handle(L);
    lua_settop(L, 2);
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


/* chat:close(), also when it is collected or leaves its block. What is closed needs no finaliser,
 * which would be called and have its object live on for another cycle of the collector. */
static int l_close(lua_State *L)
{
    struct handle *handle = rl_core_check(L, 1, CHAT);
    if (handle->closed)
        return 0;
    handle->closed = true;
    rl_chat_close(&handle->chat);
    rl_chat_body_free(&handle->body);
    lua_rawgetp(L, LUA_REGISTRYINDEX, CLOSED);
    lua_setmetatable(L, 1);
    return 0;
}


static const luaL_Reg functions[] = {{"chat", l_chat}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"next", l_next},   {"finish", l_finish}, {"abort", l_abort},
    {"close", l_close}, {"__close", l_close}, {NULL, NULL},
};

static const luaL_Reg finaliser[] = {{"__gc", l_close}, {NULL, NULL}};


int rl_open_chat(lua_State *L)
{
    rl_core_class(L, CLOSED, methods);
    luaL_getmetatable(L, CLOSED);
    lua_rawsetp(L, LUA_REGISTRYINDEX, CLOSED); /* found without its name */
    rl_core_class(L, CHAT, methods);
    rl_core_class(L, CHAT, finaliser);
    rl_core_functions(L, functions);
    return 0;
}
