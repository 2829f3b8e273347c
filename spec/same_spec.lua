--- same_spec.lua -- core.same: do two values say the same? And core.environment_says: does the environment still?
local core = require "rille.core"
local json = require "rille.json"
local uv = require "rille.uv"


--- A list in a list in a list …
local function nested(levels)
  local value = {}
  for _ = 2, levels do value = { value } end
  return value
end


describe("core.same", function()
  it("compares what is no table by itself", function()
    for _, value in ipairs { 1, 1.5, "a", ("long"):rep(50), true, false, print, core.null } do
      assert.is_true(core.same(value, value), tostring(value))
    end
    assert.is_true(core.same(nil, nil))
    assert.is_true(core.same(("long"):rep(50), ("lo" .. "ng"):rep(50)))
    for _, pair in ipairs { { 1, 2 }, { 1, "1" }, { "a", "b" }, { true, false }, { print, error }, { 0, false }, { {}, "" } } do
      assert.is_false(core.same(pair[1], pair[2]))
      assert.is_false(core.same(pair[2], pair[1]))
    end
    assert.is_false(core.same(nil, false))
    assert.is_false(core.same(0 / 0, 0 / 0))
  end)

  it("tells an integer from a float, as JSON does", function()
    assert.is_false(core.same(1, 1.0))
    assert.is_false(core.same({ 2 ^ 60 }, { 1 << 60 }))
  end)

  it("compares tables by what they hold", function()
    assert.is_true(core.same({}, {}))
    assert.is_true(core.same({ 1, { a = { "x", [3] = true } } }, { 1, { a = { "x", [3] = true } } }))
    for _, pair in ipairs {
      { { 1 }, { 1, 2 } }, { { a = 1 }, { b = 1 } }, { { a = 1 }, { a = 1, b = 2 } }, { { a = { b = 1 } }, { a = { b = 2 } } },
      { { a = {} }, { a = false } }, { { false }, {} },
    } do
      assert.is_false(core.same(pair[1], pair[2]))
      assert.is_false(core.same(pair[2], pair[1]))
    end
  end)

  it("tells tables with different metatables apart", function()
    assert.is_true(core.same(json.array {}, json.array {}))
    assert.is_false(core.same(json.array {}, {}))
    assert.is_false(core.same({}, json.object {}))
    assert.is_false(core.same(json.array {}, json.object {}))
    assert.is_true(core.same(json.absent, json.absent))
    assert.is_false(core.same(json.absent, {}))
  end)

  it("calls no metamethod", function()
    local function fail() error "called" end
    local strange = { __eq = fail, __index = fail, __pairs = fail, __len = fail, __metatable = "none" }
    assert.is_true(core.same(setmetatable({ 1 }, strange), setmetatable({ 1 }, strange)))
    assert.is_false(core.same(setmetatable({ 1 }, strange), setmetatable({ 2 }, strange)))
    assert.is_false(core.same({ a = 1 }, setmetatable({}, { __index = { a = 1 } })))
  end)

  it("ends in tables that hold themselves, and in very deep ones", function()
    local one, other = {}, {}
    one.self, other.self = one, other
    assert.is_false(core.same(one, other))
    assert.is_true(core.same(one, one))
    assert.is_true(core.same(nested(128), nested(128)))
    assert.is_false(core.same(nested(200), nested(200)))
  end)

  it("wants two values", function()
    assert.has_error(function() core.same(1) end)
  end)
end)


describe("core.environment_says", function()
  local NAME <const> = "RILLE_SAME_SPEC"

  after_each(function() uv.os_unsetenv(NAME) end)

  it("compares variables with what was noted", function()
    assert.is_true(core.environment_says {})
    assert.is_true(core.environment_says { [NAME] = false })
    assert.is_false(core.environment_says { [NAME] = "a" })
    uv.os_setenv(NAME, "a")
    assert.is_true(core.environment_says { [NAME] = "a" })
    for _, other in ipairs { "b", "aa", "", false } do assert.is_false(core.environment_says { [NAME] = other }) end
    assert.is_false(core.environment_says { [NAME] = "b", PATH = os.getenv "PATH" })
    assert.is_true(core.environment_says { [NAME] = "a", PATH = os.getenv "PATH", RILLE_NO_SUCH_THING = false })
  end)

  it("takes an empty variable for none", function()
    uv.os_setenv(NAME, "")
    assert.is_true(core.environment_says { [NAME] = false })
  end)

  it("wants names", function()
    assert.has_error(function() core.environment_says() end)
    assert.has_error(function() core.environment_says { "a" } end)
  end)

  it("is what notes of the configuration ask, unless a script answers for the environment", function()
    local config = require "rille.config"
    local notes
    do
      local taken <close> = config.take_notes()
      config.env(NAME)
      notes = taken
    end
    assert.is_true(notes:hold())
    uv.os_setenv(NAME, "a")
    assert.is_false(notes:hold())
    local before = os.getenv
    rawset(os, "getenv", function() return nil end)
    local holds = notes:hold()
    rawset(os, "getenv", before)
    assert.is_true(holds)
  end)

  it("is not what they ask where a script answered from the beginning", async(function()
    local result = require("spec.support.interpreter").run [[
      local variables = {}
      os.getenv = function(name) return variables[name] end
      local config = require "rille.config"
      local notes
      do
        local taken <close> = config.take_notes()
        config.env "RILLE_SAME_SPEC"
        notes = taken
      end
      local before = notes:hold()
      variables.RILLE_SAME_SPEC = "a"
      print(before, notes:hold())
    ]]
    assert.equal("true\tfalse\n", result.stdout, result.stderr)
  end))
end)
