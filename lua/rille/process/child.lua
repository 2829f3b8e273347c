--- rille.process.child -- beside the walk: one child process, its group and its pipes.
---
--- A child leads a session of its own, so that one signal reaches everything it started.
--- Invariant: a closed child has no live process in its group, no pipe and no handle left, and
--- libuv reaps it at the next turn of the loop. Only what left the group (setsid) survives.
--- Source: https://docs.libuv.org/en/v1.x/process.html, setsid(2), kill(2)

local core = require "rille.core"
local await = require "rille.await"
local group = require "rille.process.group"

local uv <const> = core.uv()

local child = {}

local CLOSE_GRACE <const> = 1        -- seconds between TERM and KILL when the leader still runs,
local LEFTOVER_GRACE <const> = 0.2   -- and when only what it left behind does
local REAP <const> = 0.5             -- in which a killed process is certainly gone
local EOF_SLICES <const>, EOF_SLICE <const> = 4, 0.05

local signal_names <const> = {}
for name, number in pairs(uv.constants) do
  if name:match("^SIG%u") and name ~= "SIGIOT" and name ~= "SIGPOLL" then
    signal_names[number] = name
  end
end

---@class rille.Child
---@field pid integer
local Child = {}
Child.__index = Child


local function close_handle(handle)
  if handle and not handle:is_closing() then handle:close() end
end


-- ---------------------------------------------------------------- start

--- Our environment with the changes, as `NAME=value` texts; nil when nothing changes.
local function environment(changes, clear)
  if not changes and not clear then return nil end
  local values = clear and {} or uv.os_environ()
  for name, value in pairs(changes or {}) do
    values[name] = value ~= false and tostring(value) or nil
  end
  local list = {}
  for name, value in pairs(values) do list[#list + 1] = name .. "=" .. value end
  table.sort(list)
  return list
end


local function spawn_failure(err, options)
  local doing = ("cannot run '%s'"):format(options[1])
  local made = await.failure(err, doing)
  if options.cwd and not uv.fs_stat(options.cwd) then
    made.code, made.message = "not_found", ("%s: no directory %s"):format(doing, options.cwd)
  elseif made.detail == "ENOENT" then
    made.message = doing .. ": no such program"
  end
  return made
end


--- Starts a program.
---@param options table        argv…, cwd, env, clear_env; checked by the caller
---@param with_stdin boolean   a pipe; else /dev/null
---@return rille.Child?
---@return rille.Failure? failure
function child.start(options, with_stdin)
  local self = setmetatable({ exited = core.op() }, Child)
  self.stdin = with_stdin and uv.new_pipe(false) or nil
  self.stdout, self.stderr = uv.new_pipe(false), uv.new_pipe(false)
  local handle, pid = uv.spawn(options[1], {
    args = table.move(options, 2, #options, 1, {}),
    stdio = { self.stdin, self.stdout, self.stderr },
    cwd = options.cwd,
    env = environment(options.env, options.clear_env),
    detached = true,
  }, function(code, signal)
    close_handle(self.handle)
    self.exit = { code = signal == 0 and code or 128 + signal, signal = signal_names[signal] }
    self.exited:complete(true)
  end)
  if not handle then
    self:close_pipes()
    return nil, spawn_failure(pid, options)
  end
  self.handle, self.pid = handle, pid
  return self
end


-- ---------------------------------------------------------------- pipes

--- Reads an output pipe: `take(bytes)` for every piece; at its end the pipe is closed, `finish()`
--- called and the operation that this returns completed.
---@param pipe userdata
---@param take fun(bytes: string)
---@param finish? fun()
---@return rille.Op ended
---@return fun() resume     goes on reading after `pipe:read_stop()`
function Child.read(_, pipe, take, finish)
  local ended = core.op()
  local function on_read(_, bytes)
    if bytes then return take(bytes) end
    close_handle(pipe)
    ended:complete(true)
    if finish then finish() end
  end
  local function resume()
    if not pipe:is_closing() then pipe:read_start(on_read) end
  end
  resume()
  return ended, resume
end


--- Writes and waits until the bytes are in the pipe.
---@async
---@param bytes string
---@return true?
---@return rille.Failure? failure   code "connection" when the child does not read any more
function Child:write(bytes)
  if self.stdin:is_closing() then return nil, await.failure("EPIPE: stdin is closed") end
  return await.callback(function(done) return self.stdin:write(bytes, done) end)
end


--- Writes everything and closes stdin, beside the caller.
---@param bytes string
function Child:feed(bytes)
  local started = self.stdin:write(bytes, function() close_handle(self.stdin) end)
  if not started then close_handle(self.stdin) end
end


function Child:close_stdin()
  close_handle(self.stdin)
end


function Child:close_pipes()
  close_handle(self.stdin)
  close_handle(self.stdout)
  close_handle(self.stderr)
end


-- ---------------------------------------------------------------- end

--- Waits for the exit.
---@async
---@param seconds? number   at most
---@return {code: integer, signal: string?}? exit   code is 128 + signal when one ended it
---@return rille.Failure? failure   code "timeout"
function Child:wait(seconds)
  local _, why = self.exited:wait(seconds)
  return self.exit, why
end


--- Waits until the output pipes ended. A process that left the group may hold them for ever: after
--- 0.2 seconds, in slices so that a busy loop reads what is there before the time is over, no more.
---@async
---@param ... rille.Op
function Child.drain(_, ...)
  for _ = 1, EOF_SLICES do
    local all = true
    for _, ended in ipairs { ... } do all = all and ended:wait(EOF_SLICE) end
    if all then return end
  end
end


--- Signals the whole group.
---@param signal integer|string   number or "sigterm"
---@return boolean delivered      false when nobody is left
function Child:kill(signal)
  return not self.closed and group.signal(self.pid, signal)
end


--- Ends the group: TERM, `grace` seconds, KILL.
---@async
---@param grace number
function Child:stop(grace)
  self:kill("sigterm")
  self:kill("sigcont")   -- a stopped process sees the other signal only then
  local last = core.now() + grace
  self.exited:wait(grace)
  if not group.wait(self.pid, math.max(0, last - core.now())) then
    self:kill("sigkill")
    group.wait(self.pid, REAP)
  end
  self.exited:wait(REAP)
end


local killer_metatable <const> = {
  __close = function(killer)
    killer.child:kill("sigkill")
    killer.child.closed = true
    killer.child:close_pipes()
  end,
}


--- Ends whatever still runs and releases the pipes. TERM, 1 second, KILL; KILL at once where nobody
--- may wait. Idempotent.
---@async
function Child:close()
  if self.closed then return end
  local _ <close> = setmetatable({ child = self }, killer_metatable)
  if not await.can_wait() or self.exit and not group.is_running(self.pid) then return end
  self:stop(self.exit and LEFTOVER_GRACE or CLOSE_GRACE)
end


Child.__close = Child.close

return child
