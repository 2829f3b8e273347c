--- rille.agent.nesting -- beside the walk: which run a task works for.
---
--- A tool that runs an agent, in its own task or in tasks that it starts, runs it inside the run that called
--- the tool: same budgets, same approvals, same event stream. Nobody has to pass anything on.
--- Invariant: an entry lives as long as its task.

local core = require "rille.core"

local nesting = {}

---@type table<rille.Task, rille.Context>
local contexts = setmetatable({}, { __mode = "k" })


--- Says that the running task, and what it starts, works for a call.
---@param context rille.Context
function nesting.enter(context)
  local task = core.running()
  if task then contexts[task] = context end
end


--- The context of the call that a task works for: entered by itself, or by one of those that led to it.
---@param task? rille.Task    default: the one that runs
---@return rille.Context?
function nesting.of(task)
  task = task or core.running()
  while task do
    if contexts[task] then return contexts[task] end
    task = task:parent()
  end
end


return nesting
