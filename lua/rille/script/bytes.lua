--- rille.script.bytes -- beside the walk: one step of a script as the bytes a server would send.
---
--- Pure: an answer and the request in, a response `{status, headers, body, cuts, pause}` out.
--- Invariant: the chunk sequence is the one of the OpenAI API (role, deltas, finish, usage,
--- [DONE]); text is cut between characters, never inside one.
--- Source: https://platform.openai.com/docs/api-reference/chat-streaming; RFC 8259.

local json = require "rille.json"

local bytes = {}

local default_size <const> = 4   -- characters per delta: about one token


--- Returns a function that marks a table to be encoded with its keys in this order.
local function ordered(...)
  local metatable = { __jsontype = "object", __jsonorder = { ... } }
  return function(members) return setmetatable(members, metatable) end
end

local as_completion <const> = ordered("id", "object", "created", "model", "choices", "usage",
  "service_tier", "system_fingerprint")
local as_chunk <const> = ordered("id", "object", "created", "model", "service_tier",
  "system_fingerprint", "choices", "usage")
local as_choice <const> = ordered("index", "message", "delta", "logprobs", "finish_reason")
local as_message <const> = ordered("role", "content", "refusal", "annotations",
  "reasoning_content", "tool_calls")
local as_call <const> = ordered("index", "id", "type", "function", "custom")
local as_function <const> = ordered("name", "arguments")
local as_custom <const> = ordered("name", "input")
local as_usage <const> = ordered("prompt_tokens", "completion_tokens", "total_tokens")
local as_error <const> = ordered("message", "type", "param", "code")


