--- rille.cli.script -- beside the walk: `rille SCRIPT [args]`, `rille -` and `rille -e CODE`.
---
--- Invariant: `arg` is as in lua, and so is `print`, but for a pipe that nobody reads any more: then it raises; an
--- error that nobody caught ends the program with the exit status of its failure, after one line.

local core = require "rille.core"
local failure = require "rille.failure"
local interrupt = require "rille.cli.interrupt"
local loader = require "rille.cli.load"
local status = require "rille.cli.status"

local script = {}


--- `arg` as the script sees it: the script at 0, its arguments from 1, the program below.
local function shifted(words, at)
  local shifted_words = {}
  for i, word in pairs(words) do
    if type(i) == "number" then shifted_words[i - at] = word end
  end
  return shifted_words
end


--- Lua's own goes on for ever when its reader has left.
local function checked_print(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  local written, message = io.stdout:write(table.concat(words, "\t"), "\n")
  if not written then error(failure.new("connection", "stdout: " .. tostring(message)), 0) end
end


--- A failure says enough for a person; whoever debugs wants to know where it was raised, too.
local function located(problem)
  if not failure.is(problem) then return failure.traced(problem) end
  problem.traceback = problem.traceback or debug.traceback(problem.message, 2)
  return problem
end


local function run_located(chunk, ...)
  local ok, problem = xpcall(chunk, located, ...)
  if not ok then error(problem, 0) end
end


--- Runs a chunk, then waits for the tasks it started and left. What is spawned below this task ends
--- with it.
local function run_all(chunk, ...)
  local task = os.getenv "RILLE_LOG" == "debug" and core.spawn(run_located, chunk, ...) or core.spawn(chunk, ...)
  local _, problem = task:join()
  if task:status() ~= "done" then return nil, problem end
  core.childless()
  return status.answered
end


--- Runs a chunk as a task, so that Ctrl-C can cancel it and what it waits for.
local function run(chunk, words, at)
  _G.arg, _G.print = shifted(words, at), checked_print
  local task = core.spawn(run_all, chunk, table.unpack(_G.arg))
  local guard <close> = interrupt.guard(function() task:cancel("interrupted") end)
  local answered, problem = task:join()
  if guard.hit and problem then problem.exit_status = status.interrupted end
  return answered, problem
end


--- Runs a file; "-" is standard input.
---@async
---@param words string[]    the command line
---@param at integer        where the file stands in it
---@return integer? status
---@return rille.Failure? failure
function script.file(words, at)
  local path = words[at]
  local text, problem = loader.read(path)
  if not text then return nil, problem end
  local chunk
  chunk, problem = loader.compile(text, path == "-" and "=stdin" or "@" .. path)
  if not chunk then return nil, problem end
  return run(chunk, words, at)
end


--- Runs code from the command line.
---@async
---@param words string[]
---@param at integer        where the code stands
---@return integer? status
---@return rille.Failure? failure
function script.code(words, at)
  if not words[at] then return status.misused("-e: the code is missing") end
  local chunk, problem = loader.compile(words[at], "=-e")
  if not chunk then return nil, problem end
  return run(chunk, words, at)
end


return script
