--- rille.dispatch.worker -- walk 12: one tool in a task of its own, under its timeout.
---
--- Invariant: when `worker.run` has returned, or `worker.interrupt`, the tool has ended, or was cancelled and had its
--- time to clean up; and the call has an outcome.

local await = require "rille.await"
local clock = require "rille.agent.clock"
local core = require "rille.core"
local log = require "rille.log"
local result = require "rille.dispatch.result"

local worker = {}

local CANCEL_GRACE <const> = 1.2   -- seconds to clean up when the run is cancelled: so the run still hears of it

local NO_NULLS <const> = { nulls = false }
local over <const> = { done = true, failed = true, cancelled = true }


--- Has this task ended?
---@param task rille.Task
---@return boolean
function worker.is_over(task)
  return over[task:status()] == true
end


local function log_crash(name, trouble)
  log.warn("tool '%s' failed: %s", name, trouble)
  if trouble.traceback then log.debug("%s", trouble.traceback) end
end


--- What a tool returned, as content.
local function returned(record, value, reason)
  return result.encode(value, reason, reason ~= nil and 2 or 1, record.tool.max_result_bytes or 65536)
end


local function raised(record, trouble)
  log_crash(record.name, trouble)
  return result.cap(result.crash(trouble), record.tool.max_result_bytes or 65536), false
end


--- The tool's task was cancelled, and not for its time. What it returned all the same is its result.
local function stopped(record)
  local has_returned, value, reason = record.task:returned()
  if has_returned then return returned(record, value, reason) end
  return "Error: the tool was stopped", false
end


--- What became of the tool, as content.
local function read(record, late, ok, value, reason)
  if ok then return returned(record, value, reason) end
  if ok == false then return raised(record, value) end
  if not rawequal(value, late) then return stopped(record) end
  return "Error: " .. late.message, false, late.code ~= "timeout" and late or nil
end


--- The run stops while the tool runs. A tool that finished in spite of it has a result.
---@async
---@param record rille.CallRecord
---@param why rille.Failure
---@return string|table content
---@return boolean ok
function worker.interrupt(record, why)
  local task = record.task
  task:cancel(why)
  if await.can_wait() then pcall(task.join, task, CANCEL_GRACE) end
  local has_returned, value, reason = task:returned()
  if has_returned then return returned(record, value, reason) end
  if not task:has_begun() then return "Error: not run: " .. why.message, false end
  return ("Error: interrupted while it ran (%s); it may have had effects"):format(why.message), false
end


--- Are there others who are to have their turn before the tool? Who reads of the call may still stop it; and calls of one
--- message that came one upon the other would keep the loop from turning, timers and cancels from coming through.
local function is_awaited(run)
  return run.records[2] ~= nil or not run.bus.is_silent and run.bus:has_reader()
end


--- Runs the tool of a call. The one clock of a tool is its task's deadline: it ends what waits and what spins, and
--- everything that the tool started. Raises when the run is cancelled meanwhile: then the tool is to be interrupted.
---@async
---@param run rille.Run
---@param record rille.CallRecord
---@return string|table content
---@return boolean ok
---@return rille.Failure? stop    the failure that ended the wait: the run stops
function worker.run(run, record)
  local tool, context, arguments = record.tool, record.context, record.decoded or record.arguments
  local seconds, late = clock.of_tool(run, tool)
  if arguments == record.arguments and record.kind == "function" then
    arguments = core.json_decode(arguments, NO_NULLS)
  end
  local task = core.spawn_for(context, seconds, late, tool.run, arguments, context)
  record.task = task
  if is_awaited(run) then task:join() end
  return read(record, late, task:outcome())
end


return worker
