--- rille.agent.ask -- walk 2: what an agent asks for in a turn, but for the messages and what opens them.
---
--- Most turns of an agent ask for the same. What was decided is kept, by the run and by its agent, as long as all that
--- it was decided from is as it was: tables of options, which anybody may change in place, are compared with a copy.
--- Invariant: what comes out is what would be decided anew.

local chat = require "rille.chat"
local core = require "rille.core"
local lazy = require "rille.lazy"
local options = require "rille.options"
local toolset = require "rille.agent.toolset"
local output = lazy "rille.output"   ---@module "rille.output"

---@class rille.Ask
---@field model any               a name, a script, or a list of them; nil: what the configuration names
---@field tools rille.Toolset
---@field forced_name string|false    the tool that must be called
---@field one_by_one boolean      no two calls side by side
---@field reserve? number         tokens that the answer may take at most
---@field _params table           of the request
---@field _agent rille.Agent      of whom it was decided …
---@field _options table          … for a run with these options
---@field _toolset rille.Toolset of that agent …
---@field _own_tools rille.Toolset|false    … and of that run
---@field _models any[]|false
---@field _handed_over boolean
---@field _always boolean         for all turns? Otherwise …
---@field _later boolean          … for those after the first, or for the first
---@field _said? any[]            a copy of the agent's members, and of the run's; nil: it serves no other turn
---@field _more? any[]
local Ask = {}
Ask.__index = Ask

local ask = {}

--- Of a run without any: always this table, so that what is asked without any can be kept.
ask.NO_OPTIONS = {}

--- What a request is made of, but for tools and instructions.
local OF_AGENT <const> = {
  "model", "params", "provider", "base_url", "api_key", "headers", "query", "insecure", "timeout", "retries", "extra",
}
local OF_RUN <const> = { "model", "params" }

local wish_types <const> = {
  tools = "table", tool_choice = { "string", "table" }, model = { "string", "table" }, params = "table",
}


-- ---------------------------------------------------------------- deciding

--- The model to ask. After a fallback those that failed are not asked again in this run.
local function model_of(run)
  if run.models then return run.models end
  return not run.handed_over and run.options.model or run.agent.model
end


--- Options of a run are meant for the agent that it started with.
local function tools_of(run)
  return not run.handed_over and run.own_tools or run.agent.toolset
end


--- What `prepare` may know of the turn that it prepares.
local function upcoming(run)
  return { number = #run.turns + 1, last = run.turns[#run.turns], transcript = run.transcript, agent = run.agent,
    value = run.value, left = run.limits:left() }
end


local NOTHING <const> = {}


local function wishes_of(run)
  local prepare = run.agent.prepare
  local wishes = prepare and prepare(upcoming(run))
  return wishes and options.check(wishes, wish_types, "prepare", 1) or NOTHING
end


local function add_all(all, more)
  for name, value in pairs(more or NOTHING) do all[name] = value end
  return all
end


--- Is the model made to call something? After the first round that would go on for ever.
local function is_forced(choice)
  if type(choice) ~= "table" then return choice == "required" or choice == "any" end
  local allowed = choice.allowed_tools
  return not (type(allowed) == "table" and allowed.mode == "auto")
end


local function forced_name(choice)
  if type(choice) ~= "table" then return nil end
  local named = choice["function"] or choice.custom
  return type(named) == "table" and named.name or nil
end


local function choose(params, wishes, is_later)
  local choice = wishes.tool_choice or wishes.params and wishes.params.tool_choice
  if choice ~= nil then return choice end
  choice = params.tool_choice
  if is_later and is_forced(choice) then return nil end
  return choice
end


local function decide(run)
  local wishes, is_later = wishes_of(run), #run.turns > 0
  local params = add_all(add_all(add_all({}, run.agent.params), run.options.params), wishes.params)
  local tools = wishes.tools and toolset.new(wishes.tools, "prepare", 1) or tools_of(run)
  local model, was_forced = wishes.model or model_of(run), is_forced(params.tool_choice)
  params.tool_choice = choose(params, wishes, is_later)
  if run.agent.output_spec then tools = output.arrange(run, tools, params, model) end
  if #tools.list == 0 then params.tool_choice, params.parallel_tool_calls = nil, nil end
  local self = setmetatable({
    model = model, tools = tools, forced_name = forced_name(params.tool_choice) or false,
    one_by_one = params.parallel_tool_calls == false, reserve = params.max_completion_tokens or params.max_tokens,
    _params = params, _always = not was_forced, _later = is_later,
  }, Ask)
  return self
end


-- ---------------------------------------------------------------- keeping

--- A copy of some members; nil when one is an object that cannot be copied. A script is the same as long as it is that one.
local function copy_of(from, names)
  local values = {}
  for i, name in ipairs(names) do
    local value = from[name]
    values[i] = chat.is_script(value) and value or core.snapshot(value)
    if values[i] == nil and value ~= nil then return nil end
  end
  return values
end


--- Notes what it was decided from. A hook decides anew each time. The agent keeps it for its next run, but not what is of
--- one run alone: options lead to a transcript, and what a server can format is found out for each run.
local function keep(self, run)
  local agent, given = run.agent, run.options
  self._agent, self._options, self._toolset, self._own_tools = agent, given, agent.toolset, run.own_tools
  self._models, self._handed_over = run.models, run.handed_over
  if agent.prepare then return end
  self._more, self._said = copy_of(given, OF_RUN), copy_of(agent, OF_AGENT)
  if given == ask.NO_OPTIONS and not agent.output_spec then agent._ask = self end
end


--- Would it be decided the same way for this turn?
local function serves(self, run)
  local agent, given = run.agent, run.options
  return self._agent == agent and self._options == given and self._toolset == agent.toolset
    and self._own_tools == run.own_tools and self._models == run.models
    and self._handed_over == run.handed_over and (self._always or self._later == (#run.turns > 0))
    and self._said and not agent.prepare and core.same_members(agent, OF_AGENT, self._said)
    and (given == ask.NO_OPTIONS or self._more and core.same_members(given, OF_RUN, self._more))
end


--- Decides what the next request of a run asks for.
---@async
---@param run rille.Run
---@return rille.Ask
function ask.of(run)
  local kept = run.ask or run.agent._ask
  if kept and serves(kept, run) then return kept end
  local self = decide(run)
  keep(self, run)
  return self
end


local function new_wish(self, is_opened)
  local agent, params = self._agent, add_all({}, self._params)
  agent._wishes = agent._wishes or {}
  local is_stream = params.stream ~= false
  params.stream = nil
  return chat.wish(agent._wishes, self.model, self.tools.definitions, {
    opened = is_opened, params = params, stream = is_stream, provider = agent.provider, base_url = agent.base_url,
    api_key = agent.api_key, headers = agent.headers, query = agent.query, insecure = agent.insecure,
    timeout = agent.timeout, retries = agent.retries, extra = agent.extra,
  })
end


--- The same for rille.chat.
---@param is_opened boolean   will instructions stand before the messages?
---@return rille.Wish
function Ask:wish(is_opened)
  local made = is_opened and self._opened or not is_opened and self._bare
  if made then return made end
  made = new_wish(self, is_opened)
  if is_opened then self._opened = made else self._bare = made end
  return made
end


return ask
