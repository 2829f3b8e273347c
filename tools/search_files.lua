--- search_files -- walk 12: lines of text files that match a regular expression.
---
---     rille.agent { tools = { dofile "tools/search_files.lua" { root = "src" } } }
---
--- Options: root (directory that the model may search, default "."), max_matches (default 200), max_bytes (larger
--- files are passed over, default 1 MiB), skip (names of directories not entered, default .git and node_modules).
--- Matching has limits of its own, so that no pattern can hold the program.
local rille = require "rille"
local confine = require "rille.confine"
local glob = require "rille.glob"
local options = require "rille.options"
local regex = require "rille.schema.regex"

local SPEC <const> = { root = "string", max_matches = "integer", max_bytes = "integer", skip = "table" }
local LONGEST_LINE <const> = 400   -- bytes


local function shown_line(line)
  if #line <= LONGEST_LINE then return line end
  return line:sub(1, utf8.offset(line, 0, LONGEST_LINE + 1) - 1) .. "…"
end


--- Adds `name:number: line` for each match; nil and the failure when matching is given up.
local function search_text(found, name, text, pattern, most)
  local number = 0
  if text:sub(-1) ~= "\n" then text = text .. "\n" end
  for line in text:gmatch("([^\n]*)\n") do
    line = line:gsub("\r$", "")
    number = number + 1
    local matches, failure = pattern:find(line)
    if failure then return nil, failure end
    if matches then
      if #found == most then return nil end
      found[#found + 1] = ("%s:%d: %s"):format(name, number, shown_line(line))
    end
  end
  return true
end


--- Every file below a directory, or the file itself.
local function files_below(path, given)
  local stat = rille.fs.stat(path)
  if stat and stat.type == "file" then
    local one = { { path = path, name = path:match("[^/]*$"), type = "file" } }
    return function() return table.remove(one) end
  end
  return rille.fs.walk(path, { enter = glob.skip(given.skip) })
end


local function search(inside, path, args, given, pattern)
  local found, fits = {}, glob.name(args.name)
  local most = given.max_matches or 200
  for entry in files_below(path, given) do
    if entry.failure and entry.depth == 0 then return nil, entry.failure end
    local text = entry.type == "file" and fits(entry.name)
      and rille.fs.read(entry.path, { max_bytes = given.max_bytes or 1 << 20 })
    if text and not text:find("\0", 1, true) then
      local ok, failure = search_text(found, inside:relative(entry.path), text, pattern, most)
      if failure then return nil, failure end
      if not ok then
        found[#found + 1] = ("(there are more than %d matches)"):format(most)
        break
      end
    end
  end
  return found
end


---@param given? {root?: string, max_matches?: integer, max_bytes?: integer, skip?: string[]}
---@return rille.Tool
return function(given)
  given = options.check(given, SPEC, "search_files")
  local inside = confine.new(given.root or ".")
  return rille.tool {
    name = "search_files",
    description = "Searches text files for a regular expression. Returns `path:line: text` for each matching line.",
    parameters = {
      { "pattern", "string", "Regular expression (as in JavaScript).", min_length = 1, max_length = 1000 },
      { "path", "string", "File or directory, relative to the working directory.", default = ".", min_length = 1 },
      { "name", "string", "Only files with names like this; * stands for any text.", optional = true, min_length = 1 },
    },
    run = function(args)
      local path, failure = inside:resolve(args.path)
      if not path then return nil, failure end
      local pattern, found
      pattern, failure = regex.compile(args.pattern)
      if not pattern then return nil, "the pattern is wrong: " .. failure.message end
      found, failure = search(inside, path, args, given, pattern)
      if not found then return nil, failure end
      return #found > 0 and table.concat(found, "\n") or "(no match)"
    end,
  }
end
