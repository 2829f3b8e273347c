--- harness.lua -- what holds for every spec: nothing stays behind, no global is set by accident.
local core = require "rille.core"

local harness = {}

--- What is alive once garbage is collected and finished work has had its turns of the loop.
local function settle()
  for _ = 1, 20 do
    collectgarbage()
    core.sleep(0)
    local counts = core.counts()
    if counts.tasks == 0 and counts.handles == 0 and (counts.transfers or 0) == 0 then return counts end
    core.sleep(0.005)
  end
  return core.counts()
end

--- Says what a test left behind, or nil.
--- @param before table   counts before the test
--- @param after table
--- @return string? complaint
local function complain(before, after)
  local left = {}
  for _, name in ipairs { "tasks", "transfers", "handles" } do
    local more = (after[name] or 0) - (before[name] or 0)
    if more > 0 then left[#left + 1] = ("%d %s"):format(more, name) end
  end
  if #left > 0 then return "left behind: " .. table.concat(left, ", ") end
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
    local _, failure = task:join()
    if failure then error(failure, 0) end
    if not outcome[1] then error(outcome[2], 0) end
  end
end

--- A test's body with the check around it. What before_each opened may stay until after_each closes it.
--- @param body fun(...)
--- @return fun(...)
local function checked(body)
  return function(...)
    local before = settle()
    body(...)
    local complaint = complain(before, settle())
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
