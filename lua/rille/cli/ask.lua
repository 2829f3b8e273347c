--- rille.cli.ask -- beside the walk: `rille ask`, one prompt, one answer.

local approve = require "rille.cli.approve"
local printer = require "rille.cli.printer"
local run = require "rille.cli.run"
local setup = require "rille.cli.setup"
local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local ask = {
  usage = "rille ask [flags] PROMPT…",
  summary = "asks once; piped stdin is appended to the prompt",
  flags = setup.flags,
}


--- The words of the prompt and what is piped in, with an empty line between.
local function prompt_of(operands)
  local words, piped = table.concat(operands, " "), terminal.piped()
  if not piped then return words end
  return words == "" and piped or words .. "\n\n" .. piped
end


---@async
---@param values table<string, any>
---@param operands string[]
---@return integer? status
---@return rille.Failure? failure
function ask.run(values, operands)
  local text = prompt_of(operands)
  if text == "" then return status.misused("ask: the prompt is missing") end
  local prompt, problem = setup.prompt(text, values.file)
  if not prompt then return nil, problem end
  local agent, options
  agent, problem = setup.agent(values)
  if not agent then return nil, problem end
  options, problem = setup.run_options(values)
  if not options then return nil, problem end
  options.approve = approve.handler(values.approve)
  local shown = printer.new { format = values.format, stream = not values["no-stream"],
    quiet = values.quiet, verbose = values.verbose, color = not values["no-color"] }
  local reply
  reply, problem = run.show(agent, prompt, options, shown)
  if not reply then return nil, problem end
  return status.answered
end


return ask
