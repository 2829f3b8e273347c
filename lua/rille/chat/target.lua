--- rille.chat.target -- walk 2: one server and model to ask, and all of a request that is settled before its
--- messages are known.
---
--- Who is asked (profile, endpoint), where (address), and the request around its messages (frame, plan) are made once;
--- what a request adds is its messages. Invariant: a target is never changed, because requests under way share it: a
--- cure, a redirect or another key makes another target.
--- Source: wire contract §1, §1.1 (headers); reliability §4.1 (timers).

local body = require "rille.chat.body"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local failure = require "rille.failure"
local heal = require "rille.heal"
local profiles = require "rille.profiles"
local provider = require "rille.provider"
local route = require "rille.http.route"

---@class rille.Target
---@field profile rille.Profile
---@field script? table                 a scripted model answers
---@field asks boolean                   is a function asked for the key, or a script for its name, each time?
---@field endpoint rille.Endpoint
---@field address string
---@field frame rille.Frame
---@field plan? rille.core.ChatPlan     nil: a scripted model needs none

local target = {}

local script_flags <const> = heal.apply(profiles.base, profiles.rows.generic.flags)


--- Is this model a script?
---@param model any
---@return boolean
function target.is_script(model)
  return type(model) == "table" and type(model.respond) == "function"
end


--- What a script is called now: scripts are objects, which may change.
---@param script table
---@return string
function target.script_name(script)
  return type(script.model) == "string" and script.model or "script"
end


--- A scripted model is a server of its own: what it refuses is no lesson for others.
local function script_profile(script)
  return {
    name = "script", base_url = ("script://%p"):format(script), auth = "bearer", headers = {}, query = {},
    model = target.script_name(script), flags = script_flags,
  }
end


local function resolve(request, model, is_fallback, asked)
  local wanted = {
    model = model, provider = request.provider, base_url = request.base_url,
    api_key = request.api_key, headers = request.headers, query = request.query,
    insecure = request.insecure, asked = asked,
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
  return profile
end


local function header_lines(frame)
  return provider.header_lines(frame.profile, {
    ["content-type"] = "application/json",
    ["accept"] = frame.stream and "text/event-stream" or "application/json",
  })
end


local function plan_of(request, frame, address)
  local limits = request.timeout
  return core.chat_plan(route.apply({
    url = address, method = "POST", headers = header_lines(frame),
    connect = limits.connect, first_byte = limits.first_byte, idle = limits.idle,
    stream = frame.stream, n = frame.n, cumulative = frame.profile.flags.cumulative,
    head = frame.head, tail = frame.tail, key = frame.key, plain_serves = frame.plain_serves, rules = frame.rules,
    body = frame.whole,
  }, config.env))
end


--- Puts the request around its messages to whom it is for: {profile, script, endpoint, address}.
local function complete(self, request)
  self.asks = self.script ~= nil or self.profile.ask_key ~= nil
  self.frame = body.frame(request, self.profile)
  self.plan = not self.script and plan_of(request, self.frame, self.address) or nil
  return self
end


--- Finds out whom and what to ask.
---@async
---@param request rille.ChatRequest    with all its timeouts
---@param model any                    a name or a script; nil: the default
---@param is_fallback boolean
---@param asked? {ask: function, key: any}   what the function for the key gave just now
---@return rille.Target? target
---@return rille.Failure? failure
function target.new(request, model, is_fallback, asked)
  local script = target.is_script(model) and model or nil
  local profile, trouble
  if script then
    profile = script_profile(script)
  else
    profile, trouble = resolve(request, model, is_fallback, asked)
  end
  if not profile then return nil, trouble end
  return complete({
    profile = profile, script = script, endpoint = script and endpoint.new() or endpoint.of(profile),
    address = provider.url(profile, "/chat/completions"),
  }, request)
end


--- The same, asked with what was learned by now (rille.heal).
---@param self rille.Target
---@param request rille.ChatRequest
---@return rille.Target
function target.cured(self, request)
  return complete({ profile = self.profile, script = self.script, endpoint = self.endpoint, address = self.address },
    request)
end


--- The same, somewhere else on its origin.
---@param self rille.Target
---@param request rille.ChatRequest
---@param address string
---@return rille.Target
function target.moved(self, request, address)
  return {
    profile = self.profile, script = self.script, asks = self.asks, endpoint = self.endpoint, address = address,
    frame = self.frame, plan = not self.script and plan_of(request, self.frame, address) or nil,
  }
end


return target
