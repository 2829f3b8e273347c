--- rille.chat.exchange -- walk 2: one request until it is answered, or until nothing helps any more.
---
--- Consumers pull: `next` hands out deltas and says when an attempt failed and another one follows. What to do then is
--- decided in one place (`settle`): follow a redirect, cure the request, wait and repeat, ask the next model, give up.
--- Invariant: after a delta was handed out nothing is repeated, unless the consumer said that it can start again.
--- Source: wire contract §3; reliability §4.

local attempt = require "rille.chat.attempt"
local failure = require "rille.failure"
local lazy = require "rille.lazy"
local log = require "rille.log"
local time = require "rille.time"
local prefix = lazy "rille.chat.prefix"   ---@module "rille.chat.prefix"
local recover = lazy "rille.chat.recover"   ---@module "rille.chat.recover"
local retry = lazy "rille.retry"   ---@module "rille.retry"
local think = lazy "rille.chat.think"   ---@module "rille.chat.think"
local trouble = lazy "rille.chat.trouble"   ---@module "rille.chat.trouble"

---@class rille.Exchange
---@field _target rille.Target
---@field _transfer? rille.core.Chat   under way, and counted by the endpoint
---@field _due number|false            seconds until the next attempt, when that is what follows
---@field _turn? rille.Turn            gets the answer, instead of a completion and an info
---@field _info table|false            about the end; false: it goes on
local Exchange = {
  -- where every exchange begins; most never leave it
  _next = 2, _restarts = 0, _cures = 0, _redirects = 0, _delivered = false, _prefix = false, _think = false,
}
Exchange.__index = Exchange
Exchange.__name = "rille.Exchange"

local exchange = {}

local NOTHING <const> = {}   -- the info beside a turn: who has one does not ask


--- Drops the attempt that is under way, if any.
local function drop(self)
  local transfer = self._transfer
  if not transfer then return end
  self._transfer = nil
  transfer:close()
  self._target.endpoint:finish()
end


--- Chooses another one to ask.
local function aim(self, target)
  self._target = target
  self._attempt, self._cures, self._redirects, self._cured, self._learned = 0, 0, 0, nil, nil
end


--- Sends the request once more, or for the first time. → failure | nil
local function launch(self)
  local target = self._target
  local transfer, refused = attempt.send(target, self._messages, self._opening, self._want, self._deadline)
  if not transfer then return refused end
  if self._info then return transfer:close() end   -- closed meanwhile, by another task
  self._attempt, self._attempts = self._attempt + 1, self._attempts + 1
  self._transfer = transfer
  if target.frame.sifted and self._want ~= "chunks" then
    local flags = target.frame.profile.flags
    self._prefix, self._think = prefix.of(self._messages, flags), think.of(flags)
  elseif self._next > 2 then   -- the model before this one may have needed them
    self._prefix, self._think = false, false
  end
  target.endpoint:begin(self._attempt > 1)
end


local function describe(self, info)
  info.provider, info.model = self._target.profile.name, self._target.profile.model
  info.attempts, info.seconds = self._attempts, time.now() - self._started
  return info
end


local function conclude(self, completion, problem, info)
  self._completion, self._failure = completion, problem
  self._info = describe(self, info or { headers = {} })
end


local function conclude_turn(self, turn)
  if self._think then think.strip_turn(turn) end
  if self._prefix then self._prefix:strip_message(turn.message) end
  self._completion, self._info = turn, NOTHING
end


local function again(self, problem, delay)
  local event = {
    attempt = self._attempts + 1, delay = delay, failure = problem, reset = self._delivered or nil,
  }
  if self._delivered then self._restarts, self._delivered = self._restarts + 1, false end
  self._due = delay
  log.info("%s: %s; attempt %d in %.1f s", self._target.profile.name, problem, event.attempt, delay)
  if self._on_retry then self._on_retry(event) end
  return "retry", event
end


--- The next model of the list, when this one is in lasting trouble.
local function fall_back(self, problem)
  if self._delivered or not problem.retryable then return nil end
  while true do
    local target, refused = self._wish:target(self._next)
    self._next = self._next + 1
    if target then
      aim(self, target)
      self._due, self._renewed = 0, false
      local profile = target.profile
      local event = { provider = profile.name, model = profile.model, failure = problem }
      log.info("falling back to %s (%s): %s", event.provider, event.model or "?", problem)
      return "fallback", event
    end
    if not refused then return nil end
    log.warn("cannot fall back: %s", refused)
  end
end


