--- rille.glob -- beside the walk: names of files as people write them, `*.lua`.
---
--- Invariant: in a shell pattern `*` and `?` are the only signs; everything else means itself.

local glob = {}

--- Directories that hold nothing that anybody looks for.
local SKIPPED <const> = { ".git", "node_modules" }


--- A predicate for names.
---@param pattern? string    shell pattern; nil: every name
---@return fun(name: string): boolean
function glob.name(pattern)
  if not pattern then return function() return true end end
  local lua_pattern = pattern:gsub("%p", "%%%0"):gsub("%%%*", ".*"):gsub("%%%?", ".")
  return function(name) return name:find("^" .. lua_pattern .. "$") ~= nil end
end


--- The `enter` option of rille.fs.walk that keeps out of directories of these names.
---@param names? string[]    default .git and node_modules
---@return fun(entry: rille.fs.entry): boolean
function glob.skip(names)
  local skipped = {}
  for _, name in ipairs(names or SKIPPED) do skipped[name] = true end
  return function(entry) return not skipped[entry.name] end
end


return glob
