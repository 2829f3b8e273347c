--- rille.tool -- beside the walk: what a model may call: a name, parameters, and a Lua function.
---
--- A tool says nothing about how it is run: looking up, validating, approving, timing and encoding are dispatch's.
--- Invariant: a tool that exists is valid: its schema compiles, its definition is encoded once and never changes.
--- Source: wire contract 1.4

local core = require "rille.core"
local log = require "rille.log"
local options = require "rille.options"
local schema = require "rille.schema"
local value = require "rille.schema.value"

local tool = {}

---@class rille.ToolOptions
---@field name string                   ^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$
---@field description? string           what it does and when to use it; more than 1024 bytes are refused by some servers
---@field parameters? table|string      ordered form, JSON Schema table or JSON text; default: none
---@field run fun(args: table|string, context: rille.Context): any, any   looks blocking, may wait; a custom tool gets the text
---@field strict? boolean               true: the model's arguments are held to the schema by the server, too
---@field timeout? number               seconds, default 60
---@field approve? boolean|fun(args: table, context: rille.Context): "allow"|"deny"|"ask", string?   default false
---@field sequential? boolean           true: never beside another call of the same turn
---@field max_result_bytes? integer     of the content sent to the model, default 65536
---@field type? "function"|"custom"     custom: takes free text instead of arguments
---@field format? table                 of a custom tool's text: { syntax = "lark"|"regex", definition = "…" }

---@class rille.Tool: rille.ToolOptions
---@field schema table?              JSON Schema of the parameters, as it is sent; nil for a custom tool
---@field definition table           the entry of a request's `tools`
---@field definition_json string     the same, encoded
local Tool = {}
Tool.__index = Tool
Tool.__name = "rille.Tool"

local SPEC <const> = {
  name = "string", description = "string", parameters = { "table", "string" }, run = "callable",
  strict = "boolean", timeout = "number", approve = { "boolean", "callable" }, sequential = "boolean",
  max_result_bytes = "integer", type = "string", format = "table",
}
local TIMEOUT <const> = 60              -- seconds
local MAX_RESULT_BYTES <const> = 65536
local MAX_DESCRIPTION <const> = 1024    -- bytes; more is refused by OpenAI and Azure


--- Is it a tool?
---@param v any
---@return boolean
function tool.is(v)
  return getmetatable(v) == Tool
end


local function check_name(name, level)
  if type(name) ~= "string" then error("rille.tool: option 'name' is missing", level + 1) end
  if #name > 64 or not name:find("^[%a_][%w_-]*$") then
    error(("rille.tool: name: letters, digits, '_' and '-', at most 64, not starting with a digit or '-', "
      .. "expected, got %q"):format(name:sub(1, 80)), level + 1)
  end
end


local function check_numbers(given, where, level)
  if given.timeout and (given.timeout <= 0 or given.timeout ~= given.timeout) then
    error(where .. ": timeout: seconds greater than 0 expected", level + 1)
  end
  if given.max_result_bytes and given.max_result_bytes < 1 then
    error(where .. ": max_result_bytes: 1 or more expected", level + 1)
  end
end


--- Options that only one of the two kinds has.
local function check_kind(given, where, level)
  local kind = given.type or "function"
  if kind ~= "function" and kind ~= "custom" then
    error(where .. ": type: \"function\" or \"custom\" expected", level + 1)
  end
  local foreign = kind == "custom" and { "parameters", "strict" } or { "format" }
  for _, name in ipairs(foreign) do
    if given[name] ~= nil then
      error(("%s: %s: not for a %s tool"):format(where, name, kind), level + 1)
    end
  end
  return kind
end


