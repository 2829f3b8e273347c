--- rille.chat.think -- walk 8: takes reasoning that stands as `<think>…</think>` before an answer out of its text.
---
--- For servers of local models that leave the tags in; only where the profile says so, since a text may well speak of
--- tags. Only what an answer begins with counts. Invariant: the cuts of the deltas do not matter; text is held back
--- only while it may still turn out to be a part of a tag.
--- Source: wire contract C8.

local think = {}

local OPEN <const>, CLOSE <const> = "<think>", "</think>"

---@class rille.Think
---@field _choices table<integer, {mode: "start"|"inside"|"after"|"outside", held: string}>
---@field _queue table[]   {kind, text, choice} that wait to be popped
local Think = {}
Think.__index = Think


--- How many bytes at the end of a text may be the beginning of the closing tag.
local function open_end(text)
  for length = math.min(#CLOSE - 1, #text), 1, -1 do
    if text:sub(-length) == CLOSE:sub(1, length) then return length end
  end
  return 0
end


--- One step per mode: takes from `held` what can be told. → has the mode changed?
local steps <const> = {
  start = function(state)
    local rest = state.held:match("^%s*(.*)$")
    if rest:sub(1, #OPEN) == OPEN then
      state.mode, state.held = "inside", rest:sub(#OPEN + 1)
    elseif rest ~= OPEN:sub(1, #rest) then
      state.mode = "outside"
    end
    return state.mode ~= "start"
  end,
  inside = function(state, emit)
    local at = state.held:find(CLOSE, 1, true)
    local known = at and at - 1 or #state.held - open_end(state.held)
    emit("reasoning", state.held:sub(1, known))
    state.held = state.held:sub(at and at + #CLOSE or known + 1)
    if at then state.mode = "after" end
    return at ~= nil
  end,
  after = function(state)
    state.held = state.held:match("^%s*(.*)$")
    if state.held ~= "" then state.mode = "outside" end
    return state.held ~= ""
  end,
  outside = function(state, emit)
    emit("text", state.held)
    state.held = ""
    return false
  end,
}


local function feed(state, text, emit)
  state.held = state.held .. text
  while steps[state.mode](state, emit) do end
end


--- What was held back is what it is.
local function finish(state, emit)
  if state.mode == "after" then return end
  emit(state.mode == "inside" and "reasoning" or "text", state.held)
  state.held = ""
end


local function fresh()
  return { mode = "start", held = "" }
end


--- For one reply; nil where the flags do not ask for it.
---@param flags rille.Flags
---@return rille.Think?
function think.of(flags)
  return flags.think_tags and setmetatable({ _choices = {}, _queue = {} }, Think) or nil
end


local function queued(self, choice)
  return function(kind, text)
    if text ~= "" then self._queue[#self._queue + 1] = { kind, text, choice } end
  end
end


--- Takes a delta of text; what can be told of it comes out of `pop`.
---@param text string
---@param choice integer
function Think:take(text, choice)
  self._choices[choice] = self._choices[choice] or fresh()
  feed(self._choices[choice], text, queued(self, choice))
end


--- The text has ended.
---@return boolean   is there something to pop?
function Think:flush()
  for choice, state in pairs(self._choices) do finish(state, queued(self, choice)) end
  self._choices = {}
  return #self._queue > 0
end


--- The next part that can be told.
---@return "text"|"reasoning"|nil kind
---@return string? text
---@return integer? choice
function Think:pop()
  local part = table.remove(self._queue, 1)
  if part then return part[1], part[2], part[3] end
end


--- Takes the tags out of a message, in place. → what stood between them; "" when nothing did
local function strip(message)
  local said = { text = {}, reasoning = {} }
  local function emit(kind, text) table.insert(said[kind], text) end
  if type(message.content) == "string" then
    local state = fresh()
    feed(state, message.content, emit)
    finish(state, emit)
    message.content = table.concat(said.text)
  end
  local reasoning = table.concat(said.reasoning)
  if reasoning ~= "" then message.reasoning = message.reasoning or reasoning end
  return reasoning
end


--- Takes the tags out of a whole answer, in place.
---@param completion? table
---@param info rille.core.ChatInfo   its list of reasoning is completed
function think.strip(completion, info)
  for i, choice in ipairs(completion and completion.choices or {}) do
    local reasoning = strip(choice.message)
    if reasoning ~= "" and info.reasoning then info.reasoning[i] = (info.reasoning[i] or "") .. reasoning end
  end
end


--- The same where only a turn is kept of the answer.
---@param turn rille.Turn   its reasoning is completed
function think.strip_turn(turn)
  local reasoning = strip(turn.message)
  if reasoning ~= "" then turn.reasoning = (turn.reasoning or "") .. reasoning end
end


return think
