--- rille.schema.compile -- beside the walk: a JSON Schema becomes a tree of closures, once.
---
--- A node is { schema, resource, check, fill?, mark?, refers? }: `check(v, state)` returns nil or a list of errors,
--- `fill(v, state)` the value with defaults, `mark` notes what was evaluated; where nothing `refers` to anything,
--- nothing is noted in the state. Nodes are kept by schema table, so
--- that references, recursive ones too, share them.
--- Invariant: a value that fits allocates nothing but the state of its validation.
--- Source: https://json-schema.org/draft/2020-12/json-schema-core

local assertions = require "rille.schema.assertions"
local fill = require "rille.schema.fill"
local form = require "rille.schema.form"
local lazy = require "rille.lazy"
local objects = require "rille.schema.objects"
local refs = require "rille.schema.refs"
local value = require "rille.schema.value"
local applicators = lazy "rille.schema.applicators"   ---@module "rille.schema.applicators"
local arrays = lazy "rille.schema.arrays"   ---@module "rille.schema.arrays"
local explain = lazy "rille.schema.explain"   ---@module "rille.schema.explain"

local Compiler = {}
Compiler.__index = Compiler

--- Keywords by the type they apply to, in the order of checking. When one of `first` breaks, the others
--- have nothing to add.
local ORDER <const> = {
  first = { "enum", "const", "type" },
  any = { "$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if" },
  number = { "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf" },
  string = { "minLength", "maxLength", "format", "pattern" },
  array = { "minItems", "maxItems", "prefixItems", "items", "contains", "uniqueItems" },
  object = {
    "required", "properties", "patternProperties", "additionalProperties", "propertyNames",
    "minProperties", "maxProperties", "dependentRequired", "dependentSchemas",
  },
}
local META <const> = "https://json-schema.org/draft/2020-12/schema"
--- Where the keywords of a group are made that rille.schema.assertions does not make.
local MORE <const> = { any = applicators, array = arrays, object = objects }


--- Raises for a schema that is none, with the place.
---@param message string
function Compiler:fail(message)
  local place = table.concat(self.path, ".")
  error({ schema = (place ~= "" and place .. ": " or "") .. message })
end


--- The node of a subschema, compiled at the place `keyword[.segment]`.
---@param schema any
---@param keyword string
---@param segment? string|integer
---@return table node
function Compiler:at(schema, keyword, segment)
  local path = self.path
  local before = #path
  path[before + 1] = keyword
  if segment then path[before + 2] = tostring(segment) end
  local node = self:node(schema, self.current)
  for i = #path, before + 1, -1 do path[i] = nil end
  return node
end


---@param pattern string
---@param keyword string
---@return {find: fun(self, subject: string): boolean?, any}
function Compiler:regex(pattern, keyword)
  if type(pattern) ~= "string" then self:fail(keyword .. ": a string expected") end
  local regex, failure = require("rille.schema.regex").compile(pattern)
  if not regex then self:fail(("%s %s: %s"):format(keyword, explain.json(pattern), failure.message)) end
  return regex
end


--- The schema of schemas is known by its name; it is loaded for those who ask.
local function meta_schema(self, uri)
  if uri ~= META then return nil end
  local document = require("rille.schema.meta")
  local resource = refs.resource(uri, document)
  self.resources[uri] = resource
  refs.scan(self, document, resource)
  return resource
end


--- The node that a reference in the schema being compiled names.
---@param reference any
---@param keyword string
---@return table node
---@return string? dynamic    name of the dynamic anchor that it named
function Compiler:resolve(reference, keyword)
  if type(reference) ~= "string" then self:fail(keyword .. ": a string expected") end
  local uri, fragment = refs.resolve_uri(self.current.uri, reference)
  local resource = self.resources[uri] or meta_schema(self, uri)
  if not resource then
    self:fail(("%s: nothing here is %s, and remote schemas are not fetched"):format(
      keyword, explain.json(reference)))
  end
  local target, inside, dynamic = refs.find(self, resource, fragment)
  if target == nil then
    self:fail(("%s: %s points to nothing"):format(keyword, explain.json(reference)))
  end
  if type(target) == "table" and not self.resource_of[target] then
    refs.scan(self, target, inside)
  end
  return self:node(target, inside), dynamic
end


--- All checks of a list as one; nil when there is none.
local function in_row(checks, stop_early)
  if #checks < 2 then return checks[1] end
  return function(v, state)
    local errors
    for i = 1, #checks do
      local broken = checks[i](v, state)
      if broken then
        if stop_early then return broken end
        errors = explain.add(errors, broken)
      end
    end
    return errors
  end
