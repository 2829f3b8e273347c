--- rille.agent.request -- walk 2: one request of the turn loop: what is asked, and what came of it.
---
--- Invariants: a request goes out only when every limit allows it; the instructions open it, the transcript
--- follows, the tools stand in their order: the same prefix every time, for the servers' prompt caches.

local chat = require "rille.chat"
local config = require "rille.config"
local json = require "rille.json"
local options = require "rille.options"
local output = require "rille.output"
local time = require "rille.time"
local toolset = require "rille.agent.toolset"
local usage = require "rille.agent.usage"

---@class rille.Turn
---@field number integer
---@field message? rille.Message
---@field results table[]           tool messages, in call order; empty when nothing was called
---@field usage? table
---@field seconds? number
---@field finish_reason? string     stop, length, tool_calls, content_filter; whatever the server called it
---@field reasoning? string
---@field model? string
---@field id? string

local request = {}

local wish_types <const> = {
  tools = "table", tool_choice = { "string", "table" }, model = { "string", "table" }, params = "table",
}


-- ---------------------------------------------------------------- who speaks

--- The model to ask. After a fallback those that failed are not asked again in this run.
local function model_of(run)
  if run.models then return run.models end
  return not run.handed_over and run.options.model or run.agent.model
end


--- Options of a run are meant for the agent that it started with.
local function tools_of(run)
  return not run.handed_over and run.own_tools or run.agent.toolset
end


--- The text that opens the requests of the agent that speaks now. A function is asked once a run, so that every
--- request of the run begins with the same bytes.
---@async
local function instructions_of(run)
  local agent = run.agent
  run.instructed = run.instructed or {}
  local text = run.instructed[agent]
  if text == nil then
    text = agent.instructions
    if type(text) ~= "string" and text ~= nil then
      text = text { value = run.value, agent = agent, transcript = run.transcript }
    end
    run.instructed[agent] = text or false
  end
  return text or nil
end


-- ---------------------------------------------------------------- what to ask

