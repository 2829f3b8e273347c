--- rille.agent.nesting -- beside the walk: which run a task works for.
---
--- A tool that runs an agent, in its own task or in tasks that it starts, runs it inside the run that called
--- the tool: same budgets, same approvals, same event stream. Nobody has to pass anything on.
--- Invariant: an entry lives as long as its task.

local core = require "rille.core"

local nesting = {}


--- The context of the call that a task works for: its own, or that of the nearest one of those that led to it.
---@param task? rille.Task    that has not ended; default: the one that runs
---@return rille.Context?
function nesting.of(task)
  task = task or core.running()
  return task and task:errand()
end


return nesting
