--- rille.dispatch.context -- walk 12: what a tool may know and do beside its arguments.
---
--- Invariant: what a context shows of call and path is a copy; the bytes that run are frozen elsewhere.

local core = require "rille.core"
local failure = require "rille.failure"

---@class rille.Context
---@field value any                      what the caller of the run passed
---@field call {id: string, name: string, arguments: table|string}
---@field agent rille.Agent
---@field path string[]                  names of agents from the outermost inwards to this one
---@field transcript rille.Transcript    as it was before this turn
local Context = {}

local context = {}

local NO_NULLS <const> = { nulls = false }


---@param run rille.Run
---@param record rille.CallRecord
---@return rille.Context
function context.new(run, record)
  return setmetatable({
    value = run.value, agent = run.agent, transcript = run.transcript, _run = run, _record = record,
  }, Context)
end


--- The call as others may see it: a fresh copy each time.
---@return {id: string, name: string, arguments: table|string}
function Context:shown_call()
  local record = self._record
  local arguments = record.arguments
  if record.kind == "function" then arguments = core.json_decode(arguments, NO_NULLS) end
  return { id = record.id, name = record.name, arguments = arguments }
end


--- Copies that are made when somebody asks for them.
local copies <const> = {
  call = Context.shown_call,
  path = function(self)
    local path = self._run.bus.path
    return table.move(path, 1, #path, 1, {})
  end,
}


function Context:__index(name)
  local copy = copies[name]
  if not copy then return Context[name] end
  local made = copy(self)
  self[name] = made
  return made
end


--- Tells how far the work is, as a "tool_progress" event.
---@async
---@param value any
function Context:progress(value)
  local run = self._run
  local ok, trouble = xpcall(run.bus.emit, failure.traced, run.bus, "tool_progress",
    { call = self.call, value = value })
  if ok then return end
  if self:cancelled() or trouble.code == "cancelled" then error(trouble, 0) end
  run:abort(trouble)   -- a handler is at fault, not the tool
end


--- Is this call to end: cancelled, or over its time? For loops that do not wait for anything.
---@return boolean
function Context:cancelled()
  local task = self._record.task
  return self._run.stopping and true or task ~= nil and task:is_cancelled()
end


return context
