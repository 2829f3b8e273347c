--- rille.confine: no path leads out of the root.
local confine = require "rille.confine"
local temporary = require "spec.support.temporary"
local uv = require "rille.uv"

--- A root with files, links that stay inside and links that lead out.
local function world()
  local outer = temporary.directory()
  outer.real = uv.fs_realpath(outer.path)
  assert(uv.fs_mkdir(outer.path .. "/root", 448))
  assert(uv.fs_mkdir(outer.path .. "/root/sub", 448))
  assert(uv.fs_mkdir(outer.path .. "/rootless", 448))
  outer.file("secret", "s")
  outer.file("root/a.txt", "a")
  outer.file("root/sub/b.txt", "b")
  outer.file("rootless/c.txt", "c")
  for name, target in pairs {
    ["in-file"] = "a.txt", ["in-directory"] = "sub", ["out-file"] = "../secret", ["out-directory"] = "..",
    ["out-absolute"] = "/etc", ["dangling-out"] = "../new", ["dangling-in"] = "new-file", loop = "loop",
    ["sub/up"] = "..", ["sub/upup"] = "../..",
  } do
    assert(uv.fs_symlink(target, outer.path .. "/root/" .. name))
  end
  return outer
end


local function resolve(outer, path)
  return confine.new(outer.path .. "/root"):resolve(path)
end


describe("rille.confine", function()
  it("gives the real path of what is inside", async(function()
    local outer <close> = world()
    local root = outer.real .. "/root"
    local rows = {
      { ".", "" }, { "", "" }, { "a.txt", "/a.txt" }, { "./a.txt", "/a.txt" }, { "sub/b.txt", "/sub/b.txt" },
      { "sub/../a.txt", "/a.txt" }, { "sub//b.txt", "/sub/b.txt" }, { "in-file", "/a.txt" },
      { "in-directory/b.txt", "/sub/b.txt" }, { "sub/up/a.txt", "/a.txt" }, { root .. "/a.txt", "/a.txt" }, { root, "" },
      { "sub/", "/sub" },
    }
    for _, row in ipairs(rows) do assert.equal(root .. row[2], (resolve(outer, row[1])), row[1]) end
  end))

  it("gives the path of what does not exist yet", async(function()
    local outer <close> = world()
    local root = outer.real .. "/root"
    assert.equal(root .. "/new", (resolve(outer, "new")))
    assert.equal(root .. "/x/y/z.txt", (resolve(outer, "x/y/z.txt")))
    assert.equal(root .. "/sub/new", (resolve(outer, "in-directory/new")))
    assert.equal(root .. "/new", (resolve(outer, "x/../new")))
  end))

  it("refuses what leads out", async(function()
    local outer <close> = world()
    for _, path in ipairs {
      "..", "../secret", "sub/../../secret", "/etc/passwd", "/", "out-file", "out-directory", "out-directory/secret",
      "out-directory/rootless/c.txt", "out-absolute/passwd", "out-absolute/new", "sub/upup/secret", "sub/upup/new",
      outer.path .. "/secret", outer.real .. "/rootless/c.txt", "../rootless/c.txt", "../root/../secret",
      "out-directory/new-file", "/proc/self/environ", "in-directory/../../secret",
    } do
      local real, failure = resolve(outer, path)
      assert.is_nil(real, path)
      assert.equal("permission", failure.code, path)
      assert.matches("is outside of the directory that is open to you", failure.message, 1, true)
    end
  end))

  it("does not tell what is outside", async(function()
    local outer <close> = world()
    local _, there = resolve(outer, "../secret")
    local _, missing = resolve(outer, "../nothing")
    assert.equal((there.message:gsub("secret", "x")), (missing.message:gsub("nothing", "x")))
  end))

  it("refuses links that lead nowhere", async(function()
    local outer <close> = world()
    for _, path in ipairs { "dangling-out", "dangling-in", "loop", "loop/x" } do
      local real, failure = resolve(outer, path)
      assert.is_nil(real, path)
      assert.is_string(failure.code)
    end
  end))

  it("refuses a path through a file", async(function()
    local outer <close> = world()
    local real, failure = resolve(outer, "a.txt/b")
    assert.is_nil(real)
    assert.equal("invalid_request", failure.code)
  end))

  it("refuses a NUL byte", async(function()
    local outer <close> = world()
    local real, failure = resolve(outer, "a.txt\0.png")
    assert.is_nil(real)
    assert.equal("invalid_request", failure.code)
  end))

  it("says that the root is not there", async(function()
    local outer <close> = world()
    local real, failure = confine.new(outer.path .. "/nothing"):resolve "a"
    assert.is_nil(real)
    assert.equal("not_found", failure.code)
  end))

  it("takes a root that is a link itself, and the paths below its name", async(function()
    local outer <close> = world()
    assert(uv.fs_symlink("root", outer.path .. "/alias"))
    local inside = confine.new(outer.path .. "/alias")
    assert.equal(outer.real .. "/root/a.txt", (inside:resolve "a.txt"))
    assert.equal(outer.real .. "/root/a.txt", (inside:resolve(outer.path .. "/alias/a.txt")))
    assert.is_nil((inside:resolve "../secret"))
  end))

  it("takes a root that is relative to the working directory", async(function()
    local inside = confine.new "spec"
    local here = uv.fs_realpath "spec"
    assert.equal(here .. "/confine_spec.lua", (inside:resolve "confine_spec.lua"))
    assert.is_nil((inside:resolve "../Makefile"))
  end))

  it("takes the whole file system where it is given", async(function()
    assert.equal(uv.fs_realpath "/etc", (confine.new("/"):resolve "/etc"))
    assert.equal("/", (confine.new("/"):resolve "../.."))
    assert.equal("/no-such-thing", (confine.new("/"):resolve "no-such-thing"))
  end))

  it("tells paths relative to the root", async(function()
    local outer <close> = world()
    local inside = confine.new(outer.path .. "/root")
    assert.equal("sub/b.txt", inside:relative(inside:resolve "in-directory/b.txt"))
    assert.equal(".", inside:relative(inside:resolve "."))
    assert.equal("/elsewhere", inside:relative "/elsewhere")
  end))

  it("works outside a task", function()
    local outer <close> = world()
    assert.equal(outer.real .. "/root/a.txt", (resolve(outer, "a.txt")))
  end)
end)
