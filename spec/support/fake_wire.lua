--- fake_wire.lua -- stands in for core.chat: answers of the wire as a list of steps.
---
--- A step: `{ deltas = {…}, completion = {…} }`, an HTTP error `{ status =, message =, code =,
--- headers = }` (as real bytes), other trouble `{ kind =, deltas =, … }`, or a function of the
--- settings that returns one. What was sent is kept in `wire.sent` as {settings, text, body}.
local core = require "rille.core"
local json = require "rille.json"

local fake_wire = {}

local Transfer = {}
Transfer.__index = Transfer


function Transfer:next()
  self._position = self._position + 1
  local delta = self._step.deltas and self._step.deltas[self._position]
  if delta == nil or not self._settings.want then return nil end
  return self._settings.want == "chunks" and "chunk" or "text", delta, 0
end


--- What a turn gets of a completion (core.chat: finish).
local function fill(turn, completion)
  local choice = completion.choices[1]
  turn.message, turn.finish_reason = choice.message, choice.finish_reason
  turn.usage, turn.model, turn.id = completion.usage, completion.model, completion.id
  return turn
end


function Transfer:finish(turn)
  local step = self._step
  local info = {
    status = step.status or 200, headers = step.headers or {}, delivered = self._position > 1,
    effective = { "stop" }, reasoning = { "" },
  }
  if step.completion and type(turn) == "table" then return fill(turn, step.completion), info end
  if step.completion then return step.completion, info end
  local error_of = { kind = step.kind or "connection", hint = step.hint }
  for _, name in ipairs({ "message", "code", "type", "param", "partial" }) do
    error_of[name] = step[name]
  end
  return nil, info, error_of
end


function Transfer:close()
  self.closed = true
end


--- An HTTP error takes the way of real bytes.
local function refused(real, settings, step)
  local lines = { "Content-Type: application/json" }
  for name, value in pairs(step.headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  local body = ""
  if step.message or step.code or step.type then
    body = json.encode {
      error = { message = step.message, code = step.code, type = step.type, param = step.param } }
  end
  settings.canned = { status = step.status, headers = lines, body = body }
  return real(settings)
end


--- The whole body that settings would send.
local function body_of(settings)
  if settings.body then return settings.body end
  local messages = settings.messages:wire(settings.key)
  if settings.opening then
    messages = "[" .. settings.opening .. (#messages > 2 and "," or "") .. messages:sub(2)
  end
  return settings.head .. messages .. settings.tail
end


--- The options of a request: those of its plan, and what it adds. A scripted model brings all of its own.
local function settings_of(plan, messages, opening, want, total)
  local settings = {}
  for name, value in pairs(plan) do settings[name] = value end
  if settings.canned then return settings end
  settings.messages, settings.opening, settings.want, settings.total = messages, opening, want, total
  return settings
end


--- Installs it until `restore`. A request beyond the last step is an error of the spec.
--- @param steps table[]
--- @return {sent: table[], restore: fun()}
function fake_wire.install(steps)
  local before, plan_before = core.chat, core.chat_plan
  local wire = { sent = {}, transfers = {} }
  function core.chat_plan(options) return options end
  function core.chat(...)
    local settings = settings_of(...)
    if settings.key and settings.messages and settings.messages:unwired(settings.key, 1, settings.plain_serves) then
      return nil
    end
    local number = #wire.sent + 1
    local text = body_of(settings)
    wire.sent[number] = { settings = settings, text = text, body = assert(json.decode(text)) }
    local step = steps[number] or steps.default or error("the fake wire has no step " .. number, 0)
    if type(step) == "function" then step = step(settings, wire.sent[number].body) end
    if step.status and step.status >= 300 then
      wire.transfers[number] = refused(before, settings, step)
    else
      wire.transfers[number] = setmetatable({ _step = step, _settings = settings, _position = 0 },
        Transfer)
    end
    return wire.transfers[number]
  end
  function wire.restore() core.chat, core.chat_plan = before, plan_before end
  return wire
end


return fake_wire