--- An attempt has ended. → an event for the consumer, or nil when the exchange is over or already goes on
local function settle(self)
  local transfer = self._transfer
  local turn = self._turn
  local completion, info, reply = transfer:finish(turn or true)
  if self._info then return nil end   -- closed meanwhile, by another task
  self._transfer = nil
  transfer:close()   -- what it holds of the response is not small
  self._target.endpoint:finish(info and info.headers, info and info.status)
  if completion and turn then return conclude_turn(self, turn) end
  if self._think then think.strip(completion or reply.partial, info) end
  if completion then
    if self._prefix then self._prefix:strip(completion) end
    return conclude(self, completion, nil, info)
  end
  local problem = trouble.from_reply(reply, info, self._target.profile)
  local headers = info.headers or {}
  problem.retryable = retry.is_retryable(problem, headers)
  if recover.redirect(self, problem, headers) or recover.cure(self, problem) then
    self._due = 0
    return nil
  end
  local renewed = recover.renew(self, problem)
  if renewed then
    aim(self, renewed)
    self._due = 0
    return nil
  end
  local delay = recover.delay(self, problem, headers)
  if delay then return again(self, problem, delay) end
  recover.regret(self, problem)
  local kind, event = fall_back(self, problem)
  if kind then return kind, event end
  conclude(self, nil, problem, info)
end


--- The next part of the transfer without what a server repeats.
local function pull_new(self)
  while true do
    local kind, delta, choice = self._transfer:next()
    if self._prefix and choice == 0 and kind == "text" then
      delta = self._prefix:take(delta)
    elseif self._prefix and not kind then
      delta = self._prefix:flush()
      kind, choice = delta and "text", 0
    end
    if not kind then return nil end
    if delta then return kind, delta, choice end
  end
end


--- The same with reasoning told apart from text.
local function pull_thought(self)
  while true do
    local kind, delta, choice = self._think:pop()
    if kind then return kind, delta, choice end
    kind, delta, choice = pull_new(self)
    if kind == "text" then
      self._think:take(delta, choice)
    elseif kind or not self._think:flush() then
      return kind, delta, choice
    end
  end
end


--- The next part that the transfer has for the consumer; nil at its end.
local function pull(self)
  local next_part = self._think and pull_thought or pull_new
  local kind, delta, choice = next_part(self)
  if kind then self._delivered = true end
  return kind, delta, choice
end


--- The next part of the reply; nil at the end (then call `finish`).
---
--- "retry" comes with {attempt, delay (seconds until then), failure, reset = true when what was handed out is void};
--- "fallback" with {provider, model, failure}.
---@async
---@return "text"|"reasoning"|"refusal"|"chunk"|"retry"|"fallback"|nil kind
---@return any delta
---@return integer? choice
function Exchange:next()
  while not self._info do
    if self._due then
      local delay = self._due
      self._due = false
      if delay > 0 then time.sleep(delay) end
      local refused = not self._info and launch(self)
      if refused then conclude(self, nil, refused) end
    else
      local kind, delta, choice
      if self._want then kind, delta, choice = pull(self) end
      if not kind and not self._info then kind, delta = settle(self) end
      if kind then return kind, delta, choice end
    end
  end
end


--- Waits for the end.
---@async
---@return table? completion       exactly what the server sent, put together; or the turn that got it
---@return rille.Failure|table     the info {provider, model, attempts, seconds, status, headers, …}, or the failure
---@return table? info             beside a failure
function Exchange:finish()
  while not self._info do self:next() end
  if self._completion then return self._completion, self._info end
  return nil, self._failure, self._info
end


--- Gives the exchange up; the transfer ends at once. Idempotent.
function Exchange:close()
  drop(self)
  if not self._info then
    conclude(self, nil, failure.new("cancelled", "the exchange was closed", { retryable = false }))
  end
end


--- Gives the exchange up and tells what had arrived until now.
---@return table? partial    a completion; nil when nothing had, or when the exchange was over
function Exchange:abort()
  local partial = not self._info and self._transfer and self._transfer:abort() or nil
  if partial and self._think then think.strip(partial, {}) end
  if partial and self._prefix then self._prefix:strip(partial) end
  self:close()
  return partial
end


--- For finalisers of who holds it: the transfer ends, and nothing else happens (the runtime may be closing). All others
--- close it.
Exchange.drop = drop


--- Leaving its block; an error that does may be the end of a run, which keeps what had arrived.
function Exchange:__close(raised)
  if self._info and not self._transfer then return end   -- over, as nearly always
  if raised ~= nil and self._on_break then self._on_break(self._owner, self:abort()) end
  self:close()
end


--- Starts an exchange.
---@async
---@param wanted rille.Wish
---@param messages rille.Transcript
---@param opening? rille.Opening
---@param want? "deltas"|"chunks"
---@param on_retry? fun(event: table)
---@param turn? rille.Turn     gets the answer: message, finish_reason, reasoning, usage, model, id
---@param on_break? fun(owner: any, partial: table?)
---@param owner? any
---@return rille.Exchange? exchange
---@return rille.Failure? failure
function exchange.new(wanted, messages, opening, want, on_retry, turn, on_break, owner)
  local target, refused = wanted:target(1)
  if not target then return nil, refused end
  local started, total = time.now(), wanted.request.timeout.total
  local self = setmetatable({   -- what is nil comes later: the table need not grow for it
    _wish = wanted, _messages = messages, _opening = opening, _want = want, _target = target,
    _started = started, _deadline = total and started + total, _on_retry = on_retry, _turn = turn,
    _on_break = on_break, _owner = owner, _attempt = 0, _attempts = 0, _due = false, _info = false,
  }, Exchange)
  refused = launch(self)
  if refused then return nil, refused end
  return self
end


return exchange
