--- rille.await -- beside the walk: callbacks of luv become awaits.
---
--- A callback only completes an operation or fills a queue; the task goes on outside the callback
--- (invariant 1). When the waiting task is cancelled the failure passes through here and the
--- caller's to-be-closed variables release what they hold.
--- Source: https://docs.libuv.org/en/v1.x/errors.html

local core = require "rille.core"
local failure = require "rille.failure"

local await = {}

--- errno name → code of the failure; the others are "internal"
local codes <const> = {
  ENOENT = "not_found", ESRCH = "not_found", ENXIO = "not_found", ENODEV = "not_found",
  EACCES = "permission", EPERM = "permission", EROFS = "permission",
  ETIMEDOUT = "timeout", ECANCELED = "cancelled",
  ECONNREFUSED = "connection", ECONNRESET = "connection", ECONNABORTED = "connection",
  EPIPE = "connection", EHOSTUNREACH = "connection", ENETUNREACH = "connection",
  EADDRINUSE = "connection", EADDRNOTAVAIL = "connection", ENOTCONN = "connection",
  EEXIST = "invalid_request", EINVAL = "invalid_request", EISDIR = "invalid_request",
  ENOTDIR = "invalid_request", ENOTEMPTY = "invalid_request", ENAMETOOLONG = "invalid_request",
  ELOOP = "invalid_request", EXDEV = "invalid_request", EFBIG = "invalid_request",
  EBADF = "invalid_request", ETXTBSY = "invalid_request", E2BIG = "invalid_request",
}


--- Callbacks of streams get the bare name of the errno, and luv has no function that explains one.
local reasons <const> = {
  EPIPE = "broken pipe", ECONNRESET = "connection reset by peer", ECANCELED = "operation canceled",
  ECONNREFUSED = "connection refused", ETIMEDOUT = "connection timed out", EIO = "i/o error",
  ENOTCONN = "socket is not connected", EADDRINUSE = "address already in use",
  EHOSTUNREACH = "host is unreachable", ENETUNREACH = "network is unreachable",
  EACCES = "permission denied", ENOENT = "no such file or directory", EOF = "end of file",
}


--- Makes a failure of what luv says: `ENOENT: no such file or directory: /x`, or the name alone.
---@param text any         luv's error text
---@param doing? string    opens the message: "cannot read /x"
---@return rille.Failure   detail is the name of the errno
function await.failure(text, doing)
  text = tostring(text)
  local name, reason = text:match("^(E[%u%d]+): ([^:]+)")
  name = name or text:match("^E[%u%d]+$")
  local message = reason or name and reasons[name] or text
  if doing then message = doing .. ": " .. message end
  return failure.new(codes[name] or "internal", message, { detail = name })
end


--- May the running code wait in a `__close` handler? A coroutine that is closed by force cannot
--- yield any more, and turning the loop inside its end would hold up the host.
---@return boolean
function await.can_wait()
  local _, is_main = coroutine.running()
  return is_main or coroutine.isyieldable()
end


--- Calls `guard.fn` when the scope is left before that was set to nil.
local guard_metatable <const> = {
  __close = function(guard)
    if guard.fn then guard.fn() end
  end,
}


--- luv passes `err, values…`; a wait that ended otherwise gives `nil, failure`.
local function results(guard, err, ...)
  if err == nil and failure.is((...)) then return nil, (...) end
  guard.fn = nil
  if err ~= nil then return nil, await.failure(err) end
  if select("#", ...) == 0 then return true end
  return ...
end


--- Turns one luv request into an await:
---
---     local fd, failure = await.callback(function(done)
---       return uv.fs_open(path, "r", 0, done)
---     end)
---
---@async
---@param start fun(done: fun(err: any, ...)): ...   starts the request with `done` as its callback
---                        and returns what luv returned
---@param cancel? fun(request: any)   called when the wait is abandoned (the task was cancelled)
---                        while the callback is still due
---@param late? fun(...)   called with the values when the request succeeded and nobody takes them
---                        any more, to release them; it must not wait
---@return any ...         what luv passed after `err`; true when that was nothing
---@return rille.Failure? failure     code from the errno, name of the errno in `detail`
function await.callback(start, cancel, late)
  local op = core.op()
  local abandoned, answer = false, nil
  local function release(failed, ...)
    if late and failed == nil then late(...) end
  end
  local request, err = start(function(...)
    if abandoned then return release(...) end
    answer = answer or table.pack(...)
    op:complete(...)
  end)
  if request == nil and err ~= nil then return nil, await.failure(err) end
  local guard <close> = setmetatable({}, guard_metatable)
  guard.fn = function()
    abandoned = true      -- the answer may be there: the cancel came between it and the task
    if answer then return release(table.unpack(answer, 1, answer.n)) end
    if cancel then cancel(request) end
  end
  return results(guard, op:wait())
end


---@class rille.Queue   values that callbacks put in and one task takes out, in order
---@field _first integer
---@field _last integer
---@field _ended boolean
---@field _op? rille.Op
local Queue = {}
Queue.__index = Queue


--- Makes an empty queue.
---@return rille.Queue
function await.queue()
  return setmetatable({ _first = 1, _last = 0, _ended = false }, Queue)
end


function Queue:_wake()
  if self._op then self._op:complete() end
end


--- Adds a value. Never waits; may be called in callbacks.
---@param value any   not nil
function Queue:put(value)
  if self._ended then return end
  self._last = self._last + 1
  self[self._last] = value
  self:_wake()
end


--- No more values will come; those that are there can still be taken.
---@param why? rille.Failure   returned once, after the last value
function Queue:finish(why)
  if self._ended then return end
  self._ended, self._why = true, why
  self:_wake()
end


--- Number of values that wait.
---@return integer
function Queue:__len()
  return self._last - self._first + 1
end


--- The next value; parks until there is one.
---@async
---@param seconds? number            at most
---@return any? value                nil at the end
---@return rille.Failure? failure    what the queue was finished with, or code "timeout"
function Queue:take(seconds)
  while self._first > self._last do
    if self._ended then
      local why = self._why
      self._why = nil
      return nil, why
    end
    self._op = self._op or core.op()
    self._op:reset()
    local _, why = self._op:wait(seconds)
    if why then return nil, why end
  end
  local value = self[self._first]
  self[self._first] = nil
  if self._first == self._last then   -- begins anew in the same place: the table need not be built again
    self._first, self._last = 1, 0
  else
    self._first = self._first + 1
  end
  return value
end


return await
