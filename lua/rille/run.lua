--- rille.run -- beside the walk: one run, from prompt to final reply, in a task of its own.
---
--- It holds what the turn loop works on, and what the outside may do meanwhile: wait, cancel, steer, read events.
--- Invariants: a run ends exactly once, with a reply or a failure, whatever ends its task; its transcript
--- grows by whole turns (a message together with its results), so that it is sendable at any moment.

local clock = require "rille.agent.clock"
local core = require "rille.core"
local events = require "rille.events"
local failure = require "rille.failure"
local json = require "rille.json"
local limits = require "rille.limits"
local messages = require "rille.agent.message"
local time = require "rille.time"
local usage = require "rille.agent.usage"

---@class rille.Reply
---@field text string                  what the model said last; "" when it said nothing
---@field output? any                  the validated value, when the agent has an `output` schema
---@field refusal? string              why the model would not answer
---@field reasoning? string
---@field finish_reason? "stop"|"length"|"tool_calls"|"content_filter"
---@field usage table                  sum over all requests, nested ones too, and `requests`
---@field transcript rille.Transcript
---@field turns rille.Turn[]
---@field model? string                that answered last
---@field id? string                   of the last response

---@class rille.Run
---@field agent rille.Agent            who speaks now: a hand-off changes it
---@field transcript rille.Transcript
---@field usage table
---@field turns rille.Turn[]
---@field stopping rille.Failure|false  why it is about to end
local Run = {}
Run.__index = Run

local NOTHING <const> = {}

--- How a run begins: what it has not yet met, it finds here, and most never meet it.
Run.cuts, Run.repairs, Run.silences, Run.steering = 0, 0, 0, NOTHING
Run.ask, Run.ended, Run.handed_over, Run.models, Run.own_tools, Run.parent, Run.stopping =
  false, false, false, false, false, false, false

local run = {}


-- ---------------------------------------------------------------- the end

