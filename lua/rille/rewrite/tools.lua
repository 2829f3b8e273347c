--- rille.rewrite.tools -- walk 2: tools and tool_choice as a profile wants them.
---
--- Invariant: without tools neither tool_choice nor parallel_tool_calls is sent (R6, R7).
--- Source: wire contract §1.4, §1.5, R19, R22.

local empties = require "rille.schema.empties"
local json = require "rille.json"
local lazy = require "rille.lazy"
local message = require "rille.rewrite.message"
local schema = lazy "rille.rewrite.schema"   ---@module "rille.rewrite.schema"

local tools = {}


local function name_of(definition)
  local inner = definition[definition.type or "function"]
  return type(inner) == "table" and inner.name or nil
end


--- A custom tool, for servers that know functions only: its text is the one parameter.
local function as_function(definition)
  local custom = type(definition.custom) == "table" and definition.custom or {}
  return {
    type = "function",
    ["function"] = {
      name = custom.name, description = custom.description,
      parameters = {
        type = "object", properties = json.object { input = { type = "string" } },
        required = json.array { "input" },
      },
    },
  }
end


--- One definition; the same table when the profile changes nothing in it.
---@param definition table    {type = "function", ["function"] = {…}}
---@param flags rille.Flags
---@return table
function tools.definition(definition, flags)
  if definition.type == "custom" and not flags.custom_tools then
    definition = as_function(definition)
  end
  local inner = definition["function"]
  if type(inner) ~= "table" then return definition end
  local drops = not flags.strict and inner.strict ~= nil
  local parameters = empties(inner.parameters)
  if flags.schema and type(parameters) == "table" then parameters = schema.reduce(parameters, flags.schema) end
  if not drops and parameters == inner.parameters then return definition end
  local made, outer = {}, {}
  for key, value in pairs(inner) do made[key] = value end
  for key, value in pairs(definition) do outer[key] = value end
  if drops then made.strict = nil end
  made.parameters = parameters
  outer["function"] = setmetatable(made, getmetatable(inner))
  return setmetatable(outer, getmetatable(definition))
end


local function only(list, names)
  local kept = json.array {}
  for _, definition in ipairs(list) do
    if names[name_of(definition)] then kept[#kept + 1] = definition end
  end
  return kept
end


--- Does this model, with these parameters, think and so take no forced choice?
local function is_thinking(body, flags, model)
  if not flags.thinking_choice then return false end
  local thinking = body.thinking
  if type(thinking) == "table" and thinking.type then return thinking.type ~= "disabled" end
  if body.enable_thinking ~= nil then return body.enable_thinking == true end
  return message.matches(model, flags.thinking_choice)
end


--- {type = "allowed_tools"}: the list is cut instead.
local function allowed(choice, list)
  local wanted, names = choice.allowed_tools or {}, {}
  for _, definition in ipairs(wanted.tools or {}) do names[name_of(definition) or ""] = true end
  return wanted.mode or "auto", only(list, names)
end


local function named(choice, list, flags)
  local inner = choice[choice.type or "function"]
  if flags.named_choice ~= "filter" or type(inner) ~= "table" then return choice, list end
  local kept = only(list, { [inner.name or ""] = true })
  if #kept == 0 then return choice, list end
  return "required", kept
end


--- tool_choice and the tools it leaves.
---@param choice any
---@param list table[]
---@param body table         the other parameters: some servers mind what the model thinks
---@param flags rille.Flags
---@param model? string
---@return any choice        nil: say nothing
---@return table[] list
function tools.choice(choice, list, body, flags, model)
  if type(choice) == "table" then
    if choice.type == "custom" and not flags.custom_tools then
      choice = { type = "function", ["function"] = choice.custom }
    end
    if choice.type == "allowed_tools" then
      if flags.allowed_tools then return choice, list end
      choice, list = allowed(choice, list)
    else
      choice, list = named(choice, list, flags)
    end
  end
  local is_forced = choice == "required" or choice == "any" or type(choice) == "table"
  if is_forced and is_thinking(body, flags, model) then return "auto", list end
  if choice == "required" then choice = flags.required_choice end
  return choice, list
end


return tools
