--- rille.task -- beside the walk: tasks side by side, and how to wait for several.
---
--- Invariant: all, map, race and timeout leave no task behind. Whatever way they are left (a
--- result, a failure, a cancel, an error) the tasks they started have ended, or are cancelled and
--- within their grace when nobody may wait any more.
--- Source: N. J. Smith, "Notes on structured concurrency" (vorpus.org, 2018)

local core = require "rille.core"
local await = require "rille.await"
local failure = require "rille.failure"
local options = require "rille.options"
local time = require "rille.time"

local task = {}

local DEADLINE_GRACE <const> = 0.02   -- seconds by which code that waits is left alone: its wait ends by itself


local function check_function(fn, name)
  if not options.is_callable(fn) then
    error(("%s: function expected, got %s"):format(name, type(fn)), 3)
  end
end


local function check_seconds(seconds, name)
  if type(seconds) ~= "number" or seconds < 0 or seconds ~= seconds then
    error(("%s: seconds, 0 or more, expected"):format(name), 3)
  end
end


local function check_functions(functions, name)
  if type(functions) ~= "table" then
    error(("%s: list of functions expected, got %s"):format(name, type(functions)), 3)
  end
  for i = 1, #functions do
    if not options.is_callable(functions[i]) then
      error(("%s: entry [%d]: function expected, got %s"):format(name, i, type(functions[i])), 3)
    end
  end
end


-- ---------------------------------------------------------------- groups

---@class rille.Group   tasks that end with the scope that opened them
local Group = {}
Group.__index = Group

local ended_metatable <const> = {
  __close = function(member)
    member.group.ended:put(member.index)
  end,
}


local function open_group()
  return setmetatable({ tasks = {}, started = 0, ended = await.queue() }, Group)
end


local function run_member(group, index, fn, ...)
  local _ <close> = setmetatable({ group = group, index = index }, ended_metatable)
  return fn(...)
end


--- Starts a member.
---@param fn fun(...): any ...
---@param ... any
function Group:start(fn, ...)
  self.started = self.started + 1
  self.tasks[self.started] = core.spawn(run_member, self, self.started, fn, ...)
end


--- The index of the next task that ended; nil when `seconds` passed first.
---@param seconds? number
---@return integer? index
function Group:next(seconds)
  local index, why = self.ended:take(seconds)
  if index or seconds and why.code == "timeout" then return index end
  error(why, 0)
end


--- What a task that ended returned. The group forgets it.
---@param index integer
---@return any ...
function Group:take(index)
  local ended = self.tasks[index]
  self.tasks[index] = nil
  return ended:join()
end


function Group:__close()
  for index = 1, self.started do
    if self.tasks[index] then self.tasks[index]:cancel("no longer needed") end
  end
  if not await.can_wait() then return end
  for index = 1, self.started do
    if self.tasks[index] then self.tasks[index]:join() end
  end
end


--- `nil, reason` of a function, or what join says of one that raised; nil for a result.
local function reason_of(value, reason)
  if value == nil and reason ~= nil then return failure.from(reason) end
end


-- ---------------------------------------------------------------- public

--- Starts `fn(...)` as a task that runs beside the caller. Cancelling the calling task cancels it
--- too; otherwise it lives until it ends.
---@param fn fun(...): any ...
---@param ... any             its arguments
---@return rille.Task         task:join([seconds]), task:cancel([reason]), task:status()
function task.spawn(fn, ...)
  check_function(fn, "rille.spawn")
  return core.spawn(fn, ...)
end


--- Runs functions side by side and waits for all of them.
---
---     local weather, news = rille.all { fetch_weather, fetch_news }
---
--- The first one that fails (it raises, or returns `nil, reason`) cancels the others.
---@async
---@param functions (fun(): any)[]
---@return any ...                   the first value of each, in the order of the list
---@return rille.Failure? failure    on failure `nil, failure` is all that is returned
function task.all(functions)
  check_functions(functions, "rille.all")
  local group <close> = open_group()
  for _, fn in ipairs(functions) do group:start(fn) end
  local results = {}
  for _ = 1, group.started do
    local index = group:next()
    local value, reason = group:take(index)
    local why = reason_of(value, reason)
    if why then return nil, why end
    results[index] = value
  end
  return table.unpack(results, 1, group.started)
