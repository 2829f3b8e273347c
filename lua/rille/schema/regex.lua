--- rille.schema.regex -- beside the walk: ECMA-262 regular expressions, as JSON Schema writes them.
---
--- Checks the syntax of a pattern and rewrites what PCRE2 means differently: `.` and `\s`, `\v`, `\uXXXX`, `\p{Letter}`,
--- `[` in classes, braces that count nothing. What only PCRE2 knows (`(?i)`, `\A`, `(*VERB)`, `a++`) is refused, as
--- a browser would refuse it. One widening: any punctuation may be escaped.
--- Source: ECMA-262, section 22.2.1 (Patterns), with its u flag; pcre2pattern(3).

local core = require "rille.core"
local failure = require "rille.failure"

local regex = {}

local SPACES <const> = "\t-\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}"
local NON_SPACES <const> = "\0-\8\14-\31!-\u{9F}\u{A1}-\u{167F}\u{1681}-\u{1FFF}\u{200B}-\u{2027}"
  .. "\u{202A}-\u{202E}\u{2030}-\u{205E}\u{2060}-\u{2FFF}\u{3001}-\u{FEFE}\u{FF00}-\u{10FFFF}"
local CONTROLS <const> = { f = "\f", n = "\n", r = "\r", t = "\t", v = "\v" }

--- General categories by their long names; PCRE2 knows the short ones.
local CATEGORIES <const> = {
  Other = "C", Control = "Cc", Format = "Cf", Unassigned = "Cn", Private_Use = "Co", Surrogate = "Cs",
  Letter = "L", Cased_Letter = "L&", Lowercase_Letter = "Ll", Modifier_Letter = "Lm",
  Other_Letter = "Lo", Titlecase_Letter = "Lt", Uppercase_Letter = "Lu", Mark = "M",
  Combining_Mark = "M", Spacing_Mark = "Mc", Enclosing_Mark = "Me", Nonspacing_Mark = "Mn",
  Number = "N", Decimal_Number = "Nd", Letter_Number = "Nl", Other_Number = "No", Punctuation = "P",
  Connector_Punctuation = "Pc", Dash_Punctuation = "Pd", Close_Punctuation = "Pe",
  Final_Punctuation = "Pf", Initial_Punctuation = "Pi", Other_Punctuation = "Po",
  Open_Punctuation = "Ps", Symbol = "S", Currency_Symbol = "Sc", Modifier_Symbol = "Sk",
  Math_Symbol = "Sm", Other_Symbol = "So", Separator = "Z", Line_Separator = "Zl",
  Paragraph_Separator = "Zp", Space_Separator = "Zs",
}

local Reader = {}
Reader.__index = Reader


local function fail(self, message)
  error({ pattern = ("%s (at byte %d)"):format(message, self.at - 1) })
end


--- The next text that matches a Lua pattern, consumed; nil when it does not.
local function take(self, pattern)
  local first, last, captured = self.text:find("^" .. pattern, self.at)
  if not first then return nil end
  self.at = last + 1
  return captured or self.text:sub(first, last)
end


--- One character as PCRE2 takes it literally.
local function literal(code)
  local text = utf8.char(code)
  return text:find("^%p$") and "\\" .. text or text
end


--- `\uXXXX`, two of which may be one character, or `\u{X…}`.
local function unicode_escape(self)
  local braced = take(self, "{(%x+)}")
  local high = tonumber(braced or take(self, "%x%x%x%x") or "", 16)
  if not high then fail(self, "\\u without four hexadecimal digits") end
  if not braced and high >= 0xD800 and high < 0xDC00 then
    local low = tonumber(take(self, "\\u([dD][c-fC-F]%x%x)") or "", 16)
    if low then return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) end
  end
  if high > 0x10FFFF or high >= 0xD800 and high < 0xE000 then fail(self, "\\u names no character") end
  return high
end


--- The code of an escape that stands for one character; nil for the others. The backslash is consumed.
local function character_escape(self)
  local control = take(self, "[fnrtv]")
  if control then return CONTROLS[control]:byte() end
  local letter = take(self, "c(%a)")
  if letter then return letter:byte() & 31 end
  local hex = take(self, "x(%x%x)")
  if hex then return tonumber(hex, 16) end
  if take(self, "u") then return unicode_escape(self) end
  if take(self, "0%f[%D]") then return 0 end
  local punctuation = take(self, "[%p ]")
  return punctuation and punctuation:byte()
end


local function property(self, letter)
  local inner = take(self, "{([%w_=]+)}")
  if not inner then fail(self, "\\" .. letter .. " without {property}") end
  local name, assigned = inner:match("^([%w_]+)=([%w_]+)$")
  if name == "Script" or name == "sc" then
    inner = "sc:" .. assigned
  elseif name == "Script_Extensions" or name == "scx" then
    inner = "scx:" .. assigned
  else
    if name and name ~= "General_Category" and name ~= "gc" then fail(self, "unknown property " .. name) end
    inner = CATEGORIES[assigned or inner] or assigned or inner
  end
  return "\\" .. letter .. "{" .. inner .. "}"
end


--- An escape that stands for a set of characters, as class items; nil for the others.
local function set_escape(self)
  local set = take(self, "[dDwW]")
  if set then return "\\" .. set end
  if take(self, "s") then return SPACES end
  if take(self, "S") then return NON_SPACES end
  local letter = take(self, "[pP]")
  return letter and property(self, letter)
end


