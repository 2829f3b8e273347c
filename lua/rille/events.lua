--- rille.events -- beside the walk: what a run tells about itself, to handlers and to readers.
---
--- One bus per run; what happens in a nested run is told on the bus of every run around it, with the
--- path of names that leads there. The last event ("done" or "failed") stays with its own run, so that
--- a reader sees exactly one of them.
--- Invariant: telling never waits for a reader; where nobody listens nothing is built.

local await = require "rille.await"
local failure = require "rille.failure"
local log = require "rille.log"
local time = require "rille.time"

---@class rille.Event
---@field type string      one of events.types
---@field path string[]    names from the outermost agent inwards
---@field time number      rille.now() when it happened

local events = {}

--- The types that a handler can be given for.
events.types = {
  "request", "text", "reasoning", "refusal", "message", "tool_call", "tool_progress", "approval",
  "tool_result", "retry", "fallback", "handoff", "turn", "done", "failed",
}

--- What options.check wants to know about a table of handlers.
events.handler_types = {}
for _, name in ipairs(events.types) do events.handler_types[name] = "callable" end


-- ---------------------------------------------------------------- readers

---@class rille.EventReader   a callable: each call gives the next event, nil after the last one
local Reader = {}
Reader.__index = Reader


local NONE <const> = {}   -- of most readers and buses: neither questions, nor handlers, nor readers
Reader.questions = NONE


--- The list with one entry more.
local function append(list, entry)
  if list == NONE then return { entry } end
  list[#list + 1] = entry
  return list
end


--- Questions that were put to this reader, and that it leaves behind, are not going to be answered by it.
local function pass_questions(self)
  local questions = self.questions
  self.questions = nil
  for _, question in ipairs(questions) do question:_pass(self) end
end


--- The next event; parks until there is one.
---@async
---@return rille.Event? event    nil after the last one
function Reader:__call()
  if self.questions[1] and #self.queue == 0 then
    time.sleep(0)   -- calls beside that one are asking, too: their questions come first
    if #self.queue == 0 then pass_questions(self) end
  end
  local event, why = self.queue:take(self.patience and self.patience())
  while not event and why and why.code == "timeout" do
    event, why = self.queue:take(self.patience())
  end
  if why then error(why, 0) end
  return event
end


--- Leaving the loop that reads.
function Reader:__close()
  self.closed = true
  self.queue:finish()
  pass_questions(self)
  if self.on_leave then self.on_leave() end
end


-- ---------------------------------------------------------------- the bus

---@class rille.Bus
---@field is_silent boolean    nobody listens, here or further out: what may be asked before has_listener is
local Bus = {}
Bus.__index = Bus


Bus.handlers, Bus.readers = NONE, NONE


--- The names that lead to an agent.
local function path_to(name, parent)
  if not parent then return { name } end
  local path = table.move(parent.path, 1, #parent.path, 1, {})
  path[#path + 1] = name
  return path
end


local function add_handlers(self, handlers)
  self.handlers, self.is_silent = append(self.handlers, handlers), false
end


---@param name string          of the agent
---@param parent? rille.Bus    of the run that this one is nested in
---@param first? table        handlers by event type; those of all tables are called in this order
---@param second? table
---@param third? table
---@return rille.Bus
function events.new(name, parent, first, second, third)
  local self = setmetatable({   -- with room for how it ends
    path = parent and path_to(name, parent) or { name }, is_silent = not parent, last = nil, is_told = nil,
  }, Bus)
  if parent then self.parent = parent end
  if first then add_handlers(self, first) end
  if second then add_handlers(self, second) end
  if third then add_handlers(self, third) end
  return self
end


--- After a hand-off another agent speaks.
---@param name string
function Bus:rename(name)
  self.path = path_to(name, self.parent)
end


--- Does anybody listen for one of these types, here or further out?
---@param kind string
---@param second? string
---@param third? string
---@return boolean
function Bus:has_listener(kind, second, third)
  local bus = self
  repeat
    if bus.readers[1] then return true end
    for i = 1, #bus.handlers do
      local handlers = bus.handlers[i]
      if handlers[kind] or second and handlers[second] or third and handlers[third] then return true end
    end
    bus = bus.parent
  until not bus
  return false
end


--- Is there a reader, here or further out? Unlike a handler it hears of an event when it gets its turn.
---@return boolean
function Bus:has_reader()
  local bus = self
  repeat
    if bus.readers[1] then return true end
    bus = bus.parent
  until not bus
  return false
end


--- The readers that will see an event of this bus.
---@return rille.EventReader[]
function Bus:all_readers()
  local readers, bus = {}, self
  while bus do
    for _, reader in ipairs(bus.readers) do
      if not reader.closed then readers[#readers + 1] = reader end
    end
    bus = bus.parent
  end
  return readers
end


local function complete(self, event, kind)
  event.type, event.path, event.time = kind, self.path, time.now()
  return event
end


local function deliver(self, event)
  for _, handlers in ipairs(self.handlers) do
    if handlers[event.type] then handlers[event.type](event) end
  end
  for i = #self.readers, 1, -1 do
    if self.readers[i].closed then table.remove(self.readers, i) end
  end
  for _, reader in ipairs(self.readers) do
    reader.queue:put(event)
    if event.type == "approval" then reader.questions = append(reader.questions, event) end
  end
end


--- Tells an event on this bus and on those around it. What a handler raises is raised here.
---@async
---@param kind string
---@param event table    its other fields
---@return rille.Event?  nil when nobody listened
function Bus:emit(kind, event)
  if not self:has_listener(kind) then return end
  complete(self, event, kind)
  local bus = self
  while bus do
    deliver(bus, event)
    bus = bus.parent
  end
  return event
end


--- Tells the last event, on this bus alone, and ends its readers. The outcome stands: what a
--- handler raises is logged. Called again, it goes on where it was cut short.
---@async
---@param kind "done"|"failed"
---@param event table
function Bus:finish(kind, event)
  self.last = self.last or complete(self, event, kind)
  if self.is_silent then
    self.is_told = true
    return
  end
  while self.readers[1] do
    self.readers[1].queue:put(self.last)
    self.readers[1].queue:finish()
    table.remove(self.readers, 1)
  end
  if self.is_told then return end
  self.is_told = true
  local ok, trouble = xpcall(deliver, failure.traced, self, self.last)
  if not ok then
    log.error("a handler of '%s' raised: %s", kind, trouble)
    log.debug("%s", trouble.traceback or "")
  end
end


--- A new reader. It sees every event from now on, and the last one in any case.
---@param on_leave? fun()       called when its loop is left
---@param patience? fun(): number?   seconds to wait before looking whether the run is still alive
---@return rille.EventReader
function Bus:reader(on_leave, patience)
  local reader = setmetatable({ queue = await.queue(), on_leave = on_leave, patience = patience }, Reader)
  if self.last then
    reader.queue:put(self.last)
    reader.queue:finish()
  else
    self.readers, self.is_silent = append(self.readers, reader), false
  end
  return reader
end


return events
