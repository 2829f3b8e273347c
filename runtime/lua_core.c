/* lua_core.c -- walk 3: the module rille.core: opens the engine, luv and every seam.
 *
 * One engine per lua_State, kept in the registry; collecting it (lua_close) closes tasks,
 * transfers and loop. luv is opened on the same loop; where a host has opened it before us, its
 * loop is ours too.
 */
#include "lua_core.h"

#include "lua_http_options.h"

#include <luv/luv.h>
#include <stdlib.h>
#include <string.h>

#define ENGINE  "rille.engine"  /* registry[ENGINE] = userdata of the engine */
#define FAILURE "rille.Failure" /* metatable of failures */


/* ------------------------------------------------------------------ what the seams share */

void rl_core_functions(lua_State *L, const luaL_Reg *functions)
{
    lua_getfield(L, LUA_REGISTRYINDEX, ENGINE);
    lua_pushlightuserdata(L, lua_touserdata(L, -1));
    lua_remove(L, -2);
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
    bool is_ours = lua_type(L, arg) == LUA_TUSERDATA && lua_rawlen(L, arg) >= sizeof(name);
    const char *const *object = is_ours ? lua_touserdata(L, arg) : NULL;
    return is_ours && *object == name ? (void *)object : luaL_checkudata(L, arg, name);
}


void rl_new_failure(lua_State *L, const char *code, const char *message)
{
    luaL_checkstack(L, 4, "a failure");
    lua_createtable(L, 0, 3);
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    luaL_setmetatable(L, FAILURE);
}


int rl_push_failure(lua_State *L, const char *code, const char *message)
{
    lua_pushnil(L);
    rl_new_failure(L, code, message);
    return 2;
}


int rl_push_err(lua_State *L, const struct rl_err *err)
{
    return rl_push_failure(L, rl_err_name(err->code), err->message);
}


bool rl_is_failure(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, FAILURE);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}


struct rl_engine *rl_core_engine(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, ENGINE);
    struct rl_engine *engine = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return engine;
}


/* ------------------------------------------------------------------ what is alive */

static bool keeps_loop(uv_handle_t *handle)
{
    switch (uv_handle_get_type(handle)) {
    case UV_NAMED_PIPE:
    case UV_TCP:
    case UV_TTY:
    case UV_PROCESS:
    case UV_FS_EVENT: return true; /* they hold a descriptor or a child, active or not */
    default: return uv_is_active(handle) && uv_has_ref(handle);
    }
}


static void on_walk_count(uv_handle_t *handle, void *count)
{
    if (!uv_is_closing(handle) && keeps_loop(handle))
        ++*(lua_Integer *)count;
}


/* counts = core.counts() */
static int l_counts(lua_State *L)
{
    struct rl_engine *engine = rl_engine_of(L);
    lua_Integer handles = 0, refs = 0;
    uv_walk(rl_engine_loop(engine), on_walk_count, &handles);
    lua_pushnil(L);
    while (lua_next(L, LUA_REGISTRYINDEX) != 0) { /* slots of luaL_ref; free ones hold a number */
        refs += lua_isinteger(L, -2) && !lua_isinteger(L, -1);
        lua_pop(L, 1);
    }
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)rl_engine_tasks(engine));
    lua_setfield(L, -2, "tasks");
    lua_pushinteger(L, (lua_Integer)rl_lua_http_count(engine));
    lua_setfield(L, -2, "transfers");
    lua_pushinteger(L, handles);
    lua_setfield(L, -2, "handles");
    lua_pushinteger(L, refs);
    lua_setfield(L, -2, "registry");
    return 1;
}


/* ------------------------------------------------------------------ luv */

int rl_call_back(lua_State *L, int nargs, int nresults, int flags)
{
    (void)flags;
    int base = lua_gettop(L) - nargs - 1;
    int status = lua_pcall(L, nargs, nresults, 0);
    if (status == LUA_OK)
        return lua_gettop(L) - base;
    lua_warning(L, "rille: error in a libuv callback: ", 1);
    lua_warning(L, luaL_tolstring(L, -1, NULL), 0);
    lua_settop(L, base);
    return -status;
}


/* libuv's private UV_HANDLE_CLOSED: the handle is off the loop, not merely closing. */
#define LIBUV_CLOSED 2u


/* Upvalue 2 is luv's own finalizer, which frees the memory of a closing handle while the loop still
 * points to it. luv anchors a handle until it is closed, so one that is collected earlier tells
 * that the state closes: the engine ends first, and its loop is empty when the memory goes. */
static int l_handle_gc(lua_State *L)
{
    const uv_handle_t *const *handle = lua_touserdata(L, 1);
    if (*handle != NULL && uv_is_closing(*handle) && ((*handle)->flags & LIBUV_CLOSED) == 0) {
        lua_getfield(L, LUA_REGISTRYINDEX, ENGINE);
        luaL_callmeta(L, -1, "__gc");
    }
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
    return 0;
}


static void guard_handles(lua_State *L)
{
    static const char *const types[] = {
        "uv_async",   "uv_check",   "uv_fs_event", "uv_fs_poll", "uv_idle",  "uv_pipe", "uv_poll",
        "uv_prepare", "uv_process", "uv_signal",   "uv_tcp",     "uv_timer", "uv_tty",  "uv_udp",
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (luaL_getmetatable(L, types[i]) == LUA_TTABLE) {
            lua_pushlightuserdata(L, rl_engine_of(L));
            lua_getfield(L, -2, "__gc");
            lua_pushcclosure(L, l_handle_gc, 2);
            lua_setfield(L, -2, "__gc");
        }
        lua_pop(L, 1);
    }
}


