--- rille.chat.attempt -- walk 2: one attempt at a request: wait for the server's turn, then hand
--- the bytes to C.
---
--- Invariant: a scripted model's answer takes the same way as bytes from the wire; only the network
--- is missing.
--- Source: reliability §4.5 (announced limits).

local body = require "rille.chat.body"
local core = require "rille.core"
local failure = require "rille.failure"
local json = require "rille.json"
local log = require "rille.log"
local time = require "rille.time"

local attempt = {}

--- One wait is stretched by up to a tenth, at most a second: nobody should wake together with all
--- others.
local SPREAD <const>, LONGEST_SPREAD <const> = 0.1, 1


--- Seconds until the caller's total time is over; nil when there is no limit.
---@param deadline? number   on the clock of time.now
---@return number?
function attempt.left(deadline)
  return deadline and math.max(0.001, deadline - time.now())
end


local function too_late(name, delay)
  return failure.new("timeout", ("the rate limit of %s lasts %.1f s more"):format(name, delay),
    { provider = name, retryable = true, detail = { kind = "rate_limit", retry_after = delay } })
end


--- Waits for as long as the server has asked everybody to wait. → failure | nil
local function wait_for_turn(endpoint, name, deadline)
  local delay = endpoint:delay()
  while delay > 0 do
    local left = attempt.left(deadline)
    if left and delay >= left then return too_late(name, delay) end
    log.info("%s: waiting %.1f s for its rate limit", name, delay)
    time.sleep(delay + time.random() * math.min(LONGEST_SPREAD, delay * SPREAD))
    delay = endpoint:delay()
  end
end


--- Asks a scripted model for the bytes of its answer. → response | nil, failure
local function canned(target, messages, opening)
  local asked = json.decode(body.text(target.frame, messages, opening), { nulls = false })
  local ok, response = pcall(target.script.respond, target.script, asked)
  if not ok and failure.is(response) and response.code == "cancelled" then error(response, 0) end
  if ok and (type(response) ~= "table" or type(response.body) ~= "string") then
    ok, response = false, "respond() must return a table with a body, got " .. type(response)
  end
  if not ok then
    return nil, failure.new("internal", "the scripted model failed: " .. tostring(response))
  end
  if response.delay then time.sleep(response.delay) end
  return response
end


local function perform(target, messages, opening, want)
  local response, broken = canned(target, messages, opening)
  if not response then return nil, broken end
  local frame = target.frame
  return core.chat {
    canned = response, stream = frame.stream, n = frame.n, want = want,
    cumulative = frame.profile.flags.cumulative,
  }
end


--- Sends a request once. The transcript may lack wire forms that this target wants; making them may wait (for images),
--- and another target's may have taken their place by then.
---@async
---@param target rille.Target
---@param messages rille.Transcript
---@param opening? rille.Opening
---@param want? "deltas"|"chunks"
---@param deadline? number
---@return rille.core.Chat? transfer
---@return rille.Failure? failure   "timeout": the server's turn comes too late; "invalid_request": an unreadable image
function attempt.send(target, messages, opening, want, deadline)
  local frame, endpoint, plan = target.frame, target.endpoint, target.plan
  local refused = endpoint.is_limited and plan and wait_for_turn(endpoint, target.profile.name, deadline)
  while not refused do
    local transfer = plan and core.chat(plan, not frame.whole and messages or nil, opening and body.opening(frame, opening),
      want, deadline and attempt.left(deadline))
    if transfer then return transfer end
    refused = body.fill(frame, messages)
    if not plan and not refused then return perform(target, messages, opening, want) end
  end
  return nil, refused
end


return attempt
