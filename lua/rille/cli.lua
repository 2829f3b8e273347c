--- rille.cli -- beside the walk: the program. Finds the command, runs it, and says with its status
--- how it went.
---
--- main.c calls `cli.main(arg)` in a task and exits with what it returns. A command is one file in
--- cli/ with `usage summary flags run(values, operands)`; it is loaded when it is used, so that a
--- script starts fast.
--- Invariant: one line on stderr for what went wrong, and the exit status of the table in
--- rille.cli.status.

local cli = {}

--- The commands, in the order of the help page.
---@type string[]
cli.order = { "ask", "chat", "tools", "mock", "models", "doctor", "decode", "help" }

local known <const> = { ask = true, chat = true, tools = true, mock = true, models = true,
  doctor = true, decode = true, help = true }


--- A command by its name; nil when there is none.
---@param name string
---@return table? command
function cli.command(name)
  return known[name] and require("rille.cli." .. name) or nil
end


--- What to say to a word that is neither a command nor a script.
---@param word string
---@return nil
---@return rille.Failure
function cli.unknown(word)
  local options = require "rille.options"
  local status = require "rille.cli.status"
  local message = "no command or script '%s'%s; `rille help` lists the commands"
  return status.misused(message:format(word, options.hint(word, cli.order)))
end


local function is_script(word)
  if word == "-" or word:match("%.lua$") then return true end
  local handle = io.open(word, "rb")
  if not handle then return false end
  local is_file = handle:read(0) ~= nil or handle:seek("end") == 0
  handle:close()
  return is_file
end


local function run_command(name, words)
  local command = cli.command(name)
  local flags = require "rille.cli.flags"
  local status = require "rille.cli.status"
  local rows = table.move(command.flags, 1, #command.flags, 1, {})
  rows[#rows + 1] = { "help", short = "h", help = "shows the page about this command" }
  local values, operands = flags.parse(rows, words, 2)
  if not values then return status.misused(("%s: %s"):format(name, operands)) end
  if values.help then return cli.command("help").run({}, { name }) end
  return command.run(values, operands)
end


local function version()
  require("rille.cli.terminal").answer(("rille %s\n"):format(require("rille.core").version))
  return 0
end


local function unknown_flag(word)
  local options = require "rille.options"
  local status = require "rille.cli.status"
  return status.misused(("unknown flag '%s'%s"):format(word,
    options.hint(word, { "--version", "--help", "-e" })))
end


local function no_words()
  io.stderr:write(cli.command("help").overview())
  return 2
end


--- Decides what the command line means.
local function dispatch(words)
  local first = words[1]
  if not first then return no_words() end
  if first == "-e" then return require("rille.cli.script").code(words, 2) end
  if first == "--version" or first == "-V" then return version() end
  if first == "--help" or first == "-h" then return cli.command("help").run({}, {}) end
  if known[first] then return run_command(first, words) end
  if first == "-" or first:sub(1, 1) ~= "-" and is_script(first) then
    return require("rille.cli.script").file(words, 1)
  end
  if first:sub(1, 1) == "-" then return unknown_flag(first) end
  return cli.unknown(first)
end


--- Runs the program.
---@async
---@param words string[]    `arg`: words[0] is the program
---@return integer status   for exit
function cli.main(words)
  local ok, result, problem = pcall(dispatch, words)
  if ok and result then return result end
  return require("rille.cli.status").report(not ok and result or problem)
end


return cli
