--- read_file -- walk 12: a text file, or a part of it, with line numbers.
---
---     local read_file = dofile "tools/read_file.lua"
---     rille.agent { tools = { read_file { root = "src" } } }
---
--- Options: root (directory that the model may read, default "."), max_bytes (of a file, default 10 MiB).
local rille = require "rille"
local confine = require "rille.confine"
local options = require "rille.options"

local LONGEST_LINE <const> = 2000   -- bytes


local function shown_line(line)
  line = line:gsub("\r$", "")
  if #line <= LONGEST_LINE then return line end
  return line:sub(1, utf8.offset(line, 0, LONGEST_LINE + 1) - 1) .. "…"
end


--- `number<TAB>text` for each line, and a note when there are more.
local function numbered(text, first, limit)
  local lines, number = {}, 0
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    if number >= first and number < first + limit then
      lines[#lines + 1] = number .. "\t" .. shown_line(line)
    end
  end
  if number == 0 then return "(the file is empty)" end
  if #lines == 0 then return nil, ("the file has %d lines"):format(number) end
  if number >= first + limit then
    lines[#lines + 1] = ("(%d more lines; go on with offset %d)"):format(
      number - first - limit + 1, first + limit)
  end
  return table.concat(lines, "\n")
end


---@param given? {root?: string, max_bytes?: integer}
---@return rille.Tool
return function(given)
  given = options.check(given, { root = "string", max_bytes = "integer" }, "read_file")
  local inside = confine.new(given.root or ".")
  return rille.tool {
    name = "read_file",
    description = "Reads a text file. Returns its lines as `number<TAB>text`; the number is no part of the text.",
    parameters = {
      { "path", "string", "Path of the file, relative to the working directory.", min_length = 1 },
      { "offset", "integer", "First line, counted from 1.", default = 1, minimum = 1 },
      { "limit", "integer", "Number of lines.", default = 2000, minimum = 1 },
    },
    run = function(args)
      local path, failure = inside:resolve(args.path)
      if not path then return nil, failure end
      local text
      text, failure = rille.fs.read(path, { max_bytes = given.max_bytes or 10 << 20 })
      if not text then return nil, failure end
      if text:find("\0", 1, true) then return nil, args.path .. " is not a text file" end
      return numbered(text, args.offset, args.limit)
    end,
  }
end
