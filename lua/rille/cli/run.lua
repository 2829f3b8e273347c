--- rille.cli.run -- beside the walk: one run of an agent, shown as it happens; Ctrl-C cancels it.
---
--- Invariant: the transcript is sendable afterwards, whatever ended the run.

local interrupt = require "rille.cli.interrupt"
local status = require "rille.cli.status"

local run = {}


--- Runs an agent on a prompt and shows its events.
---@async
---@param agent rille.Agent
---@param prompt string|table[]
---@param options table      run options
---@param printer table      from rille.cli.printer
---@return rille.Reply? reply
---@return rille.Failure? failure
function run.show(agent, prompt, options, printer)
  local started = agent:start(prompt, options)
  local guard <close> = interrupt.guard(function() started:cancel("interrupted") end)
  for event in started:events() do printer:event(event) end
  local reply, problem = started:wait()
  if not reply and guard.hit then problem.exit_status = status.interrupted end
  return reply, problem
end


return run
