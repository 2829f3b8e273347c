--- proc.lua -- what the system says about processes and descriptors, for specs; reads /proc.
local entries = require "spec.support.entries"

local proc = {}

--- State, parent and group of a process; nil when it is gone.
local function stat(pid)
  local file = io.open(("/proc/%s/stat"):format(pid))
  if not file then return nil end
  local text = file:read("a") or ""
  file:close()
  local state, parent, group = text:match("^%d+ %(.*%) (%a) (%-?%d+) (%-?%d+)")
  return state, tonumber(parent), tonumber(group)
end

--- Numeric names below a directory of /proc. (A popen would show its own pipes now and then.)
local function numbers(directory)
  local list = {}
  for name in entries(directory) do
    if name:match("^%d+$") then list[#list + 1] = tonumber(name) end
  end
  return list
end

--- Is there a /proc as Linux has it?
proc.is_here = stat("self") ~= nil

--- Our own process id.
function proc.self()
  local file = assert(io.open("/proc/self/stat"))
  local pid = tonumber(file:read("a"):match("^%d+"))
  file:close()
  return pid
end

--- Number of open descriptors.
function proc.descriptors()
  return #numbers("/proc/" .. proc.self() .. "/fd")
end

--- Process ids of a group that run (zombies that init has not reaped do not count).
function proc.living(group)
  local list = {}
  for _, pid in ipairs(numbers("/proc")) do
    local state, _, its_group = stat(pid)
    if its_group == group and state ~= "Z" then list[#list + 1] = pid end
  end
  return list
end

--- Our children that ended and were not reaped.
function proc.zombies()
  local me, list = proc.self(), {}
  for _, pid in ipairs(numbers("/proc")) do
    local state, parent = stat(pid)
    if parent == me and state == "Z" then list[#list + 1] = pid end
  end
  return list
end

--- Does a process run?
function proc.is_running(pid)
  local state = stat(pid)
  return state ~= nil and state ~= "Z"
end

return proc
