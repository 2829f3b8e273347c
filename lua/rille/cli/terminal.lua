--- rille.cli.terminal -- beside the walk: standard input and output as a person or a pipe sees
--- them.
---
--- Invariant: stdout carries the answer and nothing else; without a terminal nothing is asked; text
--- of a model cannot move the cursor of a terminal.
--- Source: https://docs.libuv.org/en/v1.x/tty.html; ECMA-48; https://no-color.org

local core = require "rille.core"
local failure = require "rille.failure"
local uv = require "rille.uv"

local terminal = {}


--- Is this file descriptor a terminal?
---@param descriptor integer    0, 1 or 2
---@return boolean
function terminal.is_tty(descriptor)
  return uv.guess_handle(descriptor) == "tty"
end


--- Colours for stderr; without a terminal, or with NO_COLOR, none.
---@param off? boolean
---@return fun(name: "dim"|"bold"|"red"|"green", text: string): string
function terminal.painter(off)
  local codes = { dim = "2", bold = "1", red = "31", green = "32" }
  local wanted = not off and (os.getenv("NO_COLOR") or "") == "" and terminal.is_tty(2)
  return function(name, text)
    return wanted and ("\27[%sm%s\27[0m"):format(codes[name], text) or text
  end
end


--- Text for a terminal: control characters other than newline and tab are dropped.
---@param text string
---@return string
function terminal.clean(text)
  return (text:gsub("[%z\1-\8\11-\31\127]", ""):gsub("\194[\128-\159]", ""))
end


--- Writes a piece of the answer, at once. Raises a failure when nobody reads it any more, which
--- ends the run.
---@param text string
function terminal.answer(text)
  local written, message = io.stdout:write(terminal.is_tty(1) and terminal.clean(text) or text)
  if written then written, message = io.stdout:flush() end
  if not written then error(failure.new("connection", "stdout: " .. tostring(message)), 0) end
end


--- Writes a line for the person at the terminal.
---@param text string
function terminal.note(text)
  io.stderr:write(text, "\n")
end


--- All of standard input when it is no terminal; nil when there is nothing to read.
---@return string?
function terminal.piped()
  if terminal.is_tty(0) then return nil end
  local text = io.stdin:read("a")
  return text ~= "" and text or nil
end


-- ------------------------------------------------------------------------- reading lines

local Lines = {}
Lines.__index = Lines


--- The stream of standard input; nil for a file, which cannot be waited for.
local function open_input()
  local kind = uv.guess_handle(0)
  if kind == "tty" then return uv.new_tty(0, true) end
  if kind ~= "pipe" then return nil end
  local pipe = uv.new_pipe(false)
  pipe:open(0)
  return pipe
end


local function lines_of(stream)
  return setmetatable({ _stream = stream, _buffer = "", _ended = false }, Lines)
end


--- Reads standard input line by line, while the loop turns.
---@return table lines    `:next()` waits for a line, nil at the end; `:close()`
function terminal.lines()
  return lines_of(open_input())
end


--- The terminal that we belong to, whatever standard input is; nil when there is none.
local function open_terminal()
  return (uv.fs_open("/dev/tty", "r", 0))
end


--- Is there somebody who sees a question on stderr and can answer it?
---@return boolean
function terminal.has_person()
  if terminal.is_tty(0) then return true end
  local descriptor = terminal.is_tty(2) and open_terminal()
  if descriptor then uv.fs_close(descriptor) end
  return descriptor and true or false
end


--- Reads what the person types: from standard input, or from the terminal when that is a pipe.
---@return table? lines    as of terminal.lines; nil: there is nobody
function terminal.person()
  if terminal.is_tty(0) then return terminal.lines() end
  local descriptor = open_terminal()
  if not descriptor then return nil end
  local stream = uv.new_tty(descriptor, true)
  if not stream or stream:fileno() ~= descriptor then uv.fs_close(descriptor) end   -- libuv opens its own
  return stream and lines_of(stream) or nil
end


function Lines:_take()
  local line, rest = self._buffer:match("^(.-)\r?\n(.*)$")
  if line then
    self._buffer = rest
    return line
  end
  if not self._ended or self._buffer == "" then return nil end
  line, self._buffer = self._buffer, ""
  return line
end


--- More bytes, or the end; reading stops in between, so that nothing holds the program open.
function Lines:_fill()
  local op = core.op()
  self._stream:read_start(function(trouble, bytes)
    self._buffer = self._buffer .. (bytes or "")
    self._ended = trouble ~= nil or bytes == nil
    op:complete()
  end)
  self._waiting = op
  op:wait()
  self._waiting = nil
  if not self._stream:is_closing() then self._stream:read_stop() end
end


--- The next line.
---@async
---@return string?
function Lines:next()
  if not self._stream then return io.stdin:read("l") end
  local line = self:_take()
  while not line and not self._ended do
    self:_fill()
    line = self:_take()
  end
  return line
end


--- Gives up waiting; `next` then returns nil.
function Lines:close()
  self._ended = true
  if self._stream and not self._stream:is_closing() then self._stream:close() end
  if self._waiting then self._waiting:complete() end
end


return terminal
