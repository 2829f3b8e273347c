--- lazy_spec.lua -- modules that are loaded when they are first needed.
local lazy = require "rille.lazy"
local program = require "spec.support.program"
local source = require "spec.support.source"

local NAME <const> = "spec.lazy_sample"   -- of a module that only these specs know

describe("a stand-in", function()
  local loads

  before_each(function()
    loads = 0
    package.preload[NAME] = function()
      loads = loads + 1
      return { number = 7, twice = function(n) return 2 * n end }
    end
  end)

  after_each(function()
    package.preload[NAME], package.loaded[NAME] = nil, nil
  end)

  it("loads nothing", function()
    lazy(NAME)
    assert.equal(0, loads)
    assert.is_nil(package.loaded[NAME])
  end)

  it("loads the module when a member is asked for, once", function()
    local sample = lazy(NAME)
    assert.equal(7, sample.number)
    assert.equal(6, sample.twice(3))
    assert.is_nil(sample.absent)
    assert.equal(1, loads)
  end)

  it("is the same module for all who ask", function()
    assert.equal(lazy(NAME).twice, lazy(NAME).twice)
    assert.equal(require(NAME).twice, lazy(NAME).twice)
    assert.equal(1, loads)
  end)

  it("sees what is changed in the module later", function()
    local sample = lazy(NAME)
    assert.equal(7, sample.number)
    require(NAME).number = 8
    assert.equal(8, sample.number)
  end)

  it("loads the module also where a program has put something else in the place of require", function()
    local sample, own = lazy(NAME), require
    _G.require = nil
    local ok, number = pcall(function() return sample.number end)
    _G.require = own
    assert.same({ true, 7 }, { ok, number })
  end)

  it("tries again when the module could not be loaded", function()
    local whole = package.preload[NAME]
    package.preload[NAME] = function() error("not enough memory", 0) end
    local sample = lazy(NAME)
    assert.error_matches(function() return sample.number end, "not enough memory")
    package.preload[NAME] = whole
    assert.equal(7, sample.number)
  end)

  it("raises for a module that is not there, with its name", function()
    assert.error_matches(function() return lazy("rille.nothing_like_it").member end, "rille%.nothing_like_it")
  end)
end)


describe("the library", function()
  --- The modules that some line of lua/rille names after `lazy`: name → path of the file.
  local function named()
    local names = {}
    for _, path in ipairs(source.files("lua/rille", "%.lua$")) do
      for name in source.read(path):gsub("%-%-[^\n]*", ""):gmatch '%f[%w_]lazy "(rille[%w_.]*)"' do names[name] = path end
    end
    return names
  end

  it("asks only for modules that are tables", function()
    local count = 0
    for name, path in pairs(named()) do
      assert.is_table(require(name), path)
      count = count + 1
    end
    assert.is_true(count > 5)
  end)

  it("tells editors what they hold", function()
    for _, path in ipairs(source.files("lua/rille", "%.lua$")) do
      for _, line in ipairs(source.lines(path)) do
        local name, rest = line:match '^local [%w_]+ = lazy "(rille[%w_.]*)"(.*)'
        if name then assert.equal(('   ---@module "%s"'):format(name), rest, path) end
      end
    end
  end)

  it("has an answer with a tool call without any of them", async(function()
    local result = program.run { "-e", [[
      local rille = require "rille"
      local say <const> = rille.tool { name = "say", parameters = { { "word", "string" } }, run = function(args) return args.word end }
      local agent = rille.agent { model = rille.script { rille.script.call("say", { word = "moon" }), rille.script.text("done") },
        tools = { say } }
      assert(agent:run("go").text == "done")
      for name in pairs(package.loaded) do print(name) end
    ]] }
    assert.equal("", result.stderr)
    local loaded = {}
    for name in result.stdout:gmatch "[^\n]+" do loaded[name] = true end
    assert.is_true(loaded["rille.agent"])
    for name, path in pairs(named()) do assert.is_nil(loaded[name], path .. " → " .. name) end
  end))
end)