end


--- Calls `fn(item, index)` for every item, side by side. One item's trouble costs nobody else's
--- answer:
---
---     local replies, failures = rille.map(cities, ask, { concurrency = 8 })
---     for i, reply in ipairs(replies) do print(reply and reply.text or failures[i]) end
---
---@async
---@param list any[]
---@param fn fun(item: any, index: integer): any
---@param opts? {concurrency?: integer}   how many run at the same time; default: all of them
---@return any[] results   the first value of each call in the order of `list`; false where there is
---                        none
---@return table<integer, rille.Failure>? failures   by index, of the calls that raised or returned
---                        `nil, reason`; nil when every call went well
function task.map(list, fn, opts)
  if type(list) ~= "table" then error("rille.map: list expected, got " .. type(list), 2) end
  check_function(fn, "rille.map")
  local concurrency = options.check(opts, { concurrency = "number" }, "rille.map").concurrency
  if concurrency and concurrency < 1 then error("rille.map: concurrency: at least 1", 2) end

  local group <close> = open_group()
  local count, results, failures = #list, {}, nil
  for index = 1, count do results[index] = false end
  for index = 1, math.min(count, concurrency or count) do group:start(fn, list[index], index) end
  for _ = 1, count do
    local index = group:next()
    local value, reason = group:take(index)
    local why = reason_of(value, reason)
    if why then
      failures = failures or {}
      failures[index] = why
    elseif value ~= nil then
      results[index] = value
    end
    local following = group.started + 1
    if following <= count then group:start(fn, list[following], following) end
  end
  return results, failures
end


--- Runs functions side by side and takes the first result; the others are cancelled. One that fails
--- does not win.
---@async
---@param functions (fun(): any ...)[]   at least one
---@return any ...                   everything that the winner returned
---@return rille.Failure? failure    when all failed: `nil` and the failure that came first
function task.race(functions)
  check_functions(functions, "rille.race")
  if #functions == 0 then error("rille.race: at least one function expected", 2) end
  local group <close> = open_group()
  for _, fn in ipairs(functions) do group:start(fn) end
  local first
  for _ = 1, group.started do
    local values = table.pack(group:take(group:next()))
    local why = reason_of(values[1], values[2])
    if not why then return table.unpack(values, 1, values.n) end
    first = first or why
  end
  return nil, first
end


--- Calls `fn(...)` and gives up after a time: what it waits for is abandoned and it is cancelled; code that never
--- waits is stopped, too.
---@async
---@param seconds number
---@param fn fun(...): any ...
---@param ... any                    its arguments
---@return any ...                   what fn returned; what it raises is raised here
---@return rille.Failure? failure    `nil` and code "timeout" when the time was over
function task.timeout(seconds, fn, ...)
  check_seconds(seconds, "rille.timeout")
  check_function(fn, "rille.timeout")
  local late = failure.new("timeout", ("not finished after %g seconds"):format(seconds))
  local group <close> = open_group()
  group:start(fn, ...)
  local child = group.tasks[1]
  child:deadline(seconds + DEADLINE_GRACE, late)
  if not group:next(seconds) then return nil, late end
  if child:status() == "failed" then error(select(2, child:join()), 0) end
  return child:join()
end


--- Waits; other tasks run meanwhile.
---@async
---@param seconds number   0 lets the others have a turn
---@return true
function task.sleep(seconds)
  check_seconds(seconds, "rille.sleep")
  return time.sleep(seconds)
end


--- Monotonic clock, for measuring.
---@return number seconds
function task.now()
  return time.now()
end


return task