local function check(given, level)
  if given == nil then error("rille.tool: table of options expected, got nil", level + 1) end
  options.check(given, SPEC, "rille.tool", level + 1)
  check_name(given.name, level + 1)
  local where = ("rille.tool '%s'"):format(given.name)
  if given.run == nil then error(where .. ": option 'run' is missing", level + 1) end
  check_numbers(given, where, level + 1)
  if given.description and #given.description > MAX_DESCRIPTION then
    log.warn("%s: the description has %d bytes; some servers refuse more than %d", where,
      #given.description, MAX_DESCRIPTION)
  end
  return where, check_kind(given, where, level + 1)
end


--- Compiles the parameters: what arguments are validated with, and what the server is told.
local function parameters_of(given, where, level)
  local compiled = schema.compile(given.parameters or {},
    { name = where .. ": parameters", absent_nulls = true }, level + 1)
  local json = compiled.json
  if type(json) ~= "table" or json.type ~= "object" then
    error(where .. ": parameters: a schema with type = \"object\" expected", level + 1)
  end
  if json.properties == nil then json.properties = value.object({}) end
  if not given.strict then return compiled, json end
  local strict, reason = compiled:strict()
  if not strict then error(("%s: strict: %s"):format(where, reason), level + 1) end
  return compiled, strict
end


local function function_definition(given, json)
  return value.object({
    { "type", "function" },
    { "function", value.object({
      { "name", given.name }, { "description", given.description }, { "parameters", json },
      { "strict", given.strict },
    }) },
  })
end


--- The wire's form of `format`: free text, or a grammar.
local function text_format(format, where, level)
  if not format or format.type == "text" then return format end
  local grammar = format.grammar or format
  if type(grammar) ~= "table" or (grammar.syntax ~= "lark" and grammar.syntax ~= "regex")
    or type(grammar.definition) ~= "string" then
    error(where .. ": format: { syntax = \"lark\" or \"regex\", definition = text } expected", level + 1)
  end
  return value.object({
    { "type", "grammar" },
    { "grammar", value.object({
      { "syntax", grammar.syntax }, { "definition", grammar.definition },
    }) },
  })
end


local function custom_definition(given, format)
  return value.object({
    { "type", "custom" },
    { "custom", value.object({
      { "name", given.name }, { "description", given.description }, { "format", format },
    }) },
  })
end


--- Makes a tool.
---
---     local add = rille.tool {
---       name = "add", description = "Adds two numbers.",
---       parameters = { { "a", "number" }, { "b", "number" } },
---       run = function(args) return args.a + args.b end,
---     }
---
---@param given rille.ToolOptions
---@param level? integer    whose line is blamed: 1 (default) = the caller
---@return rille.Tool
--- Source: wire contract 1.4
function tool.new(given, level)
  level = (level or 1) + 1
  local where, kind = check(given, level)
  local self = {}
  for name, option in next, given do self[name] = option end
  self.timeout = given.timeout or TIMEOUT
  self.approve = given.approve or false
  self.sequential = given.sequential or false
  self.max_result_bytes = given.max_result_bytes or MAX_RESULT_BYTES
  if kind == "custom" then
    self.definition = custom_definition(given, text_format(given.format, where, level))
  else
    self._schema, self.schema = parameters_of(given, where, level)
    self._shape = self._schema.shape
    self.definition = function_definition(given, self.schema)
  end
  self.definition_json = core.json_encode(self.definition)
  return setmetatable(self, Tool)
end


--- Holds arguments to the parameters: the arguments with defaults filled in, or nil and what is wrong. A null for an
--- optional parameter counts as absent, so that strict mode's nulls do not reach the tool.
---@param args table|string    decoded arguments; the text of a custom call
---@return table|string|nil args
---@return rille.SchemaError[]? errors
function Tool:validate(args)
  if self._schema then return self._schema:validate(args) end
  if type(args) == "string" then return args end
  local got = type(args)
  return nil, { { path = "$", expected = "text", got = got, message = "expected text, got " .. got } }
end


-- ---------------------------------------------------------------- content parts

local parts_metatable <const> = { __name = "rille.Parts", __jsontype = "array" }

--- What a part of each type has to carry.
local PAYLOADS <const> = {
  text = "text", image_url = "image_url", input_audio = "input_audio", file = "file", refusal = "refusal",
}


local function part_of(given, i, level)
  if type(given) == "string" then
    return value.object({ { "type", "text" }, { "text", given } })
  end
  if type(given) ~= "table" or type(given.type) ~= "string" then
    error(("rille.parts: entry %d: a text or a part { type = … } expected"):format(i), level + 1)
  end
  local payload = PAYLOADS[given.type]
  if payload and given[payload] == nil then
    error(("rille.parts: entry %d: a %s part needs '%s'"):format(i, given.type, payload), level + 1)
  end
  return given
end


--- Content parts, for prompts and for results of tools: texts and part tables, in order.
---
---     rille.parts { "What is this?", { type = "image_url", image_url = { url = "file.png" } } }
---
---@param list (string|table)[]
---@return table[] parts
--- Source: wire contract 1.3
function tool.parts(list)
  if type(list) ~= "table" or rawlen(list) == 0 then
    error("rille.parts: a list of texts and parts expected", 2)
  end
  local parts = {}
  for i, given in ipairs(list) do parts[i] = part_of(given, i, 2) end
  return setmetatable(parts, parts_metatable)
end


return tool