--- What there is so far.
---@return rille.Reply
function Run:partial()
  local turn = self.turns[#self.turns] or {}
  local message = turn.message or {}
  local text = self.partial_pieces and table.concat(self.partial_pieces) or message.content
  return {
    text = type(text) == "string" and text or "", refusal = message.refusal,
    reasoning = turn.reasoning, finish_reason = turn.finish_reason, usage = self.usage,
    transcript = self.transcript, turns = self.turns, model = turn.model, id = turn.id,
  }
end


--- The failure of this run: a copy, because one failure may end several runs.
local function own(trouble, reply)
  local copy = {}
  for name, value in pairs(trouble) do copy[name] = value end
  copy.reply = reply
  return setmetatable(copy, getmetatable(trouble))
end


--- Ends the run. The first outcome stays; the last event is told once, even if the first attempt was cut short.
function Run:_finish(reply, trouble)
  if not self.ended then
    if reply then self.reply = reply else self.failure = own(trouble, self:partial()) end
    self.ended = true
    if self.watchdog or self.parent then clock.release(self) end
  end
  if self.reply then
    self.bus:finish("done", { type = nil, path = nil, time = nil, reply = self.reply })
  else
    self.bus:finish("failed", { type = nil, path = nil, time = nil, failure = self.failure })
  end
end


local closing_metatable <const> = {
  __close = function(self)
    if self.run.bus.is_told then return end
    self.run:_finish(nil, self.run.stopping or failure.new("cancelled", "the run was ended by force"))
  end,
}


--- The run's task. <loop> takes its turns.
local function main(self, loop, prompt)
  local _ <close> = setmetatable({ run = self }, closing_metatable)
  local ok, reply, trouble = xpcall(loop, failure.traced, self, prompt)
  if not ok then reply, trouble = nil, reply end
  if self.stopping then reply, trouble = nil, self.stopping end
  self:_finish(reply, trouble and clock.why(self, trouble))
end


-- ---------------------------------------------------------------- stopping

--- Says that the run is to end, and why, without waking anybody. The first reason stays.
---@param trouble rille.Failure
function Run:stop(trouble)
  self.stopping = self.stopping or trouble
end


--- Ends the run now: whatever it waits for is abandoned.
---@param trouble rille.Failure
function Run:abort(trouble)
  self:stop(trouble)
  if not self.ended then self.task:cancel(trouble) end
end


--- Calls a function; what it raises ends the run.
---@return boolean ok
function Run:guarded(fn, ...)
  local ok, trouble = xpcall(fn, failure.traced, ...)
  if not ok then self:abort(trouble) end
  return ok
end


--- Cancels the run: the request, the tools that run, their child processes, nested runs. Returns at once;
--- the transcript stays sendable, and the last event is "failed" with code "cancelled".
---@param reason? string|rille.Failure
function Run:cancel(reason)
  if self.ended then return end
  if not failure.is(reason) then
    reason = failure.new("cancelled", reason and tostring(reason) or "the run was cancelled")
  end
  self:abort(reason)
  if not self.task:has_begun() then self:_finish(nil, self.stopping) end
end


--- A run that was cancelled together with its caller before it took its first step cannot say so itself.
function Run:_check_alive()
  local status = self.task:status()
  if not self.ended and (status == "cancelled" or status == "failed") then
    self:_finish(nil, self.stopping or failure.new("cancelled", "the run was cancelled before it began"))
  end
end


-- ---------------------------------------------------------------- from outside

--- Adds a user message before the next request. A run that was about to answer goes on for another turn.
---@param text string|table[]    a text, or content parts
---@return boolean accepted      false when the run has ended
function Run:steer(text)
  if type(text) ~= "string" and type(text) ~= "table" then
    error("run:steer: a string or content parts expected, got " .. type(text), 2)
  end
  json.encode(text)
  if self.ended or self.stopping then return false end
  if self.steering == NOTHING then self.steering = {} end
  self.steering[#self.steering + 1] = text
  return true
end


--- Waits for the end.
---@async
---@param seconds? number
---@return rille.Reply? reply
---@return rille.Failure? failure   of the run; code "timeout" when it still runs after `seconds`
function Run:wait(seconds)
  if seconds ~= nil and type(seconds) ~= "number" then
    error("run:wait: seconds: number expected, got " .. type(seconds), 2)
  end
  if not self.ended then
    local _, trouble = self.task:join(seconds)
    if not self.ended then self:_check_alive() end
    if not self.ended then return nil, trouble end
  end
  return self.reply, self.failure
end


--- A reader of the run's events, for `for event in run:events() do`: everything that happens from now on, and the last
--- event in any case. Leaving the loop leaves the run alone.
---@return rille.EventReader reader
---@return nil, nil
---@return rille.EventReader reader    closed when the loop is left
function Run:events()
  local reader = self:_reader()
  return reader, nil, nil, reader
end


---@param on_leave? fun()
---@return rille.EventReader
function Run:_reader(on_leave)
  return self.bus:reader(on_leave, function()
    if self.task:has_begun() then return nil end
    self:_check_alive()
    return 1
  end)
end


-- ---------------------------------------------------------------- for the loop

--- The function that is asked when a call needs approval: of this run, or of the nearest one around it.
---@return function?
function Run:approver()
  local outer = self
  while outer do
    local approve = outer.options.approve or outer.agent.approve
    if approve then return approve end
    outer = outer.parent
  end
end


--- Ends a turn: its message and the results of its calls enter the transcript as one.
---@async
---@param turn rille.Turn
function Run:commit(turn)
  self.turns[turn.number] = turn
  local results = turn.results
  if results[1] or not messages.is_empty(turn.message) then self.transcript:append_all(results, turn.message) end
  turn.seconds = time.now() - self.turn_started
  if not self.bus.is_silent then self.bus:emit("turn", { number = turn.number, usage = turn.usage }) end
end


--- What was said to the run meanwhile becomes messages of the user.
function Run:take_steering()
  local said = self.steering
  self.steering = NOTHING
  for _, text in ipairs(said) do self.transcript:append { role = "user", content = text } end
end


--- Adds a request's usage here and to the runs around.
---@param used? table
function Run:count(used)
  local outer = self
  while outer do
    usage.add(outer.usage, used)
    outer = outer.parent
  end
end


--- Another agent speaks from now on.
---@async
---@param successor rille.Agent
function Run:hand_over(successor)
  local from, openings = self.agent.name, self.openings or {}
  openings[self.agent] = self.opening   -- it may speak again
  self.openings, self.opening = openings, openings[successor]
  self.agent, self.handed_over, self.models = successor, true, false
  self.bus:rename(successor.name)
  self.bus:emit("handoff", { from = from, to = successor.name })
end


-- ---------------------------------------------------------------- starting

--- Starts a run. Inside a call of another run, however it came there, it is nested in that one.
---@param loop fun(run: rille.Run, prompt: any): rille.Reply?, rille.Failure?    its turns
---@param prompt any      as it came, for <loop>
---@param given table     becomes the run: agent, prompt (as messages), options, own_tools, transcript, parent (the run around,
---                       when that is known)
---@param own_limits? rille.LimitOptions    of a call as tool
---@return rille.Run
function run.start(loop, prompt, given, own_limits)
  local self, agent, options = setmetatable(given, Run), given.agent, given.options
  self.usage, self.turns, self.value = usage.new(), { nil, nil, nil, nil }, options.value   -- room for as many as are usual
  local task = core.spawn(main, self, loop, prompt)
  self.task = task
  local around = task:errand()   -- the context of a call: runs are nested in that of the call they came from
  local parent = self.parent or around and around._run
  self.limits = limits.new(parent and parent.limits, agent.limits, own_limits, options.limits)
  self.bus = events.new(agent.name, parent and parent.bus, agent.on, options.on)
  if parent then
    self.parent = parent
    if self.value == nil then self.value = parent.value end
  end
  if self.limits.seconds then clock.watch(self) end
  return self
end


return run
