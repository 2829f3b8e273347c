--- rille.lazy -- beside the walk: what an ordinary run does without is not loaded for it.
---
--- `local trouble = lazy "rille.chat.trouble"` stands where `require` would: a table whose members are those of the module,
--- which is loaded when the first of them is asked for. It serves modules that most runs never enter: what errors, odd
--- servers and rare schemas need. `---@module` behind it tells editors the members.
--- Invariants: nothing asks a stand-in for a member while files are being loaded; nobody looks through it with `pairs`.

local require <const> = require   -- a program may take it away, or put its own there, before the first error

--- Stands in for a module.
---@param name string    as `require` takes it
---@return table module
local function lazy(name)
  local metatable = {}
  function metatable.__index(_, member)
    local module = require(name)
    metatable.__index = module   -- from now on one step away
    return module[member]
  end
  return setmetatable({}, metatable)
end


return lazy
