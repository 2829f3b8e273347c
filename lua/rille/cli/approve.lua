--- rille.cli.approve -- beside the walk: asks the person at the terminal about a tool call.
---
--- Invariant: without a terminal nothing is asked and nothing is allowed; the question shows the
--- exact call, who wants it when that is an agent within another, and why the tool asks; one question at
--- a time.

local approval = require "rille.approval"
local core = require "rille.core"
local json = require "rille.json"
local printable = require "rille.printable"
local terminal = require "rille.cli.terminal"

local approve = {
  nobody = "there is no terminal to ask at",   -- why a call is denied without one
}


local function question(call, path)
  local arguments = call.arguments
  if type(arguments) ~= "string" then arguments = json.encode(arguments) end
  local who = #path > 1 and (" for %s"):format(printable.line(table.concat(path, " > "))) or ""
  local why = call.reason and (" (%s)"):format(printable.line(call.reason)) or ""
  return ("Allow %s%s%s? [y/N] "):format(approval.describe(call.name, arguments), who, why)
end


local is_asking, waiting = false, {}

local turn_metatable <const> = {
  __close = function()
    is_asking = false
    local all = waiting
    waiting = {}
    for _, op in ipairs(all) do op:complete(true) end   -- the first one that is still there takes the turn
  end,
}


--- Waits until no other question is on the screen. Close what it returns when this one is answered.
---@async
local function take_turn()
  while is_asking do
    local op = core.op()
    waiting[#waiting + 1] = op
    op:wait()
  end
  is_asking = true
  return setmetatable({}, turn_metatable)
end


--- The cursor stands behind a question; what comes next begins a line, unless Enter has begun it.
local function open_line()
  return setmetatable({}, { __close = function(self)
    if not self.is_over then io.stderr:write("\n") end
  end })
end


local closing <const> = { __close = function(self) self.reader:close() end }


--- One line from the person; nil at the end of input, and when there is nobody.
---@async
local function read_answer(text, lines)
  local reader = lines or terminal.person()
  if not reader then return nil end
  local _guard <close> = reader ~= lines and setmetatable({ reader = reader }, closing) or nil
  local line <close> = open_line()
  io.stderr:write(text)
  local answer = reader:next()
  line.is_over = answer ~= nil
  return answer
end


--- What the answer means: y or yes; everything else is a no, and more than n or no is its reason.
local function verdict(answer)
  local word = (answer or ""):match("^%s*(.-)%s*$")
  local lower = word:lower()
  if lower == "y" or lower == "yes" then return true end
  if lower == "" or lower == "n" or lower == "no" then return false, "the user said no" end
  return false, "the user said no: " .. word
end


local function ask_person(lines)
  return function(call, context)
    local _turn <close> = take_turn()
    return verdict(read_answer(question(call, context.path), lines))
  end
end


--- The approval handler for `--approve`. Without the flag an agent that brings its own decides by that one.
---@param when? "ask"|"always"|"never"    default "ask"
---@param lines? table                    terminal.lines(), when the command reads them from the terminal anyway
---@param agent? rille.Agent
---@return fun(call: table, context: rille.Context): boolean, string?
---@return boolean asks    does somebody answer, a person or the agent's author?
function approve.handler(when, lines, agent)
  if when == "always" then return function() return true end, false end
  if when == "never" then return function() return false, "--approve never" end, false end
  if not when and agent and agent.approve then return agent.approve, true end
  if not terminal.has_person() then return function() return false, approve.nobody end, false end
  return ask_person(terminal.is_tty(0) and lines or nil), true
end


--- A handler that remembers the first call that it said no to.
---@param ask fun(call: table, context: rille.Context): boolean, string?
---@return fun(call: table, context: rille.Context): boolean, string?
---@return {denied?: {name: string, reason: string?}} asked
function approve.watched(ask)
  local asked = {}
  return function(call, context)
    local allowed, reason = ask(call, context)
    if not allowed then asked.denied = asked.denied or { name = call.name, reason = reason } end
    return allowed, reason
  end, asked
end


return approve
