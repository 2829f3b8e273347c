--- edit_file -- walk 12: replaces a piece of a text file that is given word for word.
---
---     rille.agent { tools = { dofile "tools/edit_file.lua" { root = "src" } } }
---
--- Options: root (directory that the model may write below, default "."), approve (as of every tool; default true).
--- Invariant: the file is changed only when the old text is there exactly once, or all of them were asked for.
local rille = require "rille"
local confine = require "rille.confine"
local options = require "rille.options"

local MAX_BYTES <const> = 10 << 20


local function count(text, piece)
  local found, at = 0, 1
  while true do
    local first, last = text:find(piece, at, true)
    if not first then return found end
    found, at = found + 1, last + 1
  end
end


--- Replaces all occurrences; nothing in either text is a pattern.
local function replace(text, old, new)
  local pieces, at = {}, 1
  while true do
    local first, last = text:find(old, at, true)
    if not first then break end
    pieces[#pieces + 1] = text:sub(at, first - 1)
    pieces[#pieces + 1] = new
    at = last + 1
  end
  pieces[#pieces + 1] = text:sub(at)
  return table.concat(pieces)
end


--- Models write "\n"; where the file ends its lines with "\r\n", so do the texts.
local function with_line_ends_of(text, piece)
  if not text:find("\r\n", 1, true) or piece:find("\r", 1, true) then return piece end
  return (piece:gsub("\n", "\r\n"))
end


--- Why a text is not there, as far as that can be told.
local function why_missing(text, old)
  local function squeezed(s) return (s:gsub("%s+", " ")) end
  if squeezed(text):find(squeezed(old), 1, true) then
    return "the old text is there only with other white space; copy it exactly, with its indentation"
  end
  return "the old text is not in the file; read the file and copy the text exactly"
end


local function edited(text, args)
  local old, new = with_line_ends_of(text, args.old_text), with_line_ends_of(text, args.new_text)
  if old == new then return nil, "the old and the new text are the same" end
  local found = count(text, old)
  if found == 0 then return nil, why_missing(text, old) end
  if found > 1 and not args.replace_all then
    return nil, ("the old text is there %d times; give more of the text around it, or set replace_all")
      :format(found)
  end
  return replace(text, old, new), found
end


---@param given? {root?: string, approve?: boolean|function}
---@return rille.Tool
return function(given)
  given = options.check(given, { root = "string", approve = { "boolean", "function" } }, "edit_file")
  local inside = confine.new(given.root or ".")
  return rille.tool {
    name = "edit_file",
    description = "Replaces a piece of a text file. The old text has to match exactly, white space included, "
      .. "and has to be there only once.",
    parameters = {
      { "path", "string", "Path of the file, relative to the working directory.", min_length = 1 },
      { "old_text", "string", "The text to replace, word for word.", min_length = 1 },
      { "new_text", "string", "What to put in its place." },
      { "replace_all", "boolean", "Replace every occurrence.", default = false },
    },
    approve = given.approve == nil and true or given.approve,
    sequential = true,
    run = function(args)
      local path, failure = inside:resolve(args.path)
      if not path then return nil, failure end
      local text, changed, ok
      text, failure = rille.fs.read(path, { max_bytes = MAX_BYTES })
      if not text then return nil, failure end
      changed, failure = edited(text, args)
      if not changed then return nil, failure end
      local found = failure
      ok, failure = rille.fs.write(path, changed)
      if not ok then return nil, failure end
      return ("replaced %d occurrence%s in %s"):format(found, found == 1 and "" or "s",
        inside:relative(path))
    end,
  }
end
