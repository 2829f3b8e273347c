--- rille.agent.clock -- beside the walk: what ends runs and tools in time, whether they wait or spin.
---
--- A watchdog task ends a run that waits. Deadlines end what does not wait: they strike the code that runs, anywhere;
--- so a run gets rid of its own before it finishes.
--- Invariant: nobody is struck while telling how a run ended.

local core = require "rille.core"
local failure = require "rille.failure"
local limits = require "rille.limits"
local time = require "rille.time"

local clock = {}

local SPIN_GRACE <const> = 0.05   -- seconds that the watchdog has before a deadline strikes
local FINISH <const> = 1          -- seconds that a run may take to tell its end


--- Has a run end at its limit of seconds.
---@param run rille.Run
function clock.watch(run)
  local seconds, limit = run.limits:seconds_left()
  seconds = math.max(0, seconds)
  local late = limits.reached("seconds", limit)
  run.watchdog = core.spawn(function()
    time.sleep(seconds)
    run:abort(late)
  end)
  run.task:deadline(seconds + SPIN_GRACE, late)
end


--- Why a run ends. What a deadline breaks off in the middle may tell of something else.
---@param run rille.Run
---@param trouble rille.Failure
---@return rille.Failure
function clock.why(run, trouble)
  if run.stopping then return trouble end
  local left, limit = run.limits:seconds_left()
  return left and left <= 0 and limits.reached("seconds", limit) or trouble
end


--- A run with a limit of seconds, or inside another one, is over but for its last event.
---@param run rille.Run
function clock.release(run)
  if run.watchdog then run.watchdog:cancel() end
  run.task:deadline(FINISH, failure.new("timeout", "a handler of the last event took too long"))
end


--- What is said of a tool that takes too long.
local function words_of(tool, seconds)
  if tool._late_after ~= seconds then
    tool._late_after, tool._late_words = seconds, ("timed out after %g seconds and was stopped"):format(seconds)
  end
  return tool._late_words
end


--- How long a tool may run, and what ends it then: its own time, or that of the run when that is nearer.
---@param run rille.Run
---@param tool rille.Tool
---@return number seconds
---@return rille.Failure late
function clock.of_tool(run, tool)
  local seconds = tool.timeout or 60
  if run.limits.is_timed then
    local left, limit = run.limits:seconds_left()
    if left + SPIN_GRACE < seconds then return math.max(0, left) + SPIN_GRACE, limits.reached("seconds", limit) end
  end
  return seconds, failure.new("timeout", words_of(tool, seconds))   -- its own: who meets a failure may add to it
end


return clock
