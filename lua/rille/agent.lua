--- rille.agent -- walk 1 and 10: an agent, and the turn loop that runs it.
---
--- An agent is model + instructions + tools + limits and holds no history: a run appends to a transcript, and any agent
--- can continue any transcript. The instructions open every request and are never part of the transcript.
--- Invariant: a message and the results of its calls enter the transcript as one, so it is sendable always.

local ask = require "rille.agent.ask"
local await = require "rille.await"
local dispatch = require "rille.dispatch"
local events = require "rille.events"
local final = require "rille.agent.final"
local json = require "rille.json"
local lazy = require "rille.lazy"
local limits = require "rille.limits"
local messages = require "rille.agent.message"
local options = require "rille.options"
local prompts = require "rille.agent.prompt"
local providers = require "rille.provider"
local request = require "rille.agent.request"
local runs = require "rille.run"
local time = require "rille.time"
local toolset = require "rille.agent.toolset"
local transcripts = require "rille.transcript"
local nested = lazy "rille.agent.nested"   ---@module "rille.agent.nested"
local output = lazy "rille.output"   ---@module "rille.output"

---@class rille.Agent
---@field name string
local Agent = {}
Agent.__index = Agent
Agent.__name = "rille.Agent"

local agent = {}


-- ---------------------------------------------------------------- the turn loop

--- One result for each call of a message; nil when the model asked for none.
local function answer_calls(run, turn)
  if not messages.has_calls(turn.message) then return nil end
  local cut = final.cut_reason(turn)
  if not cut then return dispatch.calls(run, turn.message) end   -- walk 11 … 13
  turn.cut = cut
  return dispatch.refuse(run, turn.message, cut)
end


--- The story of a run: ask, do what the model asks for, ask again, until it answers.
local function take_turns(run, prompt)
  local refused = final.guard_input(run, prompt)
  if refused then return nil, refused end
  prompts.enter(run.transcript, run.prompt)
  run.prompt = nil   -- the transcript has it
  while not run.stopping do
    if run.steering[1] then run:take_steering() end
    local turn, limit = request.prepare(run)
    if not turn then return nil, limit end
    local message, trouble = request.send(run, turn)     -- walk 2 … 9
    if not message then return nil, trouble end
    turn.results = answer_calls(run, turn) or {}
    run:commit(turn)
    if run.stopping then break end
    local done, failed = final.judge(run, turn)
    if failed then return nil, failed end
    if done then return final.reply(run) end
  end
  return nil, run.stopping
end


--- The same, once the tasks that were spawned right after the run have begun: a reader in one of them misses nothing.
local function take_turns_soon(run, prompt)
  time.sleep(0)
  return take_turns(run, prompt)
end


-- ---------------------------------------------------------------- options

local agent_types <const> = {
  name = "string", description = "string", model = { "string", "table" }, provider = { "string", "table" },
  base_url = "string", api_key = { "string", "boolean", "function" }, headers = "table", query = "table",
  insecure = "boolean", timeout = { "number", "table" }, retries = "number", extra = "table",
  instructions = { "string", "function" }, tools = "table", output = { "table", "string" }, limits = "table",
  params = "table", stop_when = "function", prepare = "function", guard = "table", on = "table",
  approve = "function",
}

local run_types <const> = {
  transcript = "any", value = "any", limits = "table", model = { "string", "table" }, tools = "table",
  params = "table", on = "table", approve = "function",
}


--- Parameters of requests that people look for among the options.
local parameters <const> = {
  "temperature", "top_p", "max_tokens", "max_completion_tokens", "reasoning_effort", "verbosity", "seed", "stop", "stream",
  "tool_choice", "parallel_tool_calls", "response_format", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs",
  "metadata", "store", "user", "service_tier",
}


local function check_parameters(given, name, level)
  for _, key in ipairs(type(given) == "table" and parameters or {}) do
    if given[key] ~= nil then
      error(("%s: '%s' is a parameter of requests: params = { %s = … }"):format(name, key, key), level + 1)
    end
  end
end


local function is_model(value)
  return type(value) == "string" or type(value) == "table" and type(value.respond) == "function"
end


local function check_model(model, name, level)
  if model == nil or is_model(model) then return end
  for _, one in ipairs(model) do
    if not is_model(one) then model = {} end
  end
  if #model == 0 then error(name .. ": model: a name, a script or a list of them expected", level + 1) end
end


--- What agents and runs have in common.
local function check_shared(given, name, level)
  check_model(given.model, name, level + 1)
  limits.check(given.limits, name .. ": limits", level + 1)
  options.check(given.on, events.handler_types, name .. ": on", level + 1)
  if not given.params then return end
  local n = given.params.n
  if n ~= nil and n ~= 1 then error(name .. ": params: n: an agent follows one choice only", level + 1) end
  for key, value in pairs(given.params) do
    local ok, problem = pcall(json.encode, value)
    if not ok then error(("%s: params: %s: %s"):format(name, key, problem:gsub("^json: ", "")), level + 1) end
  end
