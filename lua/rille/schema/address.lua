--- rille.schema.address -- beside the walk: formats that name a place: mail, host, IP, URI.
---
--- Source: RFC 5321 (mail), 1123 (hosts), 2673 and 4291 (IP), 3986 and 3987 (URI, IRI), 6570 (templates).

local address = {}

local ATEXT <const> = "[%w!#$%%&'*+/=?^_`{|}~-]"
local IDN_ATEXT <const> = "[%w!#$%%&'*+/=?^_`{|}~\x80-\xFF-]"
local SUB_DELIMS <const> = "!$&'()*+,;="


---@param text string
---@return boolean
function address.is_ipv4(text)
  local count = 0
  for part in (text .. "."):gmatch("([^.]*)%.") do
    if not part:find("^%d%d?%d?$") or tonumber(part) > 255 then return false end
    if #part > 1 and part:sub(1, 1) == "0" then return false end
    count = count + 1
  end
  return count == 4
end


--- Counts the 16-bit groups of one side of `::`; nil when one is wrong. Only the last may be an IPv4 address.
local function groups(text, may_end_in_ipv4)
  if text == "" then return 0 end
  local count = 0
  for part, separator in text:gmatch("([^:]*)(:?)") do
    if part == "" and separator == "" then break end
    if part:find("^%x%x?%x?%x?$") then
      count = count + 1
    elseif may_end_in_ipv4 and separator == "" and address.is_ipv4(part) then
      count = count + 2
    else
      return nil
    end
  end
  return text:sub(-1) ~= ":" and count or nil
end


---@param text string
---@return boolean
function address.is_ipv6(text)
  local left, right = text:match("^(.-)::(.*)$")
  if not left then return groups(text, true) == 8 end
  local before, after = groups(left, false), groups(right, true)
  return before ~= nil and after ~= nil and before + after <= 7
end


local function is_label(label)
  return #label <= 63 and label:find("^%w[%w-]*$") ~= nil and label:sub(-1) ~= "-"
end


---@param text string
---@return boolean
function address.is_hostname(text)
  if text == "" or #text > 253 or text:sub(-1) == "." then return false end
  for label in (text .. "."):gmatch("([^.]*)%.") do
    if not is_label(label) then return false end
  end
  return true
end


--- A host with letters beyond ASCII; which of them IDNA allows is not checked.
local function is_idn_hostname(text)
  return address.is_hostname((text:gsub("[\x80-\xFF]+", "x")))
end


local function is_literal_host(text)
  local inner = text:match("^%[(.*)%]$")
  if not inner then return false end
  local ipv6 = inner:match("^[Ii][Pp][Vv]6:(.*)$")
  return address.is_ipv4(inner) or ipv6 ~= nil and address.is_ipv6(ipv6)
end


local function is_local_part(text, atom)
  if #text > 64 then return false end
  local quoted = text:match('^"(.*)"$')
  if quoted then return not quoted:gsub("\\[ -~]", ""):find('["\\%c]') end
  for part in (text .. "."):gmatch("([^.]*)%.") do
    if not part:find("^" .. atom .. "+$") then return false end
  end
  return true
end


local function is_mail(text, atom, is_host)
  local name, host = text:match("^(.*)@([^@]*)$")
  if not name or not utf8.len(text) then return false end
  return is_local_part(name, atom) and (is_host(host) or is_literal_host(host))
end


---@param text string
---@return boolean
function address.is_email(text)
  return is_mail(text, ATEXT, address.is_hostname) and not text:find("[\x80-\xFF]")
end


---@param text string
---@return boolean
function address.is_idn_email(text)
  return is_mail(text, IDN_ATEXT, is_idn_hostname)
end


--- Only characters of the set, and percent signs only before two hexadecimal digits.
local function consists_of(text, set)
  text = text:gsub("%%%x%x", "")
  return not text:find("[^" .. set .. "]")
end


local function is_ip_literal(inner)
  return address.is_ipv6(inner) or inner:find("^[vV]%x+%.[%w%-._~:" .. "!$&'()*+,;=" .. "]+$") ~= nil
end


local function is_authority(text, extra)
  local user, rest = text:match("^(.*)@(.*)$")
  rest = rest or text
  local letters = "%w%-._~" .. SUB_DELIMS .. extra
  if user and not consists_of(user, letters .. ":") then return false end
  local literal, after = rest:match("^%[(.-)%](.*)$")
  if literal then return is_ip_literal(literal) and after:find("^:?%d*$") ~= nil end
  local host, port = rest:match("^([^:]*)(.*)$")
  return consists_of(host, letters) and port:find("^:?%d*$") ~= nil
end


--- `extra`: bytes allowed beyond ASCII; `private` also in the query.
local function is_reference(text, extra, absolute)
  if extra ~= "" and not utf8.len(text) then return false end
  local rest, fragment = text:match("^([^#]*)#?(.*)$")
  local before, query = rest:match("^([^?]*)%??(.*)$")
  local path_set = "%w%-._~:@/" .. SUB_DELIMS .. extra
  if not consists_of(fragment, path_set .. "?") or not consists_of(query, path_set .. "?") then
    return false
  end
  local scheme, tail = before:match("^(%a[%w+.-]*):(.*)$")
  if absolute and not scheme then return false end
  tail = tail or before
  local authority, path = tail:match("^//([^/]*)(.*)$")
  if authority and not is_authority(authority, extra) then return false end
  path = path or tail
  if not scheme and not authority and path:match("^[^/]*"):find(":", 1, true) then return false end
  return consists_of(path, path_set)
end


---@param text string
---@return boolean
function address.is_uri(text)
  return is_reference(text, "", true)
end


---@param text string
---@return boolean
function address.is_uri_reference(text)
  return is_reference(text, "", false)
end


---@param text string
---@return boolean
function address.is_iri(text)
  return is_reference(text, "\x80-\xFF", true)
end


---@param text string
---@return boolean
function address.is_iri_reference(text)
  return is_reference(text, "\x80-\xFF", false)
end


local function is_variable(text)
  local name, modifier = text:match("^([%w_%%.]+)(.*)$")
  if not name or name:find("^%.") or name:find("%.$") or name:find("..", 1, true) then return false end
  if name:gsub("%%%x%x", ""):find("%%") then return false end
  return modifier == "" or modifier == "*" or modifier:find("^:[1-9]%d?%d?%d?$") ~= nil
end


local function is_expression(text)
  local list = text:gsub("^[+#./;?&=,!@|]", "")
  for part in (list .. ","):gmatch("([^,]*),") do
    if not is_variable(part) then return false end
  end
  return true
end


---@param text string
---@return boolean
function address.is_uri_template(text)
  local literals = text:gsub("{([^{}]*)}", function(inner)
    return is_expression(inner) and "" or "{"
  end)
  literals = literals:gsub("%%%x%x", "")
  return utf8.len(text) ~= nil and not literals:find("[%c \"%%<>\\^`{|}]")
end


return address
