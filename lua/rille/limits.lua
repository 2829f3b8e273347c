--- rille.limits -- beside the walk: how much a run may use, checked before each request and each call.
---
--- The budgets of nested runs form a tree: what a nested run uses is used by every run around it, and
--- it may use no more than the least that is left on the way up.
--- Invariant: a budget is charged before it is spent, so that runs side by side cannot overdraw it;
--- tokens, which nobody knows before, are checked before and added after.

local failure = require "rille.failure"
local options = require "rille.options"
local time = require "rille.time"

---@class rille.LimitOptions
---@field turns? number          requests of the run and everything nested in it; default 20
---@field seconds? number        from start to end
---@field tokens? number         total_tokens of all requests
---@field tool_calls? number     calls that were run
---@field concurrency? integer   calls of one turn that run at once; default 8
---@field repeats? number        stop when a call gave the same result this often; default 5

---@class rille.Limits
---@field is_timed boolean      are seconds limited, here or on the way up?
---@field is_counted boolean    are calls of tools?
---@field is_metered boolean    are tokens? Only then is a missing usage worth an estimate
local Limits = {}
Limits.__index = Limits

--- What holds where nobody says otherwise.
Limits.turns, Limits.concurrency, Limits.repeats = 20, 8, 5
Limits.is_timed, Limits.is_counted, Limits.is_metered = false, false, false

local limits = {}

limits.option_types = {
  turns = "number", seconds = "number", tokens = "number", tool_calls = "number",
  concurrency = "number", repeats = "number",
}

local counted <const> = { "turns", "tokens", "tool_calls" }


--- Checks limits where they are written.
---@param given? rille.LimitOptions
---@param name string      opens the message
---@param level integer    whose line is blamed, as for error
---@return rille.LimitOptions
function limits.check(given, name, level)
  given = options.check(given, limits.option_types, name, level + 1)
  for key, value in pairs(given) do
    local least = (key == "concurrency" or key == "repeats") and 1 or 0
    if value < least or value ~= value then
      error(("%s: option '%s': %d or more expected, got %s"):format(name, key, least, value), level + 1)
    end
    if key ~= "seconds" and value ~= math.huge and value % 1 ~= 0 then
      error(("%s: option '%s': whole number expected, got %s"):format(name, key, value), level + 1)
    end
  end
  return given
end


local function take(self, given)
  for name, value in next, given do self[name] = value end
end


--- A budget. Later lists of limits win over earlier ones.
---@param parent? rille.Limits            of the run that this one is nested in
---@param first? rille.LimitOptions
---@param second? rille.LimitOptions
---@param third? rille.LimitOptions
---@return rille.Limits
function limits.new(parent, first, second, third)
  local around = parent or Limits
  local self = {   -- with room for three more
    parent = parent or false, used = { turns = 0, tokens = 0, tool_calls = 0 },
    is_timed = around.is_timed, is_metered = around.is_metered, is_counted = around.is_counted,
  }
  if first then take(self, first) end
  if second then take(self, second) end
  if third then take(self, third) end
  if self.seconds then self.started, self.is_timed = time.now(), true end
  if self.tokens then self.is_metered = true end
  if self.tool_calls then self.is_counted = true end
  return setmetatable(self, Limits)
end


local function plural(count, word)
  return ("%s %s%s"):format(count, word, count == 1 and "" or "s")
end


--- What each limit is called to people and to the model.
local names <const> = {
  turns = "turn", tokens = "token", tool_calls = "tool call", seconds = "second",
}


--- The failure for a limit that was reached.
---@param kind "turns"|"tokens"|"tool_calls"|"seconds"
---@param amount number
---@return rille.Failure
function limits.reached(kind, amount)
  amount = math.tointeger(amount) or amount
  return failure.new("limit_" .. kind, ("the limit of %s is reached"):format(plural(amount, names[kind])))
end


--- The first budget on the way up in which `amount` more would be too much, as a failure.
local function refusal_of(budget, kind, amount)
  repeat
    local most = budget[kind]
    if most and budget.used[kind] + amount > most then return limits.reached(kind, most) end
    budget = budget.parent
  until not budget
end


local function charge(budget, kind, amount)
  repeat
    local used = budget.used
    used[kind] = used[kind] + amount
    budget = budget.parent
  until not budget
end


--- Seconds until the nearest deadline on the way up; nil when there is none.
---@return number? seconds, number? limit
function Limits:seconds_left()
  if not self.is_timed then return nil end
  local budget, least, limit = self, nil, nil
  while budget do
    if budget.seconds then
      local left = budget.started + budget.seconds - time.now()
      if not least or left < least then least, limit = left, budget.seconds end
    end
    budget = budget.parent
  end
  return least, limit
end


local function is_late(budget)
  local left, limit = budget:seconds_left()
  if left and left <= 0 then return limits.reached("seconds", limit) end
end


--- Takes one turn from every budget on the way up, before a request is sent.
---@param reserve? number     tokens that the answer may take at most
---@return rille.Failure?     when a budget does not allow it; then nothing was taken
function Limits:take_turn(reserve)
  -- With the budget used up not even an empty answer is affordable, whatever is reserved.
  local refusal = self.is_timed and is_late(self) or refusal_of(self, "turns", 1)
    or self.is_metered and refusal_of(self, "tokens", math.max(1, reserve or 1))
  if refusal then return refusal end
  charge(self, "turns", 1)
end


--- Takes one call from every budget on the way up, before it runs.
---@return rille.Failure?
function Limits:take_call()
  local refusal = self.is_timed and is_late(self) or self.is_metered and refusal_of(self, "tokens", 1)
    or self.is_counted and refusal_of(self, "tool_calls", 1)
  if refusal then return refusal end
  charge(self, "tool_calls", 1)
end


---@param count number
function Limits:add_tokens(count)
  charge(self, "tokens", count)
end


--- What is left on the way up; a kind without a limit is absent.
---@return {turns?: number, tokens?: number, tool_calls?: number, seconds?: number}
function Limits:left()
  local left, budget = { seconds = self:seconds_left() }, self
  while budget do
    for _, kind in ipairs(counted) do
      if budget[kind] then
        local here = math.max(0, budget[kind] - budget.used[kind])
        left[kind] = math.min(left[kind] or math.huge, here)
      end
    end
    budget = budget.parent
  end
  return left
end


return limits
