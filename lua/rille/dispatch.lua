--- rille.dispatch -- walk 11 and 13: the one door through which every call goes.
---
--- look up → parse → validate → limits → policy and approval → run under its timeout, in a task of its
--- own → encode and cap → one result. Calls run side by side; results stand in call order.
--- Invariants: exactly one result per call, whatever happens; nothing raises out of here; no tool runs
--- any other way; what runs is what was validated and approved, byte for byte.
--- Source: wire contract §3.5, reliability contract §3 row 1, §4.4.

local await = require "rille.await"
local calls = require "rille.dispatch.calls"
local core = require "rille.core"
local failure = require "rille.failure"
local lazy = require "rille.lazy"
local lookup = require "rille.dispatch.lookup"
local repeats = require "rille.repeats"
local time = require "rille.time"
local worker = require "rille.dispatch.worker"
local approval = lazy "rille.approval"   ---@module "rille.approval"

local dispatch = {}

local LANES_GRACE <const> = 1.6   -- seconds for calls side by side to end when the run stops


-- ---------------------------------------------------------------- one call

--- Gives a call its one result.
local function answer(run, record, content, ok)
  if record.content ~= nil then return end
  record.content, record.ok = content, ok
  if run.bus.is_silent or not run.bus:has_listener("tool_result") then return end
  run.bus:emit("tool_result", { call = lookup.shown(record), content = content, ok = ok,
    seconds = record.ran and time.now() - record.ran or 0 })
end


local function refuse(run, record, reason)
  answer(run, record, "Error: " .. reason, false)
end


--- What its tool's policy says, or those who are asked.
local function is_approved(run, record)
  local verdict = approval.decide(run, record, record.context)
  if not verdict.allowed then
    record.denied = true
    return refuse(run, record, verdict.reason and "denied: " .. verdict.reason or "denied")
  end
  if verdict.arguments then lookup.change(run, record, verdict.arguments) end
  return true
end


--- May it run? Otherwise it is answered with the reason.
local function is_allowed(run, record)
  if record.problem then return refuse(run, record, record.problem) end
  local reached = run.limits:take_call()
  if reached then
    run:stop(reached)
    return refuse(run, record, "not run: " .. reached.message)
  end
  return not record.tool.approve or is_approved(run, record)
end


local function perform(run, record)
  if not is_allowed(run, record) then return end
  record.ran = time.now()
  if not run.bus.is_silent and run.bus:has_listener("tool_call") then run.bus:emit("tool_call", { call = lookup.shown(record) }) end
  local content, ok, stop = worker.run(run, record)
  if stop then run:stop(stop) end
  answer(run, record, content, ok)
end


--- The wait for a tool has ended before the tool.
local function interrupt(run, record, why)
  run:stop(why)
  answer(run, record, worker.interrupt(record, why))
end


--- Works on one call. What raises in the middle ends the run.
---@return boolean goes_on
local function attempt(run, record)
  local ok, trouble = xpcall(perform, failure.traced, run, record)
  if ok then return true end
  if record.task and record.content == nil then return run:guarded(interrupt, run, record, trouble) end
  run:abort(trouble)
  return false
end


-- ---------------------------------------------------------------- several calls

--- Neighbours that may run beside each other form a group; a sequential tool is a group of its own.
local function groups_of(run, records)
  local groups, open = {}, nil
  for _, record in ipairs(records) do
    if run.ask.one_by_one or record.tool and record.tool.sequential then
      groups[#groups + 1], open = { record, next = 1 }, nil
    else
      if not open then
        open = { next = 1 }
        groups[#groups + 1] = open
      end
      open[#open + 1] = record
    end
  end
  return groups
end


--- Works through the calls of a group, beside other lanes, until none is left or the run stops.
local function lane(run, group)
  while not run.stopping do
    local record = group[group.next]
    if not record then return end
    group.next = group.next + 1
    if not attempt(run, record) then return end
  end
end


--- Waits for the other lanes; when the run is cancelled meanwhile, only for their grace.
local function join_lanes(run, lanes)
  local deadline
  for _, task in ipairs(lanes) do
    while not worker.is_over(task) do
      local left = deadline and deadline - time.now()
      if left and (left <= 0 or not await.can_wait()) then return end
      local ok, trouble = pcall(task.join, task, left)
      if not ok then
        run:stop(failure.from(trouble))
        deadline = deadline or time.now() + LANES_GRACE
      end
    end
  end
end


local function run_group(run, group)
  local others = math.min(#group, run.limits.concurrency) - 1
  if others < 1 then return lane(run, group) end
  local lanes = {}
  for i = 1, others do
    lanes[i] = core.spawn(lane, run, group)
  end
  lane(run, group)
  join_lanes(run, lanes)
end


--- A model that goes in circles is told so; at last the run stops.
local function watch_repeats(run, records)
  run.repeats = run.repeats or repeats.new(run.limits.repeats)
  local again, stop = run.repeats:observe(records)
  for i, count in next, again do
    local record = records[i]
    if type(record.content) == "string" then
      record.content = ("%s\n\n[This call gave the same result %d times. Do something else, or answer with what"
        .. " you have.]"):format(record.content, count)
    end
  end
  if stop then run:stop(stop) end
end


--- Answers what is still open, and puts the results in call order.
local function collect(run, records, reason)
  local results = { nil }   -- room for the one that most messages have
  for i = 1, #records do
    local record = records[i]
    if record.content == nil then
      reason = reason or "not run: " .. (run.stopping and run.stopping.message or "the run ended")
      run:guarded(refuse, run, record, reason)
    end
    results[i] = { role = "tool", tool_call_id = record.id, content = record.content }
  end
  return results
end


-- ---------------------------------------------------------------- the door

--- Runs the calls of a message. The message is put right in place: see rille.dispatch.calls.
---@async
---@param run rille.Run
---@param message table              an assistant message
---@return table[] results           tool messages, one per call, in call order
function dispatch.calls(run, message)
  local records = calls.read(message, run.ask.tools)
  run.records = records
  for i = 1, #records do lookup.find(run, records[i]) end
  if records[2] then
    for _, group in ipairs(groups_of(run, records)) do run_group(run, group) end
  elseif records[1] and not run.stopping then
    attempt(run, records[1])
  end
  if not run.stopping then watch_repeats(run, records) end
  return collect(run, records)
end


--- Answers every call of a message without running any.
---@param run rille.Run
---@param message table
---@param reason string       for the model
---@return table[] results
function dispatch.refuse(run, message, reason)
  return collect(run, calls.read(message, run.ask.tools), reason)
end


return dispatch
