--- harness.lua -- what holds for every spec: nothing stays behind, no global is set by accident.
local core = require "rille.core"

local harness = {}

--- Seconds that a test may take: one that hangs is a failure, not a hung suite. Trying everything takes hours.
local LONGEST <const> = os.getenv "RILLE_SLOW" and 36000 or 300

--- Says what a test left behind, or nil.
--- @param before table   counts before the test
--- @param after table
--- @return string? complaint
local function complain(before, after)
  local left = {}
  for _, name in ipairs { "tasks", "transfers", "handles", "registry" } do
    local more = after[name] - before[name]
    if more > 0 then left[#left + 1] = ("%d %s"):format(more, name) end
  end
  if #left > 0 then return "left behind: " .. table.concat(left, ", ") end
end

--- What is still left behind once garbage is collected and finished work has had its turns of the loop.
--- @param before table
--- @return string? complaint
local function settle(before)
  local complaint = complain(before, core.counts())
  for _ = 1, 40 do
    if not complaint then return nil end
    collectgarbage()
    core.sleep(0.005)
    complaint = complain(before, core.counts())
  end
  return complaint
end

--- Runs a test's body as a task and raises what it raises.
--- @param body fun()
--- @return fun()
function _G.async(body)
  return function()
    local outcome
    local task = core.spawn(function()
      outcome = table.pack(xpcall(body, function(err)
        if type(err) == "table" then return err end -- luassert's own failures
        return debug.traceback(tostring(err), 2)
      end))
    end)
    local _, failure = task:join(LONGEST)
    if failure and task:status() == "waiting" then
      task:cancel()
      task:join()
      error(("still waits after %d seconds"):format(LONGEST), 0)
    end
    if failure then error(failure, 0) end
    if not outcome[1] then error(outcome[2], 0) end
  end
end

--- A test's body with the check around it. What before_each opened may stay until after_each closes it.
--- @param body fun(...)
--- @return fun(...)
local function checked(body)
  return function(...)
    local before = core.counts()
    body(...)
    local complaint = settle(before)
    if complaint then error(complaint, 0) end
  end
end

--- Puts every test of this busted under the check.
--- @param busted table
function harness.install(busted)
  busted.subscribe({ "test", "start" }, function(element)
    element.run = checked(element.run)
    return nil, true
  end)
end

return harness