end


--- Makes an agent. Wrong and unknown options raise here.
---
---     local agent = rille.agent { model = "gpt-5.4", instructions = "Be brief.", tools = { weather } }
---     local reply = assert(agent:run("What's the weather like in Boston?"))
---
---@param given table    see the manual; everything is optional but a model, which RILLE_MODEL may name
---@return rille.Agent
function agent.new(given)
  check_parameters(given, "rille.agent", 2)
  given = options.check(given, agent_types, "rille.agent")
  check_shared(given, "rille.agent", 2)
  providers.check(given.provider, 2)
  options.check(given.guard, { input = "function", output = "function" }, "rille.agent: guard")
  local self = {}
  for name, value in pairs(given) do self[name] = value end
  self.name = given.name or "assistant"
  self.toolset = toolset.new(given.tools, "rille.agent", 2)
  self.output_spec = given.output and output.compile(given.output, self.toolset, 2)
  return setmetatable(self, Agent)
end


--- Is it an agent?
---@param value any
---@return boolean
function agent.is(value)
  return getmetatable(value) == Agent
end


-- ---------------------------------------------------------------- running

--- `inner` is known for the run of an agent that is called as a tool: its limits, the run around it.
local function start(self, prompt, given, level, inner, turns)
  if given == nil then
    given = ask.NO_OPTIONS
  else
    check_parameters(given, "agent:run", level + 1)
    options.check(given, run_types, "agent:run", level + 1)
    check_shared(given, "agent:run", level + 1)
  end
  if given.transcript ~= nil and not transcripts.is(given.transcript) then
    local message = "agent:run: option 'transcript': a transcript expected, got %s"
    error(message:format(type(given.transcript)), level + 1)
  end
  local transcript = given.transcript or transcripts.new()
  local said = prompts.read(prompt, level + 1)
  if #said == 0 and #transcript == 0 then error("agent:run: a prompt or a transcript expected", level + 1) end
  local own_tools = given.tools and toolset.new(given.tools, "agent:run", level + 1)
  return (runs.start(turns or take_turns, prompt, {   -- 9 members have room for the 16 that an ordinary run comes to have
    agent = self, prompt = said, transcript = transcript, options = given, own_tools = own_tools,
    parent = inner and inner.parent, task = nil, limits = nil, usage = nil,
  }, inner and inner.limits))
end


--- Runs the agent until it answers.
---@async
---@param prompt string|table|nil     a text, content parts, or messages; nil to go on with a transcript
---@param given? table                transcript, value, limits, model, tools, params, on, approve
---@return rille.Reply? reply
---@return rille.Failure? failure     its `reply` is what there was until then; the transcript is sendable
function Agent:run(prompt, given)
  return start(self, prompt, given, 2):wait()
end


--- Starts a run that goes on beside the caller; cancelling the calling task cancels it.
---@param prompt string|table|nil
---@param given? table
---@return rille.Run    run:wait([seconds]), run:cancel([reason]), run:steer(text), run:events()
function Agent:start(prompt, given)
  return (start(self, prompt, given, 2, nil, take_turns_soon))   -- no tail call: errors count levels
end


--- Whoever leaves the loop of a stream has its run ended when the next line runs.
local function leave(run)
  if run.ended then return end
  run:cancel("its reader left")
  if await.can_wait() then run:wait() end
end


--- Runs the agent and yields its events; the last one is "done" or "failed". Leaving the loop cancels the run.
---
---     for event in agent:stream("Tell me a story.") do
---       if event.type == "text" then io.write(event.delta) end
---     end
---
---@async
---@param prompt string|table|nil
---@param given? table
---@return rille.EventReader stream    callable; stream.run is the run
---@return nil, nil
---@return rille.EventReader stream    closed when the loop is left
function Agent:stream(prompt, given)
  local run = start(self, prompt, given, 2)
  local reader = run:_reader(function() leave(run) end)
  reader.run = run
  return reader, nil, nil, reader
end


--- A tool that runs this agent: its answer is the result of the call. It shares what is left of the outer run's
--- limits, its approvals and its events.
---@param given? table    name, description, parameters (default: one text, `prompt`), limits, approve, sequential, timeout
---@return rille.Tool
function Agent:as_tool(given)
  return (nested.tool(self, function(prompt, inner) return start(self, prompt, nil, 2, inner) end, given, 2))
end


--- A tool that hands the conversation over to this agent.
---@param given? table    name (default transfer_to_…), description
---@return rille.Tool
function Agent:as_handoff(given)
  return (nested.handoff(self, given, 2))
end


return agent
