--- rille.netname -- beside the walk: which host a URL names, and whether an address is open to all.
---
--- Invariant: a URL whose parts could be read in two ways names no host.
--- Source: RFC 3986, section 3.2; RFC 6890 (special-purpose addresses).

local address = require "rille.schema.address"

local netname = {}

--- First address and prefix length of what is not routed in public, IPv4.
local PRIVATE_IPV4 <const> = {
  { 0x00000000, 8 }, { 0x0A000000, 8 }, { 0x64400000, 10 }, { 0x7F000000, 8 }, { 0xA9FE0000, 16 },
  { 0xAC100000, 12 }, { 0xC0000000, 24 }, { 0xC0A80000, 16 }, { 0xC6120000, 15 }, { 0xE0000000, 3 },
}


--- The host of an http or https URL, without brackets.
---@param url string
---@return string? host
---@return string? reason
function netname.host_of(url)
  if not address.is_uri(url) then return nil, "not a valid URL: " .. url end
  local authority = url:match("^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)")
  if not authority then return nil, "only http and https URLs can be fetched" end
  if authority:find("@", 1, true) then return nil, "a URL with a user name is not fetched" end
  local host = authority:match("^%[(.*)%]") or authority:match("^([^:]*)")
  if host == "" or host:find("%", 1, true) then return nil, "the URL names no host" end
  return host
end


local function ipv4_number(text)
  local number = 0
  for part in text:gmatch("%d+") do number = number << 8 | tonumber(part) end
  return number
end


local function is_private_ipv4(text)
  local number = ipv4_number(text)
  for _, range in ipairs(PRIVATE_IPV4) do
    if number >> (32 - range[2]) == range[1] >> (32 - range[2]) then return true end
  end
  return false
end


--- The groups of one side of `::`; an IPv4 address at the end counts as two.
local function groups(text)
  local list = {}
  for part in text:gmatch("[^:]+") do
    if part:find(".", 1, true) then
      local number = ipv4_number(part)
      list[#list + 1] = number >> 16
      list[#list + 1] = number & 0xFFFF
    else
      list[#list + 1] = tonumber(part, 16)
    end
  end
  return list
end


local function ipv6_groups(text)
  local left, right = text:match("^(.-)::(.*)$")
  if not left then return groups(text) end
  local list, tail = groups(left), groups(right)
  for _ = #list + #tail + 1, 8 do list[#list + 1] = 0 end
  return table.move(tail, 1, #tail, #list + 1, list)
end


--- The IPv4 address inside of one of the forms that carry one (mapped, NAT64, 6to4).
local function embedded_ipv4(list)
  local zeros = true
  for i = 1, 5 do zeros = zeros and list[i] == 0 end
  local high, low
  if zeros and (list[6] == 0xFFFF or list[6] == 0) then high, low = list[7], list[8] end
  if list[1] == 0x64 and list[2] == 0xFF9B then high, low = list[7], list[8] end
  if list[1] == 0x2002 then high, low = list[2], list[3] end
  if not high then return nil end
  return ("%d.%d.%d.%d"):format(high >> 8, high & 0xFF, low >> 8, low & 0xFF)
end


local function is_private_ipv6(text)
  local list = ipv6_groups(text)
  local inner = embedded_ipv4(list)
  if inner then return is_private_ipv4(inner) end
  return list[1] & 0xE000 ~= 0x2000   -- 2000::/3 is all that is routed in public
end


--- Is this an address of this machine, of a private network, or of no machine at all? What is no address is private.
---@param text string    IPv4 or IPv6, as getaddrinfo gives it
---@return boolean
function netname.is_private(text)
  text = text:gsub("%%.*$", "")   -- zone of a link-local address
  if address.is_ipv4(text) then return is_private_ipv4(text) end
  return not address.is_ipv6(text) or is_private_ipv6(text)
end


return netname
