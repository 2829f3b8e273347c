--- rille.time -- beside the walk: how the library sleeps, reads clocks and rolls dice.
---
--- Invariant: nothing else in the library calls core.sleep, os.time or math.random, and everybody
--- reaches these as fields (`time.sleep(…)`, never a local copy), so that a spec can put a virtual
--- clock in their place.

local core = require "rille.core"

local time = {}


--- Waits. Other tasks run meanwhile.
---@async
---@param seconds number   0 lets the others have a turn
---@return true
function time.sleep(seconds)
  return core.sleep(seconds)
end


--- Monotonic clock; its zero means nothing. Read many times in each turn of a run: C without a Lua function around it.
---@type fun(): number   seconds
time.now = core.now


--- Wall clock.
---@return number seconds   since 1970-01-01 00:00 UTC, with fractions
function time.wall()
  local seconds, microseconds = core.uv().gettimeofday()
  return seconds + microseconds / 1e6
end


--- Randomness for jitter; nothing secret may hang on it.
---@return number   0 ≤ x < 1
function time.random()
  return math.random()
end


return time
