--- rille.schema.regex and core.regex: ECMA-262 patterns on PCRE2, within limits.
local core = require "rille.core"
local effort = require "spec.support.effort"
local regex = require "rille.schema.regex"

--- Does the pattern match? Raises when it does not compile.
local function matches(pattern, subject)
  local compiled, failure = regex.compile(pattern)
  if not compiled then error(pattern .. ": " .. failure.message, 2) end
  local found, trouble = compiled:find(subject)
  assert.is_nil(trouble)
  return found
end


--- Rows { pattern, subjects that match, subjects that do not }.
local function holds(rows)
  for _, row in ipairs(rows) do
    for _, subject in ipairs(row[2]) do
      assert.is_true(matches(row[1], subject), ("%s should match %q"):format(row[1], subject))
    end
    for _, subject in ipairs(row[3] or {}) do
      assert.is_false(matches(row[1], subject), ("%s should not match %q"):format(row[1], subject))
    end
  end
end


describe("rille.schema.regex", function()
  it("matches patterns as people write them", function() holds {
    { "", { "", "a" } },
    { "^$", { "" }, { "a", "\n" } },
    { "abc", { "abc", "xabcx" }, { "ab" } },
    { "^[a-z0-9_-]{3,16}$", { "abc", "a_b-c1" }, { "ab", "ABC", "a b" } },
    { "^(red|green|blue)$", { "red", "blue" }, { "reddish", "" } },
    { [[^\d{3}-\d{4}$]], { "555-1234" }, { "5555-123", "٥٥٥-١٢٣٤" } },
    { [[^\w+@\w+\.\w{2,3}$]], { "a@b.org" }, { "a@b", "ä@b.org" } },
    { "^a?b*c+$", { "c", "abbc", "bcc" }, { "ab" } },
    { "a{2}", { "aa" }, { "a" } },
    { "^a{2,}$", { "aa", "aaaa" }, { "a" } },
    { "^a{1,2}?$", { "a", "aa" }, { "aaa" } },
    { "^.+?x$", { "abx" }, { "ab" } },
    { "(a)(b)\\2\\1", { "abba" }, { "abab" } },
    { "(?:ab)+", { "abab" }, { "ba" } },
    { "^(?=.*[A-Z])(?=.*\\d).{6,}$", { "Abcde1" }, { "abcde1", "Abc1" } },
    { "^(?!foo).*$", { "bar" }, { "foobar" } },
    { "(?<=\\$)\\d+", { "$42" }, { "42" } },
    { "(?<!\\$)\\b\\d+", { "42" }, { "$4" } },
    { "(?<year>\\d{4})-\\k<year>", { "2024-2024" }, { "2024-2023" } },
    { "[^abc]", { "d" }, { "abc" } },
    { "[a-c-]", { "-", "b" }, { "d" } },
    { "[-a]", { "-", "a" }, { "b" } },
    { "[.*+?]", { "." , "?" }, { "a" } },
    { "[\\]\\\\]", { "]", "\\" }, { "[" } },
    { "[[]", { "[" }, { "]" } },
    { "[[:alpha:]]", { "[]", ":]", "a]" }, { "x" } },
    { "\\/path\\/", { "/path/" } },
    { "^\\-\\_\\@\\#\\%\\&\\'\\\"$", { "-_@#%&'\"" } },
    { "a b#c", { "a b#c" }, { "abc" } },
    { "^\\bword\\b$", { "word" }, { "words" } },
    { "o\\B", { "on" }, { "no" } },
  } end)

  it("means what ECMA-262 means", function() holds {
    { "a$", { "a" }, { "a\n" } },
    { "^.$", { "a", "ä", "😀", "\0" }, { "\n", "\r", "\u{2028}", "\u{2029}", "ab" } },
    { "^\\s$", { " ", "\t", "\n", "\v", "\f", "\r", "\u{A0}", "\u{FEFF}", "\u{2028}", "\u{3000}" }, { "a", "\u{85}" } },
    { "^\\S$", { "a", "\u{85}", "\u{200B}" }, { " ", "\u{A0}" } },
    { "^[\\s]$", { "\u{A0}", " " }, { "s" } },
    { "^[\\S]$", { "s", "ä" }, { "\u{A0}" } },
    { "^[^\\s]$", { "s" }, { " ", "\u{FEFF}" } },
    { "^\\v$", { "\v" }, { "\n", "\f" } },
    { "^\\d$", { "5" }, { "٥" } },
    { "^\\w$", { "a", "_", "9" }, { "ä", "é" } },
    { "^\\u0041\\x42$", { "AB" } },
    { "^\\u{1F600}$", { "😀" }, { "u" } },
    { "^\\ud83d\\ude00$", { "😀" } },
    { "^[\\u4e00-\\u9fff]+$", { "日本" }, { "abc" } },
    { "^\\cA$", { "\1" }, { "A" } },
    { "^\\0$", { "\0" }, { "0" } },
    { "^[\\b]$", { "\b" }, { "b" } },
    { "[]", {}, { "", "a" } },
    { "a[]|b", { "b" }, { "a" } },
    { "^[^]$", { "a", "\n", "😀" }, { "" } },
    { "(a)?b\\1c", { "bc", "abac" } },
    { "^}$", { "}" } },
    { "^]$", { "]" } },
    { "^a{$", { "a{" } },
    { "^a{,3}$", { "a{,3}" }, { "aaa" } },
    { "^{x}$", { "{x}" } },
    { "^\\p{Letter}+$", { "Hello", "π", "日" }, { "1", "" } },
    { "^\\p{Lu}\\P{Lu}$", { "Aa" }, { "aa" } },
    { "^\\p{Script=Greek}+$", { "αβγ" }, { "abc" } },
    { "^\\p{sc=Cyrillic}$", { "ж" }, { "z" } },
    { "^\\p{General_Category=Decimal_Number}$", { "٥", "5" }, { "a" } },
    { "^[\\p{L}\\d]+$", { "ä5" }, { "-" } },
    { "^[\\w-.]+$", { "a-b.c" }, { "a b" } },
    { "^[a-\\d]+$", { "a-5" }, { "b" } },
    { "^(?i:abc)d$", { "ABCd" }, { "ABCD" } },
  } end)
end)


