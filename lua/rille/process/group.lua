--- rille.process.group -- beside the walk: a process group, and whether it still runs.
---
--- Invariant: zombies do not count. An orphan that init is slow to reap (or never reaps, as in many
--- containers) would else look like a program that ignores signals.
--- Source: kill(2), proc(5) "/proc/[pid]/stat"

local core = require "rille.core"

local uv <const> = core.uv()

local group = {}

local FIRST_STEP <const>, LONGEST_STEP <const> = 0.005, 0.1   -- seconds between two looks


--- Signals every process of a group.
---@param id integer                process id of its leader
---@param signal integer|string     number or "sigterm"
---@return boolean delivered        false when nobody is left
function group.signal(id, signal)
  return uv.kill(-id, signal) == 0
end


local function stat_of(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return nil end
  local text = file:read(512) or ""
  file:close()
  local state, its_group = text:match("^%d+ %(.*%) (%a) %-?%d+ (%-?%d+)")
  return state, tonumber(its_group)
end


local function runs_in(name, id)
  local state, its_group = stat_of(name)
  return its_group == id and state ~= "Z" and state ~= "X"
end


--- Looks through /proc; true where there is none.
local function has_running_member(id)
  local directory = stat_of("self") and uv.fs_opendir("/proc", nil, 512)
  if not directory then return true end
  local found = false
  repeat
    local entries = directory:readdir()
    for _, entry in ipairs(entries or {}) do
      found = found or entry.name:find("^%d") ~= nil and runs_in(entry.name, id)
    end
  until found or not entries
  directory:closedir()
  return found
end


--- Does a process of the group run?
---@param id integer
---@return boolean
function group.is_running(id)
  local ok, _, name = uv.kill(-id, 0)
  if ok ~= 0 and name ~= "EPERM" then return false end
  return has_running_member(id)
end


--- Waits until nobody of the group runs. The time is real, whatever clock a spec has put into
--- rille.time.
---@async
---@param id integer
---@param seconds number       at most
---@return boolean ended
function group.wait(id, seconds)
  local last, step = core.now() + seconds, FIRST_STEP
  while group.is_running(id) do
    local left = last - core.now()
    if left <= 0 then return false end
    core.op():wait(math.min(step, left))
    step = math.min(2 * step, LONGEST_STEP)
  end
  return true
end


return group
