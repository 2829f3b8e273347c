--- rille.printable -- beside the walk: text from outside, made safe to show on one line.
---
--- Invariant: the result is valid UTF-8 without a character that moves a cursor, starts an escape
--- sequence, ends the line, reverses its direction or hides; each stays readable as an escape
--- (`\n`, `\x1b`, `\u{202e}`). Joiners of emoji and of Persian (U+200C, U+200D) pass.
--- Source: ECMA-48 §8 (C0, C1); Unicode UAX #9 (bidirectional controls).

local printable = {}

local short_forms <const> = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\0"] = "\\0" }


local function escape_bytes(bytes)
  return (bytes:gsub(".", function(byte)
    return short_forms[byte] or ("\\x%02x"):format(byte:byte())
  end))
end


--- First and last code points: C1 controls, marks that change a line's end or direction, what is
--- invisible.
local unsafe <const> = {
  { 0x80, 0x9f }, { 0x061c, 0x061c }, { 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e },
  { 0x2060, 0x2069 }, { 0xfeff, 0xfeff }, { 0xe0000, 0xe007f },
}


local function is_unsafe(codepoint)
  for _, range in ipairs(unsafe) do
    if codepoint < range[1] then return false end
    if codepoint <= range[2] then return true end
  end
  return false
end


local function escape_wide(text)
  return (text:gsub(utf8.charpattern, function(character)
    if #character == 1 then return nil end
    local codepoint = utf8.codepoint(character)
    return is_unsafe(codepoint) and ("\\u{%x}"):format(codepoint) or nil
  end))
end


--- Bytes that are no UTF-8 become `\xNN`; the valid stretches between them are treated as text.
local function escape_mixed(text)
  local out, from = {}, 1
  while from <= #text do
    local _, bad = utf8.len(text, from)
    local stop = (bad or #text + 1) - 1
    out[#out + 1] = escape_wide(text:sub(from, stop))
    if bad then out[#out + 1] = ("\\x%02x"):format(text:byte(bad)) end
    from = stop + 2
  end
  return table.concat(out)
end


--- Makes `text` safe to print on one line. Plain ASCII comes back as it is.
---@param text string   any bytes
---@return string       one line of valid UTF-8
function printable.line(text)
  text = text:gsub("[%z\1-\31\127]+", escape_bytes)
  if not text:find("[\128-\255]") then return text end
  return escape_mixed(text)
end


return printable
