--- rille.schema.branch -- beside the walk: what to say when no alternative of anyOf or oneOf fits.
---
--- All errors of all alternatives help nobody. Told are: where a member says which alternative is meant, what it may say;
--- else the errors of the alternative that fits best; where all broke at the value itself, what each expects.

local explain = require "rille.schema.explain"

local branch = {}

local ELSEWHERE <const> = 1000   -- weight of an error at the value itself; more than all others together


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


--- How far one error speaks against its alternative being the one that was meant. Deep inside: hardly; a
--- member with the one value of another alternative: much; the value is something else altogether: most.
local function weight(broken)
  if #broken == 0 then return ELSEWHERE end
  if #broken > 1 then return 1 end
  if broken.choices then return #broken.choices == 1 and 10 or 6 end
  return broken.is_shape and 3 or 2
end


local function distance(errors)
  local sum = 0
  for _, broken in ipairs(errors) do sum = sum + weight(broken) end
  return sum
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
  local best, nearest = nil, ELSEWHERE
  for _, errors in ipairs(failed) do
    local far = distance(errors)
    if far < nearest then best, nearest = errors, far end
  end
  return best or at_the_value(v, failed)
end


return branch
