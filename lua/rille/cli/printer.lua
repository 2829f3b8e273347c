--- rille.cli.printer -- beside the walk: the events of a run, shown to a person or a program.
---
--- Invariant: stdout carries the answer and nothing else; traces, usage and errors go to stderr.

local failure = require "rille.failure"
local json = require "rille.json"
local printable = require "rille.printable"
local terminal = require "rille.cli.terminal"

local printer = {}

local Printer = {}
Printer.__index = Printer


--- Makes a printer.
---@param settings table    format ("text"|"json"|"stream-json"), stream, quiet, verbose, color
---@return table printer
function printer.new(settings)
  return setmetatable({ format = settings.format or "text", stream = settings.stream ~= false,
    quiet = settings.quiet, verbose = settings.verbose, column = 0, said = false,
    paint = terminal.painter(settings.color == false) }, Printer)
end


local function shorten(text, max)
  text = printable.line(text)
  if #text <= max then return text end
  return text:sub(1, utf8.offset(text, 0, max) - 1) .. "…"
end


--- A line on stderr; when the answer's line is still open on the same terminal, it is ended first.
function Printer:note(style, text)
  if self.quiet then return end
  if self.column > 0 and terminal.is_tty(1) then terminal.answer("\n") end
  self.column = 0
  terminal.note(self.paint(style, text))
end


function Printer:answer(text)
  if text == "" then return end
  terminal.answer(text)
  self.said = true
  self.column = text:sub(-1) == "\n" and 0 or 1
end

local shown = {}

function shown.text(self, event)
  if self.stream then self:answer(event.delta) end
end

function shown.refusal(self, event)
  if self.stream then self:answer(event.delta) end
end

function shown.tool_call(self, event)
  local call = event.call
  self:note("dim", ("→ %s %s"):format(call.name, shorten(json.encode(call.arguments), 200)))
end

function shown.tool_progress(self, event)
  self:note("dim", ("… %s: %s"):format(event.call.name, shorten(tostring(event.value), 200)))
end

function shown.tool_result(self, event)
  local content = event.content
  if type(content) ~= "string" then content = json.encode(content) end
  self:note(event.ok and "dim" or "red", ("← %s (%.1f s) %s"):format(event.call.name,
    event.seconds or 0, shorten(content, 200)))
end

function shown.retry(self, event)
  self:note("dim", ("retry %d in %.1f s: %s"):format(event.attempt, event.delay,
    tostring(event.failure)))
end

function shown.request(self, event)
  if self.verbose then
    self:note("dim", ("request %d: %s, %d messages"):format(event.number, tostring(event.model),
      event.messages))
  end
end

function shown.done(self, event)
  local reply = event.reply
  if not (self.stream and self.said) then self:answer(reply.text or reply.refusal or "") end
  if self.column > 0 then self:answer("\n") end
  local usage = reply.usage
  if self.verbose and usage then
    self:note("dim", ("%d tokens in, %d out, %d requests, finish_reason %s"):format(
      usage.prompt_tokens or 0, usage.completion_tokens or 0, usage.requests or 0,
      tostring(reply.finish_reason)))
  end
end

function shown.failed(self)
  if self.column > 0 then self:answer("\n") end
end


local function plain_reply(reply)
  if not reply then return nil end
  local plain = { text = reply.text, output = reply.output, refusal = reply.refusal,
    reasoning = reply.reasoning, finish_reason = reply.finish_reason, usage = reply.usage,
    model = reply.model, id = reply.id }
  if reply.transcript then plain.messages = json.array(reply.transcript:messages()) end
  return plain
end


local function plain_failure(problem)
  local plain = {}
  for _, name in ipairs { "code", "message", "status", "retryable", "request_id", "provider" } do
    plain[name] = problem[name]
  end
  plain.reply = plain_reply(problem.reply)
  return plain
end


--- What an event carries as far as JSON can say it.
local function plain_event(event)
  local plain = {}
  for name, value in pairs(event) do
    if name == "reply" then
      plain.reply = plain_reply(value)
    elseif failure.is(value) then
      plain[name] = plain_failure(value)
    elseif type(value) ~= "function" and type(name) == "string" and name:sub(1, 1) ~= "_" then
      plain[name] = value
    end
  end
  return plain
end


--- Encodes a value; where a tool's value is none that JSON can hold, its text stands for it.
local function encode(plain)
  local ok, text = pcall(json.encode, plain)
  if ok then return text end
  for name, value in pairs(plain) do
    if not pcall(json.encode, value) then plain[name] = tostring(value) end
  end
  return json.encode(plain)
end


--- Events whose text belongs to the answer.
local answers <const> = { text = true, refusal = true, done = true, failed = true }


--- Shows one event.
---@param event rille.Event
function Printer:event(event)
  if self.format == "stream-json" then
    return terminal.answer(encode(plain_event(event)) .. "\n")
  end
  if self.format == "json" then
    if event.type == "done" then terminal.answer(encode(plain_reply(event.reply)) .. "\n") end
    if event.type == "failed" then
      terminal.answer(encode { error = plain_failure(event.failure) } .. "\n")
    end
    if answers[event.type] then return end
  end
  local show = shown[event.type]
  if show then show(self, event) end
end


--- A new answer begins (the next turn of a conversation).
function Printer:reset()
  self.column, self.said = 0, false
end


return printer
