--- json_property_spec.lua -- JSON against a second opinion: a plain recogniser and a plain UTF-8 checker,
--- written here from the standards, must agree with the C code on mutated texts and on every sequence.
local core = require "rille.core"
require "rille.failure"

local encode, decode = core.json_encode, core.json_decode

--- Under an aggressive collector every allocation costs a walk through the heap: a sample has to do.
local FEWER <const> = os.getenv "RILLE_GC" == "aggressive" and 100 or 1


-- ---------------------------------------------------------------- RFC 8259, one function per rule

local value

local function space(s, i)
  return s:match("^[ \t\n\r]*()", i)
end


--- The place behind a string that begins at i, or nil. Bytes beyond ASCII are fine: they get replaced.
local function string_at(s, i)
  if s:byte(i) ~= 0x22 then return nil end
  i = i + 1
  while i <= #s do
    local c = s:sub(i, i)
    if c == '"' then return i + 1 end
    if c == "\\" then
      i = s:match('^\\["\\/bfnrt]()', i) or s:match("^\\u%x%x%x%x()", i)
      if not i then return nil end
    elseif c:byte() < 0x20 then
      return nil
    else
      i = i + 1
    end
  end
end


local function number_at(s, i)
  i = s:match("^%-?()", i)
  i = s:match("^0()", i) or s:match("^[1-9]%d*()", i)
  if not i then return nil end
  if s:sub(i, i) == "." then
    i = s:match("^%.%d+()", i)
    if not i then return nil end
  end
  if s:find("^[eE]", i) then i = s:match("^[eE][+-]?%d+()", i) end
  return i
end


local function members_at(s, i, close, member)
  i = space(s, i + 1)
  if s:sub(i, i) == close then return i + 1 end
  while true do
    i = member(s, space(s, i))
    if not i then return nil end
    i = space(s, i)
    local c = s:sub(i, i)
    if c == close then return i + 1 end
    if c ~= "," then return nil end
    i = i + 1
  end
end


local function member_at(s, i)
  i = string_at(s, i)
  if not i then return nil end
  i = space(s, i)
  if s:sub(i, i) ~= ":" then return nil end
  return value(s, space(s, i + 1))
end


function value(s, i)
  local c = s:sub(i, i)
  if c == "{" then return members_at(s, i, "}", member_at) end
  if c == "[" then return members_at(s, i, "]", value) end
  if c == '"' then return string_at(s, i) end
  return s:match("^true()", i) or s:match("^false()", i) or s:match("^null()", i) or number_at(s, i)
end


local function is_json(s)
  if s:sub(1, 3) == "\xEF\xBB\xBF" then s = s:sub(4) end
  local i = value(s, space(s, 1))
  return i ~= nil and space(s, i) == #s + 1
end


-- ---------------------------------------------------------------- Unicode, table 3-7

local RANGES <const> = {
  { 0x00, 0x7F }, { 0xC2, 0xDF, { 0x80, 0xBF } }, { 0xE0, 0xE0, { 0xA0, 0xBF }, { 0x80, 0xBF } },
  { 0xE1, 0xEC, { 0x80, 0xBF }, { 0x80, 0xBF } }, { 0xED, 0xED, { 0x80, 0x9F }, { 0x80, 0xBF } },
  { 0xEE, 0xEF, { 0x80, 0xBF }, { 0x80, 0xBF } },
  { 0xF0, 0xF0, { 0x90, 0xBF }, { 0x80, 0xBF }, { 0x80, 0xBF } },
  { 0xF1, 0xF3, { 0x80, 0xBF }, { 0x80, 0xBF }, { 0x80, 0xBF } },
  { 0xF4, 0xF4, { 0x80, 0x8F }, { 0x80, 0xBF }, { 0x80, 0xBF } },
}


--- How many bytes at i fit a row of the table, and whether they fill it.
local function fit(s, i)
  local lead = s:byte(i)
  for _, row in ipairs(RANGES) do
    if lead >= row[1] and lead <= row[2] then
      for k = 3, #row do
        local byte = s:byte(i + k - 2)
        if not byte or byte < row[k][1] or byte > row[k][2] then return k - 2, false end
      end
      return #row - 1, true
    end
  end
  return 1, false
end


