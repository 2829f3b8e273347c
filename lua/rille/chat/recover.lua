--- rille.chat.recover -- walk 2: what can be done about a failed attempt at a request.
---
--- Four questions, asked in this order: is the server elsewhere on the same origin, can the request do
--- without what was refused, is there another key by now, is it worth waiting? Invariant: each kind of
--- help has a limit per request.
--- Source: wire contract §3.1, §3.2, §3.6; reliability §3 row 7, §4.2, §4.3.

local attempt = require "rille.chat.attempt"
local heal = require "rille.heal"
local log = require "rille.log"
local retry = require "rille.retry"
local targets = require "rille.chat.target"
local url = require "rille.http.url"

local MOST_CURES <const> = 3       -- different ones, in one request
local MOST_REDIRECTS <const> = 3
local MOST_RESTARTS <const> = 2    -- of a stream of which something was shown

local recover = {}


--- 307 and 308 keep method and body; a key goes nowhere else.
---@param self rille.Exchange
---@param problem rille.Failure     gets a better message when the redirect is not followed
---@param headers table<string, string>
---@return boolean
function recover.redirect(self, problem, headers)
  if problem.status ~= 307 and problem.status ~= 308 or not headers.location then return false end
  local location = url.resolve(self._target.address, headers.location)
  if not url.same_origin(self._target.address, location) or self._redirects >= MOST_REDIRECTS then
    problem.message = ("redirected to %s, where the key does not go: set base_url"):format(
      log.redact(location))
    return false
  end
  self._redirects = self._redirects + 1
  self._target = targets.moved(self._target, self._wish.request, location)
  return true
end


--- Was this flag changed for this request before? Each cure is tried once; members may go one after
--- the other.
local function is_tried(self, differences)
  local cured = self._cured or {}
  self._cured = cured
  for flag in pairs(differences) do
    if flag ~= "drop" and cured[flag] then return true end
    cured[flag] = true
  end
  return false
end


--- Takes out of the request what the server says that it cannot take.
---@param self rille.Exchange
---@param problem rille.Failure
---@return boolean
function recover.cure(self, problem)
  if self._wish.request.heal == false or self._delivered or self._cures >= MOST_CURES then
    return false
  end
  local frame = self._target.frame
  local differences, what = heal.find(problem, frame.members, frame.profile.flags)
  if not differences or is_tried(self, differences) then return false end
  self._cures = self._cures + 1
  self._learned = self._learned or {}
  self._learned[#self._learned + 1] = differences
  heal.remember(self._target.profile, differences, what)
  self._target = targets.cured(self._target, self._wish.request)
  return true
end


--- The request was refused in the end: what was learned from it is no lesson for the next one.
---@param self rille.Exchange
---@param problem rille.Failure
function recover.regret(self, problem)
  if problem.status ~= 400 and problem.status ~= 422 then return end
  for _, differences in ipairs(self._learned or {}) do heal.unlearn(self._target.profile, differences) end
end


--- A key that a function gives may be another one by now: it is asked once after a 401.
---@param self rille.Exchange
---@param problem rille.Failure
---@return table? target   the same server with its new key
function recover.renew(self, problem)
  if problem.status ~= 401 or self._renewed or self._target.script then return nil end
  self._renewed = true
  local target = self._wish:target(self._next - 1)
  if not target or target.profile.api_key == self._target.profile.api_key then return nil end
  log.info("%s: refused the key; there is a new one", target.profile.name)
  return target
end


--- May the consumer be given the beginning a second time?
local function may_restart(self)
  if not self._delivered then return true end
  return self._wish.request.resets and self._restarts < MOST_RESTARTS
end


--- Seconds until the same request may be sent again.
---@param self rille.Exchange
---@param problem rille.Failure     detail tells why not
---@param headers table<string, string>
---@return number? delay            nil: not at all
function recover.delay(self, problem, headers)
  if not may_restart(self) then return nil end
  local delay = retry.decide(problem, headers, self._attempt - self._cures - self._redirects,
    self._wish.request.retries)
  if not delay then return nil end
  if self._target.script then return 0 end
  local left = attempt.left(self._deadline)
  if left and delay >= left then return nil end
  if not self._target.endpoint:spend_retry() then
    problem.detail.retry_budget = "spent"
    log.info("%s: too many retries at once, giving up", self._target.profile.name)
    return nil
  end
  return delay
end


return recover
