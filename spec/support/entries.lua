--- entries.lua -- what is in a directory, for specs: an iterator of name and type, in no order.
local uv = require "rille.core".uv()

--- @param path string   a directory that is not there has nothing in it
--- @return fun(): string?, string?
return function(path)
  local list, directory = {}, uv.fs_opendir(path, nil, 256)
  local batch = directory and directory:readdir()
  while batch do
    table.move(batch, 1, #batch, #list + 1, list)
    batch = directory:readdir()
  end
  if directory then directory:closedir() end
  local i = 0
  return function()
    i = i + 1
    if list[i] then return list[i].name, list[i].type end
  end
end
