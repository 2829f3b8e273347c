--- rille.agent.request -- walk 2: one request of the turn loop: what is asked, and what came of it.
---
--- Invariants: a request goes out only when every limit allows it; the instructions open it, the transcript
--- follows, the tools stand in their order: the same prefix every time, for the servers' prompt caches.

local ask = require "rille.agent.ask"
local chat = require "rille.chat"
local config = require "rille.config"
local json = require "rille.json"
local time = require "rille.time"
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


-- ---------------------------------------------------------------- what to ask

--- The instructions as they open a request; false: nothing does. A text is kept by the agent whose it is. A function is
--- asked once a run, so that every request of the run begins with the same bytes.
---@async
local function new_opening(run)
  local agent = run.agent
  local text = agent.instructions
  local is_text = type(text) == "string"
  if text ~= nil and not is_text then
    text = text { value = run.value, agent = agent, transcript = run.transcript }
  end
  if not text or text == "" then return false end
  if is_text and agent._opening and agent._opening.text == text then return agent._opening end
  local made = { text = text }
  if is_text then agent._opening = made end
  return made
end


--- Decides what the next request asks, and takes it from the limits.
---@async
---@param run rille.Run
---@return rille.Turn? turn
---@return rille.Failure? failure   "limit_turns", "limit_tokens", "limit_seconds"
function request.prepare(run)
  local asked = ask.of(run)
  local refused = run.limits:take_turn(asked.reserve)
  if refused then return nil, refused end
  run.ask = asked
  if run.opening == nil then run.opening = new_opening(run) end
  return { number = #run.turns + 1, message = nil, results = nil, usage = nil, seconds = nil }   -- with room for three more
end


-- ---------------------------------------------------------------- asking

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
  local kind, delta, choice = exchange:next()
  while kind do
    if kind == "retry" or kind == "fallback" then
      pieces, run.partial_pieces = nil, nil
      if kind == "fallback" then fall_back(run, delta) end
      local event = {}
      for name, value in pairs(delta) do event[name] = value end
      run.bus:emit(kind, event)
    elseif choice == 0 or choice == nil then
      if kind == "text" then
        pieces = pieces or {}
        pieces[#pieces + 1] = delta
        run.partial_pieces = pieces
      end
      run.bus:emit(kind, { delta = delta, type = nil, path = nil, time = nil })   -- with room for what is added
    end
    kind, delta, choice = exchange:next()
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
local function converse(run, turn)
  local bus = run.bus
  local want = not bus.is_silent and bus:has_listener("text", "reasoning", "refusal") and "deltas" or nil
  local opening = run.opening or nil
  local exchange <close>, refused = chat.ask(run.ask:wish(opening ~= nil), run.transcript, opening, want, nil, turn, keep_text, run)
  if not exchange then return nil, refused end
  return listen(run, exchange)
end


--- What an answer cost; <choice> is what has its message, or nil.
local function account_for(run, turn, choice)
  run:count(turn.usage)
  if not run.limits.is_metered then return end
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
  if not run.bus.is_silent and run.bus:has_listener("request") then
    run.bus:emit("request", { number = turn.number, model = request.model_name(run.ask.model),
      messages = #run.transcript + (run.opening and 1 or 0) })
  end
  local answered, trouble = converse(run, turn)
  if not answered then return broken(run, turn, trouble) end
  account_for(run, turn, turn)
  run.partial_pieces = nil
  if not run.bus.is_silent then run.bus:emit("message", { message = turn.message }) end
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
