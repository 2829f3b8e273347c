--- rille.transcript -- beside the walk: the ordered messages of one conversation.
---
--- Invariant: a message is encoded once, when it enters; what comes out is a copy, so nobody changes
--- what was said. The object itself is C (runtime/lua_transcript.c); this file gives it its manual.

local core = require "rille.core"

local transcript = {}

---@class rille.Message
---@field role string                     "system" "developer" "user" "assistant" "tool" …
---@field content? string|table[]         text, or a list of content parts
---@field tool_calls? table[]             of an assistant message
---@field tool_call_id? string            of a tool message
---@field [string] any                    whatever else the server sent

---@class rille.Transcript
---@field [integer] rille.Message?   a decoded copy, null as nil; -1 is the last; nil when there is none
---@field append fun(self, message: rille.Message): rille.Transcript
---   Adds a message at the end and returns the transcript. Raises when it is no table with a `role`, or
---   holds what JSON cannot.
---@field replace fun(self, i: integer, message: rille.Message): rille.Transcript
---   Puts another message in the place of number i (-1: the last). Raises when there is no such message.
---@field truncate fun(self, n: integer): rille.Transcript
---   Keeps the first n messages; more than there are changes nothing.
---@field clone fun(self): rille.Transcript
---   A transcript of its own with the same messages; their bytes are shared.
---@field messages fun(self): rille.Message[]
---   All messages, as decoded copies.
---@field encode fun(self): string
---   The messages as one JSON array.
---@operator len: integer

local metatable = getmetatable(core.transcript())


--- Is it a transcript?
---@param value any
---@return boolean
function transcript.is(value)
  return type(value) == "userdata" and getmetatable(value) == metatable
end


local function build(messages, level)
  if messages == nil then return core.transcript() end
  if transcript.is(messages) then return messages:clone() end
  if type(messages) ~= "table" then
    error(("transcript: messages: table expected, got %s"):format(type(messages)), level + 1)
  end
  if #messages == 0 and next(messages) ~= nil then
    error("transcript: messages: a list of messages expected, got a table with named members", level + 1)
  end
  local ok, made = pcall(core.transcript, messages)
  if not ok then error("transcript: " .. tostring(made), level + 1) end
  return made
end


--- Makes a transcript. Raises when a message is no table with a `role`, or holds what JSON cannot.
---@param messages? rille.Message[]|rille.Transcript   what it begins with
---@return rille.Transcript
function transcript.new(messages)
  local made = build(messages, 2)   -- no tail call: errors name the caller's line
  return made
end


return setmetatable(transcript, {
  __call = function(_, messages)
    local made = build(messages, 2)
    return made
  end,
})
