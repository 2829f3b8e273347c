--- rille.agent.message -- beside the walk: questions about one message of a model.

local json = require "rille.json"

local message = {}


--- Does it ask for anything to be run?
---@param given table
---@return boolean
function message.has_calls(given)
  return type(given.tool_calls) == "table" and given.tool_calls[1] ~= nil
    or type(given.function_call) == "table"
end


--- Does it say nothing that a transcript should keep?
---@param given table
---@return boolean
function message.is_empty(given)
  if message.has_calls(given) or given.audio then return false end
  if type(given.refusal) == "string" and given.refusal ~= "" then return false end
  local content = given.content
  return content == nil or content == "" or type(content) == "table" and content[1] == nil
end


--- As it is kept: with `content` null, not absent, where servers want to see it.
---@param given table
---@return table
function message.kept(given)
  if given.content ~= nil then return given end
  local copy = {}
  for name, value in pairs(given) do copy[name] = value end
  copy.content = json.null
  return copy
end


local function append_each(transcript, list)
  for _, one in ipairs(list) do transcript:append(one) end
end


--- Appends messages to a transcript: all of them, or none when one cannot be encoded or memory is missing.
---@param transcript rille.Transcript
---@param list table[]
function message.append_all(transcript, list)
  local before = #transcript
  local ok, trouble = pcall(append_each, transcript, list)
  if ok then return end
  transcript:truncate(before)
  error(trouble, 0)
end


return message
