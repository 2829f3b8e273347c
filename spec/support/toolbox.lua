--- toolbox.lua -- the ready-made tools, called as dispatch calls them: arguments validated first.
local json = require "rille.json"
local temporary = require "spec.support.temporary"
local uv = require "rille.uv"

local toolbox = {}

--- What the file of a tool returns.
--- @param name string
--- @return any
function toolbox.load(name)
  return assert(loadfile("tools/" .. name .. ".lua"))()
end

--- Calls a tool with arguments as a model sends them. Raises when they do not fit.
--- @param tool rille.Tool
--- @param args? table
--- @return any result
--- @return any reason
function toolbox.call(tool, args)
  local valid, errors = tool:validate(args or {})
  if errors then error(require("rille.schema").explain(errors), 2) end
  return tool.run(json.decode(json.encode(valid), { nulls = false }), {})
end

--- Does the tool take these arguments?
--- @return boolean
function toolbox.takes(tool, args)
  local _, errors = tool:validate(args)
  return errors == nil
end

--- A directory with files: names ending in / are directories. Use it with <close>.
--- @param files table<string, string>
--- @return table directory
function toolbox.directory(files)
  local directory = temporary.directory()
  for name, text in pairs(files) do
    local at = directory.path
    for segment in name:gmatch "([^/]+)/" do
      at = at .. "/" .. segment
      uv.fs_mkdir(at, 448)
    end
    if name:sub(-1) ~= "/" then directory.file(name, text) end
  end
  return directory
end

--- The bytes of a file, or nil.
--- @param path string
--- @return string?
function toolbox.bytes(path)
  local handle = io.open(path, "rb")
  if not handle then return nil end
  local bytes = handle:read "a"
  handle:close()
  return bytes
end

return toolbox
