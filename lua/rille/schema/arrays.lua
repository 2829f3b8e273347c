--- rille.schema.arrays -- beside the walk: keywords that look at the items of an array.
---
--- Same shape as rille.schema.assertions; the checks are only called for arrays. Lua counts items from 1,
--- paths count from 0. A list as `items` (drafts before 2020) is read as `prefixItems`, its
--- `additionalItems` as `items`: schemas of older servers still say so.
--- Source: JSON Schema core 2020-12, section 10.3.1; validation, section 6.4.

local lazy = require "rille.lazy"
local value = require "rille.schema.value"
local explain = lazy "rille.schema.explain"   ---@module "rille.schema.explain"

local arrays = { array = {} }


--- The leading schemas, one an item, and the schema of all items behind them (nil: anything).
---@param schema table
---@return table? prefix
---@return any rest
---@return string rest_keyword
function arrays.parts(schema)
  local items = schema.items
  if type(items) == "table" and rawlen(items) > 0 then
    return items, schema.additionalItems, "additionalItems"
  end
  return schema.prefixItems, items, "items"
end


local function prefix_nodes(prefix, keyword, compiler)
  if type(prefix) ~= "table" or (rawlen(prefix) == 0 and next(prefix) ~= nil) then
    compiler:fail(keyword .. ": a list of schemas expected")
  end
  local nodes = {}
  for i, item in ipairs(prefix) do nodes[i] = compiler:at(item, keyword, i - 1) end
  return nodes
end


local function prefix_check(nodes)
  return function(v, state)
    local errors
    for i = 1, math.min(#nodes, rawlen(v)) do
      local broken = nodes[i].check(v[i], state)
      if broken then errors = explain.add(errors, explain.under(broken, i - 1)) end
    end
    return errors
  end
end


local function rest_check(node, first)
  return function(v, state)
    local errors
    for i = first, rawlen(v) do
      local broken = node.check(v[i], state)
      if broken then errors = explain.add(errors, explain.under(broken, i - 1)) end
    end
    return errors
  end
end


function arrays.array.prefixItems(prefix, _, compiler)
  return prefix_check(prefix_nodes(prefix, "prefixItems", compiler))
end


function arrays.array.items(items, schema, compiler)
  local prefix, rest, keyword = arrays.parts(schema)
  if prefix ~= items then
    return rest_check(compiler:at(items, "items"), prefix and #prefix + 1 or 1)
  end
  local check = prefix_check(prefix_nodes(prefix, "items", compiler))
  if rest == nil then return check end
  local check_rest = rest_check(compiler:at(rest, keyword), #prefix + 1)
  return function(v, state)
    local errors, more = check(v, state), check_rest(v, state)
    return more and explain.add(errors, more) or errors
  end
end


local function count_argument(schema, keyword, default, compiler)
  local count = schema[keyword]
  if count == nil then return default end
  if not value.is_integer(count) or count < 0 then
    compiler:fail(keyword .. ": an integer of 0 or more expected")
  end
  return math.tointeger(count) or math.maxinteger
end


function arrays.array.contains(argument, schema, compiler)
  local node = compiler:at(argument, "contains")
  local least = count_argument(schema, "minContains", 1, compiler)
  local most = count_argument(schema, "maxContains", math.huge, compiler)
  return function(v, state)
    local found, first = 0, nil
    for i = 1, rawlen(v) do
      local broken = node.check(v[i], state)
      if broken then first = first or broken else found = found + 1 end
    end
    if found >= least and found <= most then return nil end
    local why = found < least and first and " (the first item: " .. first[1].message .. ")" or ""
    local expected = found < least and ("at least %d matching item%s"):format(least,
      least == 1 and "" or "s") or ("at most %d matching items"):format(most)
    return explain.mismatch(expected, v, ("must contain %s, contains %d%s"):format(expected, found, why))
  end
end


return arrays