/* package.preload.luv: luv on our loop */
static int open_luv(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main =
        lua_tothread(L, -1); /* luv calls back on the state it was given: one that lasts */
    luv_set_loop(main, rl_engine_loop(rl_engine_of(L)));
    luv_set_callback(main, rl_call_back);
    luaopen_luv(L);
    guard_handles(L);
    return 1;
}


/* uv = core.uv() */
static int l_uv(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, "luv") == LUA_TTABLE)
        return 1;
    lua_pop(L, 1);
    lua_pushlightuserdata(L, rl_engine_of(L));
    lua_pushcclosure(L, open_luv, 1);
    lua_call(L, 0, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "luv"); /* package.loaded.luv = uv */
    return 1;
}


/* The loop of a luv that the host opened before us, or NULL. */
static uv_loop_t *find_host_loop(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    bool opened = lua_getfield(L, -1, "luv") == LUA_TTABLE;
    lua_pop(L, 2);
    return opened ? luv_loop(L) : NULL;
}


/* ------------------------------------------------------------------ the Lua library */

/* "rille.cli.ask" -> <directory>/rille/cli/ask.lua or …/ask/init.lua, loaded. Pushes the chunk and
 * its path, or nothing. */
static bool load_from(lua_State *L, const char *directory, const char *name)
{
    static const char *const endings[] = {".lua", "/init.lua"};
    const char *path = luaL_gsub(L, name, ".", "/");
    for (int i = 0; i < 2; i++) {
        const char *file = lua_pushfstring(L, "%s/%s%s", directory, path, endings[i]);
        int status = luaL_loadfile(L, file);
        if (status == LUA_OK) {
            lua_insert(L, -2);
            return true;
        }
        if (status != LUA_ERRFILE)
            lua_error(L);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return false;
}


static int compare_name(const void *name, const void *module)
{
    return strcmp(name, ((const struct rl_module *)module)->name);
}


static const struct rl_module *find_embedded(const char *name)
{
    return bsearch(name, rl_embedded, rl_embedded_count, sizeof(*rl_embedded), compare_name);
}


/* Pushes the chunk of a module that is compiled in. Raises. */
static void load_embedded(lua_State *L, const struct rl_module *module)
{
    int status =
        luaL_loadbufferx(L, (const char *)module->code, module->code_len, module->where, "b");
    if (status == LUA_ERRSYNTAX) {
        lua_pop(L, 1);
        status =
            luaL_loadbufferx(L, (const char *)module->text, module->text_len, module->where, "t");
    }
    if (status != LUA_OK)
        lua_error(L);
}


/* loader, where = searcher(name) */
static int l_search(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strncmp(name, "rille", 5) != 0 || (name[5] != '\0' && name[5] != '.'))
        return 0;
    const char *directory = getenv("RILLE_PATH");
    if (directory != NULL && directory[0] != '\0' && load_from(L, directory, name))
        return 2;
    const struct rl_module *module = find_embedded(name);
    if (module == NULL) {
        lua_pushfstring(L, "no module '%s' compiled in", name);
        return 1;
    }
    load_embedded(L, module);
    lua_pushstring(L, module->where);
    return 2;
}


int rl_load_library(lua_State *L, const char *name)
{
    lua_pushcfunction(L, l_search);
    lua_pushstring(L, name);
    lua_call(L, 1, 2);
    if (!lua_isfunction(L, -2))
        return luaL_error(L, "module '%s' is not compiled in", name);
    lua_pop(L, 1);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    return 1;
}


/* table.insert(package.searchers, position, searcher) */
static void add_searcher(lua_State *L, bool first)
{
    lua_getglobal(L, "package");
    if (lua_type(L, -1) != LUA_TTABLE || lua_getfield(L, -1, "searchers") != LUA_TTABLE)
        luaL_error(L, "rille needs the package library");
    lua_Integer count = luaL_len(L, -1), position = first ? 2 : count + 1;
    for (lua_Integer i = count; i >= position; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, l_search);
    lua_rawseti(L, -2, position);
    lua_getfield(L, -2, "preload");
    static const luaL_Reg preload[] = {{"luv", l_uv}, {NULL, NULL}};
    rl_core_functions(L, preload); /* require "luv" finds ours */
    lua_pop(L, 3);
}


/* ------------------------------------------------------------------ opening */

static const luaL_Reg functions[] = {
    {"counts", l_counts},
    {"uv", l_uv},
    {NULL, NULL},
};

static int (*const seams[])(lua_State *) = {
    rl_open_task,       rl_open_coroutine, rl_open_json,   rl_open_same,      rl_open_calls,
    rl_open_transcript, rl_open_http,      rl_open_chat,   rl_open_chat_plan, rl_open_decode,
    rl_open_regex,      rl_open_usage,     rl_open_sigint, rl_open_embed,
};


int rl_open_core(lua_State *L, bool ours)
{
    luaL_checkversion(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, LUA_REGISTRYINDEX, ENGINE) == LUA_TUSERDATA) {
        lua_getfield(L, -2, "rille.core");
        return 1;
    }
    lua_pop(L, 1);
    rl_engine_open(L, find_host_loop(L));
    lua_setfield(L, LUA_REGISTRYINDEX, ENGINE);
    lua_newtable(L);
    rl_core_functions(L, functions);
    lua_pushliteral(L, RILLE_VERSION);
    lua_setfield(L, -2, "version");
    luaL_newmetatable(L, FAILURE);
    lua_setfield(L, -2, "failure_metatable");
    for (size_t i = 0; i < sizeof(seams) / sizeof(*seams); i++)
        seams[i](L);
    add_searcher(L, ours);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "rille.core"); /* package.loaded["rille.core"] = core */
    return 1;
}
