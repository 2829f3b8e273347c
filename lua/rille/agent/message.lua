--- rille.agent.message -- beside the walk: questions about one message of a model.

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


return message