local function repaired(s)
  local out, i = {}, 1
  while i <= #s do
    local length, whole = fit(s, i)
    out[#out + 1] = whole and s:sub(i, i + length - 1) or "\u{FFFD}"
    i = i + length
  end
  return table.concat(out)
end


-- ---------------------------------------------------------------- properties

local SEEDS <const> = {
  [[{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"n":-1.5e+3}]],
  [==[[[],{},[{}],"",0,-0,1e5,true,false,null,"\u0000\ud83d\ude42\ud800","é日🙂"]]==],
  [[ {"a" : [1 , 2.5 , {"b":"\\\"\n"}] , "big":12345678901234567890 , "long":0.1234567890123456789} ]],
  [["a plain string that is long enough for several strides of eight bytes, and then some"]],
}

local PIECES <const> = {
  "{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "\\u12", "0", "-", ".", "e", "E+", "1", "00", "tru", "null", " ",
  "\n", "\0", "\31", "\127", "\xFF", "é", "\xEF\xBB\xBF", '"a":', "\\ud83d", "/", "//", "NaN", "'",
}


local function mutated(text)
  for _ = 1, math.random(3) do
    local i, j = math.random(0, #text), math.random(0, #text)
    local how = math.random(4)
    if how == 1 then text = text:sub(1, i) .. PIECES[math.random(#PIECES)] .. text:sub(i + 1)
    elseif how == 2 then text = text:sub(1, i) .. text:sub(i + 2)
    elseif how == 3 then text = text:sub(1, math.min(i, j)) .. text:sub(math.max(i, j) + 1)
    else text = text:sub(1, i) .. string.char(math.random(0, 255)) .. text:sub(i + 2) end
  end
  return text
end


describe("rille.core.json_decode", function()
  it("accepts exactly what the grammar accepts", function()
    math.randomseed(8259)
    local accepted, count = 0, 40000 // FEWER
    for n = 1, count do
      local text = mutated(SEEDS[n % #SEEDS + 1])
      local _, failure = decode(text)
      if (failure == nil) ~= is_json(text) then
        error(("%q: grammar %s, decoder %s"):format(text, is_json(text), failure))
      end
      if not failure then accepted = accepted + 1 end
    end
    assert.is_true(accepted > count // 20 and accepted < count // 2)   -- both sides were tried
  end)

  it("names a byte that lies in the text, and no later one for a longer prefix of the same", function()
    math.randomseed(3629)
    for n = 1, 2000 // FEWER do
      local text = mutated(SEEDS[n % #SEEDS + 1])
      local _, failure = decode(text)
      local at = failure and tonumber(failure.message:match("at byte (%d+)$"))
      if at then
        assert.is_true(at >= 0 and at <= #text)
        local _, again = decode(text .. "   ")
        if at < #text then assert.equal(failure.message, again.message) end
      end
    end
  end)

  it("makes a value whose text it accepts again, to the same bytes", function()
    math.randomseed(627)
    for n = 1, 20000 // FEWER do
      local decoded, failure = decode(mutated(SEEDS[n % #SEEDS + 1]))
      local ok, text = pcall(encode, decoded)
      if not failure and ok then   -- not ok: an infinity
        assert.is_not_nil(utf8.len(text))
        assert.equal(text, encode((decode(text))))
      end
    end
  end)
end)


describe("rille.core.json_encode", function()
  it("repairs every sequence of two bytes as the standard says", function()
    for a = 0, 255, FEWER do
      for b = 0, 255 do
        local s = string.char(a, b)
        if repaired(s) ~= decode(encode(s)) then error(("%q"):format(s)) end
      end
    end
  end)

  it("repairs sequences of three and four bytes at every border of the table", function()
    local borders = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
      0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF }
    for _, a in ipairs(borders) do
      for _, b in ipairs(borders) do
        for _, c in ipairs(FEWER > 1 and { 0x80 } or borders) do
          local s = string.char(a, b, c)
          if repaired(s) ~= decode(encode(s)) then error(("%q"):format(s)) end
          if a >= 0xF0 then
            for _, d in ipairs(borders) do
              local four = s .. string.char(d)
              if repaired(four) ~= decode(encode(four)) then error(("%q"):format(four)) end
            end
          end
        end
      end
    end
  end)

  it("repairs raw bytes in what it decodes in the same way", function()
    math.randomseed(39)
    for _ = 1, 5000 // FEWER do
      local bytes = {}
      for i = 1, math.random(24) do
        local byte = math.random(0x20, 0xFF)
        bytes[i] = (byte == 0x22 or byte == 0x5C) and 0x2E or byte
      end
      local s = string.char(table.unpack(bytes))
      assert.equal(repaired(s), (decode('"' .. s .. '"')))
      assert.equal(repaired(s), next((decode('{"' .. s .. '":1}'))))
    end
  end)

  it("keeps every character of Unicode", function()
    for plane = 0, 16 do
      local characters = {}
      for code = plane << 16, (plane << 16) + 0xFFFF, 7 * FEWER do
        if code < 0xD800 or code > 0xDFFF then characters[#characters + 1] = utf8.char(code) end
      end
      local text = table.concat(characters)
      assert.equal(text, decode(encode(text)))
    end
  end)

  it("reads escapes of every code unit", function()
    for code = 0, 0xFFFF, 5 * FEWER do
      local expected = (code >= 0xD800 and code <= 0xDFFF) and "\u{FFFD}" or utf8.char(code)
      if decode(('"\\u%04x"'):format(code)) ~= expected or decode(('"\\u%04X"'):format(code)) ~= expected then
        error(("\\u%04x"):format(code))
      end
    end
  end)

  it("reads escaped pairs of every plane", function()
    for code = 0x10000, 0x10FFFF, 97 * FEWER do
      local rest = code - 0x10000
      local text = ('"\\u%04x\\u%04x"'):format(0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF))
      if decode(text) ~= utf8.char(code) then error(text) end
    end
  end)
end)
