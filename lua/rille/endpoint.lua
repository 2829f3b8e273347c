--- rille.endpoint -- walk 2: what all agents of the process know about one server together.
---
--- The rate limits that it announced (nobody runs into a wall that another one has seen), and the
--- retry budget: within 10 seconds at most 3 retries plus one for ten requests, so that ten
--- thousand agents do not turn an outage into a storm. Whoever is alone with a server for 10
--- seconds is no storm and is not asked.
--- Source: reliability §4.2 (budget), §4.5 (limits); wire contract §3.3 (headers).

local lazy = require "rille.lazy"
local time = require "rille.time"
local retry = lazy "rille.retry"   ---@module "rille.retry"

local WINDOW <const> = 10         -- seconds
local FREE_RETRIES <const> = 3    -- in a window
local RETRY_SHARE <const> = 0.1   -- of the requests that were no retries
local MOST_KEPT <const> = 1000    -- servers, keys and models, before those are let go that nobody asks any more

---@class rille.Endpoint
---@field is_limited boolean    has it ever announced a limit? Otherwise `delay` need not be asked
---@field _running integer      requests under way
---@field _crowded number       when two of them were last under way at once
---@field _window integer
---@field _requests integer[]   first attempts in this window, and in the one before
---@field _retries integer[]    granted in this window, and in the one before
---@field _not_before? number    until then the server wants to be left alone
---@field _limits table<string, {remaining: number, limit: number?, reset_at: number, period:
---  number}>
local Endpoint = {}
Endpoint.__index = Endpoint

local endpoint = {}

--- By name, while somebody uses it or it is kept; kept are those of which there is something to remember.
local known = setmetatable({}, { __mode = "v" }) ---@type table<string, rille.Endpoint>
local kept, kept_count, kept_most = {}, 0, MOST_KEPT


--- A state that nobody shares: of a scripted model.
---@return rille.Endpoint
function endpoint.new()
  return setmetatable({
    is_limited = false, _running = 0, _crowded = -math.huge, _window = 0, _requests = { 0, 0 }, _retries = { 0, 0 },
    _limits = {},
  }, Endpoint)
end


--- Is there nothing to remember: no request under way, no limit, no retry that still counts?
local function is_idle(self, now)
  for _, bucket in pairs(self._limits) do
    if bucket.reset_at > now then return false end
  end
  return self._running == 0 and (self._not_before or now) <= now and self._window + 1 < now // WINDOW
end


--- A process that runs for a year may see many keys.
local function let_idle_go()
  local now = time.now()
  for name, one in pairs(kept) do
    if is_idle(one, now) then kept[name], kept_count = nil, kept_count - 1 end
  end
  kept_most = math.max(MOST_KEPT, 2 * kept_count)   -- so that it is not looked for in vain again and again
end


--- The shared state of a provider, key and model.
---@param profile rille.Profile
---@return rille.Endpoint
function endpoint.of(profile)
  local name = table.concat({ profile.base_url, profile.api_key or "", profile.model or "" }, "\0")
  local one = known[name] or endpoint.new()
  known[name] = one
  if not kept[name] then
    if kept_count >= kept_most then let_idle_go() end
    kept[name], kept_count = one, kept_count + 1
  end
  return one
end


--- Forgets everything.
function endpoint.reset()
  known = setmetatable({}, { __mode = "v" })
  kept, kept_count, kept_most = {}, 0, MOST_KEPT
end


local function turn_window(self, now)
  local window = now // WINDOW
  if window == self._window then return end
  local is_next = window == self._window + 1
  self._requests = { 0, is_next and self._requests[1] or 0 }
  self._retries = { 0, is_next and self._retries[1] or 0 }
  self._window = window
end


--- What was counted within the last ten seconds: all of this window, and of the one before as much
--- as they still reach into it.
local function recent(counts)
  local passed = time.now() / WINDOW % 1
  return counts[1] + counts[2] * (1 - passed)
end


--- A bucket that has been refilled by now.
local function refill(self, name, now)
  local bucket = self._limits[name]
  if not bucket or bucket.reset_at > now then return bucket end
  if not bucket.limit then
    self._limits[name] = nil
    return nil
  end
  bucket.remaining, bucket.reset_at = bucket.limit, now + bucket.period
  return bucket
end


--- How long a request should wait by what the server announced; waits beyond retry.LONGEST_WAIT
--- count as none: then the server may say it again.
---@return number seconds
function Endpoint:delay()
  local now = time.now()
  local wait = math.max(0, (self._not_before or now) - now)
  for _, name in ipairs({ "requests", "tokens" }) do
    local bucket = refill(self, name, now)
    if bucket and bucket.remaining <= 0 then wait = math.max(wait, bucket.reset_at - now) end
  end
  return wait <= retry.LONGEST_WAIT and wait or 0
end


--- Counts a request that starts now.
---@param is_again? boolean   it was sent before
function Endpoint:begin(is_again)
  local now, running = time.now(), self._running + 1
  if now // WINDOW ~= self._window then turn_window(self, now) end
  self._running = running
  if not is_again then self._requests[1] = self._requests[1] + 1 end
  if running > 1 then self._crowded = now end
  local bucket = self.is_limited and self._limits.requests
  if bucket then bucket.remaining = bucket.remaining - 1 end
end


local function learn(self, headers, name)
  local remaining = tonumber(headers["x-ratelimit-remaining-" .. name])
  local period = retry.duration(headers["x-ratelimit-reset-" .. name])
  if not remaining or not period then return end
  local limit = tonumber(headers["x-ratelimit-limit-" .. name])
  local before = self._limits[name]
  if before and before.reset_at > time.now() and before.remaining < remaining
    and name == "requests" then
    remaining = before.remaining   -- requests under way are not in the server's count yet
  end
  self._limits[name] = { remaining = remaining, limit = limit, reset_at = time.now() + period,
    period = period }
  self.is_limited = true
end


--- Counts the end of a request and keeps what its answer announced.
---@param headers? table<string, string>   nil: nothing
---@param status? integer
function Endpoint:finish(headers, status)
  self._running = self._running - 1
  if not headers then return end
  learn(self, headers, "requests")
  learn(self, headers, "tokens")
  local wait = (status == 429 or status == 503) and retry.after(headers)
  if wait then
    self._not_before, self.is_limited = math.max(self._not_before or -math.huge, time.now() + wait), true
  end
end


--- Asks for a retry.
---@return boolean granted   false: this server is in trouble with everybody, fail now
function Endpoint:spend_retry()
  turn_window(self, time.now())
  if self._running <= 1 and time.now() - self._crowded >= WINDOW then return true end
  local allowance = FREE_RETRIES + RETRY_SHARE * recent(self._requests)
  if recent(self._retries) + 1 > allowance then return false end
  self._retries[1] = self._retries[1] + 1
  return true
end


return endpoint
