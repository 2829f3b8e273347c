--- rille.schema.refs -- beside the walk: what `$id`, `$anchor` and `$ref` name.
---
--- One pass over the schema notes its resources (a schema with `$id`, and the root) with their anchors.
--- Only what was handed in can be found: nothing is ever fetched.
--- Source: JSON Schema core 2020-12, sections 8.2 and 9; RFC 3986, section 5; RFC 6901.

local url = require "rille.http.url"
local value = require "rille.schema.value"

local refs = {}

local MAX_DEPTH <const> = 128

--- Where subschemas stand: alone, in a list, or as members of an object.
local ALONE <const> = {
  "additionalProperties", "additionalItems", "contains", "contentSchema", "else", "if", "items", "not",
  "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
}
local LISTS <const> = { "allOf", "anyOf", "items", "oneOf", "prefixItems" }
local MEMBERS <const> = { "$defs", "definitions", "dependentSchemas", "patternProperties", "properties" }


--- Resolves a reference against a base. Returns the URI without its fragment, and the fragment.
---@param base string
---@param reference string
---@return string uri
---@return string fragment
function refs.resolve_uri(base, reference)
  return url.resolve(base, reference), reference:match("#(.*)$") or ""
end


---@class rille.schema.Resource
---@field uri string
---@field root table
---@field anchors table<string, table>
---@field dynamic table<string, table>

---@param uri string
---@param root any
---@return rille.schema.Resource
function refs.resource(uri, root)
  return { uri = uri, root = root, anchors = {}, dynamic = {} }
end


local function enter_resource(index, schema, resource)
  local id = schema["$id"]
  if type(id) ~= "string" or id:sub(1, 1) == "#" then return resource end
  local uri = refs.resolve_uri(resource.uri, id)
  if resource.root == schema and resource.uri == uri then return resource end
  local inner = refs.resource(uri, schema)
  index.resources[uri] = inner
  return inner
end


local function note_anchors(index, schema, resource)
  local id, anchor, dynamic = schema["$id"], schema["$anchor"], schema["$dynamicAnchor"]
  if type(id) == "string" and id:sub(1, 1) == "#" then resource.anchors[id:sub(2)] = schema end
  if type(anchor) == "string" then resource.anchors[anchor] = schema end
  if type(dynamic) == "string" then
    resource.anchors[dynamic] = resource.anchors[dynamic] or schema
    resource.dynamic[dynamic] = schema
  end
  if schema["$dynamicRef"] ~= nil then index.has_dynamic = true end
  if schema["$ref"] ~= nil then index.has_refs = true end
  if schema.unevaluatedItems ~= nil or schema.unevaluatedProperties ~= nil then
    index.has_unevaluated = true
  end
end


--- Notes `schema` and everything beneath it as parts of `resource`.
---@param index table      resources (by URI), resource_of (by schema table), scanned (true; false while
---                        it is being scanned)
---@param schema any
---@param resource rille.schema.Resource
---@param depth? integer
function refs.scan(index, schema, resource, depth)
  depth = (depth or 0) + 1
  if type(schema) ~= "table" or index.scanned[schema] then return end
  if depth > MAX_DEPTH then error({ schema = "nests deeper than 128" }) end
  if index.scanned[schema] == false then error({ schema = "a table holds itself; use $ref" }) end
  index.scanned[schema] = false
  resource = enter_resource(index, schema, resource)
  index.resource_of[schema] = resource
  note_anchors(index, schema, resource)
  for _, keyword in ipairs(ALONE) do refs.scan(index, schema[keyword], resource, depth) end
  for _, keyword in ipairs(LISTS) do
    local list = schema[keyword]
    for _, item in ipairs(type(list) == "table" and list or {}) do
      refs.scan(index, item, resource, depth)
    end
  end
  for _, keyword in ipairs(MEMBERS) do
    local members = schema[keyword]
    for _, member in next, type(members) == "table" and members or {} do
      refs.scan(index, member, resource, depth)
    end
  end
  index.scanned[schema] = true
end


local function unescape(token)
  return (token:gsub("~1", "/"):gsub("~0", "~"))
end


--- Follows a JSON pointer. Returns what it points to (nil: nothing) and the resource that this is part of.
---@param index table
---@param resource rille.schema.Resource
---@param pointer string    "" or starting with "/"
---@return any target
---@return rille.schema.Resource resource
function refs.point(index, resource, pointer)
  local target = resource.root
  for token in pointer:gmatch("/([^/]*)") do
    if type(target) ~= "table" then return nil, resource end
    local name = unescape(token)
    local position = rawlen(target) > 0 and value.is_array(target) and math.tointeger(name)
    target = rawget(target, position and position + 1 or name)
    resource = index.resource_of[target or false] or resource
  end
  return target, resource
end


--- Finds what a fragment names inside a resource.
---@param index table
---@param resource rille.schema.Resource
---@param fragment string
---@return any target
---@return rille.schema.Resource resource
---@return string? dynamic    the name, when the target is a dynamic anchor of that name
function refs.find(index, resource, fragment)
  fragment = fragment:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  if fragment == "" or fragment:sub(1, 1) == "/" then
    return refs.point(index, resource, fragment)
  end
  local target = resource.anchors[fragment]
  local dynamic = target ~= nil and resource.dynamic[fragment] == target and fragment or nil
  return target, resource, dynamic
end


return refs
