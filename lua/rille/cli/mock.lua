--- rille.cli.mock -- beside the walk: `rille mock`, a scripted model behind a port.
---
--- The URL is what this command makes, so it goes to stdout: `url=$(rille mock FILE | head -1)`
--- works.

local core = require "rille.core"
local interrupt = require "rille.cli.interrupt"
local script = require "rille.script"
local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local command = {
  usage = "rille mock FILE [--port N] [--host ADDRESS]",
  summary = "serves a scripted model until Ctrl-C; prints its URL",
  flags = {
    { "port", value = "N", type = "integer", help = "port (default: any free one)" },
    { "host", value = "ADDRESS", help = "address to listen on (default 127.0.0.1)" },
  },
}


--- The message names the file and the line; its code would add nothing.
local function refuse_file(problem)
  problem.plain = true
  if problem.code == "not_found" then problem.exit_status = status.usage end
  return nil, problem
end


---@async
---@param values table<string, any>
---@param operands string[]
---@return integer? status
---@return rille.Failure? failure
function command.run(values, operands)
  if #operands ~= 1 then return status.misused("mock: one FILE expected") end
  if (values.port or 0) > 65535 then return status.misused("--port: 0 to 65535 expected") end
  local models, problem = script.load(operands[1])
  if not models then return refuse_file(problem) end
  local server
  server, problem = require("rille.mock").serve(models, { port = values.port, host = values.host })
  if not server then return nil, problem end
  terminal.answer(server.url .. "\n")
  local stop = core.op()
  local _ <close> = interrupt.guard(function() stop:complete() end)
  stop:wait()
  server:close()
  return status.interrupted
end


return command
