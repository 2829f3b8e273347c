local toolbox = require "spec.support.toolbox"
local uv = require "rille.uv"

local make = toolbox.load "search_files"

local files <const> = {
  ["a.lua"] = "local x = 1\nlocal y = 2\nreturn x\n", ["sub/b.lua"] = "-- nothing\nlocal z = 3", ["c.txt"] = "local news\r\nmore\r\n",
  ["d.bin"] = "local\0binary", [".git/config"] = "local = 5\n", ["empty.txt"] = "",
}


describe("tools/search_files", function()
  it("returns path, line number and line of each match", async(function()
    local directory <close> = toolbox.directory(files)
    assert.equal("a.lua:1: local x = 1\na.lua:2: local y = 2\nc.txt:1: local news\nsub/b.lua:2: local z = 3",
      toolbox.call(make { root = directory.path }, { pattern = "^local\\b" }))
  end))

  it("searches below a path, one file, and names", async(function()
    local directory <close> = toolbox.directory(files)
    local tool = make { root = directory.path }
    assert.equal("sub/b.lua:2: local z = 3", toolbox.call(tool, { pattern = "local", path = "sub" }))
    assert.equal("a.lua:3: return x", toolbox.call(tool, { pattern = "x$", path = "a.lua" }))
    assert.equal("c.txt:1: local news", toolbox.call(tool, { pattern = "local", name = "*.txt" }))
  end))

  it("says that nothing was found", async(function()
    local directory <close> = toolbox.directory(files)
    local tool = make { root = directory.path }
    assert.equal("(no match)", toolbox.call(tool, { pattern = "zebra" }))
    assert.equal("(no match)", toolbox.call(tool, { pattern = "x", path = "empty.txt" }))
  end))

  it("finds empty lines, each once", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "one\n\ntwo\n" }
    assert.equal("a.txt:2: ", toolbox.call(make { root = directory.path }, { pattern = "^$" }))
  end))

  it("stops after max_matches", async(function()
    local directory <close> = toolbox.directory(files)
    assert.equal("a.lua:1: local x = 1\na.lua:2: local y = 2\n(there are more than 2 matches)",
      toolbox.call(make { root = directory.path, max_matches = 2 }, { pattern = "local" }))
    assert.equal("a.lua:1: local x = 1\na.lua:2: local y = 2",
      toolbox.call(make { root = directory.path, max_matches = 2 }, { pattern = "local", path = "a.lua" }))
  end))

  it("cuts long lines between characters", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "x" .. ("ä"):rep(500) }
    local found = toolbox.call(make { root = directory.path }, { pattern = "x" })
    assert.is_truthy(utf8.len(found))
    assert.is_true(#found < 420)
  end))

  it("passes over large files", async(function()
    local directory <close> = toolbox.directory { ["big.txt"] = ("needle\n"):rep(100), ["small.txt"] = "needle" }
    assert.equal("small.txt:1: needle", toolbox.call(make { root = directory.path, max_bytes = 100 }, { pattern = "needle" }))
  end))

  it("follows no links", async(function()
    local directory <close> = toolbox.directory { ["root/a.txt"] = "needle", ["secret"] = "needle" }
    assert(uv.fs_symlink("../secret", directory.path .. "/root/link"))
    assert(uv.fs_symlink("..", directory.path .. "/root/up"))
    local tool = make { root = directory.path .. "/root" }
    assert.equal("a.txt:1: needle", toolbox.call(tool, { pattern = "needle" }))
    for _, path in ipairs { "link", "up", "../secret" } do
      local result, reason = toolbox.call(tool, { pattern = "needle", path = path })
      assert.is_nil(result)
      assert.equal("permission", reason.code)
    end
  end))

  it("says what is wrong with a pattern", async(function()
    local directory <close> = toolbox.directory(files)
    local result, reason = toolbox.call(make { root = directory.path }, { pattern = "(a" })
    assert.is_nil(result)
    assert.matches("^the pattern is wrong: missing %)", reason)
  end))

  it("gives up a pattern that would take for ever", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = ("a"):rep(5000) .. "!" }
    local before = os.clock()
    local result, reason = toolbox.call(make { root = directory.path }, { pattern = "^(a|a)*$" })
    assert.is_true(os.clock() - before < 2)
    assert.is_nil(result)
    assert.matches("limit", reason.message)
  end))

  it("says that there is no such path", async(function()
    local directory <close> = toolbox.directory(files)
    local result, reason = toolbox.call(make { root = directory.path }, { pattern = "x", path = "nowhere" })
    assert.is_nil(result)
    assert.equal("not_found", reason.code)
  end))
end)
