--- rille.agent.toolset -- beside the walk: the tools of a request, by name and as the wire wants them.
---
--- Invariant: definitions stand in the order in which the tools were given, so that the prefix of a
--- request is the same bytes every time.

local options = require "rille.options"

---@class rille.Toolset
---@field list rille.Tool[]
---@field definitions table[]    for the wire
local Toolset = {}
Toolset.__index = Toolset

local toolset = {}

local NAMED <const> = 40   -- of many tools, this many are named to a model that called none of them


local function add(self, tool, where, level)
  local known = self.by_name[tool.name]
  if known and known ~= tool then
    error(("%s: two tools are called '%s'"):format(where, tool.name), level + 1)
  end
  if known then return end
  self.by_name[tool.name] = tool
  self.list[#self.list + 1] = tool
  self.definitions[#self.definitions + 1] = tool.definition
end


local function is_list(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end


local function add_all(self, list, where, level)
  local is_tool = require("rille.tool").is
  for i, entry in ipairs(list) do
    if is_tool(entry) then
      add(self, entry, where, level + 1)
    elseif type(entry) == "table" and type(entry.as_tool) == "function" then
      entry.default_tool = entry.default_tool or entry:as_tool()
      add(self, entry.default_tool, where, level + 1)
    elseif is_list(entry) then
      add_all(self, entry, where, level + 1)
    else
      error(("%s: tools[%d]: a tool, an agent or a list of them expected, got %s"):format(where, i, type(entry)),
        level + 1)
    end
  end
end


--- Makes a set of tools. Raises for what is none, and when two have the same name.
---@param list? table      tools, agents, and lists of them
---@param where string     opens the message
---@param level integer    whose line is blamed, as for error
---@return rille.Toolset
function toolset.new(list, where, level)
  local self = setmetatable({ list = {}, by_name = {}, definitions = {} }, Toolset)
  local is_tool = require("rille.tool").is
  if is_tool(list) then list = { list } end
  add_all(self, list or {}, where, level + 1)
  return self
end


--- The same set and one more tool, which wins over another of its name.
---@param tool rille.Tool
---@return rille.Toolset
function Toolset:with(tool)
  local more = setmetatable({ list = {}, by_name = {}, definitions = {} }, Toolset)
  for _, other in ipairs(self.list) do
    if other.name ~= tool.name then add(more, other, "tools", 1) end
  end
  add(more, tool, "tools", 1)
  return more
end


---@param name string
---@return rille.Tool?
function Toolset:find(name)
  return self.by_name[name]
end


--- Do calls of this tool carry arguments, or free text?
---@param tool rille.Tool
---@return "function"|"custom"
function toolset.kind(tool)
  return tool.definition.type == "custom" and "custom" or "function"
end


--- What to tell a model that called a tool that does not exist: the valid names, nearest first.
---@param name string
---@return string
function Toolset:unknown(name)
  if #self.list == 0 then return ("there is no tool '%s'; no tools are available"):format(name) end
  local names = {}
  for i, tool in ipairs(self.list) do names[i] = tool.name end
  local near = options.nearest(name, names)
  local ordered = { near and ("'%s'"):format(near) }
  for _, other in ipairs(names) do
    if other ~= near and #ordered < NAMED then ordered[#ordered + 1] = ("'%s'"):format(other) end
  end
  local more = #names > #ordered and (" and %d more"):format(#names - #ordered) or ""
  return ("there is no tool '%s'%s; available are %s%s"):format(name,
    near and (" (did you mean '%s'?)"):format(near) or "", table.concat(ordered, ", "), more)
end


local function list_problems(name, problems)
  local lines = { ("the arguments of '%s' do not fit:"):format(name) }
  for _, problem in ipairs(problems) do
    lines[#lines + 1] = ("- %s: %s"):format(problem.path, problem.message)
  end
  return table.concat(lines, "\n")
end


--- Checks arguments against the schema of a tool.
---@param tool rille.Tool
---@param value table
---@return table? valid      with defaults
---@return string? problem   for the model: where, what was expected, what came
function toolset.validate(tool, value)
  local valid, problems = tool:validate(value)
  if valid ~= nil then return valid end
  return nil, list_problems(tool.name, problems)
end


return toolset
