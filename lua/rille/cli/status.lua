--- rille.cli.status -- beside the walk: exit statuses, and the one line that says why.
---
--- Invariant: an error is one readable line on stderr that begins with `rille: `; a traceback only
--- with RILLE_LOG=debug.

local failure = require "rille.failure"
local printable = require "rille.printable"

local status = {
  answered = 0, failed = 1, usage = 2, configuration = 3, limit = 4, approval = 5, schema = 6,
  timeout = 124, interrupted = 130,
}

--- failure.code → exit status; every other code is 1.
local by_code <const> = {
  authentication = status.configuration, permission = status.configuration,
  limit_turns = status.limit, limit_tokens = status.limit, limit_tool_calls = status.limit,
  loop = status.limit, limit_seconds = status.timeout, timeout = status.timeout,
  approval = status.approval, schema = status.schema, cancelled = status.interrupted,
}


--- The exit status for a failure.
---@param problem rille.Failure
---@return integer
function status.of(problem)
  if problem.exit_status then return problem.exit_status end
  if type(problem.detail) == "table" and problem.detail.config then return status.configuration end
  return by_code[problem.code] or status.failed
end


--- `require` breaks its message with newlines and tabs; here it stays readable on one line.
local function in_one_line(text)
  return printable.line((text:gsub("\n\t", " ")))
end


--- A Lua error that nobody caught says where it happened; the word "internal" would add nothing.
local function text_of(problem)
  if not failure.is(problem) then return in_one_line(tostring(problem)) end
  if problem.code == "internal" or problem.code == "usage" or problem.plain then
    return in_one_line(problem.message)
  end
  return tostring(problem)
end


--- Says on stderr what went wrong and returns the exit status for it.
---@param problem any    a failure or any raised value
---@return integer
function status.report(problem)
  io.stderr:write("rille: ", text_of(problem), "\n")
  if os.getenv("RILLE_LOG") == "debug" and failure.is(problem) and problem.traceback then
    io.stderr:write(problem.traceback, "\n")
  end
  return failure.is(problem) and status.of(problem) or status.failed
end


--- A failure of the command line itself: exit status 2.
---@param message string
---@return nil
---@return rille.Failure
function status.misused(message)
  return nil, failure.new("usage", message, { exit_status = status.usage })
end


--- A failure of configuration: exit status 3.
---@param message string
---@return nil
---@return rille.Failure
function status.misconfigured(message)
  return nil, failure.new("invalid_request", message,
    { exit_status = status.configuration, plain = true })
end


return status
