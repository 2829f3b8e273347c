--- source.lua -- reads the project's own files, for the specs that look at them.
local entries = require "spec.support.entries"

local source = {}

--- The text of a file.
--- @param path string
--- @return string
function source.read(path)
  local handle = assert(io.open(path, "rb"))
  local text = handle:read "a"
  handle:close()
  return text
end

--- Every line of a file.
--- @param path string
--- @return string[]
function source.lines(path)
  local lines = {}
  for line in (source.read(path) .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  if lines[#lines] == "" then lines[#lines] = nil end
  return lines
end

local function walk(list, directory, pattern)
  for name, kind in entries(directory) do
    local path = directory .. "/" .. name
    if kind == "directory" then
      walk(list, path, pattern)
    elseif name:find(pattern) then
      list[#list + 1] = path
    end
  end
end

--- Paths below a directory whose file name matches a pattern, sorted.
--- @param directory string
--- @param pattern string
--- @return string[]
function source.files(directory, pattern)
  local list = {}
  walk(list, directory, pattern)
  table.sort(list)
  return list
end

return source
