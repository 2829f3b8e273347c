--- rille.cli.script -- beside the walk: `rille SCRIPT [args]`, `rille -` and `rille -e CODE`.
---
--- Invariant: `arg` is as in lua; an error that nobody caught ends the program with the exit status
--- of its failure, after one line.

local core = require "rille.core"
local interrupt = require "rille.cli.interrupt"
local loader = require "rille.cli.load"
local status = require "rille.cli.status"
local uv = require "rille.uv"

local script = {}


--- `arg` as the script sees it: the script at 0, its arguments from 1, the program below.
local function shifted(words, at)
  local shifted_words = {}
  for i, word in pairs(words) do
    if type(i) == "number" then shifted_words[i - at] = word end
  end
  return shifted_words
end


--- Waits for the tasks that the script started and left, unless they wait for what never happens.
local function wait_for_others(guard)
  local pause, idle = 0.001, 0
  while core.counts().tasks > 1 and idle < 3 and not guard.hit do
    idle = uv.loop_alive() and 0 or idle + 1
    core.sleep(pause)
    pause = math.min(pause * 2, 0.02)
  end
  return guard.hit and status.interrupted or status.answered
end


--- Runs a chunk as a task, so that Ctrl-C can cancel it and what it waits for.
local function run(chunk, words, at)
  _G.arg = shifted(words, at)
  local task = core.spawn(chunk, table.unpack(_G.arg))
  local guard <close> = interrupt.guard(function() task:cancel("interrupted") end)
  local _, problem = task:join()
  if task:status() == "done" then return wait_for_others(guard) end
  if guard.hit then problem.exit_status = status.interrupted end
  return nil, problem
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
