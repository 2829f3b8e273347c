--- rille.schema.meta -- beside the walk: the schema of schemas, 2020-12, as one document.
---
--- The published one is spread over eight documents joined by dynamic references; this says the same for whoever
--- refers to it by its address. Loaded only then.
--- Source: https://json-schema.org/draft/2020-12/schema and its vocabularies.

local count <const> = { type = "integer", minimum = 0 }
local schema <const> = { ["$ref"] = "#" }
local schemas <const> = { type = "object", additionalProperties = schema }
local schema_list <const> = { type = "array", minItems = 1, items = schema }
local name_list <const> = { type = "array", items = { type = "string" }, uniqueItems = true }
local text <const> = { type = "string" }
local number <const> = { type = "number" }
local flag <const> = { type = "boolean" }
local anchor <const> = { type = "string", pattern = "^[A-Za-z_][-A-Za-z0-9._]*$" }
local type_name <const> = {
  enum = { "array", "boolean", "integer", "null", "number", "object", "string" },
}

local properties <const> = {
  ["$id"] = { type = "string", pattern = "^[^#]*#?$" },
  ["$schema"] = text, ["$ref"] = text, ["$dynamicRef"] = text, ["$comment"] = text,
  ["$anchor"] = anchor, ["$dynamicAnchor"] = anchor,
  ["$vocabulary"] = { type = "object", additionalProperties = flag },
  ["$defs"] = schemas, definitions = schemas,
  allOf = schema_list, anyOf = schema_list, oneOf = schema_list, prefixItems = schema_list,
  ["not"] = schema, ["if"] = schema, ["then"] = schema, ["else"] = schema,
  items = schema, contains = schema, unevaluatedItems = schema,
  properties = schemas, dependentSchemas = schemas, propertyNames = schema,
  patternProperties = {
    type = "object", additionalProperties = schema, propertyNames = { format = "regex" },
  },
  additionalProperties = schema, unevaluatedProperties = schema,
  type = {
    anyOf = { type_name, { type = "array", items = type_name, minItems = 1, uniqueItems = true } },
  },
  enum = { type = "array", items = true },
  multipleOf = { type = "number", exclusiveMinimum = 0 },
  minimum = number, maximum = number, exclusiveMinimum = number, exclusiveMaximum = number,
  minLength = count, maxLength = count, minItems = count, maxItems = count,
  minContains = count, maxContains = count, minProperties = count, maxProperties = count,
  pattern = { type = "string", format = "regex" },
  uniqueItems = flag, required = name_list,
  dependentRequired = { type = "object", additionalProperties = name_list },
  format = text, contentEncoding = text, contentMediaType = text, contentSchema = schema,
  title = text, description = text, deprecated = flag, readOnly = flag, writeOnly = flag,
  examples = { type = "array", items = true },
}


return {
  ["$id"] = "https://json-schema.org/draft/2020-12/schema",
  title = "Core and Validation specifications meta-schema",
  type = { "object", "boolean" },
  properties = properties,
}
