--- fake_wire.lua -- stands in for core.chat: answers of the wire as a list of steps, without bytes.
---
--- A step: `{ deltas = {…}, completion = {…} }` or `{ status =, message =, code =, headers =, kind =, deltas = }`, or a function of
--- the settings that returns one. What was sent is kept in `wire.sent` as {settings, body}.
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


local function error_of(step)
  return {
    kind = step.kind or (step.status and step.status >= 300 and "http_error") or "connection",
    status = step.status, message = step.message, code = step.code, type = step.type, param = step.param,
    partial = step.partial,
  }
end


function Transfer:finish()
  local step = self._step
  local info = {
    status = step.status or 200, headers = step.headers or {}, request_id = step.request_id, delivered = self._position > 1,
    effective = { "stop" }, reasoning = { "" },
  }
  if step.completion then return step.completion, info end
  return nil, info, error_of(step)
end


function Transfer:close()
  self.closed = true
end


--- The whole body that settings would send.
local function body_of(settings)
  return settings.body or settings.head .. settings.messages:wire(settings.key) .. settings.tail
end


--- Installs it until `restore`. A request beyond the last step is an error of the spec.
--- @param steps table[]
--- @return {sent: table[], restore: fun()}
function fake_wire.install(steps)
  local before = core.chat
  local wire = { sent = {}, transfers = {} }
  function core.chat(settings)
    local number = #wire.sent + 1
    local text = body_of(settings)
    wire.sent[number] = { settings = settings, text = text, body = assert(json.decode(text)) }
    local step = steps[number] or steps.default or error("the fake wire has no step " .. number, 0)
    if type(step) == "function" then step = step(settings, wire.sent[number].body) end
    wire.transfers[number] = setmetatable({ _step = step, _settings = settings, _position = 0 }, Transfer)
    return wire.transfers[number]
  end
  function wire.restore() core.chat = before end
  return wire
end


return fake_wire