--- Cuts text into pieces of `size` characters; bytes that are no UTF-8 are kept.
---@param text string
---@param size? integer    characters per piece, default 4
---@return string[]
function bytes.pieces(text, size)
  size = size or default_size
  local pieces, from, count = {}, 1, 0
  for position in text:gmatch("()[^\128-\191]") do
    if count == size then
      pieces[#pieces + 1] = text:sub(from, position - 1)
      from, count = position, 0
    end
    count = count + 1
  end
  if from <= #text then pieces[#pieces + 1] = text:sub(from) end
  return pieces
end


local function finish_reason(answer)
  if answer.finish_reason ~= nil then return answer.finish_reason end
  return answer.calls and "tool_calls" or "stop"
end


--- A call as it stands in a message; with `index` as it opens in a stream, arguments still empty.
local function wire_call(call, index)
  local text = index and "" or call.arguments
  if call.type == "custom" then
    return as_call { index = index, id = call.id, type = "custom",
      custom = as_custom { name = call.name, input = text } }
  end
  return as_call { index = index, id = call.id, type = "function",
    ["function"] = as_function { name = call.name, arguments = text } }
end


local function call_fragment(call, index, fragment)
  if call.type == "custom" then return as_call { index = index, custom = { input = fragment } } end
  return as_call { index = index, ["function"] = { arguments = fragment } }
end


local function message_of(answer)
  local message = {}
  for name, value in pairs(answer.message or {}) do message[name] = value end
  message.role = message.role or "assistant"
  message.content = answer.text or json.null
  message.refusal = answer.refusal or json.null
  message.annotations = message.annotations or json.array {}
  message.reasoning_content = answer.reasoning
  if answer.calls then
    local calls = {}
    for i, call in ipairs(answer.calls) do calls[i] = wire_call(call) end
    message.tool_calls = json.array(calls)
  end
  return as_message(message)
end


--- Members that the script's author added to the message travel in the opening delta.
local function opening_delta(answer)
  local delta = {}
  for name, value in pairs(answer.message or {}) do delta[name] = value end
  delta.role = delta.role or "assistant"
  if answer.text or answer.reasoning then
    delta.content = ""
  else
    delta.content = json.null
  end
  delta.refusal = json.null
  return as_message(delta)
end


local function add_text_deltas(deltas, answer)
  for _, piece in ipairs(bytes.pieces(answer.reasoning or "", answer.delta)) do
    deltas[#deltas + 1] = { delta = { reasoning_content = piece } }
  end
  local pieces = answer.chunks or bytes.pieces(answer.text or "", answer.delta)
  local tokens = answer.logprobs and answer.logprobs.content
  for i, piece in ipairs(pieces) do
    local entry = { delta = { content = piece } }
    if tokens then   -- the last piece takes what is left
      local last = i == #pieces and #tokens or i
      local logprobs = { content = json.array(table.move(tokens, i, last, 1, {})),
        refusal = json.null }
      entry.logprobs = json.object(logprobs)
    end
    deltas[#deltas + 1] = entry
  end
  for _, piece in ipairs(bytes.pieces(answer.refusal or "", answer.delta)) do
    deltas[#deltas + 1] = { delta = { refusal = piece } }
  end
end


local function add_call_deltas(deltas, answer)
  local function add(call)
    deltas[#deltas + 1] = { delta = { tool_calls = json.array { call } } }
  end
  for i, call in ipairs(answer.calls or {}) do
    add(wire_call(call, i - 1))
    for _, fragment in ipairs(bytes.pieces(call.arguments, answer.delta)) do
      add(call_fragment(call, i - 1, fragment))
    end
  end
end


--- The deltas of one choice, in the order in which a server sends them.
local function deltas_of(answer)
  local deltas = { { delta = opening_delta(answer) } }
  add_text_deltas(deltas, answer)
  add_call_deltas(deltas, answer)
  deltas[#deltas + 1] = { delta = json.object {}, finish_reason = finish_reason(answer) }
  return deltas
end


--- Texts of a message's content, whatever its form.
local function content_length(content)
  if type(content) == "string" then return #content end
  local length = 0
  for _, part in ipairs(type(content) == "table" and content or {}) do
    if type(part) == "table" and type(part.text) == "string" then length = length + #part.text end
  end
  return length
end


local function said_by(answer)
  local length = #(answer.text or "") + #(answer.reasoning or "") + #(answer.refusal or "")
  for _, call in ipairs(answer.calls or {}) do length = length + #call.arguments end
  return length
end


--- What the script says about usage; where it says nothing, about four bytes a token.
local function usage_of(answers, request)
  local given = answers[1].usage
  if given == false then return json.null end
  local usage, prompt, completion = {}, 0, 0
  for _, message in ipairs(type(request.messages) == "table" and request.messages or {}) do
    prompt = prompt + 4 + content_length(message.content) // 4
  end
  for _, answer in ipairs(answers) do
    completion = completion + said_by(answer)
  end
  usage.prompt_tokens, usage.completion_tokens = prompt, completion // 4 + 1
  for name, value in pairs(given or {}) do usage[name] = value end
  usage.total_tokens = given and given.total_tokens or usage.prompt_tokens + usage.completion_tokens
  return as_usage(usage)
end


local function stamped(as, object, answer, members)
  members.id, members.object, members.created = answer.id, object, answer.created
  members.model, members.service_tier = answer.model, answer.service_tier
  members.system_fingerprint = answer.system_fingerprint
  return as(members)
end


--- One JSON text for each event of the stream, without [DONE].
local function events_of(answers, request)
  local events, longest, all = {}, 0, {}
  local options = type(request.stream_options) == "table" and request.stream_options or {}
  local wants_usage = options.include_usage
  local usage = wants_usage and json.null or nil
  local function add(choices, chunk_usage)
    local members = { choices = json.array(choices), usage = chunk_usage }
    local chunk = stamped(as_chunk, "chat.completion.chunk", answers[1], members)
    events[#events + 1] = json.encode(chunk)
  end
  for i, answer in ipairs(answers) do
    all[i] = deltas_of(answer)
    longest = math.max(longest, #all[i])
  end
  for step = 1, longest do
    for i, deltas in ipairs(all) do
      local entry = deltas[step]
      if entry then
        add({ as_choice { index = i - 1, delta = entry.delta,
          logprobs = entry.logprobs or json.null,
          finish_reason = entry.finish_reason or json.null } }, usage)
      end
    end
  end
  if wants_usage then add({}, usage_of(answers, request)) end
  return events
end


local function stream(answers, request)
  local lines, cuts, length = {}, {}, 0
  local events = events_of(answers, request)
  events[#events + 1] = "[DONE]"
  for i, event in ipairs(events) do
    lines[i] = "data: " .. event .. "\n\n"
    length = length + #lines[i]
    if i < #events then cuts[i] = length end
  end
  return table.concat(lines), cuts
end


local function body(answers, request)
  local choices = {}
  for i, answer in ipairs(answers) do
    choices[i] = as_choice { index = i - 1, message = message_of(answer),
      logprobs = answer.logprobs or json.null, finish_reason = finish_reason(answer) }
  end
  local members = { choices = json.array(choices), usage = usage_of(answers, request) }
  return json.encode(stamped(as_completion, "chat.completion", answers[1], members))
end


--- The response for a successful step.
---
--- Each answer is one choice: `text refusal reasoning calls finish_reason logprobs message chunks
--- delta`; the first also carries what belongs to the whole: `id created model usage service_tier
--- system_fingerprint pause`. Every call has `id`, `name`, `type` and its `arguments` as text.
---@param answers table[]   at least one
---@param request table     the decoded request body; `stream` and `stream_options` decide the form
---@return {status: integer, headers: string[], body: string, cuts?: integer[], pause?: number}
function bytes.answer(answers, request)
  if request.stream ~= true then
    return { status = 200, headers = { "Content-Type: application/json" },
      body = body(answers, request) }
  end
  local text, cuts = stream(answers, request)
  local pause = answers[1].pause
  return { status = 200, headers = { "Content-Type: text/event-stream; charset=utf-8" },
    body = text, cuts = pause and cuts or nil, pause = pause }
end


--- The response for a failure step, with the error body of the API.
---@param status integer
---@param error {message: string, type?: string, param?: string, code?: string}
---@param headers? string[]    whole lines
---@return {status: integer, headers: string[], body: string}
function bytes.failure(status, error, headers)
  local body_error = as_error { message = error.message, type = error.type or json.null,
    param = error.param or json.null, code = error.code or json.null }
  local lines = { "Content-Type: application/json" }
  table.move(headers or {}, 1, #(headers or {}), 2, lines)
  return { status = status, headers = lines, body = json.encode { error = body_error } }
end


return bytes
