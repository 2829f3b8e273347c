/* lua_regex.c -- beside the walk: regular expressions for schemas and searching tools.
 *
 * PCRE2 with the options that bring it nearest to ECMA-262: UTF-8, "$" at the very end only, ASCII
 * \d and \w, unset groups that match the empty string, [] and [^]. What remains different is
 * rewritten in lua/rille/schema/regex.lua before a pattern arrives here. Invariant: a pattern or a
 * subject from a stranger costs bounded time and memory: matching stops at MATCH_LIMIT steps and
 * says so. No JIT: compiling machine code costs more than our matches. Source: pcre2api(3), "The
 * match context"; JSON Schema core 2020-12, section 6.4.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lua_core.h"

#include <pcre2.h>

#define REGEX "rille.Regex"

enum {
    MATCH_LIMIT = 250000,   /* calls of the matcher's inner function: about 10 ms */
    HEAP_LIMIT_KIB = 16384, /* of backtracking memory */
    PATTERN_MAX = 65536     /* bytes */
};

static const uint32_t options =
    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS |
    PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};


static void regex_free(struct regex *regex)
{
    pcre2_match_context_free(regex->limits);
    pcre2_match_data_free(regex->match);
    pcre2_code_free(regex->code);
    *regex = (struct regex){0};
}


/* Compiles into <regex>; 0, or RL_EINVAL and RL_ENOMEM with the reason in <err>. */
static int regex_compile(struct regex *regex, const char *pattern, size_t len, struct rl_err *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    if (len > PATTERN_MAX)
        return rl_err_set(err, RL_EINVAL, "longer than %d bytes", PATTERN_MAX);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL)
        return rl_err_set(err, RL_ENOMEM, "out of memory");
    pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (regex->code == NULL) {
        PCRE2_UCHAR reason[160];
        pcre2_get_error_message(code, reason, sizeof(reason));
        return rl_err_set(err, RL_EINVAL, "%s (at byte %zu)", (const char *)reason, (size_t)at);
    }
    regex->match = pcre2_match_data_create(1, NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (regex->match == NULL || regex->limits == NULL)
        return rl_err_set(err, RL_ENOMEM, "out of memory");
    pcre2_set_match_limit(regex->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(regex->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(regex->limits, HEAP_LIMIT_KIB);
    return 0;
}


/* regex = core.regex(pattern), or nil, failure */
static int l_regex(lua_State *L)
{
    size_t len = 0;
    const char *pattern = luaL_checklstring(L, 1, &len);
    struct rl_err err = {0};
    struct regex *regex = lua_newuserdatauv(L, sizeof(*regex), 0);
    *regex = (struct regex){0};
    luaL_setmetatable(L, REGEX);
    if (regex_compile(regex, pattern, len, &err) < 0) {
        regex_free(regex);
        return rl_push_err(L, &err);
    }
    return 1;
}


/* found = regex:find(subject), or nil, failure when the limits stopped it */
static int l_find(lua_State *L)
{
    const struct regex *regex = luaL_checkudata(L, 1, REGEX);
    size_t len = 0;
    const char *subject = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, regex->code != NULL, 1, "a compiled regex");
    int rc = pcre2_match(regex->code, (PCRE2_SPTR)subject, len, 0, 0, regex->match, regex->limits);
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
        lua_pushboolean(L, rc >= 0);
        return 1;
    }
    PCRE2_UCHAR reason[160];
    pcre2_get_error_message(rc, reason, sizeof(reason));
    return rl_push_failure(L, "limit_seconds", (const char *)reason);
}


static int l_gc(lua_State *L)
{
    regex_free(luaL_checkudata(L, 1, REGEX));
    return 0;
}


int rl_open_regex(lua_State *L)
{
    static const luaL_Reg functions[] = {{"regex", l_regex}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"find", l_find}, {"__gc", l_gc}, {NULL, NULL}};
    rl_core_class(L, REGEX, methods);
    rl_core_functions(L, functions);
    return 0;
}
