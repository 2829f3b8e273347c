--- rille.schema.number -- beside the walk: `multipleOf` as its author wrote it.
---
--- Binary doubles make 0.0075 no multiple of 0.0001, so both numbers are taken as the shortest decimal
--- text that reads back to them, and the division is done on those decimals, exactly.
--- Source: JSON Schema validation 2020-12, section 6.2.1.

local number = {}

local SAFE <const> = 900000000000000000   -- ten times this still fits an int64


--- mantissa and exponent with v == mantissa * 10 ^ exponent.
local function decimal(v)
  local integer = math.tointeger(v)
  if integer then return integer, 0 end
  for precision = 0, 16 do
    local text = ("%." .. precision .. "e"):format(v)
    if tonumber(text) == v then
      local whole, fraction, exponent = text:match("^(%-?%d+)%.?(%d*)e([+-]%d+)$")
      return math.tointeger(tonumber(whole .. fraction)), tonumber(exponent) - #fraction
    end
  end
end


--- a * 10 ^ k ≡ 0 (mod b), without ever holding the product.
local function scaled_up(a, k, b)
  local rest = a % b
  for _ = 1, k do
    if rest == 0 then return true end
    rest = rest * 10 % b
  end
  return rest == 0
end


local function scaled_down(a, k, b)
  for _ = 1, k do
    if a % 10 ~= 0 then return a == 0 end
    a = a // 10
  end
  return a % b == 0
end


--- Is `v` an integer multiple of `divisor`?
---@param v number
---@param divisor number    greater than 0
---@return boolean
function number.is_multiple(v, divisor)
  if math.type(v) == "integer" and math.type(divisor) == "integer" then
    return v % divisor == 0
  end
  local a, a_exponent = decimal(v)
  local b, b_exponent = decimal(divisor)
  if not a or not b or b > SAFE then return math.fmod(v, divisor) == 0 end
  local k = math.tointeger(a_exponent - b_exponent)
  if k >= 0 then return scaled_up(a, k, b) end
  return scaled_down(a, -k, b)
end


return number
