--- rille.agent.message -- beside the walk: questions about one message of a model.

local message = {}


--- Does it ask for anything to be run?
---@param given table
---@return boolean
function message.has_calls(given)
  local calls, single = given.tool_calls, given.function_call
  if calls == nil and single == nil then return false end
  return type(calls) == "table" and calls[1] ~= nil or type(single) == "table"
end


--- Does it say nothing that a transcript should keep?
---@param given table
---@return boolean
function message.is_empty(given)
  local content = given.content
  if content ~= nil and content ~= "" and type(content) == "string" then return false end
  if message.has_calls(given) or given.audio then return false end
  if type(given.refusal) == "string" and given.refusal ~= "" then return false end
  return content == nil or content == "" or type(content) == "table" and content[1] == nil
end


return message
