local toolbox = require "spec.support.toolbox"

local make = toolbox.load "read_file"


describe("tools/read_file", function()
  it("returns numbered lines", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "one\ntwo\n\nfour" }
    assert.equal("1\tone\n2\ttwo\n3\t\n4\tfour", toolbox.call(make { root = directory.path }, { path = "a.txt" }))
  end))

  it("does not count the end of the last line as one more", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "one\n", ["b.txt"] = "\n\n" }
    local tool = make { root = directory.path }
    assert.equal("1\tone", toolbox.call(tool, { path = "a.txt" }))
    assert.equal("1\t\n2\t", toolbox.call(tool, { path = "b.txt" }))
  end))

  it("returns a part, and says how to go on", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "1\n2\n3\n4\n5\n" }
    local tool = make { root = directory.path }
    assert.equal("2\t2\n3\t3\n(2 more lines; go on with offset 4)",
      toolbox.call(tool, { path = "a.txt", offset = 2, limit = 2 }))
    assert.equal("4\t4\n5\t5", toolbox.call(tool, { path = "a.txt", offset = 4, limit = 2 }))
  end))

  it("says how long the file is when the offset is behind its end", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "1\n2\n" }
    local result, reason = toolbox.call(make { root = directory.path }, { path = "a.txt", offset = 3 })
    assert.is_nil(result)
    assert.equal("the file has 2 lines", reason)
  end))

  it("says that a file is empty", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "" }
    assert.equal("(the file is empty)", toolbox.call(make { root = directory.path }, { path = "a.txt" }))
  end))

  it("takes line ends of any kind", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "one\r\ntwo\r\n" }
    assert.equal("1\tone\n2\ttwo", toolbox.call(make { root = directory.path }, { path = "a.txt" }))
  end))

  it("cuts long lines between characters", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = ("ä"):rep(3000), ["b.txt"] = "x" .. ("ä"):rep(3000) }
    local tool = make { root = directory.path }
    assert.equal("1\t" .. ("ä"):rep(1000) .. "…", toolbox.call(tool, { path = "a.txt" }))
    assert.is_truthy(utf8.len(toolbox.call(tool, { path = "b.txt" })))
  end))

  it("refuses what is no text, no file, or too large", async(function()
    local directory <close> = toolbox.directory { ["a.bin"] = "a\0b", ["sub/x"] = "", ["big.txt"] = ("x"):rep(100) }
    local tool = make { root = directory.path, max_bytes = 50 }
    local result, reason = toolbox.call(tool, { path = "a.bin" })
    assert.is_nil(result)
    assert.equal("a.bin is not a text file", reason)
    result, reason = toolbox.call(tool, { path = "sub" })
    assert.is_nil(result)
    assert.equal("invalid_request", reason.code)
    result, reason = toolbox.call(tool, { path = "big.txt" })
    assert.is_nil(result)
    assert.matches("larger than max_bytes", reason.message)
    result, reason = toolbox.call(tool, { path = "missing.txt" })
    assert.is_nil(result)
    assert.equal("not_found", reason.code)
  end))

  it("reads nothing outside of its root", async(function()
    local directory <close> = toolbox.directory { ["root/a.txt"] = "a", ["secret"] = "s" }
    local tool = make { root = directory.path .. "/root" }
    for _, path in ipairs { "../secret", "/etc/passwd", directory.path .. "/secret" } do
      local result, reason = toolbox.call(tool, { path = path })
      assert.is_nil(result)
      assert.equal("permission", reason.code)
    end
  end))

  it("takes only arguments that make sense", function()
    local tool = make()
    assert.is_true(toolbox.takes(tool, { path = "a" }))
    assert.is_true(toolbox.takes(tool, { path = "a", offset = 1, limit = 1 }))
    for _, args in ipairs { {}, { path = "" }, { path = 5 }, { path = "a", offset = 0 }, { path = "a", limit = 0 },
      { path = "a", offset = 1.5 }, { file = "a" } } do
      assert.is_false(toolbox.takes(tool, args))
    end
  end)

  it("raises for options that it does not have", function()
    local ok, message = pcall(make, { rot = "." })
    assert.is_false(ok)
    assert.matches("read_file: unknown option 'rot' %(did you mean 'root'%?%)", message)
  end)
end)
