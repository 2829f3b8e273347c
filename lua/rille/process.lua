--- rille.process -- beside the walk: programs, run without a shell, that end with their task.
---
--- Invariant: when run returns, raises or is cancelled, the child's whole process group is gone, it
--- is reaped, and no pipe is open. Only a process with a session of its own (setsid) survives.
--- Source: https://docs.libuv.org/en/v1.x/process.html

local core = require "rille.core"
local await = require "rille.await"
local capture = require "rille.process.capture"
local child = require "rille.process.child"
local options = require "rille.options"

local process = {}

local TERM_GRACE <const> = 2          -- seconds between TERM and KILL after a timeout
local MAX_BYTES <const> = 1 << 20     -- of each output stream, by default
local QUEUED_BYTES <const> = 1 << 18  -- of stdout that nobody took yet, before reading pauses

local common_spec <const> = {
  ["..."] = { "string", "number" }, cwd = "string", env = "table", clear_env = "boolean",
  max_bytes = "integer",
}
local run_spec <const> = { stdin = "string", timeout = "number" }
for name, wanted in pairs(common_spec) do run_spec[name] = wanted end


-- ---------------------------------------------------------------- arguments

local function check_text(text, what, level)
  if text:find("\0", 1, true) then error(what .. ": a NUL byte cannot be passed", level + 1) end
end


local function check_environment(env, name, level)
  for key, value in pairs(env or {}) do
    if type(key) ~= "string" or key == "" or key:find("=", 1, true) then
      error(("%s: env: '%s' is no name of a variable"):format(name, tostring(key)), level + 1)
    end
    if value ~= false and type(value) ~= "string" and type(value) ~= "number" then
      local message = "%s: env: %s: string or false expected, got %s"
      error(message:format(name, key, type(value)), level + 1)
    end
    check_text(key .. tostring(value), name .. ": env", level + 1)
  end
end


--- A copy with every argument a string.
local function check(given, spec, name)
  if type(given) == "string" then
    error(name .. ": a list expected, { program, argument, … }, got a string; for a shell { \"sh\", \"-c\", text }", 3)
  end
  options.check(given, spec, name, 3)
  local made = { max_bytes = MAX_BYTES }
  for key, value in pairs(given) do
    made[key] = math.type(key) == "integer" and tostring(value) or value
  end
  if #made == 0 then error(name .. ": a program expected as first entry", 3) end
  for _, argument in ipairs(made) do check_text(argument, name, 3) end
  check_environment(made.env, name, 3)
  if made.timeout and made.timeout < 0 then error(name .. ": timeout: 0 or more", 3) end
  if made.max_bytes < 0 then error(name .. ": max_bytes: 0 or more", 3) end
  return made
end


-- ---------------------------------------------------------------- run

--- Outside a task the work is done in one: there a write to a dead child's stdin is no SIGPIPE,
--- since the runtime blocks that signal while it turns the loop.
local function in_task(fn, ...)
  if core.running() then return fn(...) end
  return core.spawn(fn, ...):join()
end


local function run(opts)
  local program <close>, why = child.start(opts, opts.stdin ~= nil)
  if not program then return nil, why end
  local stdout, stderr = capture.new(opts.max_bytes), capture.new(opts.max_bytes)
  local out = program:read(program.stdout, function(bytes) stdout:add(bytes) end)
  local err = program:read(program.stderr, function(bytes) stderr:add(bytes) end)
  if opts.stdin then program:feed(opts.stdin) end

  local exit = program:wait(opts.timeout)
  local timed_out = exit == nil
  if timed_out then program:stop(TERM_GRACE) end
  program:drain(out, err)
  exit = exit or program.exit or { code = 137, signal = "SIGKILL" }
  local result = { code = exit.code, signal = exit.signal, timed_out = timed_out }
  local out_cut, err_cut
  result.stdout, out_cut = stdout:text()
  result.stderr, err_cut = stderr:text()
  result.truncated = out_cut or err_cut
  return result
end


---@class rille.process.options
---@field [integer] string|number   the program (looked up in PATH) and its arguments; no shell
---@field cwd? string          directory to run in; default: ours
---@field env? table<string, string|number|false>   changes to our environment; false removes a name
---@field clear_env? boolean   true: the child gets what `env` says and nothing else
---@field stdin? string        what it reads; default: nothing (/dev/null)
---@field timeout? number      seconds; default: no limit
---@field max_bytes? integer   kept of stdout and of stderr, each; default 1 MiB. Of more the beginning
---                            and the end are kept, with a line between them that says how much is
---                            missing (below 80 the beginning alone); the program is never blocked

