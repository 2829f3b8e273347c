--- rille.completions -- beside the walk: chat completions as the API reference has them.
---
--- `rille.chat.completions.create(params, options)`: the body as the caller writes it, the response
--- as the server sent it. Towards OpenAI and strangers nothing is rewritten beyond what every
--- server demands; a profile that must be helped still is.
--- Invariant: nothing is sent that the caller did not set, not even stream_options.
--- Source: public contract §1; wire contract §1.

local chat = require "rille.chat"
local core = require "rille.core"
local failure = require "rille.failure"
local images = require "rille.rewrite.images"
local json = require "rille.json"
local options = require "rille.options"
local provider = require "rille.provider"

local completions = {}

local OPTIONS <const> = {
  provider = { "string", "table" }, base_url = "string", api_key = { "string", "boolean" },
  headers = "table",
  query = "table", timeout = { "table", "number" }, retries = "integer", extra = "table",
  insecure = "boolean",
  on_retry = "callable",
}
local TIMEOUTS <const> = {
  connect = { "number", "boolean" }, first_byte = { "number", "boolean" },
  idle = { "number", "boolean" },
  total = { "number", "boolean" },
}
local NAME <const> = "rille.chat.completions.create"
--- Parameters that this client itself has to understand; the server judges the rest.
local PARAMETERS <const> = {
  model = { string = true, table = true, name = "name, list of names or scripted model" },
  stream = { boolean = true, name = "boolean" },
  tools = { table = true, name = "list" },
}
--- … and those that are no mere values, or are looked at elsewhere.
local OPAQUE <const> = { model = true, messages = true, tools = true }


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


--- What is of a wrong kind, or what JSON cannot hold, is a mistake of the caller, and named.
local function check_member(name, value, level)
  local ok, problem = pcall(json.encode, value)
  if not ok then error(("%s: %s: %s"):format(NAME, name, problem:gsub("^json: ", "")), level + 1) end
end


local function check_message(message, i, level)
  if type(message) ~= "table" then
    error(("%s: messages[%d]: table expected, got %s"):format(NAME, i, type(message)), level + 1)
  end
  if type(message.role) ~= "string" then
    error(("%s: messages[%d].role: string expected, got %s"):format(NAME, i, type(message.role)),
      level + 1)
  end
end


--- → transcript | nil, failure
local function transcript_of(messages, level)
  if type(messages) == "userdata" then return messages end
  if type(messages) ~= "table" then
    error(("%s: messages: list expected, got %s"):format(NAME, type(messages)), level + 1)
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
  for i, message in ipairs(list) do check_member(("messages[%d]"):format(i), message, level + 1) end
  error(("%s: messages: %s"):format(NAME, tostring(made)), level + 1)
end


--- One of a list of models is tried after the other.
local function check_models(models, level)
  for i, model in ipairs(type(models) == "table" and models or {}) do
    if type(model) ~= "string" and type(model) ~= "table" then
      local message = "%s: model: entry %d: name or scripted model expected, got %s"
      error(message:format(NAME, i, type(model)), level + 1)
    end
  end
end


local function check_tools(tools, level)
  for i, tool in ipairs(type(tools) == "table" and tools or {}) do
    if type(tool) ~= "table" then
      error(("%s: tools[%d]: table expected, got %s"):format(NAME, i, type(tool)), level + 1)
    end
    if not tool.definition then check_member(("tools[%d]"):format(i), tool, level + 1) end
  end
end


local function check_params(params, level)
  if type(params) ~= "table" then
    error(("%s: params: table expected, got %s"):format(NAME, type(params)), level + 1)
  end
  for name, wanted in pairs(PARAMETERS) do
    local value = params[name]
    if value ~= nil and value ~= json.null and not wanted[type(value)] then
      error(("%s: %s: %s expected, got %s"):format(NAME, name, wanted.name, type(value)), level + 1)
    end
  end
  for name, value in pairs(params) do
    if not OPAQUE[name] then check_member(tostring(name), value, level + 1) end
  end
  check_models(params.model, level + 1)
  check_tools(params.tools, level + 1)
end


--- Values of a header or a query: texts, numbers, and booleans (false takes one of the provider's away).
local function check_values(values, what, level)
  for name, value in pairs(values or {}) do
    local kind = type(value)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and not (kind == "table" and what == "query") then
      error(("%s: %s: '%s': string expected, got %s"):format(NAME, what, tostring(name), kind), level + 1)
    end
  end
end


local function check_options(given, level)
  options.check(given, OPTIONS, NAME, level + 1)
  if not given then return end
  local timeout = type(given.timeout) == "table" and given.timeout or { total = given.timeout }
  options.check(timeout, TIMEOUTS, NAME .. ": timeout", level + 1)
  for name, seconds in pairs(timeout) do
    if seconds and seconds < 0 then error(("%s: timeout: %s is negative"):format(NAME, name), level + 1) end
  end
  check_values(given.headers, "headers", level + 1)
  check_values(given.query, "query", level + 1)
  if given.retries and given.retries < 0 then error(NAME .. ": retries: 0 or more", level + 1) end
  provider.check(given.provider, level + 1)
  for name, value in pairs(given.extra or {}) do
    if value ~= json.absent then check_member("extra." .. tostring(name), value, level + 1) end
  end
end


--- Parameters and options as one request of rille.chat.
local function request_of(params, given, transcript)
  local request = { verbatim = true, usage = false, messages = transcript, params = {} }
  for name, value in pairs(given or {}) do request[name] = value end
  for name, value in pairs(params) do request.params[name] = value end
  request.model, request.tools = params.model, type(params.tools) == "table" and params.tools or nil
  request.params.model, request.params.messages, request.params.tools = nil, nil, nil
  request.stream = params.stream == true
  request.want = request.stream and "chunks" or nil
  return request
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
  check_params(params, level + 1)
  check_options(given, level + 1)
  local transcript, trouble = transcript_of(params.messages, level + 1)
  if not transcript then return nil, trouble end
  return chat.start(request_of(params, given, transcript))
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
