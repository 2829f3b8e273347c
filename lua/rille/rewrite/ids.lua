--- rille.rewrite.ids -- walk 2: tool call ids as a server wants them.
---
--- The same id always becomes the same nine characters, without any memory: so a call and its
--- result agree, and so do two processes that share a session. 62^9 values make an accidental
--- meeting of two ids of one conversation a matter of 10^-12.
--- Source: wire contract R13 (Mistral: exactly 9 alphanumerics), R14 (OpenAI: at most 40).

local ids = {}

local ALPHABET <const> = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
local FNV_OFFSET <const>, FNV_PRIME <const> = -3750763034362895579, 1099511628211


--- FNV-1a with the finisher of MurmurHash3, as 63 bits.
local function hash(text)
  local h = FNV_OFFSET
  for i = 1, #text do h = (h ~ text:byte(i)) * FNV_PRIME end
  h = (h ~ (h >> 33)) * -49064778989728563
  h = (h ~ (h >> 33)) * -4265267296055464877
  return (h ~ (h >> 33)) & math.maxinteger
end


--- A short stand-in for an id.
---@param id string
---@param length? integer   default 9
---@return string           alphanumeric
function ids.short(id, length)
  local value, out = hash(id), {}
  for i = 1, length or 9 do
    local digit = value % 62 + 1
    out[i] = ALPHABET:sub(digit, digit)
    value = value // 62
  end
  return table.concat(out)
end


--- The id as the flags ask for it; unchanged where it already fits.
---@param id any
---@param flags rille.Flags
---@return any
function ids.fit(id, flags)
  if type(id) ~= "string" then return id end
  local exact, most = flags.tool_id_exact, flags.tool_id_max
  if exact then
    if #id == exact and not id:find("[^%w]") then return id end
    return ids.short(id, exact)
  end
  if most and #id > most then return ids.short(id) end
  return id
end


return ids
