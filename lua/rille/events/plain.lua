--- rille.events.plain -- beside the walk: an event as JSON, for programs that are not written in Lua.
---
--- What `--format stream-json` prints and what a C host is handed. Invariant: every event can be told; where a value of
--- a tool is none that JSON holds, its text stands for it.

local failure = require "rille.failure"
local json = require "rille.json"

local plain = {}


--- A reply without what only Lua can hold; the transcript becomes `messages`.
---@param reply? rille.Reply
---@return table?
function plain.reply(reply)
  if not reply then return nil end
  local kept = {}
  for _, name in ipairs { "text", "output", "refusal", "reasoning", "finish_reason", "usage", "model", "id" } do
    kept[name] = reply[name]
  end
  if reply.transcript then kept.messages = json.array(reply.transcript:messages()) end
  return kept
end


--- A failure with the reply there was until then.
---@param problem rille.Failure
---@return table
function plain.failure(problem)
  local kept = {}
  for _, name in ipairs { "code", "message", "status", "retryable", "request_id", "provider" } do
    kept[name] = problem[name]
  end
  kept.reply = plain.reply(problem.reply)
  return kept
end


--- What an event carries as far as JSON can say it.
local function fields(event)
  local kept = {}
  for name, value in pairs(event) do
    if name == "reply" then
      kept.reply = plain.reply(value)
    elseif failure.is(value) then
      kept[name] = plain.failure(value)
    elseif type(value) ~= "function" and type(name) == "string" and name:sub(1, 1) ~= "_" then
      kept[name] = value
    end
  end
  return kept
end


--- Encodes a table of fields.
---@param kept table
---@return string json
function plain.encode(kept)
  local ok, text = pcall(json.encode, kept)
  if ok then return text end
  for name, value in pairs(kept) do
    if not pcall(json.encode, value) then kept[name] = tostring(value) end
  end
  return json.encode(kept)
end


--- An event as one line of JSON.
---@param event rille.Event
---@return string json
function plain.event(event)
  return plain.encode(fields(event))
end


return plain
