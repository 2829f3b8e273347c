/* lua_json_check.c -- beside the walk: JSON and transcripts between Lua and C when memory runs out.
 *
 * spec/json_contract_spec.lua compiles it with the seams of JSON and transcripts, without the rest
 * of the runtime. A script that uses everything they offer runs again and again; each time another
 * allocation fails, in Lua, in our C or in cJSON. Whatever happens, no block may be left when the
 * state is closed.
 */
#include "fail_alloc.h"
#include "lua_core.h"
#include "lua_json.h"

#include <lualib.h>
#include <stdio.h>
#include <string.h>

static const char script[] =
    "local core = ...\n"
    "local text = "
    "[[{\"list\":[1,2.5,9007199254740993,null,{}],\"nul\":\"a\\u0000\\ud83d\",\"o\":{\"a\":{\"b\":["
    "]}}}]]\n"
    "local value = assert(core.json_decode(text, { unique_keys = true }))\n"
    "assert(core.json_decode(core.json_encode(value)).list[3] == 9007199254740993)\n"
    "local many = {}\n"
    "for i = 1, 100 do many['key' .. i] = { i, { i + 0.5 } } end\n"
    "local ordered = setmetatable(many, { __jsonorder = { 'key7', 'key3' } })\n"
    "assert(core.json_encode(ordered):sub(1, 7) == '{\"key7\"')\n"
    "local ok, why = pcall(core.json_encode, { a = { b = { 1, core.json_encode } } })\n"
    "assert(not ok and (why:find('a.b[2]', 1, true) or why == 'not enough memory'), why)\n"
    "local t = core.transcript { { role = 'user', content = 'a\\0' } }\n"
    "for i = 1, 20 do t:append { role = 'assistant', content = ('x'):rep(i * 50), calls = { i } } "
    "end\n"
    "t:replace(3, { role = 'tool' }):truncate(15)\n"
    "t:set_wire(2, 'key', '{\"wire\":true}')\n"
    "local c = t:clone():append { role = 'user' }\n"
    "assert(#c == 16 and c[16].role == 'user' and #c:messages() == 16)\n"
    "assert(c:wire('key'):find('{\"wire\":true}', 1, true) and #t:encode() > 1000)\n"
    "assert(not pcall(t.append, t, { role = 'x', f = print }))\n"
    "local kept = { role = 'assistant', tool_calls = { 1 } }\n"
    "t:append_all({ { role = 'tool', content = 'b' }, { role = 'user' } }, kept)\n"
    "assert(#t == 18 and t:encode():find('{\"content\":null,\"role\":\"assistant\"', 1, true))\n"
    "assert(not pcall(t.append_all, t, { { role = 'user' }, { role = 'x', f = print } }, kept))\n"
    "assert(#t == 18)\n"
    "assert(core.base64_decode { core.base64('abc'), 'ZGVm' } == 'abcdef')\n"
    "return true\n";


/* ------------------------------------------------------------------ what the seams need of the
 * core */

void rl_core_functions(lua_State *L, const luaL_Reg *functions)
{
    lua_pushnil(L);
    luaL_setfuncs(L, functions, 1);
}


void rl_core_class(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    rl_core_functions(L, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}


void *rl_core_check(lua_State *L, int arg, const char *name)
{
    return luaL_checkudata(L, arg, name);
}


int rl_push_err(lua_State *L, const struct rl_err *err)
{
    lua_pushnil(L);
    lua_pushstring(L, err->message);
    return 2;
}


/* ------------------------------------------------------------------ the test */

static void *allocate(void *unused, void *block, size_t old_size, size_t size)
{
    (void)unused;
    if (size == 0) {
        check_free(block);
        return NULL;
    }
    if (block != NULL && size <= old_size)
        return block; /* Lua relies on it: shrinking never fails */
    return check_realloc(block, size);
}


static int open_seams(lua_State *L)
{
    luaL_openlibs(L);
    lua_newtable(L);
    rl_open_json(L);
    rl_open_transcript(L);
    if (luaL_loadstring(L, script) != LUA_OK)
        return lua_error(L);
    lua_insert(L, -2);
    return 2;
}


/* Runs the script with allocation <n> failing. Returns whether it ended well. */
static bool run(long n, bool for_ever)
{
    lua_State *L = lua_newstate(allocate, NULL);
    lua_pushcfunction(L, open_seams);
    if (lua_pcall(L, 0, 2, 0) != LUA_OK)
        printf("opening: %s\n", lua_tostring(L, -1));
    made = 0;
    countdown = n;
    keeps_failing = for_ever;
    bool ok = lua_pcall(L, 1, 1, 0) == LUA_OK;
    bool refused = n >= 0 && made > n;
    countdown = -1;
    const char *message = ok ? "" : lua_tostring(L, -1);
    if (!ok && (message == NULL || (strstr(message, "memory") == NULL && !refused)))
        printf("allocation %ld: %s\n", n, message != NULL ? message : "?");
    lua_close(L);
    if (alive != 0)
        printf("allocation %ld: %ld blocks left\n", n, alive);
    alive = 0;
    return ok && !refused;
}


/* A finaliser that is older than the library runs after the library's own. */
static void run_late(void)
{
    static const char late[] =
        "core = ...\n"
        "setmetatable({}, { __gc = function() core.json_encode { ('x'):rep(100) } end })\n";
    lua_State *L = lua_newstate(allocate, NULL);
    luaL_openlibs(L);
    lua_newtable(L);
    if (luaL_loadstring(L, late) != LUA_OK)
        printf("late: %s\n", lua_tostring(L, -1));
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
    rl_open_json(L);
    lua_close(L);
    if (alive != 0)
        printf("a late finaliser: %ld blocks left\n", alive);
    alive = 0;
}


int main(void)
{
    cJSON_Hooks hooks = {check_malloc, check_free};
    cJSON_InitHooks(&hooks); /* this process is a test: nobody else uses cJSON in it */
    countdown = -1;
    run_late();
    for (int mode = 0; mode < 2; mode++) {
        long n = 0;
        while (n < 100000 && !run(n, mode == 1))
            n++;
        if (n < 100 || n == 100000)
            printf("ended after %ld allocations\n", n);
    }
    return 0;
}
