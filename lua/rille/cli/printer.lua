--- rille.cli.printer -- beside the walk: the events of a run, shown to a person or a program.
---
--- Invariant: stdout carries the answer and nothing else; traces, usage and errors go to stderr.

local json = require "rille.json"
local plain = require "rille.events.plain"
local printable = require "rille.printable"
local terminal = require "rille.cli.terminal"

local printer = {}

local NOTICEABLE <const> = 2   -- seconds

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

local function is_nested(event)
  return event.path ~= nil and #event.path > 1
end


--- Text of an agent further in is no answer; what one message says does not run into what the next says.
local function speak(self, event)
  if not self.stream or is_nested(event) then return end
  if self.heard and self.column > 0 then self:answer("\n") end
  self.heard = false
  self:answer(event.delta)
end

shown.text, shown.refusal = speak, speak

function shown.message(self, event)
  if not is_nested(event) then self.heard = true end
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

--- Who has to wait wants to know for what.
function shown.retry(self, event)
  if not self.verbose and event.delay < NOTICEABLE then return end
  self:note("dim", ("retry %d in %.1f s: %s"):format(event.attempt, event.delay,
    tostring(event.failure)))
end

function shown.fallback(self, event)
  self:note("dim", ("asking %s: %s"):format(printable.line(tostring(event.model)), tostring(event.failure)))
end

function shown.request(self, event)
  if self.verbose then
    self:note("dim", ("request %d: %s%d message%s"):format(event.number,
      event.model and tostring(event.model) .. ", " or "", event.messages, event.messages == 1 and "" or "s"))
  end
end

--- The text as the model wrote it, unless the validated output is another.
local function final_text(reply)
  local text = reply.text ~= "" and reply.text or reply.refusal or ""
  if reply.output == nil then return text end
  local said = json.decode(text)
  local output = json.encode(reply.output)
  return said ~= nil and json.encode(said) == output and text or output
end


function shown.done(self, event)
  local reply = event.reply
  if not (self.stream and self.said) then self:answer(final_text(reply)) end
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


--- Events whose text belongs to the answer.
local answers <const> = { text = true, refusal = true, done = true, failed = true }


--- Shows one event.
---@param event rille.Event
function Printer:event(event)
  if self.format == "stream-json" then
    return terminal.answer(plain.event(event) .. "\n")
  end
  if self.format == "json" then
    local final = event.type == "done" and plain.reply(event.reply)
      or event.type == "failed" and { error = plain.failure(event.failure) }
    if final then terminal.answer(plain.encode(final) .. "\n") end
    if answers[event.type] then return end
  end
  local show = shown[event.type]
  if show then show(self, event) end
end


--- A new answer begins (the next turn of a conversation).
function Printer:reset()
  self.column, self.said, self.heard = 0, false, false
end


return printer
