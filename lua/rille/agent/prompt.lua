--- rille.agent.prompt -- walk 1: what the caller says, as messages; and what a transcript needs before more
--- can be said.
---
--- Invariant: what is appended to a transcript keeps it sendable: every call has its result, right after
--- the message that made it, and no result stands without its call.
--- Source: wire contract §1.3, ordering rules.

local json = require "rille.json"

local prompt = {}

local INTERRUPTED <const> = "Error: interrupted; there is no result"
local roles <const> = { system = true, developer = true, user = true, assistant = true, tool = true }


local function check_message(message, i, level)
  local role = type(message) == "table" and message.role
  if not roles[role] then
    error(("prompt: message %d: role system, developer, user, assistant or tool expected, got %s"):format(i,
      tostring(role)), level + 1)
  end
end


local function read_messages(list, level)
  for i, message in ipairs(list) do check_message(message, i, level + 1) end
  return prompt.repaired(list)
end


local function read_table(given, level)
  local first = given[1]
  if given.role then return (read_messages({ given }, level + 1)) end   -- no tail calls: errors count levels
  if given.type then return { { role = "user", content = { given } } } end
  if type(first) == "table" and first.role then return (read_messages(given, level + 1)) end
  if type(first) == "table" and first.type then return { { role = "user", content = given } } end
  error("prompt: a string, content parts or messages expected", level + 1)
end


--- Turns a prompt into messages. Raises for what is none, and for what JSON cannot hold.
---@param given string|table|nil    a text, a content part or a list of them, a message or a list of them;
---                                 nil: nothing more is said
---@param level integer             whose line is blamed, as for error
---@return table[] messages
function prompt.read(given, level)
  if given == nil then return {} end
  if type(given) == "string" then return { { role = "user", content = given } } end
  if type(given) ~= "table" then
    error("prompt: a string, content parts or messages expected, got " .. type(given), level + 1)
  end
  local messages = read_table(given, level + 1)
  local ok, problem = pcall(json.encode, messages)
  if not ok then error("prompt: " .. tostring(problem), level + 1) end
  return messages
end


--- The ids that a message's calls wait for, in order.
local function open_ids(message)
  local ids = {}
  if message.role == "assistant" and type(message.tool_calls) == "table" then
    for i, call in ipairs(message.tool_calls) do ids[i] = call.id end
  end
  return ids
end


local function close_calls(out, ids, answers)
  for _, id in ipairs(ids) do
    out[#out + 1] = answers[id] or { role = "tool", tool_call_id = id, content = INTERRUPTED }
  end
end


--- The same messages with every call answered once, in call order, and without results that belong to no call.
---@param messages table[]
---@return table[]
function prompt.repaired(messages)
  local out, i = {}, 1
  while messages[i] do
    local message = messages[i]
    i = i + 1
    if message.role ~= "tool" then
      out[#out + 1] = message
      local answers = {}
      while messages[i] and messages[i].role == "tool" do
        local id = messages[i].tool_call_id
        if id ~= nil then answers[id] = answers[id] or messages[i] end
        i = i + 1
      end
      close_calls(out, open_ids(message), answers)
    end
  end
  return out
end


local function is_same(a, b)
  for i = 1, math.max(#a, #b) do
    if not rawequal(a[i], b[i]) then return false end
  end
  return true
end


--- Answers calls that were left open at the end of a transcript: by a process that died, by a program that wrote it
--- itself.
local function close_open_calls(transcript)
  local at = #transcript
  if at == 0 then return end
  while at > 0 and transcript[at].role == "tool" do at = at - 1 end
  if at == 0 then return transcript:truncate(0) end
  local tail = {}
  for i = at, #transcript do tail[#tail + 1] = transcript[i] end
  local repaired = prompt.repaired(tail)
  if is_same(repaired, tail) then return end
  transcript:truncate(at)
  for i = 2, #repaired do transcript:append(repaired[i]) end
end


--- Appends messages to a transcript.
---@param transcript rille.Transcript
---@param messages table[]
function prompt.enter(transcript, messages)
  close_open_calls(transcript)
  transcript:append_all(messages)
end


return prompt
