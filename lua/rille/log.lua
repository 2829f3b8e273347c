--- rille.log -- beside the walk: what the library has to say, one line each to stderr or to a sink.
---
--- Levels: debug info warn error; `RILLE_LOG` names the lowest that is shown (default "warn", "off"
--- for silence). Invariant: a line is printable text without any registered secret in it, whatever
--- a server or a tool put into the message.

local printable = require "rille.printable"

local log = {}

local ranks <const> = { debug = 1, info = 2, warn = 3, error = 4, off = 5 }
local SHORTEST_SECRET <const> = 6    -- bytes; replacing shorter ones would garble every text
local LONGEST_LINE <const> = 16384   -- bytes

local lowest = ranks[os.getenv("RILLE_LOG") or "warn"] or ranks.warn
local MARK <const> = "\xFF\0\xFF"      -- stands where a secret was; too short for another one to be found in it
local secrets, is_secret = {}, {}    -- list, longest first: one may contain another
local sink


local function to_stderr(_, line)
  io.stderr:write("rille: ", line, "\n")
end


--- Sets the lowest level that is shown.
---@param level? "debug"|"info"|"warn"|"error"|"off"   nil leaves it
---@return string level    the one that was set before
function log.level(level)
  local before
  for name, rank in pairs(ranks) do
    if rank == lowest then before = name end
  end
  if level ~= nil then
    if not ranks[level] then
      error("log.level: 'debug', 'info', 'warn', 'error' or 'off' expected", 2)
    end
    lowest = ranks[level]
  end
  return before
end


--- Would a message of this level be shown? For messages that cost something to make.
---@param level "debug"|"info"|"warn"|"error"
---@return boolean
function log.is_enabled(level)
  return ranks[level] >= lowest
end


--- Sends lines somewhere else, e.g. to an editor's message window. What the sink raises is dropped.
---@param fn? fun(level: string, line: string)   nil: back to stderr
function log.sink(fn)
  if fn ~= nil and type(fn) ~= "function" then
    error("log.sink: function expected, got " .. type(fn), 2)
  end
  sink = fn
end


--- Registers a secret (an API key): no log line will show it. Values shorter than 6 bytes are not
--- kept.
---@param value string
function log.secret(value)
  if type(value) ~= "string" then
    error("log.secret: string expected, got " .. type(value), 2)
  end
  if #value < SHORTEST_SECRET then return end
  if is_secret[value] then return end
  is_secret[value] = true
  local first, last = 1, #secrets + 1   -- where the longer ones end
  while first < last do
    local middle = (first + last) // 2
    if #secrets[middle] > #value then first = middle + 1 else last = middle end
  end
  table.insert(secrets, first, value)
end


--- Replaces every registered secret in `text` by `[secret]`.
---@param text string
---@return string
function log.redact(text)
  local is_marked = false
  for _, secret in ipairs(secrets) do
    if text:find(secret, 1, true) then
      text, is_marked = text:gsub((secret:gsub("%W", "%%%0")), MARK), true
    end
  end
  return is_marked and text:gsub(MARK, "[secret]") or text
end


local function line_of(level, format, ...)
  local text = tostring(format)
  if select("#", ...) > 0 then text = text:format(...) end
  text = printable.line(log.redact(text))
  if #text > LONGEST_LINE then
    local cut = utf8.offset(text, 0, LONGEST_LINE + 1) - 1
    text = ("%s… (%d bytes more)"):format(text:sub(1, cut), #text - cut)
  end
  return level .. ": " .. text
end


local function say(level, ...)
  if ranks[level] < lowest then return end
  pcall(sink or to_stderr, level, line_of(level, ...))
end


--- For people who look for a fault: every step.
---@param format any    a text (or anything with tostring), or a string.format when values follow
---@param ... any       values for the format
function log.debug(format, ...) say("debug", format, ...) end


--- What a curious user may want to know: a retry, a quirk that was healed.
---@param format any    as in log.debug
---@param ... any       values for the format
function log.info(format, ...) say("info", format, ...) end


--- Something is not as it should be, and work goes on.
---@param format any    as in log.debug
---@param ... any       values for the format
function log.warn(format, ...) say("warn", format, ...) end


--- Something was lost.
---@param format any    as in log.debug
---@param ... any       values for the format
function log.error(format, ...) say("error", format, ...) end


return log