--- What `prepare` may know of the turn that it prepares.
local function upcoming(run, number)
  return { number = number, last = run.turns[#run.turns], transcript = run.transcript, agent = run.agent,
    value = run.value, left = run.limits:left() }
end


local NOTHING <const> = {}


local function wishes_of(run, number)
  local prepare = run.agent.prepare
  local wishes = prepare and prepare(upcoming(run, number))
  return wishes and options.check(wishes, wish_types, "prepare", 1) or NOTHING
end


--- Copies what is in a table, if there is one, into another.
local function add_all(all, more)
  if more then
    for name, value in pairs(more) do all[name] = value end
  end
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


local function choose(run, params, wishes)
  local choice = wishes.tool_choice or wishes.params and wishes.params.tool_choice
  if choice ~= nil then return choice end
  choice = params.tool_choice
  if #run.turns > 0 and is_forced(choice) then return nil end
  return choice
end


--- Decides what the next request asks, and takes it from the limits.
---@async
---@param run rille.Run
---@return rille.Turn? turn
---@return rille.Failure? failure   "limit_turns", "limit_tokens", "limit_seconds"
function request.prepare(run)
  local agent, number = run.agent, #run.turns + 1
  local wishes = wishes_of(run, number)
  local params = add_all(add_all(add_all({}, agent.params), run.options.params), wishes.params)
  local tools = wishes.tools and toolset.new(wishes.tools, "prepare", 1) or tools_of(run)
  local model = wishes.model or model_of(run)
  params.tool_choice = choose(run, params, wishes)
  tools = output.arrange(run, tools, params, model)
  if #tools.list == 0 then params.tool_choice, params.parallel_tool_calls = nil, nil end
  local refused = run.limits:take_turn(params.max_completion_tokens or params.max_tokens)
  if refused then return nil, refused end
  run.tools, run.forced_name = tools, forced_name(params.tool_choice)
  run.one_by_one = params.parallel_tool_calls == false
  run.ask = { model = model, params = params, instructions = instructions_of(run) }
  return {   -- what is nil comes later: the table need not grow for it
    number = number, usage = nil, message = nil, model = nil, id = nil, finish_reason = nil, results = nil, seconds = nil,
  }
end


-- ---------------------------------------------------------------- asking

--- The instructions as they open a request: kept by the agent whose they are, or by the run that a function wrote
--- them for.
local function opening_of(run)
  local text = run.ask.instructions
  if text == nil or text == "" then return nil end
  local owner = text == run.agent.instructions and run.agent or run
  if not owner._opening or owner._opening.text ~= text then owner._opening = { text = text } end
  return owner._opening
end


local asked = {}   -- filled for each request and only looked at: a wish that is kept holds a copy


--- What is asked now, but for instructions and messages: one of the wishes that the agent keeps.
local function wish_of(run, opening)
  local agent, params = run.agent, run.ask.params
  asked.opened, asked.params, asked.stream = opening ~= nil, params, params.stream ~= false
  asked.provider, asked.base_url, asked.api_key = agent.provider, agent.base_url, agent.api_key
  asked.headers, asked.query, asked.insecure = agent.headers, agent.query, agent.insecure
  asked.timeout, asked.retries, asked.extra = agent.timeout, agent.retries, agent.extra
  params.stream = nil
  agent._wishes = agent._wishes or {}
  return chat.wish(agent._wishes, run.ask.model, run.tools.definitions, asked)
end


--- From now on this run asks the model that the exchange fell back to, and those after it.
local function fall_back(run, event)
  local models = run.ask.model
  for i, model in ipairs(type(models) == "table" and models or {}) do
    local name = event.model and request.model_name(model)
    if i > 1 and name and (name == event.model or name:sub(-#event.model - 1) == ":" .. event.model) then
      run.models = table.move(models, i, #models, 1, {})
      return
    end
  end
end


--- Passes on what arrives, and keeps the text in case that it is cut off.
local function listen(run, exchange)
  local pieces
  for kind, delta, choice in exchange.next, exchange do
    if kind == "retry" or kind == "fallback" then
      pieces, run.partial_pieces = nil, nil
      if kind == "fallback" then fall_back(run, delta) end
      run.bus:emit(kind, add_all({}, delta))
    elseif choice == 0 or choice == nil then
      if kind == "text" then
        pieces = pieces or {}
        pieces[#pieces + 1] = delta
        run.partial_pieces = pieces
      end
      run.bus:emit(kind, { delta = delta })
    end
  end
  return exchange:finish()
end


--- The text that a broken answer had come to.
local function keep_text(run, partial)
  local choice = partial and partial.choices and partial.choices[1]
  local text = choice and choice.message and choice.message.content
  if type(text) == "string" and text ~= "" then run.partial_pieces = { text } end
end


--- A run that is stopped while it waits for an answer keeps what had arrived.
local keeper_metatable <const> = {
  __close = function(self, raised)
    if raised ~= nil then keep_text(self.run, self.exchange:abort()) end
  end,
}


local function converse(run, turn)
  local want = run.bus:has_listener("text", "reasoning", "refusal") and "deltas" or nil
  local opening = opening_of(run)
  local exchange <close>, refused = chat.ask(wish_of(run, opening), run.transcript, opening, want, nil, turn)
  if not exchange then return nil, refused end
  local _ <close> = setmetatable({ run = run, exchange = exchange }, keeper_metatable)
  return listen(run, exchange)
end


--- What an answer cost; <choice> is what has its message, or nil.
local function account_for(run, turn, choice)
  run:count(turn.usage)
  if not run.limits:counts_tokens() then return end
  run.limits:add_tokens(usage.tokens(turn.usage, function()
    local said = choice and json.encode { index = 0, finish_reason = choice.finish_reason, message = choice.message }
    return #run.transcript:encode() + (said and #said or 0)
  end))
end


--- A broken answer cost something all the same, and may have said something.
local function broken(run, turn, trouble)
  local partial = trouble.partial
  turn.usage = partial and partial.usage
  account_for(run, turn, partial and partial.choices and partial.choices[1])
  keep_text(run, partial)
  return nil, trouble
end


--- Sends the request and waits for the whole message.
---@async
---@param run rille.Run
---@param turn rille.Turn     gets message, usage, finish_reason, reasoning, model, id
---@return table? message
---@return rille.Failure? failure
function request.send(run, turn)
  run.turn_started = time.now()
  if run.bus:has_listener("request") then
    run.bus:emit("request", { number = turn.number, model = request.model_name(run.ask.model),
      messages = #run.transcript + (run.ask.instructions and 1 or 0) })
  end
  local answered, trouble = converse(run, turn)
  if not answered then return broken(run, turn, trouble) end
  account_for(run, turn, turn)
  run.partial_pieces = nil
  if run.bus:has_listener("message") then run.bus:emit("message", { message = turn.message }) end
  return turn.message
end


--- What a model is called in events.
---@param model any    a name, a scripted model, or a list of them; nil: what environment and configuration name
---@return string?
function request.model_name(model)
  if type(model) ~= "table" then return model or config.model() end
  if type(model.respond) == "function" then return type(model.model) == "string" and model.model or "script" end
  return request.model_name(model[1])
end


return request
