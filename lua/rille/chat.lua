--- rille.chat -- walk 2: transcript, tools and options become a request; its reply comes back.
---
--- The door between agents (or plain completions) and the wire: which server, which bytes, and what
--- to do when it does not work out is settled behind it. Invariant: one call is one reply or one
--- failure, however often the wire was tried.
--- Source: wire contract §1 and §3.

local config = require "rille.config"
local exchange = require "rille.chat.exchange"
local failure = require "rille.failure"
local heal = require "rille.heal"
local profiles = require "rille.profiles"
local provider = require "rille.provider"
local retry = require "rille.retry"

local chat = {}

---@class rille.ChatRequest
---@field model? string|table|(string|table)[]   a list: the first, and whom to ask when it is in
---  lasting trouble
---@field provider? string|rille.ProviderSpec
---@field base_url? string
---@field api_key? string|false
---@field headers? table<string, string|false>
---@field query? table<string, string>
---@field insecure? boolean
---@field messages rille.Transcript
---@field instructions? string  opens the request as a system message and is no part of the
---  transcript
---@field tools? table[]        tools, or definitions {type = "function", ["function"] = {…}}
---@field params? table         other body parameters
---@field extra? table          merged last; json.absent as a value takes a member away
---@field stream? boolean
---@field want? "deltas"|"chunks"
---@field timeout? {connect?: number, first_byte?: number, idle?: number, total?: number}  seconds
---@field retries? integer      after the first attempt; default 2
---@field resets? boolean       the consumer understands a "retry" that makes void what it was given
---@field on_retry? fun(event: table)
---@field verbatim? boolean     leave the caller's words alone where the profile allows it
---@field usage? boolean        false: do not ask for usage in a stream
---@field heal? boolean         false: neither use nor learn what the server cannot take
---  (rille.heal)

--- Seconds; `total` is unlimited.
chat.TIMEOUT = { connect = 10, first_byte = 600, idle = 120 }

local function is_script(model)
  return type(model) == "table" and type(model.respond) == "function"
end


local script_flags <const> = heal.apply(profiles.base, profiles.rows.generic.flags)


--- A scripted model is a server of its own: what it refuses is no lesson for others.
local function script_target(script)
  local profile = {
    name = "script", base_url = ("script://%p"):format(script), auth = "bearer",
    headers = {}, query = {},
    model = type(script.model) == "string" and script.model or "script", flags = script_flags,
  }
  return { profile = profile, script = script }
end


local function resolve(request, model, is_fallback)
  if is_script(model) then return script_target(model) end
  local wanted = {
    model = model, provider = request.provider, base_url = request.base_url,
    api_key = request.api_key, headers = request.headers, query = request.query,
    insecure = request.insecure,
  }
  if is_fallback and not request.base_url and provider.prefix(model) then
    -- another server: nothing that was meant for the first one goes there
    wanted = { model = model }
  end
  local profile, trouble = provider.resolve(wanted)
  if not profile then return nil, trouble end
  if not profile.model then
    return nil, failure.new("invalid_request", "no model: set `model`, RILLE_MODEL or OPENAI_MODEL",
      { provider = profile.name })
  end
  return { profile = profile }
end


local function targets_of(request)
  local models = request.model
  if type(models) ~= "table" or is_script(models) then models = { models or config.model() } end
  if #models == 0 then models = { false } end
  local targets = {}
  for i, model in ipairs(models) do
    targets[i] = function() return resolve(request, model or nil, i > 1) end
  end
  return targets
end


local function timeouts(given)
  if type(given) == "number" then given = { total = given } end
  local made = {}
  for name, value in pairs(chat.TIMEOUT) do made[name] = value end
  for name, value in pairs(given or {}) do made[name] = value or nil end
  return made
end


--- Sends a request. Returns at once (after waiting for an announced rate limit): pull the reply
--- from the exchange.
---@async
---@param request rille.ChatRequest
---@return rille.Exchange? exchange
---@return rille.Failure? failure   "authentication" (no key), "invalid_request" (no model, a broken
---  configuration, an unreadable image)
function chat.start(request)
  local complete = {}
  for name, value in pairs(request) do complete[name] = value end
  complete.timeout = timeouts(request.timeout)
  complete.retries = request.retries or retry.DEFAULT
  return exchange.new(complete, targets_of(request))
end


--- Sends a request and waits for the whole reply.
---@async
---@param request rille.ChatRequest
---@return table? completion
---@return rille.Failure|table     info, or the failure
---@return table? info             beside a failure
function chat.complete(request)
  local started <close>, refused = chat.start(request)
  if not started then return nil, refused end
  return started:finish()
end


return chat
