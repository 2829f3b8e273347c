--- rille.cli.approve -- beside the walk: asks the person at the terminal about a tool call.
---
--- Invariant: without a terminal nothing is asked and nothing is allowed; the question shows the
--- exact call, and who wants it when that is an agent within another; one question at a time.

local approval = require "rille.approval"
local core = require "rille.core"
local json = require "rille.json"
local printable = require "rille.printable"
local terminal = require "rille.cli.terminal"

local approve = {}


local function question(call, path)
  local arguments = call.arguments
  if type(arguments) ~= "string" then arguments = json.encode(arguments) end
  local who = #path > 1 and (" for %s"):format(printable.line(table.concat(path, " > "))) or ""
  return ("Allow %s%s? [y/N] "):format(approval.describe(call.name, arguments), who)
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


--- The approval handler for `--approve`.
---@param when? "ask"|"always"|"never"    default "ask"
---@param lines? table                    terminal.lines(), when the command reads them anyway
---@return fun(call: table, context: rille.Context): boolean, string?
---@return boolean asks    is it a person who answers?
function approve.handler(when, lines)
  if when == "always" then return function() return true end, false end
  if when == "never" then return function() return false, "--approve never" end, false end
  if not terminal.is_tty(0) then
    return function() return false, "there is no terminal to ask at" end, false
  end
  return function(call, context)
    local _turn <close> = take_turn()
    io.stderr:write(question(call, context.path))
    local reader = lines or terminal.lines()
    local answer = (reader:next() or ""):lower()
    if reader ~= lines then reader:close() end
    if answer == "y" or answer == "yes" then return true end
    return false, "the user said no"
  end, true
end


--- A handler that remembers whether it ever said no.
---@param ask fun(call: table, context: rille.Context): boolean, string?
---@return fun(call: table, context: rille.Context): boolean, string?
---@return {denied: boolean} asked
function approve.watched(ask)
  local asked = { denied = false }
  return function(call, context)
    local allowed, reason = ask(call, context)
    asked.denied = asked.denied or not allowed
    return allowed, reason
  end, asked
end


return approve
