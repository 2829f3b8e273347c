local toolbox = require "spec.support.toolbox"
local uv = require "rille.uv"

local make = toolbox.load "write_file"


describe("tools/write_file", function()
  it("makes a file", async(function()
    local directory <close> = toolbox.directory {}
    local tool = make { root = directory.path }
    assert.equal("wrote 5 bytes to a.txt", toolbox.call(tool, { path = "a.txt", content = "hello" }))
    assert.equal("hello", toolbox.bytes(directory.path .. "/a.txt"))
  end))

  it("replaces what a file held", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "a long text that was there before" }
    toolbox.call(make { root = directory.path }, { path = "a.txt", content = "" })
    assert.equal("", toolbox.bytes(directory.path .. "/a.txt"))
  end))

  it("makes the directories above", async(function()
    local directory <close> = toolbox.directory {}
    assert.equal("wrote 1 bytes to x/y/z.txt",
      toolbox.call(make { root = directory.path }, { path = "x/y/z.txt", content = "z" }))
    assert.equal("z", toolbox.bytes(directory.path .. "/x/y/z.txt"))
  end))

  it("writes through links that stay inside", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "old" }
    assert(uv.fs_symlink("a.txt", directory.path .. "/link"))
    toolbox.call(make { root = directory.path }, { path = "link", content = "new" })
    assert.equal("new", toolbox.bytes(directory.path .. "/a.txt"))
    assert.equal("link", uv.fs_lstat(directory.path .. "/link").type)
  end))

  it("writes nothing outside of its root", async(function()
    local directory <close> = toolbox.directory { ["root/"] = "", ["secret"] = "s" }
    assert(uv.fs_symlink("../secret", directory.path .. "/root/link"))
    assert(uv.fs_symlink("..", directory.path .. "/root/up"))
    local tool = make { root = directory.path .. "/root" }
    for _, path in ipairs { "../secret", "../new", "link", "up/new", "up/secret", directory.path .. "/new" } do
      local result, reason = toolbox.call(tool, { path = path, content = "x" })
      assert.is_nil(result, path)
      assert.equal("permission", reason.code)
    end
    assert.equal("s", toolbox.bytes(directory.path .. "/secret"))
    assert.is_nil(toolbox.bytes(directory.path .. "/new"))
  end))

  it("says why a file cannot be written", async(function()
    local directory <close> = toolbox.directory { ["sub/"] = "", ["a.txt"] = "" }
    local tool = make { root = directory.path }
    local result, reason = toolbox.call(tool, { path = "sub", content = "x" })
    assert.is_nil(result)
    assert.equal("invalid_request", reason.code)
    result, reason = toolbox.call(tool, { path = "a.txt/b", content = "x" })
    assert.is_nil(result)
    assert.equal("invalid_request", reason.code)
  end))

  it("wants approval unless told otherwise", function()
    assert.is_true(make().approve)
    assert.is_false(make({ approve = false }).approve)
    local function ask() return "ask" end
    assert.equal(ask, make({ approve = ask }).approve)
  end)

  it("is never run beside another call", function()
    assert.is_true(make().sequential)
  end)
end)
