local toolbox = require "spec.support.toolbox"
local uv = require "rille.uv"

local make = toolbox.load "list_files"

local files <const> = {
  ["b.txt"] = "", ["a.lua"] = "", ["sub/c.lua"] = "", ["sub/deep/d.lua"] = "", [".git/config"] = "",
  ["node_modules/x/y.js"] = "", ["empty/"] = "",
}


describe("tools/list_files", function()
  it("lists a directory, sorted, directories with a slash", async(function()
    local directory <close> = toolbox.directory(files)
    assert.equal(".git/\na.lua\nb.txt\nempty/\nnode_modules/\nsub/", toolbox.call(make { root = directory.path }))
  end))

  it("lists deeper where asked, but not .git and node_modules", async(function()
    local directory <close> = toolbox.directory(files)
    local tool = make { root = directory.path }
    assert.equal(".git/\na.lua\nb.txt\nempty/\nnode_modules/\nsub/\nsub/c.lua\nsub/deep/",
      toolbox.call(tool, { depth = 2 }))
    assert.equal("c.lua\ndeep/\ndeep/d.lua", toolbox.call(tool, { path = "sub", depth = 5 }))
  end))

  it("keeps out of the directories that it was told", async(function()
    local directory <close> = toolbox.directory(files)
    assert.equal(".git/\n.git/config\na.lua\nb.txt\nempty/\nnode_modules/\nnode_modules/x/\nsub/",
      toolbox.call(make { root = directory.path, skip = { "sub" } }, { depth = 2 }))
  end))

  it("lists only names like the one given", async(function()
    local directory <close> = toolbox.directory(files)
    assert.equal("a.lua\nsub/c.lua\nsub/deep/d.lua",
      toolbox.call(make { root = directory.path }, { depth = 9, name = "*.lua" }))
  end))

  it("says that there is nothing", async(function()
    local directory <close> = toolbox.directory(files)
    local tool = make { root = directory.path }
    assert.equal("(nothing)", toolbox.call(tool, { path = "empty" }))
    assert.equal("(nothing)", toolbox.call(tool, { name = "*.zig" }))
  end))

  it("stops after max_entries", async(function()
    local directory <close> = toolbox.directory(files)
    assert.equal(".git/\na.lua\n(only the first 2 are listed)",
      toolbox.call(make { root = directory.path, max_entries = 2 }))
  end))

  it("does not follow links", async(function()
    local directory <close> = toolbox.directory(files)
    assert(uv.fs_symlink("..", directory.path .. "/sub/up"))
    assert.equal("c.lua\ndeep/\ndeep/d.lua\nup", toolbox.call(make { root = directory.path }, { path = "sub", depth = 9 }))
  end))

  it("says why a directory cannot be listed", async(function()
    local directory <close> = toolbox.directory(files)
    local tool = make { root = directory.path }
    local result, reason = toolbox.call(tool, { path = "nowhere" })
    assert.is_nil(result)
    assert.equal("not_found", reason.code)
    result, reason = toolbox.call(tool, { path = "a.lua" })
    assert.is_nil(result)
    assert.equal("invalid_request", reason.code)
    result, reason = toolbox.call(tool, { path = ".." })
    assert.is_nil(result)
    assert.equal("permission", reason.code)
  end))
end)
