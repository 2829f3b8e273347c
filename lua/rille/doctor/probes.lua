--- rille.doctor.probes -- beside the walk: the questions that rille.doctor asks a server. One row
--- each.
---
--- A row sends one request, nothing in it rewritten, and reads from the answer or the refusal what
--- the server can and which flag of profiles.lua says so. Source: wire contract §1.5–1.7.

local json = require "rille.json"

local probes = {}

---@class rille.Probe
---@field name string
---@field question string       what is found out, for people
---@field params? table         of the request
---@field messages? table[]
---@field tools? boolean        with the weather tool
---@field stream? boolean
---@field judge fun(answer: table): boolean?, string?   answer = {completion, choice, message,
---  usage, failure}; nil: cannot tell
---@field flags? table          differences of flags when the judgement is no
---@field needs? string         the probe that must have said yes before

probes.TOOL = {
  type = "function",
  ["function"] = {
    name = "get_weather", description = "The weather of a city.",
    parameters = {
      type = "object", required = json.array { "city" },
      properties = { city = { type = "string", description = "Name of the city" } },
    },
  },
}

local LONG <const> = {
  { role = "user", content = "Count from 1 to 200 in words, one number a line." },
}
local ASKS_WEATHER <const> = {
  { role = "user", content = "What is the weather in Oslo? Use the tool." },
}
local ASKS_TWICE <const> = {
  { role = "user", content = "How is the weather in Oslo and Rome? Ask for both at once." },
}
--- A turn with a call, its result to be answered.
local ANSWERED <const> = {
  ASKS_WEATHER[1],
  {
    role = "assistant", content = json.null,
    tool_calls = json.array { {
      id = "Abc123xyZ", type = "function",
      ["function"] = { name = "get_weather", arguments = '{"city":"Oslo"}' },
    } },
  },
  { role = "tool", tool_call_id = "Abc123xyZ", content = "Sunny, 21 degrees." },
}
local CITY_SCHEMA <const> = {
  name = "city", strict = true,
  schema = {
    type = "object", required = json.array { "city" }, additionalProperties = false,
    properties = { city = { type = "string" } },
  },
}
local TINY_LIMIT <const> = 16   -- tokens


local function calls_of(answer)
  return answer.message and answer.message.tool_calls or {}
end


local function is_answered(answer)
  return answer.completion ~= nil, answer.failure and answer.failure.message
end


--- Taken is not enough: some servers take a limit and forget it.
local function is_limited(answer)
  if answer.failure then return false, answer.failure.message end
  local used = answer.usage and answer.usage.completion_tokens
  if answer.choice and answer.choice.finish_reason == "length" or used and used <= TINY_LIMIT then
    return true
  end
  return false, "taken, and ignored"
end


local function is_called(answer)
  if answer.failure then return false, answer.failure.message end
  if #calls_of(answer) > 0 then return true end
  return nil, "taken, but the model did not call"
end


local function is_json(answer)
  if answer.failure then return false, answer.failure.message end
  local value = json.decode(answer.message and answer.message.content or "")
  if type(value) == "table" then return true end
  return false, "taken, and ignored"
end


---@type rille.Probe[]
probes.rows = {
  { name = "answer", question = "answers", judge = is_answered },
  { name = "stream", question = "streams", stream = true, judge = is_answered },
  {
    name = "stream_usage", question = "tells the usage of a stream", stream = true,
    needs = "stream",
    params = { stream_options = { include_usage = true } }, flags = { stream_usage = false },
    judge = function(answer)
      if answer.failure then return false, answer.failure.message end
      return answer.usage ~= nil or nil, answer.usage == nil and "taken, but no usage came" or nil
    end,
  },
  {
    name = "max_completion_tokens", question = "knows max_completion_tokens", needs = "answer",
    messages = LONG,
    params = { max_completion_tokens = TINY_LIMIT }, judge = is_limited,
  },
  {
    name = "max_tokens", question = "knows max_tokens", needs = "answer", messages = LONG,
    params = { max_tokens = TINY_LIMIT }, judge = is_limited,
  },
  {
    name = "developer_role", question = "knows the role developer", needs = "answer",
    messages = { { role = "developer", content = "Be brief." },
      { role = "user", content = "Say hello." } },
    flags = { developer_role = "system" }, judge = is_answered,
  },
  { name = "temperature", question = "takes a temperature", needs = "answer",
    params = { temperature = 0 },
    flags = { drop = { "temperature", "top_p" } }, judge = is_answered },
  { name = "tools", question = "calls tools", needs = "answer", messages = ASKS_WEATHER,
    tools = true, judge = is_called },
  {
    name = "parallel_calls", question = "calls several tools at once", needs = "tools",
    tools = true,
    messages = ASKS_TWICE,
    judge = function(answer)
      if answer.failure then return false, answer.failure.message end
      return #calls_of(answer) > 1 or nil, ("%d call(s)"):format(#calls_of(answer))
    end,
  },
  {
    name = "tool_choice_required", question = "takes tool_choice required", needs = "tools",
    tools = true,
    params = { tool_choice = "required" }, flags = { thinking_choice = { "." } }, judge = is_called,
  },
  {
    name = "tool_choice_named", question = "takes a tool_choice by name",
    needs = "tool_choice_required", tools = true,
    params = { tool_choice = { type = "function", ["function"] = { name = "get_weather" } } },
    flags = { named_choice = "filter" }, judge = is_called,
  },
  {
    name = "null_content", question = "takes null content beside calls", needs = "tools",
    tools = true, messages = ANSWERED,
    flags = { content_null = "" }, judge = is_answered,
  },
  {
    name = "json_schema", question = "keeps to a JSON schema", needs = "answer",
    params = { response_format = { type = "json_schema", json_schema = CITY_SCHEMA } },
    messages = { { role = "user", content = "Name the capital of Norway." } },
    flags = { json_schema = false }, judge = is_json,
  },
  {
    name = "json_object", question = "answers in JSON", needs = "answer",
    params = { response_format = { type = "json_object" } },
    messages = {
      { role = "user", content = 'Name the capital of Norway as JSON: {"city": "…"}.' } },
    flags = { response_format = { json_object = "json_schema" } }, judge = is_json,
  },
}


return probes
