--- interpreter.lua -- runs code in a stock interpreter that finds the module just built.
local process = require "rille.process"

local interpreter = {}

--- The sanitizer of leaks trips over thread-local memory of libraries that were unloaded: closing the state unloads ours.
local sanitizer <const> = (os.getenv "ASAN_OPTIONS" or "") .. ":intercept_tls_get_addr=0"

--- Runs Lua code to its end; the state is closed as lua.c closes it.
--- @param code string
--- @return rille.process.result
function interpreter.run(code)
  local build = os.getenv "RILLE_BUILD" or "build"
  return assert(process.run {
    arg[-1] or "lua5.4", "-e", code, timeout = 120,
    env = { LUA_PATH = "lua/?.lua;lua/?/init.lua;;", LUA_CPATH = build .. "/lua/?.so;;",
            LD_PRELOAD = os.getenv "RILLE_PRELOAD" or false, ASAN_OPTIONS = sanitizer },
  })
end

return interpreter
