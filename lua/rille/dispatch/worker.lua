--- rille.dispatch.worker -- walk 12: one tool in a task of its own, under its timeout.
---
--- Invariant: when `worker.run` is left the tool has ended, or was cancelled and had its time to clean up;
--- and the call has an outcome.

local await = require "rille.await"
local clock = require "rille.agent.clock"
local core = require "rille.core"
local failure = require "rille.failure"
local log = require "rille.log"
local nesting = require "rille.agent.nesting"
local result = require "rille.dispatch.result"
local time = require "rille.time"

local worker = {}

local CANCEL_GRACE <const> = 1.2   -- seconds to clean up when the run is cancelled: so the run still hears of it

local CLOCK_GRAIN <const> = 0.005    -- seconds that the loop's clock may be behind or ahead

local NO_NULLS <const> = { nulls = false }
local over <const> = { done = true, failed = true, cancelled = true }


--- Has this task ended?
---@param task rille.Task
---@return boolean
function worker.is_over(task)
  return over[task:status()] == true
end


local function keep(outcome, ok, value, reason)
  outcome.ok, outcome.value, outcome.reason = ok, value, reason
end


--- The tool's task. What the tool returned is kept in `outcome` even if the task is cancelled while it returns.
local function work(record, late, outcome)
  local arguments = record.arguments
  if record.kind == "function" then arguments = core.json_decode(arguments, NO_NULLS) end

  local function on_raise(value)   -- runs before the tool's own clean-up, which may ask
    record.cancelled = record.cancelled or rawequal(value, late) or failure.is(value) and value.code == "cancelled"
    return failure.traced(value)
  end

  outcome.begun = true
  nesting.enter(record.context)
  keep(outcome, xpcall(record.tool.run, on_raise, arguments, record.context))
end


--- The one clock of a tool: it ends what waits and what spins, and everything that the tool started.
local function await_end(record, task, seconds, late)
  record.deadline = time.now() + seconds - CLOCK_GRAIN
  task:deadline(seconds, late)
  local _, why = task:join()
  return rawequal(why, late) and "Error: " .. late.message or nil
end


local function log_crash(name, trouble)
  log.warn("tool '%s' failed: %s", name, trouble)
  if trouble.traceback then log.debug("%s", trouble.traceback) end
end


--- What the tool left behind, as content.
local function read(record, outcome)
  local value, reason, most = outcome.value, outcome.reason, record.tool.max_result_bytes or 65536
  if outcome.ok == nil then return "Error: the tool was stopped", false end
  if outcome.ok then return result.encode(value, reason, reason ~= nil and 2 or 1, most) end
  log_crash(record.name, value)
  return result.cap(result.crash(value), most), false
end


--- The run stops while the tool runs. A tool that finished in spite of it has a result.
local function interrupt(record, task, outcome, why)
  record.cancelled = true
  task:cancel(why)
  if await.can_wait() then pcall(task.join, task, CANCEL_GRACE) end
  if outcome.ok then return read(record, outcome) end
  if not outcome.begun then return "Error: not run: " .. why.message, false end
  return ("Error: interrupted while it ran (%s); it may have had effects"):format(why.message), false
end


--- Runs the tool of a call.
---@async
---@param run rille.Run
---@param record rille.CallRecord
---@return string|table content
---@return boolean ok
---@return rille.Failure? stop    the failure that ended the wait: the run stops
function worker.run(run, record)
  local seconds, late = clock.of_tool(run, record.tool)
  local outcome = { begun = nil, ok = nil, value = nil, reason = nil }
  local task = core.spawn(work, record, late, outcome)
  local waited, timed_out = pcall(await_end, record, task, seconds, late)
  if not waited then
    local why = failure.from(timed_out)
    local content, ok = interrupt(record, task, outcome, why)
    return content, ok, why
  end
  if timed_out then return timed_out, false, late.code ~= "timeout" and late or nil end
  return read(record, outcome)
end


return worker
