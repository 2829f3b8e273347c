--- rille.chat.attempt -- walk 2: one attempt at a request: wait for the server's turn, then hand
--- the bytes to C.
---
--- Invariant: a scripted model's answer takes the same way as bytes from the wire; only the network
--- is missing.
--- Source: wire contract §1.1 (headers), reliability §4.1 (timers), §4.5 (announced limits).

local body = require "rille.chat.body"
local core = require "rille.core"
local failure = require "rille.failure"
local json = require "rille.json"
local log = require "rille.log"
local provider = require "rille.provider"
local route = require "rille.http.route"
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


local function header_lines(made)
  return provider.header_lines(made.profile, {
    ["content-type"] = "application/json",
    ["accept"] = made.stream and "text/event-stream" or "application/json",
  })
end


local function core_options(request, made, address, deadline)
  local limits = request.timeout
  return route.apply {
    url = address, method = "POST", headers = header_lines(made),
    stream = made.stream, n = made.n, want = request.want,
    cumulative = made.profile.flags.cumulative,
    connect = limits.connect, first_byte = limits.first_byte, idle = limits.idle,
    total = attempt.left(deadline),
    head = made.head, opening = made.opening, tail = made.tail, key = made.key,
    messages = not made.whole and request.messages or nil, body = made.whole,
  }
end


--- Asks a scripted model for the bytes of its answer. → response | nil, failure
local function canned(script, made, request)
  local asked = json.decode(body.text(made, request.messages), { nulls = false })
  local ok, response = pcall(script.respond, script, asked)
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


--- Sends a request once.
---@async
---@param request rille.ChatRequest
---@param target {profile: rille.Profile, script?: table}
---@param made rille.Body
---@param address string
---@param endpoint rille.Endpoint
---@param deadline? number
---@return rille.core.Chat? transfer
---@return rille.Failure? failure   "timeout": the server's turn comes too late
function attempt.send(request, target, made, address, endpoint, deadline)
  if target.script then
    local settings = core_options(request, made, address, deadline)
    local response, broken = canned(target.script, made, request)
    if not response then return nil, broken end
    settings.canned = response
    return core.chat(settings)
  end
  local late = wait_for_turn(endpoint, target.profile.name, deadline)
  if late then return nil, late end
  return core.chat(core_options(request, made, address, deadline))
end


return attempt
