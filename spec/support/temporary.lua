--- temporary.lua -- files for one test, in a directory of their own that is removed afterwards.
local entries = require "spec.support.entries"
local uv = require "rille.uv"

local temporary = {}

local function remove(path)
  for name, kind in entries(path) do
    if kind == "directory" then
      remove(path .. "/" .. name)
    else
      os.remove(path .. "/" .. name)
    end
  end
  uv.fs_rmdir(path)
end

--- Makes a directory. Use it with <close>.
--- @return table directory   path; file(name, text) → path of a new file
function temporary.directory()
  local self = { path = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/rille-spec-XXXXXX")) }

  function self.file(name, text)
    local path = self.path .. "/" .. name
    local handle = assert(io.open(path, "wb"))
    handle:write(text)
    handle:close()
    return path
  end

  return setmetatable(self, { __close = function() remove(self.path) end })
end

return temporary
