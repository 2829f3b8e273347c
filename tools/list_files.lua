--- list_files -- walk 12: names of files and directories.
---
---     rille.agent { tools = { dofile "tools/list_files.lua" { root = "." } } }
---
--- Options: root (directory that the model may see, default "."), max_entries (default 1000), skip (names of
--- directories that are not entered, default .git and node_modules).
local rille = require "rille"
local confine = require "rille.confine"
local glob = require "rille.glob"
local options = require "rille.options"

local SPEC <const> = { root = "string", max_entries = "integer", skip = "table" }


--- One line per entry; nil and the failure when the directory itself cannot be read.
local function lines_of(path, args, given)
  local fits = glob.name(args.name)
  local lines, most = {}, given.max_entries or 1000
  local walk = { depth = args.depth, enter = glob.skip(given.skip) }
  for entry in rille.fs.walk(path, walk) do
    if entry.failure and entry.depth == 0 then return nil, entry.failure end
    if not entry.failure and fits(entry.name) then
      if #lines == most then
        lines[#lines + 1] = ("(only the first %d are listed)"):format(most)
        break
      end
      lines[#lines + 1] = entry.path:sub(#path + 2) .. (entry.type == "directory" and "/" or "")
    end
  end
  return lines
end


---@param given? {root?: string, max_entries?: integer, skip?: string[]}
---@return rille.Tool
return function(given)
  given = options.check(given, SPEC, "list_files")
  local inside = confine.new(given.root or ".")
  return rille.tool {
    name = "list_files",
    description = "Lists files and directories (these end with /), one per line, relative to the path.",
    parameters = {
      { "path", "string", "Directory, relative to the working directory.", default = ".", min_length = 1 },
      { "depth", "integer", "How many levels; 1 is the directory alone.", default = 1, minimum = 1, maximum = 20 },
      { "name", "string", "Only names like this; * stands for any text.", optional = true, min_length = 1 },
    },
    run = function(args)
      local path, failure = inside:resolve(args.path)
      if not path then return nil, failure end
      local lines
      lines, failure = lines_of(path, args, given)
      if not lines then return nil, failure end
      return #lines > 0 and table.concat(lines, "\n") or "(nothing)"
    end,
  }
end
