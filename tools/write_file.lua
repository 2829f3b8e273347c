--- write_file -- walk 12: makes a file or replaces its contents, in one step.
---
---     rille.agent { tools = { dofile "tools/write_file.lua" { root = "out", approve = false } } }
---
--- Options: root (directory that the model may write below, default "."), approve (as of every tool; default true,
--- because what is overwritten is gone).
local rille = require "rille"
local confine = require "rille.confine"
local options = require "rille.options"


---@param given? {root?: string, approve?: boolean|function}
---@return rille.Tool
return function(given)
  given = options.check(given, { root = "string", approve = { "boolean", "function" } }, "write_file")
  local inside = confine.new(given.root or ".")
  return rille.tool {
    name = "write_file",
    description = "Writes a text file, replacing what it held. Missing directories are made. "
      .. "To change a part of a file, use edit_file.",
    parameters = {
      { "path", "string", "Path of the file, relative to the working directory.", min_length = 1 },
      { "content", "string", "The whole new content." },
    },
    approve = given.approve == nil and true or given.approve,
    sequential = true,
    run = function(args)
      local path, failure = inside:resolve(args.path)
      if not path then return nil, failure end
      local ok
      ok, failure = rille.fs.mkdir(path:match("^(.+)/") or "/", { parents = true })
      if not ok then return nil, failure end
      ok, failure = rille.fs.write(path, args.content)
      if not ok then return nil, failure end
      return ("wrote %d bytes to %s"):format(#args.content, inside:relative(path))
    end,
  }
end
