--- rille.schema -- beside the walk: JSON Schema for arguments and answers, compiled once, validated often.
---
--- Takes the ordered form of tool parameters, a JSON Schema table, or JSON text. No value is coerced: "5" is no integer.
--- Two things only are forgiven, because every model does them: 5.0 for 5, and (ordered form, tools) null for an
--- optional property that has no other use for null.
--- Invariant: what `validate` returns fits the schema; the value that was given is never changed.
--- Source: https://json-schema.org/draft/2020-12

local core = require "rille.core"
local empties = require "rille.schema.empties"
local form = require "rille.schema.form"
local lazy = require "rille.lazy"
local options = require "rille.options"
local shape = require "rille.schema.shape"
local value = require "rille.schema.value"
local explain = lazy "rille.schema.explain"   ---@module "rille.schema.explain"

local schema = {}

---@class rille.SchemaError
---@field path string       where: `$.items[0].name`
---@field expected string   what would be right, in a few words
---@field got string        what was there, in a few words
---@field message string    one sentence that a model can act on

---@class rille.Schema
---@field json table|boolean    the JSON Schema; its tables say in which order they are written
---@field shape? table          for C, when it has one (rille.schema.shape)
---@field _settings table       for the compiler
---@field _node? table          compiled (schema/compile.lua): an ordinary one is when a value does not fit its shape
local Schema = {}
Schema.__index = Schema
Schema.__name = "rille.Schema"

local PLAIN <const> = {}   -- what is noted while nothing is referred to: nothing
local OPTIONS <const> = { formats = "boolean", absent_nulls = "boolean", documents = "table", name = "string" }


---@param v any
---@return boolean
function schema.is(v)
  return getmetatable(v) == Schema
end


--- An unmarked table that is a list, or empty, or says nothing but `additional`, is the ordered form.
local function is_form(given)
  if type(given) ~= "table" or value.marked(given) then return false end
  return rawlen(given) > 0 or next(given) == nil or given.additional ~= nil
end


--- What was given, as a JSON Schema. Raises { schema = message }.
local function to_json_schema(given)
  if is_form(given) then
    return rawlen(given) > 0 and form.schema(given, "") or form.object(given)
  end
  if type(given) ~= "string" then return empties(value.copy(given)) end
  local decoded, failed = require("rille.schema.order").decode(given)
  if decoded == nil then error({ schema = "not JSON: " .. failed.message }) end
  return decoded
end


--- What to check values with. Raises { schema = message } for what is no schema, which no plain one is.
local function node_of(self)
  if not self._node then self._node = require("rille.schema.compile")(self.json, self._settings) end
  return self._node
end


local function build(given, settings)
  local json = schema.is(given) and given.json or to_json_schema(given)
  local absent_nulls = settings.absent_nulls
  if absent_nulls == nil then absent_nulls = form.is_ordered(json) end
  local self = setmetatable({ json = json, shape = nil, _node = nil, _settings = {
    formats = settings.formats, absent_nulls = absent_nulls, documents = settings.documents,
  } }, Schema)
  if not form.is_ordered(json) or not shape.is_plain(json) then node_of(self) end   -- only what is a schema has a shape
  self.shape = shape.of(json, absent_nulls)
  if not self.shape then node_of(self) end
  return self
end


--- Compiles a schema. Raises at the caller, with the place, for what is none.
---
---     local point = schema.compile { { "x", "integer" }, { "y", "integer", default = 0 } }
---
---@param given table|string|boolean   ordered form, JSON Schema (table or JSON text), or a compiled schema
---@param settings? {formats?: boolean, absent_nulls?: boolean, documents?: table<string, table>, name?: string}
---  `formats = false`: `format` says nothing; `absent_nulls`: null for an optional property counts as absent (default: in the
---  ordered form); `documents`: schemas by URI that `$ref` may name; `name` opens messages (default "schema")
---@param level? integer               whose line is blamed: 1 (default) = the caller
---@return rille.Schema
--- Source: JSON Schema 2020-12; remote references are never fetched
function schema.compile(given, settings, level)
  level = (level or 1) + 1
  settings = options.check(settings, OPTIONS, "schema.compile", level)
  if schema.is(given) and next(settings) == nil then return given end
  local ok, result = pcall(build, given, settings)
  if ok then return result end
  if type(result) ~= "table" or not result.schema then error(result, 0) end
  error((settings.name or "schema") .. ": " .. result.schema, level)
end


--- Validates a value: the value with defaults filled in, or nil and what is wrong with it. A valid false comes back as
--- false, a valid null as `rille.json.null`: look at the errors, not at the value, where those may occur.
---@param v any    as decoded from JSON (nil counts as null)
---@return any value
---@return rille.SchemaError[]? errors
function Schema:validate(v)
  if v == nil then v = core.null end
  local node = node_of(self)
  local state = node.refers and { depth = 0, steps = 0, scope = { node.resource } } or PLAIN
  local errors = node.check(v, state)
  if state.broken then errors = explain.mismatch("less nesting", v, "is too large or nests too deeply to be checked") end
  if errors then return nil, explain.finish(errors) end
  if node.fill then v = node.fill(v, state) end
  return v
end


--- Does the value fit?
---@param v any
---@return boolean
function Schema:is_valid(v)
  local _, errors = self:validate(v)
  return errors == nil
end


--- The form that strict mode takes: all objects closed, all properties required, optional ones nullable, no defaults. What
--- only narrows values is left out, so go on validating with this schema.
---@return table? json      encode it as it is
---@return string? reason   why strict mode cannot express the schema
function Schema:strict()
  return require("rille.schema.strict")(self.json)
end


--- The JSON text of a schema, properties in their author's order.
---@param given rille.Schema|table|string|boolean
---@return string
function schema.json_text(given)
  return core.json_encode(schema.compile(given, nil, 2).json)
end


--- Errors as text, one line each: `$.unit: expected one of "a" or "b", got string "c"`.
---@param errors rille.SchemaError[]
---@return string
function schema.explain(errors)
  return explain.text(errors)
end


return schema
