--- rille.schema.branch -- beside the walk: what to say when no alternative of anyOf or oneOf fits.
---
--- All errors of all alternatives help nobody. Told are: where a member says which alternative is meant, what it may say;
--- else the errors of the alternative that got furthest; where all broke at the value itself, what each expects.

local explain = require "rille.schema.explain"

local branch = {}


--- The error of a member that has to be one of a few values: it tells alternatives apart.
local function deciding(errors)
  for _, broken in ipairs(errors) do
    if broken.choices and #broken == 1 then return broken end
  end
end


--- Every alternative wants another value of the same member: one error with all of them.
local function undecided(failed)
  local choices, segment = {}, nil
  for _, errors in ipairs(failed) do
    local broken = deciding(errors)
    if not broken or segment ~= nil and broken[1] ~= segment then return nil end
    segment = broken[1]
    for _, text in ipairs(broken.choices) do choices[#choices + 1] = text end
  end
  local first = deciding(failed[1])
  local expected = (#choices > 1 and "one of " or "") .. explain.join(choices)
  return { {
    expected = expected, got = first.got, choices = choices, segment,
    message = ("expected %s, got %s"):format(expected, first.got),
  } }
end


--- How deep inside the value the errors are: the deeper, the more of it did fit.
local function depth_of(errors)
  local deepest = 0
  for _, broken in ipairs(errors) do deepest = math.max(deepest, #broken) end
  return deepest
end


local function is_nearer(errors, best)
  if not best then return true end
  local decided, best_decided = not deciding(errors), not deciding(best)
  if decided ~= best_decided then return decided end
  local depth, best_depth = depth_of(errors), depth_of(best)
  if depth ~= best_depth then return depth > best_depth end
  return #errors < #best
end


--- What each alternative expects of the value itself.
local function at_the_value(v, failed)
  local expected, known = {}, {}
  for _, errors in ipairs(failed) do
    local words = errors[1].expected
    if not known[words] then expected[#expected + 1], known[words] = words, true end
  end
  return explain.mismatch(explain.join(expected), v)
end


--- The errors to tell.
---@param v any              that fits nowhere
---@param failed table[][]   errors of each alternative
---@return table[] errors
function branch.explain(v, failed)
  local one = undecided(failed)
  if one then return one end
  local best
  for _, errors in ipairs(failed) do
    if depth_of(errors) > 0 and is_nearer(errors, best) then best = errors end
  end
  return best or at_the_value(v, failed)
end


return branch
