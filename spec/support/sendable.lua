--- sendable.lua -- would every server take this transcript? The ordering rules that OpenAI enforces, and what breaks
--- a history for good elsewhere: calls without results, arguments that are no JSON, bytes that are no UTF-8.
local core = require "rille.core"

local sendable = {}

local roles <const> = { system = true, developer = true, user = true, assistant = true, tool = true }

local function call_problem(call, seen)
  if type(call.id) ~= "string" or call.id == "" then return "a call without an id" end
  if seen[call.id] then return "two calls with the id " .. call.id end
  seen[call.id] = true
  if call.type == "custom" then return type(call.custom.input) ~= "string" and "a custom call without input" or nil end
  local called = call["function"]
  if type(called) ~= "table" then return "a call without a function" end
  if not tostring(called.name):find "^[%w_-]+$" or #called.name > 64 then return "the name " .. tostring(called.name) end
  local value = type(called.arguments) == "string" and core.json_decode(called.arguments)
  if type(value) ~= "table" or getmetatable(value) == core.array_metatable then
    return "arguments that are no object: " .. tostring(called.arguments)
  end
end

local function content_problem(message)
  local content = message.content
  if message.role == "assistant" then
    if content == nil and not message.tool_calls and not message.refusal and not message.audio then
      return "an assistant message that says nothing"
    end
    return message.tool_calls and #message.tool_calls == 0 and "an empty list of calls" or nil
  end
  if content == nil then return "no content" end
end

--- Results must follow their calls at once, in call order, one each.
local function results_problem(messages, at)
  local calls, seen = messages[at].tool_calls or {}, {}
  for i, call in ipairs(calls) do
    local problem = call_problem(call, seen)
    if problem then return problem end
    local result = messages[at + i]
    if not result or result.role ~= "tool" then return "no result for call " .. call.id end
    if result.tool_call_id ~= call.id then return "results out of order at " .. call.id end
  end
  return nil, #calls
end

--- What is wrong with a transcript, or nil.
--- @param transcript rille.Transcript
--- @return string? problem
function sendable.problem(transcript)
  local text = transcript:encode()
  if not utf8.len(text) then return "bytes that are no UTF-8" end
  local messages, at = transcript:messages(), 1
  while messages[at] do
    local message = messages[at]
    if not roles[message.role] then return ("message %d: role %s"):format(at, tostring(message.role)) end
    if message.role == "tool" then return ("message %d: a result without a call"):format(at) end
    local problem, results = results_problem(messages, at)
    problem = problem or content_problem(message)
    if problem then return ("message %d: %s"):format(at, problem) end
    at = at + 1 + (results or 0)
  end
end

--- Raises when the transcript cannot be sent.
--- @param transcript rille.Transcript
function sendable.check(transcript)
  local problem = sendable.problem(transcript)
  if problem then error(problem .. "\n" .. transcript:encode(), 2) end
end

return sendable