describe("rille.schema.regex, what is no pattern", function()
  local wrong = {
    { "(", "missing )" }, { "(a", "missing )" }, { "a)", "unmatched )" }, { "^(abc]", "missing )" },
    { "[a", "unclosed class" }, { "[", "unclosed class" }, { "[\\", "unknown escape" },
    { "*a", "nothing to repeat" }, { "a**", "nothing to repeat" }, { "a++", "nothing to repeat" },
    { "(*VERB)a", "nothing to repeat" }, { "(*UTF)", "nothing to repeat" }, { "^*", "nothing to repeat" },
    { "a|*", "nothing to repeat" }, { "{1}", "nothing to repeat" },
    { "a{1}{2}", "nothing to repeat" },
    { "(?P<n>a)", "unknown group (?P" }, { "(?P=n)", "unknown group" }, { "(?#c)", "unknown group (?#" },
    { "(?>a)", "unknown group (?>" }, { "(?|a)", "unknown group" }, { "(?R)", "unknown group" },
    { "(?i)a", "unknown group" }, { "(?1)", "unknown group" },
    { "\\", "a backslash at the end" },
    { "\\a", "unknown escape \\a" }, { "\\A", "unknown escape" }, { "\\Z", "unknown escape" },
    { "\\z", "unknown escape" }, { "\\h", "unknown escape" }, { "\\Qa\\E", "unknown escape" },
    { "\\K", "unknown escape" }, { "\\C", "unknown escape" }, { "\\R", "unknown escape" },
    { "\\G", "unknown escape" }, { "\\e", "unknown escape" }, { "\\N", "unknown escape" },
    { "\\x4", "unknown escape" }, { "\\01", "unknown escape" }, { "\\c1", "unknown escape" },
    { "\\u12", "without four hexadecimal digits" }, { "\\ud800", "names no character" },
    { "\\u{110000}", "names no character" },
    { "\\1", "\\1 names no group" }, { "(a)\\2", "\\2 names no group" }, { "\\k<n>", "names no group" },
    { "\\p", "\\p without {property}" }, { "\\p{x", "without {property}" }, { "\\p{a=b}", "unknown property a" },
    { "[\\B]", "unknown escape in a class" }, { "\xff", "not valid UTF-8" },
  }
  it("is refused with the reason", function()
    for _, case in ipairs(wrong) do
      local compiled, failure = regex.compile(case[1])
      assert.is_nil(compiled, case[1])
      assert.equal("invalid_request", failure.code)
      assert.matches(case[2], failure.message, 1, true)
    end
  end)

  it("says at which byte", function()
    local _, failure = regex.compile "abc(?P<n>d)"
    assert.matches("at byte 5", failure.message, 1, true)
  end)

  it("refuses what PCRE2 refuses", function()
    for _, pattern in ipairs { "[z-a]", "a{2,1}", "\\p{Nonsense}", "(?<=a+)b" } do
      local compiled, failure = regex.compile(pattern)
      assert.is_nil(compiled, pattern)
      assert.equal("invalid_request", failure.code)
    end
  end)

  it("gives the same object for the same pattern", function()
    local first = regex.compile "same[0-9]"
    assert.equal(first, regex.compile "same[0-9]")
  end)
end)


