local toolbox = require "spec.support.toolbox"

local make = toolbox.load "edit_file"

--- Edits `text`; gives the new text, or nil and the reason.
local function edit(text, args)
  local directory <close> = toolbox.directory { ["a.txt"] = text }
  args.path = "a.txt"
  local result, reason = toolbox.call(make { root = directory.path }, args)
  local after = toolbox.bytes(directory.path .. "/a.txt")
  if not result then
    assert.equal(text, after)
    return nil, reason
  end
  return after, result
end


describe("tools/edit_file", function()
  it("replaces a piece of text", async(function()
    local after, said = edit("one two three", { old_text = "two", new_text = "2" })
    assert.equal("one 2 three", after)
    assert.equal("replaced 1 occurrence in a.txt", said)
  end))

  it("replaces several lines", async(function()
    assert.equal("a\nX\nY\nd\n", (edit("a\nb\nc\nd\n", { old_text = "b\nc\n", new_text = "X\nY\n" })))
  end))

  it("takes signs for themselves", async(function()
    assert.equal("%1 $& \\0 %d", (edit("f(x) [.*]+ ^$ %d", { old_text = "f(x) [.*]+ ^$", new_text = "%1 $& \\0" })))
  end))

  it("removes text", async(function()
    assert.equal("ac", (edit("abc", { old_text = "b", new_text = "" })))
  end))

  it("wants the text to be there once", async(function()
    local after, reason = edit("x y x y x", { old_text = "x", new_text = "z" })
    assert.is_nil(after)
    assert.equal("the old text is there 3 times; give more of the text around it, or set replace_all", reason)
  end))

  it("replaces all where asked", async(function()
    local after, said = edit("x y x y x", { old_text = "x", new_text = "xx", replace_all = true })
    assert.equal("xx y xx y xx", after)
    assert.equal("replaced 3 occurrences in a.txt", said)
  end))

  it("says that the text is not there", async(function()
    local after, reason = edit("abc", { old_text = "d", new_text = "e" })
    assert.is_nil(after)
    assert.matches("the old text is not in the file", reason)
  end))

  it("says when only the white space differs", async(function()
    local after, reason = edit("if x then\n    y()\nend\n", { old_text = "if x then\n  y()\nend", new_text = "z" })
    assert.is_nil(after)
    assert.matches("only with other white space", reason)
  end))

  it("says that nothing would change", async(function()
    local after, reason = edit("abc", { old_text = "b", new_text = "b" })
    assert.is_nil(after)
    assert.equal("the old and the new text are the same", reason)
  end))

  it("keeps the line ends of the file", async(function()
    assert.equal("a\r\nX\r\nY\r\nd\r\n", (edit("a\r\nb\r\nc\r\nd\r\n", { old_text = "b\nc", new_text = "X\nY" })))
    assert.equal("a\nX\r\nd", (edit("a\nb\nd", { old_text = "b", new_text = "X\r" })))
  end))

  it("keeps bytes that are no text", async(function()
    assert.equal("\0\xffB\r", (edit("\0\xffb\r", { old_text = "b", new_text = "B" })))
  end))

  it("says that there is no such file", async(function()
    local directory <close> = toolbox.directory {}
    local result, reason = toolbox.call(make { root = directory.path }, { path = "b", old_text = "x", new_text = "y" })
    assert.is_nil(result)
    assert.equal("not_found", reason.code)
  end))

  it("edits nothing outside of its root", async(function()
    local directory <close> = toolbox.directory { ["root/"] = "", ["secret"] = "s" }
    local result, reason = toolbox.call(make { root = directory.path .. "/root" },
      { path = "../secret", old_text = "s", new_text = "t" })
    assert.is_nil(result)
    assert.equal("permission", reason.code)
    assert.equal("s", toolbox.bytes(directory.path .. "/secret"))
  end))

  it("wants an old text, and approval", function()
    assert.is_false(toolbox.takes(make(), { path = "a", old_text = "", new_text = "x" }))
    assert.is_true(make().approve)
    assert.is_false(make({ approve = false }).approve)
    assert.is_true(make().sequential)
  end)
end)
