--- rille.completions -- beside the walk: chat completions as the API reference has them.
---
--- `rille.chat.completions.create(params, options)`: the body as the caller writes it, the response
--- as the server sent it. Towards OpenAI and strangers nothing is rewritten beyond what every
--- server demands; a profile that must be helped still is.
--- Invariant: nothing is sent that the caller did not set, not even stream_options.
--- Source: public contract §1; wire contract §1.

local asked = require "rille.completions.asked"
local chat = require "rille.chat"
local core = require "rille.core"
local failure = require "rille.failure"
local images = require "rille.rewrite.images"
local json = require "rille.json"

local completions = {}


-- ---------------------------------------------------------------------------- what is sent

--- A call with its arguments as text: no server takes an object (R18).
local function plain_call(call)
  local inner = type(call) == "table" and call["function"]
  if type(inner) ~= "table" or type(inner.arguments) ~= "table" then return call end
  local made, outer = {}, {}
  for key, value in pairs(inner) do made[key] = value end
  for key, value in pairs(call) do outer[key] = value end
  made.arguments = json.encode(inner.arguments)
  outer["function"] = made
  return outer
end


--- The message as it is, but for what no server takes: an empty tool_calls, arguments that are no
--- text, local images.
local function plain_message(message)
  local calls = message.tool_calls
  if message.role == "assistant" and type(calls) == "table" then
    local made = {}
    for key, value in pairs(message) do made[key] = value end
    made.tool_calls = nil
    for i, call in ipairs(calls) do
      made.tool_calls = made.tool_calls or json.array {}
      made.tool_calls[i] = plain_call(call)
    end
    if not made.tool_calls and made.content == nil then made.content = "" end
    message = made
  end
  return images.inline(message)
end


local function check_message(message, i, level)
  if type(message) ~= "table" then
    error(("%s: messages[%d]: table expected, got %s"):format(asked.NAME, i, type(message)), level + 1)
  end
  if type(message.role) ~= "string" then
    error(("%s: messages[%d].role: string expected, got %s"):format(asked.NAME, i, type(message.role)),
      level + 1)
  end
end


--- → transcript | nil, failure
local function transcript_of(messages, level)
  if type(messages) == "userdata" then return messages end
  if type(messages) ~= "table" then
    error(("%s: messages: list expected, got %s"):format(asked.NAME, type(messages)), level + 1)
  end
  local list = {}
  for i, message in ipairs(messages) do
    check_message(message, i, level + 1)
    local made, trouble = plain_message(message)
    if not made then return nil, trouble end
    list[i] = made
  end
  local ok, made = pcall(core.transcript, list)
  if ok then return made end
  for i, message in ipairs(list) do asked.check_member(("messages[%d]"):format(i), message, level + 1) end
  error(("%s: messages: %s"):format(asked.NAME, tostring(made)), level + 1)
end


-- ---------------------------------------------------------------------------- streams

---@class rille.CompletionStream
---@operator call: table?
local Stream = {}
Stream.__index = Stream
Stream.__name = "rille.CompletionStream"


--- The next chunk, as received; nil at the end. `for chunk in stream do` calls it.
---@async
---@return table? chunk
function Stream:next()
  while true do
    local kind, chunk = self._exchange:next()
    if kind == nil or kind == "chunk" then return chunk end
  end
end


--- Waits for the end and returns what the chunks add up to.
---@async
---@return table? completion
---@return rille.Failure? failure   with `partial`, what had arrived; code "cancelled" when the
---  stream was closed
function Stream:completion()
  local completion, trouble = self._exchange:finish()
  if completion then return completion end
  return nil, trouble
end


--- Ends the stream now: the transfer stops. Idempotent.
function Stream:close()
  self._exchange:close()
end


function Stream:__call()
  return self:next()
end


Stream.__close = Stream.close


function Stream:__gc()
  self._exchange:drop()
end


-- ---------------------------------------------------------------------------- the function

local function start(params, given, level)
  local wish = asked.wish(params, given, level + 1)
  local transcript, trouble = transcript_of(params.messages, level + 1)
  if not transcript then return nil, trouble end
  return chat.ask(wish, transcript, nil, params.stream == true and "chunks" or nil, given and given.on_retry)
end


--- Creates a chat completion.
---
--- With `stream = true` the result is a stream: `for chunk in stream do … end`,
--- `stream:completion()`, `stream:close()`. Iterating over the call itself (`for chunk in
--- rille.chat.completions.create{…} do`) closes the stream when the loop is left; so does `local
--- stream <close> = …`.
---@async
---@param params table     the request body: model, messages, and every other parameter, unknown
---  ones too; tools may be rille tools
---@param given? table     provider, base_url, api_key, headers, query, timeout = {connect=10,
---  first_byte=600, idle=120, total=nil}
---                        (seconds; false: no limit), retries = 2, extra (merged last; json.absent
---                        removes), insecure, on_retry
---@return table|rille.CompletionStream|nil result   the response with nulls as nil, or the stream
---@return rille.Failure? failure
---Source: platform.openai.com/docs/api-reference/chat/create
function completions.create(params, given)
  local exchange, trouble = start(params, given, 2)
  if not exchange then return nil, trouble end
  if params.stream == true then
    local stream = setmetatable({ _exchange = exchange }, Stream)
    return stream, nil, nil, stream
  end
  local _ <close> = exchange
  local completion, refused = exchange:finish()
  if completion then return completion end
  return nil, failure.from(refused)
end


return completions
