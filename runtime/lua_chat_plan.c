/* lua_chat_plan.c -- walk 3: core.chat_plan. See lua_chat_plan.h. */
#include "lua_chat_plan.h"

#include "lua_core.h"
#include "lua_http_options.h"

#include <string.h>

static const char PLAN[] = "rille.ChatPlan";

struct options {
    struct rl_http_options http;
    struct rl_text head, tail, key;
    int ignored; /* what only core.chat reads */
    int rules;   /* read by read_rules */
    bool plain_serves;
    bool stream; /* the answer is believed whatever it is: this is for the reader only */
    bool cumulative;
    int64_t n;
};

static const struct rl_opt option_rows[] = {
    {"url", RL_OPT_STRING, offsetof(struct options, http.url), 0},
    RL_HTTP_OPTION_ROWS(struct options),
    {"head", RL_OPT_STRING, offsetof(struct options, head), 0},
    {"key", RL_OPT_STRING, offsetof(struct options, key), 0},
    {"tail", RL_OPT_STRING, offsetof(struct options, tail), 0},
    {"stream", RL_OPT_BOOLEAN, offsetof(struct options, stream), 0},
    {"plain_serves", RL_OPT_BOOLEAN, offsetof(struct options, plain_serves), 0},
    {"rules", RL_OPT_VALUE, offsetof(struct options, rules), 0},
    {"n", RL_OPT_INTEGER, offsetof(struct options, n), 0},
    {"cumulative", RL_OPT_BOOLEAN, offsetof(struct options, cumulative), 0},
    {"messages", RL_OPT_VALUE, offsetof(struct options, ignored), 0},
    {"opening", RL_OPT_VALUE, offsetof(struct options, ignored), 0},
    {"want", RL_OPT_VALUE, offsetof(struct options, ignored), 0},
    {"canned", RL_OPT_VALUE, offsetof(struct options, ignored), 0},
    {NULL, 0, 0, 0},
};

struct rules {
    struct rl_text keeps, echo, always, null_content;
    bool echoes_calls;
};

static const struct rl_opt rule_rows[] = {
    {"keeps", RL_OPT_STRING, offsetof(struct rules, keeps), 0},
    {"echo", RL_OPT_STRING, offsetof(struct rules, echo), 0},
    {"always", RL_OPT_STRING, offsetof(struct rules, always), 0},
    {"null_content", RL_OPT_STRING, offsetof(struct rules, null_content), 0},
    {"echoes_calls", RL_OPT_BOOLEAN, offsetof(struct rules, echoes_calls), 0},
    {NULL, 0, 0, 0},
};

/* plan.uservalues: the header lines' owner, the table of rules, then the texts */
enum { FIELDS = 1, RULES, FIRST_TEXT, TEXTS = 9 };


/* Stack: ..., plan. The texts stay where Lua keeps them. */
static void anchor_texts(lua_State *L, int index)
{
    int slot = FIRST_TEXT;
    for (const struct rl_opt *row = option_rows; row->name != NULL; row++) {
        if (row->type != RL_OPT_STRING)
            continue;
        lua_getfield(L, index, row->name);
        lua_setiuservalue(L, -2, slot++); /* plan.uservalues[slot] = options[row.name] */
    }
}


static struct rl_span span_of(struct rl_text text)
{
    return (struct rl_span){text.data, text.len};
}


/* Stack: ..., plan. The rules' table is shared and never changed: its texts stay in it. */
static void read_rules(lua_State *L, int index, struct rl_chat_plan *plan)
{
    struct rules rules;
    lua_getfield(L, index, "rules");
    rl_opt_read(L, lua_gettop(L), rule_rows, &rules);
    plan->has_rules = true;
    plan->rules = (struct rl_form_rules){
        .keeps = span_of(rules.keeps),
        .echo = span_of(rules.echo),
        .always = span_of(rules.always),
        .null_content = span_of(rules.null_content),
        .echoes_calls = rules.echoes_calls,
    };
    lua_setiuservalue(L, -2, RULES);
}


static int choices_of(const struct options *options)
{
    if (options->n <= 0)
        return 1;
    return options->n < 128 ? (int)options->n : 128;
}


struct rl_chat_plan *rl_push_chat_plan(lua_State *L, int index)
{
    struct options options;
    index = lua_absindex(L, index);
    rl_opt_read(L, index, option_rows, &options);
    struct rl_chat_plan *plan = lua_newuserdatauv(L, sizeof(*plan), RULES + TEXTS);
    *plan = (struct rl_chat_plan){
        .class = PLAN,
        .head = options.head,
        .tail = options.tail,
        .key = options.key,
        .plain_serves = options.plain_serves,
        .n = choices_of(&options),
        .is_cumulative = options.cumulative,
    };
    luaL_setmetatable(L, PLAN);
    anchor_texts(L, index);
    if (options.rules)
        read_rules(L, index, plan);
    rl_http_options_request(L, index, &options.http, &plan->http);
    lua_setiuservalue(L, -2, FIELDS);
    if (options.http.method.data == NULL)
        plan->http.method = "POST";
    return plan;
}


struct rl_chat_plan *rl_check_chat_plan(lua_State *L, int index)
{
    return rl_core_check(L, index, PLAN);
}


/* plan = core.chat_plan(options) */
static int l_chat_plan(lua_State *L)
{
    rl_push_chat_plan(L, 1);
    return 1;
}


static const luaL_Reg functions[] = {{"chat_plan", l_chat_plan}, {NULL, NULL}};
static const luaL_Reg methods[] = {{NULL, NULL}};


int rl_open_chat_plan(lua_State *L)
{
    rl_core_class(L, PLAN, methods);
    rl_core_functions(L, functions);
    return 0;
}
