--- world.lua -- what a spec may decide about the outside: the environment, and the time.
local time = require "rille.time"

local world = {}


--- Replaces the environment until `restore`.
--- @param variables table<string, string>
--- @return fun() restore
function world.environment(variables)
  local before = os.getenv
  rawset(os, "getenv", function(name) return variables[name] end)
  return function() rawset(os, "getenv", before) end
end


--- A clock that only moves when somebody sleeps, dice that always show the same, and a wall clock.
--- @param settings? {random?: number, wall?: number}
--- @return {now: number, slept: number[], random: number, wall: number, restore: fun()}
function world.clock(settings)
  local clock = { now = 1000, slept = {}, random = 0, wall = 1700000000 }
  for name, value in pairs(settings or {}) do clock[name] = value end
  local before = { sleep = time.sleep, now = time.now, wall = time.wall, random = time.random }
  function time.sleep(seconds)
    clock.now, clock.wall = clock.now + seconds, clock.wall + seconds
    if seconds > 0 then clock.slept[#clock.slept + 1] = seconds end
    before.sleep(0)
    return true
  end
  function time.now() return clock.now end
  function time.wall() return clock.wall end
  function time.random() return clock.random end
  function clock.restore()
    for name, fn in pairs(before) do time[name] = fn end
  end
  return clock
end


--- The names of all provider profiles, sorted; the four most different ones where the collector is
--- aggressive and everything takes a hundred times as long.
--- @return string[]
function world.providers()
  if os.getenv "RILLE_GC" then return { "gemini", "llamacpp", "mistral", "openai" } end
  return require("rille.options").names(require("rille.profiles").rows)
end


return world
