local options = require "rille.options"

local spec = {
  model = "string", limit = "number", count = "integer", tools = "table", strict = "boolean",
  run = "function", any = "any", input = { "string", "table" },
}


--- What the function raises, with the position, which luassert would take away.
local function raised(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  return err
end


--- A public function as the library writes them.
local function public(t)
  local checked = options.check(t, spec, "rille.agent")
  return checked
end


describe("options.check", function()
  it("returns the table", function()
    local t = { model = "m" }
    assert.equal(t, public(t))
  end)

  it("takes nil for no options", function()
    assert.same({}, public(nil))
  end)

  it("blames the caller for something else than a table", function()
    assert.matches("^spec/options_spec.lua:%d+: rille.agent: table of options expected, got string$",
      raised(function() public("m") end))
  end)

  it("blames the caller for an unknown key and names the nearest", function()
    assert.matches("^spec/options_spec.lua:%d+: rille.agent: unknown option 'modle'"
      .. " %(did you mean 'model'%?%)$", raised(function() public { modle = "m" } end))
  end)

  it("guesses nothing when nothing is near", function()
    assert.matches("^[^:]+:%d+: rille%.agent: unknown option 'zebra'$",
      raised(function() public { zebra = 1 } end))
  end)

  it("refuses entries of a list", function()
    assert.error_matches(function() public { "m" } end, "rille%.agent: unexpected entry %[1%]$")
  end)

  it("refuses other keys than texts", function()
    assert.error_matches(function() public { [true] = 1 } end, "unexpected entry %[true%]$")
  end)

  local wrong = {
    { "model", 5, "option 'model': string expected, got number" },
    { "limit", "5", "option 'limit': number expected, got string" },
    { "count", 1.5, "option 'count': integer expected, got number" },
    { "count", "1", "option 'count': integer expected, got string" },
    { "tools", "x", "option 'tools': table expected, got string" },
    { "strict", 1, "option 'strict': boolean expected, got number" },
    { "run", {}, "option 'run': function expected, got table" },
    { "input", 5, "option 'input': string or table expected, got number" },
  }
  for _, case in ipairs(wrong) do
    it(("refuses %s = %s"):format(case[1], tostring(case[2])), function()
      local ok, message = pcall(public, { [case[1]] = case[2] })
      assert.is_false(ok)
      assert.equal("rille.agent: " .. case[3], message:match("rille.*$"))
    end)
  end

  local callable = setmetatable({}, { __call = function() end })
  local right = {
    { "model", "" }, { "limit", 0.5 }, { "limit", 7 }, { "count", 3 }, { "count", 3.0 },
    { "tools", {} }, { "strict", false }, { "run", print }, { "run", callable },
    { "any", false }, { "any", print }, { "input", "x" }, { "input", {} },
  }
  for _, case in ipairs(right) do
    it(("takes %s = %s"):format(case[1], type(case[2])), function()
      assert.equal(case[2], public({ [case[1]] = case[2] })[case[1]])
    end)
  end

  it("takes list entries when the spec says so", function()
    local list_spec = { ["..."] = { "string", "number" }, cwd = "string" }
    local t = { "ls", 5, cwd = "/" }
    assert.equal(t, options.check(t, list_spec, "run"))
    assert.error_matches(function() options.check({ "ls", {} }, list_spec, "run") end,
      "run: entry %[2%]: string or number expected, got table$")
  end)

  it("does not take '...' itself for an option", function()
    assert.error_matches(function()
      options.check({ ["..."] = "x" }, { ["..."] = "string" }, "run")
    end, "unknown option '...'")
  end)

  it("blames the line that the level says", function()
    local here = debug.getinfo(1, "l").currentline
    local function inner() options.check({ x = 1 }, {}, "f", 1) end
    local function middle() options.check({ x = 1 }, {}, "f") end
    local function outer() middle() end
    local place = "^spec/options_spec.lua:%d: f: unknown option 'x'$"
    assert.matches(place:gsub("%%d", here + 1), raised(inner))
    assert.matches(place:gsub("%%d", here + 3), raised(outer))
  end)
end)

describe("options.nearest", function()
  local cases = {
    { "modle", { "mode", "model", "tools" }, "model" },
    { "max", { "max_bytes", "min_bytes" }, "max_bytes" },
    { "maxTokens", { "max_tokens", "max_turns" }, "max_tokens" },
    { "MODEL", { "model" }, "model" },
    { "timeout_seconds", { "timeout", "type" }, "timeout" },
    { "instruction", { "instructions", "name" }, "instructions" },
    { "get_wether", { "get_weather", "get_time" }, "get_weather" },
    { "spwan", { "spawn", "span" }, "spawn" },
    { "xy", { "model" }, nil },
    { "", { "model" }, nil },
    { "zebra", {}, nil },
    { "completely_different", { "model", "tools" }, nil },
  }
  for _, case in ipairs(cases) do
    it(("finds %s for '%s'"):format(tostring(case[3]), case[1]), function()
      assert.equal(case[3], options.nearest(case[1], case[2]))
    end)
  end

  it("takes the first in the alphabet of two equally near ones, whatever their order", function()
    assert.equal("cat", options.nearest("bat", { "hat", "cat" }))
    assert.equal("cat", options.nearest("bat", { "cat", "hat" }))
  end)

  it("does not think long about a huge word", function()
    assert.is_nil(options.nearest(("x"):rep(1e6), { "model" }))
    assert.is_nil(options.nearest("model", { ("x"):rep(1e6) }))
  end)

  it("takes nothing but texts", function()
    assert.is_nil(options.nearest(5, { "model" }))
    assert.is_nil(options.nearest(nil, { "model" }))
  end)
end)

describe("options.hint", function()
  it("is a question or nothing", function()
    assert.equal(" (did you mean 'model'?)", options.hint("modle", { "model" }))
    assert.equal("", options.hint("zebra", { "model" }))
  end)
end)

describe("options.names", function()
  it("lists the keys that are texts, sorted", function()
    assert.same({ "a", "b" }, options.names { b = 1, a = 1, [1] = 1, ["..."] = 1 })
  end)
end)

describe("options.is_callable", function()
  it("takes functions and objects with __call", function()
    assert.is_true(options.is_callable(print))
    assert.is_true(options.is_callable(setmetatable({}, { __call = print })))
    assert.is_false(options.is_callable({}))
    assert.is_false(options.is_callable("print"))
    assert.is_false(options.is_callable(nil))
    assert.is_false(options.is_callable(setmetatable({}, { __metatable = "locked" })))
  end)
end)
