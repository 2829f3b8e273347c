--- rille.cli.flags -- beside the walk: reads command-line flags by a table.
---
--- A row is `{ name, short=, value=, type=, choices=, many=, help= }`; without `value` it is a
--- switch. Forms: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-qv`; `--` ends the
--- flags.
--- Invariant: an unknown flag is an error that names the nearest one.
--- Source: POSIX.1-2017, 12.2 Utility Syntax Guidelines.

local options = require "rille.options"

local flags = {}

---@class rille.cli.Flag
---@field [1] string         long name, without dashes
---@field short? string      one letter
---@field value? string      what help calls its value; nil: a switch
---@field type? "number"|"integer"|"choice"
---@field choices? string[]
---@field many? boolean      may be given several times: the value is a list
---@field help string


local function by_long(rows, name)
  for _, row in ipairs(rows) do
    if row[1] == name then return row end
  end
end


local function by_short(rows, letter)
  for _, row in ipairs(rows) do
    if row.short == letter then return row end
  end
end


local function unknown(rows, flag)
  local names = {}
  for i, row in ipairs(rows) do names[i] = row[1] end
  local near = options.nearest(flag:gsub("^%-+", ""), names)
  local hint = near and (" (did you mean '--%s'?)"):format(near) or ""
  return nil, ("unknown flag '%s'%s"):format(flag, hint)
end


local converters <const> = {
  number = function(text)
    local number = tonumber(text)
    if number and number >= 0 and number < math.huge then return number end
    return nil, "a number, 0 or more"
  end,
  integer = function(text)
    local number = text:find("^%d+$") and math.tointeger(tonumber(text))
    if number then return number end
    return nil, "a whole number"
  end,
  choice = function(text, row)
    for _, choice in ipairs(row.choices) do
      if choice == text then return text end
    end
    local last = #row.choices
    return nil, table.concat(row.choices, ", ", 1, last - 1) .. " or " .. row.choices[last]
  end,
}


--- Keeps one value. Returns nil and a message when it does not fit.
local function store(values, row, text)
  local value = text
  if row.type then
    local expected
    value, expected = converters[row.type](text, row)
    if value == nil then
      return nil, ("--%s: %s expected, got '%s'"):format(row[1], expected, text)
    end
  end
  if not row.many then
    values[row[1]] = value
  else
    values[row[1]] = values[row[1]] or {}
    table.insert(values[row[1]], value)
  end
  return true
end


--- `--name`, `--name=value`, `--name value`. Returns how many words were used.
local function read_long(rows, values, words, i)
  local name, value = words[i]:match("^%-%-([^=]*)=(.*)$")
  name = name or words[i]:sub(3)
  local row = by_long(rows, name)
  if not row then return unknown(rows, "--" .. name) end
  if not row.value then
    if value then return nil, ("--%s takes no value"):format(name) end
    values[name] = true
    return 1
  end
  local text = value or words[i + 1]
  if not text then return nil, ("--%s: %s is missing"):format(name, row.value) end
  local ok, message = store(values, row, text)
  if not ok then return nil, message end
  return value and 1 or 2
end


--- `-n`, `-n value`, `-nvalue`, `-qv`. Returns how many words were used.
local function read_short(rows, values, words, i)
  local word = words[i]
  for at = 2, #word do
    local row = by_short(rows, word:sub(at, at))
    if not row then return unknown(rows, "-" .. word:sub(at, at)) end
    if row.value then
      local text = at < #word and word:sub(at + 1) or words[i + 1]
      if not text then return nil, ("-%s: %s is missing"):format(row.short, row.value) end
      local ok, message = store(values, row, text)
      if not ok then return nil, message end
      return at < #word and 1 or 2
    end
    values[row[1]] = true
  end
  return 1
end


--- Reads flags and operands.
---@param rows rille.cli.Flag[]
---@param words string[]
---@param from? integer              the first word to read, default 1
---@return table<string, any>? values   by long name
---@return string[]|string operands     or, without values, what is wrong
function flags.parse(rows, words, from)
  local values, operands, i = {}, {}, from or 1
  while i <= #words do
    local word, used, message = words[i], 1, nil
    if word == "--" then
      table.move(words, i + 1, #words, #operands + 1, operands)
      break
    elseif word:sub(1, 2) == "--" then
      used, message = read_long(rows, values, words, i)
    elseif #word > 1 and word:sub(1, 1) == "-" then
      used, message = read_short(rows, values, words, i)
    else
      operands[#operands + 1] = word
    end
    if not used then return nil, message end
    i = i + used
  end
  return values, operands
end


local function left_column(row)
  local short = row.short and ("-%s, "):format(row.short) or "    "
  return ("  %s--%s%s"):format(short, row[1], row.value and " " .. row.value or "")
end


--- The rows as help prints them, one line each.
---@param rows rille.cli.Flag[]
---@return string
function flags.describe(rows)
  local lines, width = {}, 0
  for _, row in ipairs(rows) do width = math.max(width, #left_column(row)) end
  for i, row in ipairs(rows) do
    lines[i] = ("%-" .. width .. "s  %s"):format(left_column(row), row.help)
  end
  return table.concat(lines, "\n")
end


return flags
