--- rille.cli.approve -- beside the walk: asks the person at the terminal about a tool call.
---
--- Invariant: without a terminal nothing is asked and nothing is allowed; the question shows the
--- exact call.

local approval = require "rille.approval"
local json = require "rille.json"
local terminal = require "rille.cli.terminal"

local approve = {}


local function question(call)
  local arguments = call.arguments
  if type(arguments) ~= "string" then arguments = json.encode(arguments) end
  return ("Allow %s? [y/N] "):format(approval.describe(call.name, arguments))
end


--- The approval handler for `--approve`.
---@param when? "ask"|"always"|"never"    default "ask"
---@param lines? table                    terminal.lines(), when the command reads them anyway
---@return fun(call: table): boolean, string?
---@return boolean asks    is it a person who answers?
function approve.handler(when, lines)
  if when == "always" then return function() return true end, false end
  if when == "never" then return function() return false, "--approve never" end, false end
  if not terminal.is_tty(0) then
    return function() return false, "there is no terminal to ask at" end, false
  end
  return function(call)
    io.stderr:write(question(call))
    local reader = lines or terminal.lines()
    local answer = (reader:next() or ""):lower()
    if reader ~= lines then reader:close() end
    if answer == "y" or answer == "yes" then return true end
    return false, "the user said no"
  end, true
end


--- A handler that remembers whether it ever said no.
---@param ask fun(call: table): boolean, string?
---@return fun(call: table): boolean, string?
---@return {denied: boolean} asked
function approve.watched(ask)
  local asked = { denied = false }
  return function(call)
    local allowed, reason = ask(call)
    asked.denied = asked.denied or not allowed
    return allowed, reason
  end, asked
end


return approve
