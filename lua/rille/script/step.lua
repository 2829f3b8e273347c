--- rille.script.step -- beside the walk: one step as its author wrote it, made complete.
---
--- A step is a text or a table; what it leaves out (ids, status texts, headers) is filled in here,
--- and rille.script.bytes makes the response of it.
--- Invariant: a step is never changed, so that a script can be run again.

local bytes = require "rille.script.bytes"
local json = require "rille.json"
local options = require "rille.options"

local steps = {}

local answer_options <const> = {
  text = "string", call = "table", calls = "table", refusal = "string", reasoning = "string",
  finish_reason = "any", usage = { "table", "boolean" }, id = "string", created = "integer",
  model = "string", delta = "integer", chunks = "table", delay = "number", pause = "number",
  logprobs = "table", message = "table", headers = "table", choices = "table",
  service_tier = "string", system_fingerprint = "string", failure = "table", raw = "table",
}

local failure_options <const> = {
  status = "integer", message = "string", type = "string", code = "string", param = "string",
  headers = "table", retry_after = "number", delay = "number",
}

local raw_options <const> = {
  status = "integer", headers = "table", body = "string", cuts = { "table", "integer" },
  delay = "number", pause = "number", abort = "boolean",
}

--- What servers say by status when the script does not: type, code, message.
local usual_errors <const> = {
  [400] = { "invalid_request_error", nil, "Invalid request." },
  [401] = { "invalid_request_error", "invalid_api_key", "Incorrect API key provided." },
  [403] = { "permission_error", nil, "You have no access to this model." },
  [404] = { "invalid_request_error", "model_not_found", "The model does not exist." },
  [408] = { "timeout", nil, "The request timed out." },
  [429] = { "rate_limit_error", "rate_limit_exceeded", "Rate limit reached." },
  [500] = { "server_error", nil, "The server had an error while processing your request." },
  [503] = { "server_error", nil, "The server is overloaded." },
}



local function with(step, more)
  for name, value in pairs(more or {}) do step[name] = value end
  return step
end