---@class rille.process.result
---@field code integer         exit status; 128 + number when a signal ended it
---@field signal? string       its name, "SIGKILL"
---@field stdout string        bytes
---@field stderr string        bytes
---@field timed_out boolean
---@field truncated boolean    was more printed than max_bytes?

--- Runs a program and waits for it. An exit status other than 0 is a result, not a failure.
---
--- What it started ends with it: the process group gets TERM after `timeout` and KILL 2 seconds
--- later; TERM and 1 second later KILL when the task is cancelled; TERM and 0.2 seconds later KILL
--- when the program exited and left something in the background. Output that comes later than 0.2
--- seconds after the exit is lost.
---@async
---@param opts rille.process.options
---@return rille.process.result?
---@return rille.Failure? failure   "not_found" | "permission" | …, when it could not be started
--- Source: libuv uv_spawn, docs.libuv.org/en/v1.x/process.html
function process.run(opts)
  return in_task(run, check(opts or {}, run_spec, "rille.process.run"))
end


-- ---------------------------------------------------------------- open

---@class rille.Process   a running program with pipes; to-be-closed
---@field pid integer
local Process = {}
Process.__index = Process
Process.__name = "rille.Process"


local function stream_stdout(self)
  local queue, pipe = self._queue, self._child.stdout
  self._out, self._resume = self._child:read(pipe, function(bytes)
    queue:put(bytes)
    self._waiting = self._waiting + #bytes
    if self._waiting > QUEUED_BYTES then pipe:read_stop() end
  end, function() queue:finish() end)
end


local function open(opts)
  local program, why = child.start(opts, true)
  if not program then return nil, why end
  local self = setmetatable({ pid = program.pid, _child = program, _waiting = 0 }, Process)
  self._queue, self._stderr = await.queue(), capture.new(opts.max_bytes)
  stream_stdout(self)
  program:read(program.stderr, function(bytes) self._stderr:add(bytes) end)
  return self
end


--- Starts a program and talks to it:
---
---     local server <close> = assert(rille.process.open { "bc" })
---     server:write("6*7\n")
---     print(server:read())
---
--- Close it (or let a to-be-closed variable do so): it ends with its whole group, as in run.
---@async
---@param opts rille.process.options   without stdin and timeout; max_bytes is for stderr
---@return rille.Process?
---@return rille.Failure? failure
function process.open(opts)
  return in_task(open, check(opts or {}, common_spec, "rille.process.open"))
end


--- The next bytes of stdout, as many as there are.
---@async
---@param seconds? number           wait at most so long
---@return string? bytes            nil at the end
---@return rille.Failure? failure   code "timeout"
function Process:read(seconds)
  local bytes, why = self._queue:take(seconds)
  if not bytes then return nil, why end
  local before = self._waiting
  self._waiting = before - #bytes
  if before > QUEUED_BYTES and self._waiting <= QUEUED_BYTES then self._resume() end
  return bytes
end


--- Writes to stdin; waits while the pipe is full.
---@async
---@param bytes string
---@return true?
---@return rille.Failure? failure   code "connection" when nobody reads any more
function Process:write(bytes)
  if type(bytes) ~= "string" then error("write: string expected, got " .. type(bytes), 2) end
  return in_task(self._child.write, self._child, bytes)
end


--- Ends stdin; most filters exit then.
function Process:close_stdin()
  self._child:close_stdin()
end


--- What the program has written to stderr so far, capped like the output of run.
---@return string bytes
---@return boolean truncated
function Process:stderr()
  return self._stderr:text()
end


--- Waits for the exit. stdout can still be read after it.
---@async
---@param seconds? number           at most
---@return {code: integer, signal: string?}? exit   as in run
---@return rille.Failure? failure   code "timeout"; the program goes on
function Process:wait(seconds)
  return self._child:wait(seconds)
end


--- Signals the whole group.
---@param signal? integer|string    default "sigterm"
---@return boolean delivered        false when nobody is left
function Process:kill(signal)
  return self._child:kill(signal or "sigterm")
end


--- Ends the program and everything it started: TERM, 1 second, KILL. Idempotent.
---@async
function Process:close()
  self._child:close()
  self._queue:finish()
end


Process.__close = Process.close

return process
