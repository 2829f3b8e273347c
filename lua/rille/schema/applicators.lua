--- rille.schema.applicators -- beside the walk: keywords that apply other schemas to the same value.
---
--- Same shape as rille.schema.assertions. A reference counts depth and steps in `state`: what refers to itself
--- without end, or branches beyond reason, makes the state broken, and a broken state is no fit.
--- Source: JSON Schema core 2020-12, sections 8.2.3 and 10.2.

local lazy = require "rille.lazy"
local branch = lazy "rille.schema.branch"   ---@module "rille.schema.branch"
local explain = lazy "rille.schema.explain"   ---@module "rille.schema.explain"

local applicators = { any = {} }

local MAX_DEPTH <const> = 600     -- references inside one another
local MAX_STEPS <const> = 1000000 -- references followed in one validation


--- Enters a reference; false when the state is broken. Leave with `state.depth = state.depth - 1`.
---@param state table
---@return boolean
function applicators.enter(state)
  state.depth, state.steps = state.depth + 1, state.steps + 1
  if state.depth > MAX_DEPTH or state.steps > MAX_STEPS then state.broken = true end
  return not state.broken
end


--- Calls a method of a reference's target inside the target's resource. A target that is still being
--- compiled (a default is checked early) has none yet and says nothing.
local function inside(target, state, method, v, seen)
  if not applicators.enter(state) then
    state.depth = state.depth - 1
    return explain.mismatch("less nesting", v, "is too large or nests too deeply to be checked")
  end
  local scope = state.scope
  scope[#scope + 1] = target.resource
  local call = target[method]
  local result = call and call(v, state, seen)
  scope[#scope] = nil
  state.depth = state.depth - 1
  return result
end

applicators.inside = inside


applicators.any["$ref"] = function(reference, _, compiler)
  local target = compiler:resolve(reference, "$ref")
  return function(v, state) return inside(target, state, "check", v) end
end


--- A function of the state that gives the node a `$dynamicRef` means there and then: the outermost schema
--- resource on the way here that has the dynamic anchor.
---@param compiler table
---@param reference string
---@return fun(state: table): table
function applicators.dynamic_target(compiler, reference)
  local target, anchor = compiler:resolve(reference, "$dynamicRef")
  if not anchor then return function() return target end end
  return function(state)
    for i = 1, #state.scope do
      local schema = state.scope[i].dynamic[anchor]
      if schema ~= nil then return compiler:node(schema, state.scope[i]) end
    end
    return target
  end
end


applicators.any["$dynamicRef"] = function(reference, _, compiler)
  local target = applicators.dynamic_target(compiler, reference)
  return function(v, state) return inside(target(state), state, "check", v) end
end


local function branches(list, keyword, compiler)
  if type(list) ~= "table" or rawlen(list) == 0 then
    compiler:fail(keyword .. ": a list of schemas expected")
  end
  local nodes = {}
  for i, schema in ipairs(list) do nodes[i] = compiler:at(schema, keyword, i - 1) end
  return nodes
end


function applicators.any.allOf(list, _, compiler)
  local nodes = branches(list, "allOf", compiler)
  return function(v, state)
    local errors
    for i = 1, #nodes do
      local broken = nodes[i].check(v, state)
      if broken then errors = explain.add(errors, broken) end
    end
    return errors
  end
end


function applicators.any.anyOf(list, _, compiler)
  local nodes = branches(list, "anyOf", compiler)
  return function(v, state)
    local failed = {}
    for i = 1, #nodes do
      local broken = nodes[i].check(v, state)
      if not broken then return nil end
      failed[i] = broken
    end
    return branch.explain(v, failed)
  end
end


function applicators.any.oneOf(list, _, compiler)
  local nodes = branches(list, "oneOf", compiler)
  return function(v, state)
    local failed, fits = {}, {}
    for i = 1, #nodes do
      local broken = nodes[i].check(v, state)
      if broken then failed[#failed + 1] = broken else fits[#fits + 1] = tostring(i) end
    end
    if #fits == 1 then return nil end
    if #fits == 0 then return branch.explain(v, failed) end
    return explain.mismatch("exactly one of the alternatives", v,
      ("must fit exactly one of the alternatives, fits %s"):format(explain.join(fits, "and")))
  end
end


applicators.any["not"] = function(argument, _, compiler)
  local node = compiler:at(argument, "not")
  local words = "something that does not fit " .. explain.json(argument)
  return function(v, state)
    if not node.check(v, state) then return explain.mismatch(words, v) end
  end
end


applicators.any["if"] = function(argument, schema, compiler)
  local condition = compiler:at(argument, "if")
  local yes = schema["then"] ~= nil and compiler:at(schema["then"], "then") or nil
  local no = schema["else"] ~= nil and compiler:at(schema["else"], "else") or nil
  if not yes and not no then return nil end
  return function(v, state)
    local node
    if condition.check(v, state) then node = no else node = yes end
    return node and node.check(v, state)
  end
end


return applicators
