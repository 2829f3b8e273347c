--- run_command -- walk 12: runs a program, without a shell, and returns what it printed.
---
---     rille.agent { tools = { dofile "tools/run_command.lua" { root = "build", programs = { "make", "git" } } } }
---
--- Options: root (working directory, default "."; `cwd` stays below it), approve (as of every tool; default true),
--- programs (the only ones that may be run; default any), timeout (seconds, default 60), max_bytes (of each
--- output, default 32768), env (changes to the environment, as of rille.process.run).
--- The root says where a program starts, not what it may touch: that is what approval is for.
local rille = require "rille"
local confine = require "rille.confine"
local options = require "rille.options"

local SPEC <const> = {
  root = "string", approve = { "boolean", "function" }, programs = "table", timeout = "number",
  max_bytes = "integer", env = "table",
}


local function report(result)
  local lines = {}
  if result.timed_out then
    lines[1] = "timed out and was stopped"
  else
    lines[1] = "exit status " .. result.code .. (result.signal and " (" .. result.signal .. ")" or "")
  end
  for _, name in ipairs({ "stdout", "stderr" }) do
    if result[name] ~= "" then lines[#lines + 1] = name .. ":\n" .. result[name] end
  end
  return table.concat(lines, "\n")
end


local function run(inside, args, given)
  local cwd, failure = inside:resolve(args.cwd)
  if not cwd then return nil, failure end
  local command = table.move(args.command, 1, #args.command, 1, {})
  command.cwd, command.stdin, command.env = cwd, args.stdin, given.env
  command.timeout, command.max_bytes = given.timeout or 60, given.max_bytes or 32768
  local result
  result, failure = rille.process.run(command)
  if not result then return nil, failure end
  return report(result)
end


--- May this program be run? Compared by the whole word, so that /tmp/git is not git.
local function is_allowed(program, programs)
  if not programs then return true end
  for _, name in ipairs(programs) do
    if program == name then return true end
  end
  return false
end


---@param given? {root?: string, approve?: boolean|function, programs?: string[], timeout?: number, max_bytes?: integer, env?: table}
---@return rille.Tool
return function(given)
  given = options.check(given, SPEC, "run_command")
  local inside = confine.new(given.root or ".")
  local only = given.programs and " Programs: " .. table.concat(given.programs, ", ") .. "." or ""
  return rille.tool {
    name = "run_command",
    description = "Runs a program and returns its exit status and output. There is no shell: no pipes, no "
      .. "globbing, one list entry per argument." .. only,
    parameters = {
      { "command", "array", "The program and its arguments, for example [\"ls\", \"-l\"].",
        items = "string", min_items = 1 },
      { "cwd", "string", "Directory to run in, relative to the working directory.", default = ".", min_length = 1 },
      { "stdin", "string", "What the program reads.", optional = true },
    },
    approve = given.approve == nil and true or given.approve,
    timeout = (given.timeout or 60) + 5,
    run = function(args)
      if is_allowed(args.command[1], given.programs) then return run(inside, args, given) end
      return nil, ("%s may not be run; allowed are: %s"):format(args.command[1],
        table.concat(given.programs, ", "))
    end,
  }
end
