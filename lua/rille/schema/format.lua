--- rille.schema.format -- beside the walk: what `format` asserts about strings.
---
--- Asserted: date-time date time duration email idn-email hostname ipv4 ipv6 uri uri-reference iri iri-reference
--- uri-template uuid json-pointer relative-json-pointer regex. Any other name is an annotation. A hostname is
--- checked by its letters and lengths; what an A-label (`xn--…`) encodes is not decoded.
--- Source: JSON Schema validation 2020-12, section 7.3; RFC 3339, 5321, 1123, 2673, 4291, 3986, 3987, 6570, 4122, 6901.

local address = require "rille.schema.address"

local format = {}

local DAYS <const> = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }


local function is_date(text)
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if not year then return false end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  local last = DAYS[month]
  if not last then return false end
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  if month == 2 and leap then last = 29 end
  return day >= 1 and day <= last
end


--- Minutes east of UTC; nil for no offset.
local function offset_minutes(text)
  if text == "Z" or text == "z" then return 0 end
  local sign, hours, minutes = text:match("^([+-])(%d%d):(%d%d)$")
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return nil end
  local total = tonumber(hours) * 60 + tonumber(minutes)
  return sign == "-" and -total or total
end


local function is_time(text)
  local hours, minutes, seconds, rest = text:match("^(%d%d):(%d%d):(%d%d)(.*)$")
  if not hours then return false end
  hours, minutes, seconds = tonumber(hours), tonumber(minutes), tonumber(seconds)
  local offset = offset_minutes(rest:match("^%.%d+(.*)$") or rest)
  if not offset or hours > 23 or minutes > 59 or seconds > 60 then return false end
  return seconds < 60 or (hours * 60 + minutes - offset) % 1440 == 1439   -- leap seconds end a UTC day
end


local function is_date_time(text)
  local date, time = text:match("^(.-)[Tt](.*)$")
  return date ~= nil and is_date(date) and is_time(time)
end


--- Do the units stand in this order, without a gap between the first and the last?
local function units_fit(text, units)
  local last
  for digits, unit in text:gmatch("(%d*)(%a?)") do
    if digits == "" and unit == "" then break end
    local position = unit ~= "" and units:find(unit, 1, true)
    if digits == "" or not position or last and position ~= last + 1 then return false end
    last = position
  end
  return last ~= nil
end


local function is_duration(text)
  if text:find("^P%d+W$") then return true end
  local date, time = text:match("^P(%w-)T(%w+)$")
  if not date then
    date = text:match("^P(%w+)$")
    return date ~= nil and units_fit(date, "YMD")
  end
  return (date == "" or units_fit(date, "YMD")) and units_fit(time, "HMS")
end


local function is_uuid(text)
  return #text == 36 and text:find("^%x+%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+$") == 1
    and text:sub(9, 9) == "-"
end


local function is_json_pointer(text)
  return (text == "" or text:sub(1, 1) == "/") and not text:find("~[^01]") and not text:find("~$")
end


local function is_relative_json_pointer(text)
  local digits, rest = text:match("^(%d+)(.*)$")
  if not digits or #digits > 1 and digits:sub(1, 1) == "0" then return false end
  return rest == "#" or is_json_pointer(rest)
end


local function is_regex(text)
  local regex = require "rille.schema.regex"
  if not regex.translate(text) then return false end
  local _, failure = regex.compile(text)
  return not failure or failure.message:find("lookbehind", 1, true) ~= nil
end


--- name → { predicate, how a message calls it }
local formats <const> = {
  ["date-time"] = { is_date_time, "a date and time such as 2024-05-31T12:00:00Z (RFC 3339)" },
  ["date"] = { is_date, "a date such as 2024-05-31" },
  ["time"] = { is_time, "a time with offset such as 12:00:00Z or 12:00:00+02:00" },
  ["duration"] = { is_duration, "a duration such as P1DT12H" },
  ["email"] = { address.is_email, "an e-mail address" },
  ["idn-email"] = { address.is_idn_email, "an e-mail address" },
  ["hostname"] = { address.is_hostname, "a host name" },
  ["ipv4"] = { address.is_ipv4, "an IPv4 address" },
  ["ipv6"] = { address.is_ipv6, "an IPv6 address" },
  ["uri"] = { address.is_uri, "an absolute URI such as https://example.org/path" },
  ["uri-reference"] = { address.is_uri_reference, "a URI or a relative reference" },
  ["iri"] = { address.is_iri, "an absolute IRI such as https://example.org/path" },
  ["iri-reference"] = { address.is_iri_reference, "an IRI or a relative reference" },
  ["uri-template"] = { address.is_uri_template, "a URI template" },
  ["uuid"] = { is_uuid, "a UUID such as 123e4567-e89b-12d3-a456-426614174000" },
  ["json-pointer"] = { is_json_pointer, "a JSON pointer such as /items/0" },
  ["relative-json-pointer"] = { is_relative_json_pointer, "a relative JSON pointer" },
  ["regex"] = { is_regex, "a regular expression (ECMA-262)" },
}


--- The names that are asserted, sorted.
---@return string[]
function format.names()
  local names = {}
  for name in next, formats do names[#names + 1] = name end
  table.sort(names)
  return names
end


--- What a format asserts; nil for one that asserts nothing.
---@param name string
---@return {fits: (fun(text: string): boolean), words: string}?
function format.of(name)
  local found = formats[name]
  return found and { fits = found[1], words = found[2] }
end


return format
