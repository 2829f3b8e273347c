--- event_clock.lua -- a clock for many tasks at once: it stands still while anybody has work, then jumps to whoever
--- wakes first.
---
--- `world.clock` adds up the sleeps of one task; here ten thousand sleep side by side, and an hour takes a second.
local core = require "rille.core"
local time = require "rille.time"

local event_clock = {}

local Clock = {}
Clock.__index = Clock


--- Sifts an entry up the heap of sleepers, the earliest on top.
local function push(heap, entry)
  local i = #heap + 1
  heap[i] = entry
  while i > 1 and heap[i // 2].at > entry.at do
    heap[i], heap[i // 2] = heap[i // 2], entry
    i = i // 2
  end
end


local function pop(heap)
  local top, last = heap[1], table.remove(heap)
  local i, count = 1, #heap
  if count == 0 then return top end
  heap[1] = last
  while true do
    local least = i
    for child = 2 * i, math.min(2 * i + 1, count) do
      if heap[child].at < heap[least].at then least = child end
    end
    if least == i then return top end
    heap[i], heap[least] = heap[least], heap[i]
    i = least
  end
end


--- Installs it until `restore`. `clock.now` starts at 0.
--- @return {now: number, run: fun(self, fns: fun()[]), restore: fun()}
function event_clock.install()
  local clock = setmetatable({ now = 0, sleepers = {}, steps = 0 }, Clock)
  local before = { sleep = time.sleep, now = time.now, wall = time.wall }
  function time.now() return clock.now end
  function time.wall() return 1700000000 + clock.now end
  function time.sleep(seconds)
    clock.steps = clock.steps + 1
    local op = core.op()
    push(clock.sleepers, { at = clock.now + seconds, op = op })
    op:wait()
    return true
  end
  function clock.restore()
    for name, fn in pairs(before) do time[name] = fn end
  end
  return clock
end


--- Lets everybody work until nobody has anything to do at this moment.
local function settle(clock)
  local seen
  repeat
    seen = clock.steps
    core.sleep(0)
  until clock.steps == seen
end


--- Runs functions as tasks until all of them have ended.
--- @async
--- @param fns fun()[]
function Clock:run(fns)
  local tasks = {}
  for i, fn in ipairs(fns) do tasks[i] = core.spawn(fn) end
  settle(self)
  while self.sleepers[1] do
    local at = self.sleepers[1].at
    self.now = math.max(self.now, at)
    while self.sleepers[1] and self.sleepers[1].at <= at do pop(self.sleepers).op:complete() end
    settle(self)
  end
  for _, task in ipairs(tasks) do
    local _, failure = task:join()
    if failure then error(failure, 0) end
  end
end


return event_clock
