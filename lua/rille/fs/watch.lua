--- rille.fs.watch -- beside the walk: changes of a file or a directory, as a stream of events.
---
--- Invariant: a watcher that is closed or collected holds no handle; its callback knows only the
--- queue, so that the watcher itself can be collected.
--- Source: https://docs.libuv.org/en/v1.x/fs_event.html

local core = require "rille.core"
local await = require "rille.await"

local uv <const> = core.uv()

---@class rille.Watcher   callable, to-be-closed
local Watcher = {}
Watcher.__index = Watcher
Watcher.__name = "rille.Watcher"


--- The next event; parks until there is one.
---@async
---@param seconds? number   wait at most so long
---@return {name: string?, changed: boolean, renamed: boolean}? event   nil once closed
---@return rille.Failure? failure   code "timeout", or the fault that ended the watching
function Watcher:next(seconds)
  return self._queue:take(seconds)
end


--- Ends the stream; what was seen before can still be read.
function Watcher:close()
  if not self._handle:is_closing() then self._handle:close() end
  self._queue:finish()
end


function Watcher:__call()
  return self:next()
end


Watcher.__close = Watcher.close
Watcher.__gc = Watcher.close


local function receiver(queue, doing)
  return function(err, name, events)
    if err then return queue:finish(await.failure(err, doing)) end
    queue:put { name = name, changed = events.change or false, renamed = events.rename or false }
  end
end


--- Watches a file, or a directory without what is below its directories:
---
---     for event in assert(rille.fs.watch("src")) do print(event.name) end
---
--- Leaving the loop ends the watching. `event.name` is relative to a directory that is watched;
--- `renamed` means that the name appeared or vanished.
---@param path string
---@return rille.Watcher?            also `watcher:next([seconds])` and `watcher:close()`
---@return rille.Failure|nil failure
local function watch(path)
  if type(path) ~= "string" then
    error("rille.fs.watch: path: string expected, got " .. type(path), 2)
  end
  local doing = "cannot watch " .. path
  local handle, queue = uv.new_fs_event(), await.queue()
  local started, err = handle:start(path, {}, receiver(queue, doing))
  if not started then
    handle:close()
    return nil, await.failure(err, doing)
  end
  local watcher = setmetatable({ _handle = handle, _queue = queue }, Watcher)
  return watcher, nil, nil, watcher
end


return watch