end


function Compiler:group(schema, name)
  local checks, makers = {}, assertions[name == "first" and "any" or name]
  for _, keyword in ipairs(ORDER[name]) do
    local argument = schema[keyword]
    if argument ~= nil then
      local make = makers[keyword] or MORE[name][name][keyword]
      checks[#checks + 1] = make(argument, schema, self)
    end
  end
  if name == "object" and form.is_closed(schema) then
    checks[#checks + 1] = objects.closed(schema, self)
  end
  return in_row(checks, name == "first")
end


local function table_checks(object, array)
  if not object and not array then return nil end
  return function(v, state)
    local errors
    if object and value.is_object(v) then errors = object(v, state) end
    if array and value.is_array(v) then
      local broken = array(v, state)
      if broken then errors = explain.add(errors, broken) end
    end
    return errors
  end
end


local function always() end


--- One check out of those of all groups; `last` sees only values that passed the others.
local function joined(first, any, by_type, last)
  if not any and not next(by_type) and not last then return first or always end
  return function(v, state)
    local errors = first and first(v, state)
    if errors then return errors end
    if any then errors = any(v, state) end
    local check = by_type[type(v)]
    if check then
      local broken = check(v, state)
      if broken then errors = explain.add(errors, broken) end
    end
    if last and not errors then return last(v, state) end
    return errors
  end
end


--- A resource that is entered without a reference is part of the dynamic scope all the same.
local function scoped(check, resource)
  return function(v, state)
    local scope = state.scope
    scope[#scope + 1] = resource
    local errors = check(v, state)
    scope[#scope] = nil
    return errors
  end
end


function Compiler:build(node)
  local schema = node.schema
  local first, any = self:group(schema, "first"), self:group(schema, "any")
  local by_type = { number = self:group(schema, "number"), string = self:group(schema, "string") }
  local object, array = self:group(schema, "object"), self:group(schema, "array")
  by_type.table = schema.type == "object" and not array and object or table_checks(object, array)
  local last
  if self.has_unevaluated then
    last = require("rille.schema.unevaluated").build(node, self)
  end
  node.check = joined(first, any, by_type, last)
  if self.has_dynamic and node.resource.root == schema then
    node.check = scoped(node.check, node.resource)
  end
  node.fill = fill.build(node, self)
end


local function never(v)
  return explain.mismatch("nothing", v, "no value is allowed here")
end


--- The node of a schema; the same one for the same table.
---@param schema any
---@param resource rille.schema.Resource    that it is part of
---@return table node
function Compiler:node(schema, resource)
  if type(schema) == "boolean" then
    return {
      schema = schema, resource = resource, mark = always, check = schema and always or never,
    }
  end
  if type(schema) ~= "table" or value.is_array(schema) and not value.is_object(schema) then
    self:fail(("a schema (a table or a boolean) expected, got %s"):format(explain.describe(schema)))
  end
  local node = self.nodes[schema]
  if node then return node end
  node = { schema = schema, resource = self.resource_of[schema] or resource }
  self.nodes[schema] = node
  local outer = self.current
  self.current = node.resource
  self:build(node)
  self.current = outer
  return node
end


---@class rille.schema.CompileOptions
---@field formats? boolean            false: `format` is an annotation only (default: it is checked)
---@field absent_nulls? boolean       null for an optional property that allows none counts as absent
---@field documents? table<string, table>   further schemas by URI, for `$ref`

--- Compiles a schema. Raises { schema = message } for what is no schema.
---@param schema table|boolean
---@param settings? rille.schema.CompileOptions
---@return table node
local function compile(schema, settings)
  settings = settings or {}
  local compiler = setmetatable({
    asserts_formats = settings.formats ~= false, absent_nulls = settings.absent_nulls == true,
    documents = settings.documents or {}, path = {}, nodes = {}, resources = {}, resource_of = {},
    scanned = {},
  }, Compiler)
  for given, document in next, compiler.documents do
    local uri = refs.resolve_uri("", given)
    compiler.resources[uri] = refs.resource(uri, document)
    refs.scan(compiler, document, compiler.resources[uri])
  end
  local root = refs.resource("", schema)
  compiler.resources[""] = root
  refs.scan(compiler, schema, root)
  compiler.current = type(schema) == "table" and compiler.resource_of[schema] or root
  local node = compiler:node(schema, compiler.current)
  node.refers = compiler.has_refs or compiler.has_dynamic
  return node
end


return compile
