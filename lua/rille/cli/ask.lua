--- rille.cli.ask -- beside the walk: `rille ask`, one prompt, one answer.

local approve = require "rille.cli.approve"
local failure = require "rille.failure"
local kept = require "rille.cli.kept"
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


--- Why the exit status is 5 although there is an answer.
local function unasked(denied)
  local hint = denied.reason == approve.nobody and "; --approve always allows every call" or ""
  return failure.new("approval", ("'%s' was denied: %s%s"):format(denied.name, denied.reason, hint))
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
  local agent, options = setup.prepare(values)
  if not agent then return nil, options end
  options.transcript, problem = kept.load(values.transcript)
  if not options.transcript then return nil, problem end
  local handler, is_person = approve.handler(values.approve, nil, agent)
  local asked, reply
  options.approve, asked = approve.watched(handler)
  reply, problem = run.show(agent, prompt, options, setup.printer(values, agent))
  local saved, unsaved = kept.save(values.transcript, options.transcript)
  if not saved then status.report(unsaved) end
  if not reply then return nil, problem end
  -- A person knows what was denied; a script that ran us has to be told, whatever the model answered.
  if asked.denied and not is_person then return nil, unasked(asked.denied) end
  return saved and status.answered or status.failed
end


return ask
