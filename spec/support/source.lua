--- source.lua -- reads the project's own files, for the specs that look at them.
local uv = require "rille.uv"

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
  local scan = uv.fs_scandir(directory)
  while scan do
    local name, kind = uv.fs_scandir_next(scan)
    if not name then break end
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
