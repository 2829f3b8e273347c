--- rille.output -- beside the walk: answers that must fit a schema.
---
--- A server that knows json_schema gets it as response_format; any other one, and every agent that has
--- tools too, gets a tool to call with the answer: servers that force JSON skip the tools.
--- The model has one turn to repair what does not fit; then the run fails with code "schema".
--- Invariant: reply.output fits the schema.
--- Source: wire contract §1.6.

local failure = require "rille.failure"
local json = require "rille.json"
local provider = require "rille.provider"
local schema = require "rille.schema"

---@class rille.OutputSpec
---@field schema rille.Schema     of what the model writes
---@field bare rille.Schema       of the value
---@field wrapped boolean         the value stands in a member `value`, because its own schema is no object
---@field tool rille.Tool
local output = {}

local TOOL_NAME <const> = "final_answer"
local REPAIRS <const> = 1


--- Response formats and tools take objects only.
local function wrap(compiled)
  local root = compiled.json
  if type(root) == "table" and (root.type == "object" or root.properties) then return compiled, false end
  return schema.compile { type = "object", properties = { value = root }, required = { "value" },
    additionalProperties = false }, true
end


local function accept(spec)
  return function(value, context)
    local run = context._run
    if run.answer then return nil, "the final answer was given already" end
    if spec.wrapped then value = value.value end
    run.answer = { value = value }
    return "accepted"
  end
end


--- Compiles the `output` of an agent. Raises for a schema that is none.
---@param given table      as the parameters of a tool
---@param tools rille.Toolset    of the agent
---@param level integer    whose line is blamed, as for error
---@return rille.OutputSpec
function output.compile(given, tools, level)
  if tools:find(TOOL_NAME) then
    error(("rille.agent: with `output`, no tool of yours can be called '%s'"):format(TOOL_NAME), level + 1)
  end
  local bare = schema.compile(given, { name = "rille.agent: output" }, level + 1)
  local compiled, wrapped = wrap(bare)
  local spec = { schema = compiled, bare = bare, wrapped = wrapped }
  spec.tool = require("rille.tool").new {
    name = TOOL_NAME, parameters = compiled.json, run = accept(spec),
    description = "Gives the final answer. Call it once, when everything else is done.",
  }
  return spec
end


-- ---------------------------------------------------------------- asking

--- Does the server of this model know response_format json_schema?
local function knows_schemas(agent, model)
  if type(model) == "table" and type(model.respond) == "function" then return true end
  if type(model) == "table" then
    for _, one in ipairs(model) do
      if not knows_schemas(agent, one) then return false end
    end
    return true
  end
  local profile = provider.resolve { model = model, provider = agent.provider, base_url = agent.base_url,
    api_key = agent.api_key, headers = agent.headers, insecure = agent.insecure }
  local flags = profile and profile.flags
  return flags ~= nil and flags.json_schema ~= false and (flags.response_format or {}).json_schema == nil
end


local function response_format(agent, spec)
  local strict = spec.schema:strict()
  return { type = "json_schema", json_schema = {
    name = (agent.name:gsub("[^%w_-]", "_"):sub(1, 64)), schema = strict or spec.schema.json,
    strict = strict and true or nil,
  } }
end


--- The same, asked once for each agent and model of a run.
local function may_format(run, model)
  run.formats = run.formats or {}
  local known = run.formats[run.agent] or {}
  run.formats[run.agent] = known
  local key = model or false
  if known[key] == nil then known[key] = knows_schemas(run.agent, model) end
  return known[key]
end


--- Puts what the output needs into a request: a response_format in its parameters, or one tool more.
---@param run rille.Run   of an agent that has an output
---@param tools rille.Toolset
---@param params table    of the request; changed
---@param model any
---@return rille.Toolset
function output.arrange(run, tools, params, model)
  local spec = run.agent.output_spec
  if params.response_format then return tools end
  if #tools.list == 0 and may_format(run, model) then
    params.response_format = response_format(run.agent, spec)
    return tools
  end
  return tools:with(spec.tool)
end


-- ---------------------------------------------------------------- checking

--- The text between ``` fences, when they are all there is around it.
local function unfenced(text)
  return text:match("^%s*```%w*%s*\n(.*)\n%s*```%s*$") or text
end


local function read(spec, text)
  local value, trouble = json.decode(unfenced(text))
  if trouble then return nil, "it is not valid JSON: " .. trouble.message end
  local valid, errors = spec.schema:validate(value)
  if errors and spec.wrapped then   -- models forget the wrapping, which is none of their business
    local bare, more = spec.bare:validate(value)
    if not more then return { value = bare } end
  end
  if errors then return nil, schema.explain(errors) end
  if spec.wrapped then valid = valid.value end
  return { value = valid }
end


local function repair(run, problem)
  run.repairs = run.repairs + 1
  if run.repairs > REPAIRS then
    return nil, failure.new("schema", "the answer does not fit the schema: " .. problem)
  end
  local how = run.ask.tools:find(TOOL_NAME) and ("Call %s with the corrected answer."):format(TOOL_NAME)
    or "Answer again, with the corrected JSON and nothing else."
  return nil, nil, ("Your answer cannot be used: %s\n%s"):format(problem, how)
end


--- Looks at a message without calls.
---@param run rille.Run
---@param message table
---@return {value: any}? answer
---@return rille.Failure? failure   "schema", "refusal"
---@return string? repair           what to tell the model, for another try
function output.check(run, message)
  if type(message.refusal) == "string" then
    return nil, failure.new("refusal", "the model refused: " .. message.refusal)
  end
  local answer, problem = read(run.agent.output_spec, type(message.content) == "string" and message.content or "")
  if answer then return answer end
  return repair(run, problem)
end


--- Looks at the calls of a turn: did the model try to give its answer, and fail again?
---@param run rille.Run
---@param records rille.CallRecord[]
---@return rille.Failure? failure    "schema"
function output.check_calls(run, records)
  if run.answer then return nil end
  for _, record in ipairs(records) do
    if record.name == TOOL_NAME and not record.ok then
      local _, trouble = repair(run, record.problem or "it was not accepted")
      return trouble
    end
  end
end


return output
