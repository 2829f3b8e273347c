local printable = require "rille.printable"

--- What goes in, what comes out.
local cases = {
  { "plain ASCII as it is", "Hello, world! ~", "Hello, world! ~" },
  { "an empty text", "", "" },
  { "line ends by their names", "a\nb\r\nc\td\0e", "a\\nb\\r\\nc\\td\\0e" },
  { "an escape sequence", "\27[31mred\27[0m", "\\x1b[31mred\\x1b[0m" },
  { "an OSC that sets a title", "\27]0;title\7", "\\x1b]0;title\\x07" },
  { "a backspace and a delete", "abc\8\8\127", "abc\\x08\\x08\\x7f" },
  { "accents and ideographs as they are", "é ü ß 日本語", "é ü ß 日本語" },
  { "emoji with a joiner as they are", "👩\u{200d}👧", "👩\u{200d}👧" },
  { "a C1 control", "a\u{9b}31m", "a\\u{9b}31m" },
  { "the whole C1 range's ends", "\u{80}\u{9f}\u{a0}", "\\u{80}\\u{9f}\u{a0}" },
  { "a right-to-left override", "exe\u{202e}txt", "exe\\u{202e}txt" },
  { "isolates and marks", "\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}",
    "\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{61c}" },
  { "line and paragraph separators", "a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c" },
  { "a zero-width space and a byte order mark", "\u{feff}a\u{200b}b", "\\u{feff}a\\u{200b}b" },
  { "invisible tag characters", "a\u{e0041}\u{e007f}", "a\\u{e0041}\\u{e007f}" },
  { "a byte that is no UTF-8", "a\xffb", "a\\xffb" },
  { "a cut sequence at the end", "caf\xc3", "caf\\xc3" },
  { "a continuation byte alone", "\x80", "\\x80" },
  { "an encoded surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80" },
  { "an overlong slash", "\xc0\xaf", "\\xc0\\xaf" },
  { "bad bytes between good text", "é\xffü\xfe日", "é\\xffü\\xfe日" },
}


describe("printable.line", function()
  for _, case in ipairs(cases) do
    it("shows " .. case[1], function()
      assert.equal(case[3], printable.line(case[2]))
    end)
  end

  it("returns one value", function()
    assert.equal(1, select("#", printable.line("a\nb")))
    assert.equal(1, select("#", printable.line("é")))
  end)

  it("gives valid one-line UTF-8 for any two bytes", function()
    for first = 0, 255 do
      for second = 0, 255, 5 do
        local line = printable.line(string.char(first, second))
        assert(utf8.len(line), ("%02x %02x"):format(first, second))
        assert(not line:find("[%c]"), ("%02x %02x"):format(first, second))
      end
    end
  end)

  it("is idempotent on what it made of harmless text", function()
    local once = printable.line("a\nb\u{202e}\xff")
    assert.equal(once, printable.line(once))
  end)

  it("takes a long text", function()
    local text = ("é\n\27\xff"):rep(20000)
    assert.equal(20000 * (2 + 2 + 4 + 4), #printable.line(text))
  end)
end)