--- One item of a class: its text for PCRE2, and whether it is a set.
local function class_atom(self)
  if take(self, "\\") then
    local set = set_escape(self)
    if set then return set, true end
    if take(self, "b") then return "\b", false end
    local code = character_escape(self)
    if not code then fail(self, "unknown escape in a class") end
    return literal(code), false
  end
  local character = take(self, utf8.charpattern)
  if not character or character == "" then fail(self, "unclosed class") end
  return literal(utf8.codepoint(character)), false
end


local function class(self)
  local negated = take(self, "%^")
  if take(self, "]") then return negated and "[\0-\u{10FFFF}]" or "(?!)" end
  local items = {}
  while not take(self, "]") do
    local item, is_set = class_atom(self)
    if self.text:find("^%-[^%]]", self.at) then
      self.at = self.at + 1
      local to, to_is_set = class_atom(self)
      item = item .. ((is_set or to_is_set) and "\\-" or "-") .. to
    end
    items[#items + 1] = item
  end
  return "[" .. (negated and "^" or "") .. table.concat(items) .. "]"
end


--- Opens a group. Returns its text and whether it is an assertion.
local function open_group(self)
  self.depth = self.depth + 1
  if not take(self, "%?") then
    self.groups = self.groups + 1
    return "("
  end
  local name = take(self, "<([%a_$][%w_$]*)>")
  if name then
    self.groups = self.groups + 1
    self.names[name] = true
    return "(?<" .. name .. ">"
  end
  local kind = take(self, "<?[=!]") or take(self, ":") or take(self, "[ims]*%-?[ims]*:")
  if not kind then fail(self, "unknown group (?" .. self.text:sub(self.at, self.at)) end
  return "(?" .. kind
end


local function outside_escape(self)
  local boundary = take(self, "[bB]")
  if boundary then return "\\" .. boundary, "assertion" end
  if self.at > #self.text then fail(self, "a backslash at the end") end
  local name = take(self, "k<([%a_$][%w_$]*)>")
  if name then
    self.named_references[#self.named_references + 1] = name
    return "\\k<" .. name .. ">", "atom"
  end
  local number = take(self, "[1-9]%d*")
  if number then
    self.reference = math.max(self.reference, tonumber(number))
    return "\\g{" .. number .. "}", "atom"
  end
  local set = set_escape(self)
  if set then return set:sub(1, 1) == "\\" and set or "[" .. set .. "]", "atom" end
  local code = character_escape(self)
  if not code then fail(self, "unknown escape \\" .. self.text:sub(self.at, self.at)) end
  return literal(code), "atom"
end


--- A quantifier, lazy or not; nil when none stands here.
local function quantifier(self)
  local counted = take(self, "[*+?]") or take(self, "{%d+}") or take(self, "{%d+,%d*}")
  return counted and counted .. (take(self, "%?") or "")
end


local function close_group(self)
  self.depth = self.depth - 1
  if self.depth < 0 then fail(self, "unmatched )") end
  return ")", "atom"
end


--- The next piece: its text, and what it is: "atom" (may be repeated), "assertion" or "start".
local function piece(self, before)
  local repeated = quantifier(self)
  if repeated then
    if before ~= "atom" then fail(self, "nothing to repeat") end
    return repeated, "repeated"
  end
  if take(self, "\\") then return outside_escape(self) end
  if take(self, "%[") then return class(self), "atom" end
  if take(self, "%(") then return open_group(self), "start" end
  if take(self, "%)") then return close_group(self) end
  if take(self, "%.") then return "[^\n\r\u{2028}\u{2029}]", "atom" end
  if take(self, "|") then return "|", "start" end
  local anchor = take(self, "[%^$]")
  if anchor then return anchor, "assertion" end
  local character = take(self, utf8.charpattern)
  if not character then fail(self, "no UTF-8") end
  return literal(utf8.codepoint(character)), "atom"
end


--- Checks what can only be known at the end.
local function finish(self)
  if self.depth > 0 then fail(self, "missing )") end
  if self.reference > self.groups then fail(self, "\\" .. self.reference .. " names no group") end
  for _, name in ipairs(self.named_references) do
    if not self.names[name] then fail(self, "\\k<" .. name .. "> names no group") end
  end
end


local function translate(pattern)
  local self = setmetatable({
    text = pattern, at = 1, depth = 0, groups = 0, reference = 0, names = {}, named_references = {},
  }, Reader)
  local out, before = {}, "start"
  while self.at <= #pattern do
    out[#out + 1], before = piece(self, before)
  end
  finish(self)
  return table.concat(out)
end


--- The pattern for PCRE2 that means what `pattern` means in ECMA-262.
---@param pattern string
---@return string? translated
---@return rille.Failure? failure    "invalid_request"
function regex.translate(pattern)
  if not utf8.len(pattern) then return nil, failure.new("invalid_request", "not valid UTF-8") end
  local ok, result = pcall(translate, pattern)
  if ok then return result end
  if type(result) ~= "table" or not result.pattern then error(result, 0) end
  return nil, failure.new("invalid_request", result.pattern)
end


local compiled <const> = setmetatable({}, { __mode = "v" })

--- Compiles an ECMA-262 pattern. The same pattern gives the same object while it is in use.
---@param pattern string
---@return {find: fun(self, subject: string): boolean?, rille.Failure?}? regex
---@return rille.Failure? failure    "invalid_request"
function regex.compile(pattern)
  if compiled[pattern] then return compiled[pattern] end
  local translated, failed = regex.translate(pattern)
  if not translated then return nil, failed end
  local object, reason = core.regex(translated)
  if not object then return nil, reason end
  compiled[pattern] = object
  return object
end


return regex