--- Header lines of a list of lines, or of a table name → value (sorted, so that runs agree).
local function header_lines(headers)
  local lines = {}
  for _, line in ipairs(headers or {}) do lines[#lines + 1] = line end
  for _, name in ipairs(options.names(headers or {})) do
    lines[#lines + 1] = ("%s: %s"):format(name, headers[name])
  end
  return lines
end


local function has_header(lines, name)
  for _, line in ipairs(lines) do
    if line:lower():match("^([^:]+):") == name then return true end
  end
  return false
end


local function wire_arguments(arguments)
  if type(arguments) == "string" then return arguments end
  return json.encode(arguments or json.object {})
end


local function read_call(settings, call)
  if type(call) == "string" then call = { call } end
  settings.calls = settings.calls + 1
  return {
    name = call.name or call[1] or "",
    arguments = wire_arguments(call.arguments or call.input or call[2]),
    type = call.type or call.input and "custom" or "function",
    id = call.id or ("call_%d"):format(settings.calls),
  }
end


--- One choice of an answer, complete and of its own: the step itself is never changed.
local function read_answer(settings, step, request)
  local answer = with({}, step)
  local calls = step.calls or step.call and { step.call }
  if calls then
    answer.calls = {}
    for i, call in ipairs(calls) do answer.calls[i] = read_call(settings, call) end
  end
  if not (calls or step.refusal or answer.text) then answer.text = "" end
  answer.id = step.id or ("chatcmpl-%d"):format(settings.number)
  answer.created = step.created or settings.created
  answer.model = step.model or settings.model or request.model or "scripted"
  answer.delta = step.delta or settings.delta
  answer.pause = step.pause or settings.pause
  answer.service_tier = step.service_tier or "default"
  answer.system_fingerprint = step.system_fingerprint or "fp_scripted"
  return answer
end


local function fail(fields)
  local status = fields.status or 500
  local usual = usual_errors[status] or usual_errors[status // 100 * 100] or usual_errors[500]
  local headers = header_lines(fields.headers)
  if fields.retry_after then
    headers[#headers + 1] = ("Retry-After: %g"):format(fields.retry_after)
  end
  local error_body = { type = fields.type or usual[1], code = fields.code or usual[2],
    message = fields.message or usual[3], param = fields.param }
  local response = bytes.failure(status, error_body, headers)
  response.delay = fields.delay
  return response
end


local function raw(fields)
  local body, headers, cuts = fields.body or "", header_lines(fields.headers), fields.cuts
  if not has_header(headers, "content-type") then
    local streams = body:find("^%s*data:") or body:find("\ndata:", 1, true)
    local type = streams and "text/event-stream" or "application/json"
    headers[#headers + 1] = "Content-Type: " .. type
  end
  if math.type(cuts) == "integer" then
    local size = math.max(1, cuts)
    cuts = {}
    for offset = size, #body - 1, size do cuts[#cuts + 1] = offset end
  end
  return { status = fields.status or 200, headers = headers, body = body, cuts = cuts,
    delay = fields.delay, pause = fields.pause, abort = fields.abort }
end


local function answer(settings, step, request)
  local answers = {}
  for i, choice in ipairs(step.choices or { step }) do
    if type(choice) == "string" then choice = { text = choice } end
    answers[i] = read_answer(settings, with(with({}, step), choice), request)
  end
  local response = bytes.answer(answers, request)
  response.delay = step.delay
  table.move(header_lines(step.headers), 1, 1000, #response.headers + 1, response.headers)
  return response
end


--- Members of an answer of the API that a step spells otherwise, or has no use for.
local wire_names <const> = {
  content = "text", tool_calls = "calls", reasoning_content = "reasoning", role = false, object = false,
}


--- A call as the API writes it, as a step does.
local function call_of_wire(call)
  local inner = type(call) == "table" and (call["function"] or call.custom)
  if type(inner) ~= "table" then return call end
  return { id = call.id, type = call.type, name = inner.name, arguments = inner.arguments, input = inner.input }
end


--- A choice, or a message, of the API's making as a step; `index` is its place in the list anyway.
local function step_of_wire(given)
  local made = {}
  for name, value in pairs(given) do
    if name ~= "index" and name ~= "message" and wire_names[name] == nil then made[name] = value end
  end
  local message = type(given.message) == "table" and given.message or given
  for name, wanted in pairs(wire_names) do
    local value = message[name]
    if wanted and value ~= nil and value ~= json.null then made[wanted] = value end
  end
  made.refusal = type(message.refusal) == "string" and message.refusal or nil
  if type(made.calls) == "table" then
    local calls = {}
    for i, call in ipairs(made.calls) do calls[i] = call_of_wire(call) end
    made.calls = calls
  end
  return made
end


local function is_message(given)
  return type(given) == "table" and (given.role ~= nil or given.content ~= nil or given.tool_calls ~= nil)
end


--- A function may answer as the API does: with a message, or with a whole completion.
---@param given any
---@return any step
function steps.read(given)
  if is_message(given) then return step_of_wire(given) end
  local choices = type(given) == "table" and given.choices
  if type(choices) ~= "table" or not (type(choices[1]) == "table" and is_message(choices[1].message)) then
    return given
  end
  local made = with({}, given)
  made.object, made.choices = nil, {}
  for i, choice in ipairs(choices) do made.choices[i] = step_of_wire(choice) end
  return made
end


--- Checks a step where it is written. Raises for an unknown key or a wrong type.
---@param step any
---@param where string     opens the message
---@param level integer    whose line is blamed, as for error
function steps.check(step, where, level)
  if type(step) == "string" or type(step) == "function" then return end
  options.check(step, answer_options, where, level + 1)
  options.check(step.failure, failure_options, where .. ": failure", level + 1)
  options.check(step.raw, raw_options, where .. ": raw", level + 1)
  for i, call in ipairs(step.calls or {}) do
    if type(call) ~= "table" and type(call) ~= "string" then
      error(("%s: call %d: a name, or a table with name and arguments, expected, got %s"):format(where, i,
        type(call)), level + 1)
    end
  end
  for i, choice in ipairs(step.choices or {}) do
    local place = ("%s: choice %d"):format(where, i)
    if type(choice) == "function" then error(place .. ": a text or a table expected, got function", level + 1) end
    steps.check(choice, place, level + 1)
  end
end


--- The response for a step.
---@param step string|table
---@param request table     the decoded request body
---@param settings table    of the script: number (of the request), calls (that were given an id so
---                         far), model, created, delta, pause
---@return table response   {status, headers, body, cuts, delay, pause, abort}
function steps.respond(step, request, settings)
  if type(step) == "string" then step = { text = step } end
  if step.failure then return fail(step.failure) end
  if step.raw then return raw(step.raw) end
  return answer(settings, step, request)
end


return steps
