--- rille.cli.help -- beside the walk: `rille help`, made from the tables that the commands are made
--- of.

local flags = require "rille.cli.flags"
local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local help = {
  usage = "rille help [COMMAND]",
  summary = "this page, or one about a command",
  flags = {},
}

local overview <const> = [[
rille -- agents as Lua scripts

usage: rille SCRIPT [args]      runs a Lua script (`rille -` reads it from stdin)
       rille -e CODE [args]     runs Lua code
       rille COMMAND [flags] …

commands:
%s

`rille help COMMAND` tells more. The answer goes to stdout, everything else to stderr.
environment:
  OPENAI_API_KEY OPENAI_BASE_URL OPENAI_MODEL OPENAI_ORG_ID OPENAI_PROJECT_ID RILLE_MODEL
  RILLE_PROVIDER RILLE_PATH RILLE_LOG NO_COLOR HTTPS_PROXY SSL_CERT_FILE
exit status:
  0 answered, 1 failed, 2 usage, 3 configuration or authentication, 4 a limit,
  5 approval denied, 6 output broke its schema, 124 timeout, 130 interrupted
]]


--- The page about everything.
---@return string
function help.overview()
  local cli = require "rille.cli"
  local lines = {}
  for i, name in ipairs(cli.order) do
    lines[i] = ("  %-8s %s"):format(name, cli.command(name).summary)
  end
  return overview:format(table.concat(lines, "\n"))
end


--- The page about one command.
---@param name string
---@return string
function help.page(name)
  local command = require("rille.cli").command(name)
  local page = ("usage: %s\n\n%s\n"):format(command.usage, command.summary)
  if command.flags[1] then page = page .. "\nflags:\n" .. flags.describe(command.flags) .. "\n" end
  return page
end


---@param _ table<string, any>
---@param operands string[]
---@return integer? status
---@return rille.Failure? failure
function help.run(_, operands)
  local name = operands[1]
  if not name then
    terminal.answer(help.overview())
    return status.answered
  end
  local cli = require "rille.cli"
  if not cli.command(name) then return cli.unknown(name) end
  terminal.answer(help.page(name))
  return status.answered
end


return help
