--- rille.glob: shell patterns for names.
local glob = require "rille.glob"


describe("rille.glob.name", function()
  local rows = {
    { "*.lua", { "a.lua", ".lua", "a.b.lua" }, { "a.luac", "lua", "alua", "a.lua.bak" } },
    { "*", { "", "anything", "a.b" }, {} },
    { "a?c", { "abc", "a.c" }, { "ac", "abbc" } },
    { "*test*", { "test", "a_test.lua" }, { "tes" } },
    { "a[b]", { "a[b]" }, { "ab" } },
    { "100%.txt", { "100%.txt" }, { "100xtxt" } },
    { "a-b+(c)^$", { "a-b+(c)^$" }, { "ab" } },
    { "ü*", { "über" }, { "uber" } },
    { "", { "" }, { "a" } },
  }

  it("knows * and ? and takes the rest as it is", function()
    for _, row in ipairs(rows) do
      local fits = glob.name(row[1])
      for _, name in ipairs(row[2]) do assert.is_true(fits(name), row[1] .. " / " .. name) end
      for _, name in ipairs(row[3]) do assert.is_false(fits(name), row[1] .. " / " .. name) end
    end
  end)

  it("takes every name without a pattern", function()
    assert.is_true(glob.name(nil) "anything")
  end)
end)


describe("rille.glob.skip", function()
  it("keeps out of .git and node_modules", function()
    local enter = glob.skip()
    assert.is_false(enter { name = ".git" })
    assert.is_false(enter { name = "node_modules" })
    assert.is_true(enter { name = "src" })
  end)

  it("keeps out of the names it was given", function()
    local enter = glob.skip { "build" }
    assert.is_false(enter { name = "build" })
    assert.is_true(enter { name = ".git" })
  end)
end)