describe("rille.schema.regex.translate", function()
  it("leaves alone what means the same", function()
    for _, pattern in ipairs { "", "abc", "^a$", "a|b", "(a)", "(?:a)", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?<n>a)", "a*",
      "a+?", "a{2}", "a{2,}", "a{2,3}?", "[abc]", "[^a-z]", "\\d\\D\\w\\W\\b\\B", "ä😀", "a b" } do
      assert.equal(pattern, (regex.translate(pattern)))
    end
  end)

  it("writes the rest as PCRE2 means it", function()
    local rows = {
      { ".", "[^\n\r\u{2028}\u{2029}]" }, { "\\n", "\n" }, { "\\v", "\v" }, { "\\u0041", "A" }, { "\\x41", "A" }, { "\\u{1F600}", "😀" },
      { "\\cJ", "\n" }, { "\\0", "\0" }, { "\\.", "\\." }, { "\\/", "\\/" }, { "/", "\\/" }, { "(a)\\1", "(a)\\g{1}" }, { "[]", "(?!)" },
      { "[^]", "[\0-\u{10FFFF}]" }, { "[[]", "[\\[]" }, { "[a-\\d]", "[a\\-\\d]" }, { "{", "\\{" }, { "]", "\\]" }, { "-", "\\-" },
      { "\\p{Letter}", "\\p{L}" }, { "\\P{gc=Lu}", "\\P{Lu}" }, { "\\p{Script=Greek}", "\\p{sc:Greek}" },
      { "\\p{scx=Latin}", "\\p{scx:Latin}" }, { "\\p{Alphabetic}", "\\p{Alphabetic}" },
    }
    for _, row in ipairs(rows) do assert.equal(row[2], (regex.translate(row[1])), row[1]) end
  end)

  it("makes nothing of any text that PCRE2 would take for a verb", function()
    for _, pattern in ipairs { "(*ACCEPT)", "(*LIMIT_MATCH=1)a", "(*UCP)", "a(*F)", "(?C)", "(?&n)", "(?(1)a)" } do
      assert.is_nil((regex.translate(pattern)), pattern)
    end
  end)

  it("never breaks on random patterns", function()
    local pieces = { "a", "(", ")", "[", "]", "{", "}", "\\", "*", "+", "?", "^", "$", "|", ".", "-", "1", ",", "<", ">", "=", "!", ":",
      "p", "u", "d", "k", "x", "ä", "\xff", "\0" }
    for _ = 1, effort.some(3000) do
      local made = {}
      for i = 1, math.random(12) do made[i] = pieces[math.random(#pieces)] end
      local pattern = table.concat(made)
      local compiled, failure = regex.compile(pattern)
      if compiled then
        compiled:find "aab1"
      else
        assert.equal("invalid_request", failure.code, pattern)
      end
    end
  end)
end)


describe("rille.core.regex", function()
  it("raises for arguments that are no texts", function()
    assert.is_false(pcall(core.regex))
    assert.is_false(pcall(core.regex, {}))
    local compiled = core.regex "a"
    assert.is_false(pcall(compiled.find, compiled))
    assert.is_false(pcall(compiled.find, compiled, {}))
    assert.is_false(pcall(compiled.find, "a", "a"))
    assert.is_false(pcall(compiled.find, io.stdout, "a"))
  end)

  it("gives nil and a failure for a broken pattern", function()
    local compiled, failure = core.regex "(a"
    assert.is_nil(compiled)
    assert.equal("invalid_request", failure.code)
    assert.matches("at byte 2", failure.message)
  end)

  it("refuses a pattern that is too long", function()
    local compiled, failure = core.regex(("a"):rep(70000))
    assert.is_nil(compiled)
    assert.matches("longer than 65536 bytes", failure.message)
  end)

  it("refuses groups that nest without end", function()
    local compiled, failure = core.regex(("("):rep(5000) .. (")"):rep(5000))
    assert.is_nil(compiled)
    assert.equal("invalid_request", failure.code)
  end)

  it("matches subjects that are no UTF-8", function()
    local compiled = core.regex "b"
    assert.is_true(compiled:find "a\xff\xfeb")
    assert.is_false(compiled:find "\xff\xfe")
  end)

  it("sees all of a subject with NUL bytes", function()
    assert.is_true(core.regex "b$":find "a\0b")
    assert.is_false(core.regex "^a$":find "a\0b")
  end)

  local hostile = {
    { "^(a+)+$", ("a"):rep(40) .. "!" },
    { "^(a|a)*$", ("a"):rep(40) .. "!" },
    { "^(a|aa)+$", ("a"):rep(60) .. "!" },
    { "(x+x+)+y", ("x"):rep(60) },
    { "^(.*)*$", ("a"):rep(200) .. "\n" },
    { "^(([a-z])+.)+[A-Z]([a-z])+$", ("a"):rep(60) },
    { "(.*a){20}b", ("a"):rep(60) },
  }
  it("gives up what would take for ever", function()
    for _, case in ipairs(hostile) do
      local compiled = core.regex(case[1])
      local before = os.clock()
      local found, failure = compiled:find(case[2])
      assert.is_true(os.clock() - before < 1, case[1])
      assert.is_not_true(found)
      if failure then assert.matches("limit", failure.message) end
    end
  end)

  it("matches again after it gave up", function()
    local compiled = core.regex "^(a|a)*$"
    assert.is_nil((compiled:find(("a"):rep(40) .. "!")))
    assert.is_true(compiled:find "aaa")
  end)

  it("finds in a long subject", function()
    assert.is_true(core.regex "needle":find(("hay "):rep(200000) .. "needle"))
  end)

  it("may be collected at any time", function()
    for i = 1, 200 do
      local compiled = core.regex("x" .. i)
      assert.is_true(compiled:find("ax" .. i))
    end
    collectgarbage()
    collectgarbage()
  end)
end)


describe("pattern of a schema", function()
  local schema = require "rille.schema"

  it("is no fit when matching was given up", function()
    local compiled = schema.compile { type = "string", pattern = "^(a|a)*$" }
    local _, errors = compiled:validate(("a"):rep(40) .. "!")
    assert.matches("matching was given up: too expensive", errors[1].message)
  end)
end)
