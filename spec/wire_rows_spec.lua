--- wire_rows_spec.lua -- no row of the quirk table without a file or a spec that shows it.
---
--- The responses stand in spec/fixtures; README.md beside them says which file shows which row. The requests have specs
--- that name their row; those that are about something other than bytes are looked at here.
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local heal = require "rille.heal"
local rille = require "rille"
local source = require "spec.support.source"
local world = require "spec.support.world"

local README <const> = "spec/fixtures/wire/README.md"
local ROWS <const> = { T = 27, C = 26, F = 24, E = 18 }
local REQUEST_ROWS <const> = 35


--- row → names of files, from the tables of the README.
local function read_tables()
  local rows = {}
  for row, files in source.read(README):gmatch "\n| (%S+) | [^|\n]* | ([^|\n]*) |" do
    local names = {}
    for name in files:gmatch "`([%w_/]+)`" do names[#names + 1] = name end
    if #names > 0 then rows[row] = names end
  end
  return rows
end


local function exists(name)
  local path = name:find "^echo/" and "spec/fixtures/" .. name .. ".json" or "spec/fixtures/wire/" .. name .. ".expected.json"
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end


describe("the quirk table", function()
  local rows = read_tables()

  for letter, count in pairs(ROWS) do
    it("has a file for every row " .. letter, function()
      for i = 1, count do assert(rows[letter .. i], letter .. i .. " has no file") end
    end)
  end

  it("names files that are there", function()
    for row, names in pairs(rows) do
      for _, name in ipairs(names) do assert(exists(name), row .. ": " .. name) end
    end
  end)

  it("names every file that is there", function()
    local named = {}
    for _, names in pairs(rows) do
      for _, name in ipairs(names) do named[name] = true end
    end
    for _, path in ipairs(source.files("spec/fixtures/wire", "%.expected%.json$")) do
      local name = path:match "([%w_]+)%.expected%.json$"
      assert(named[name], name .. " stands for nothing")
    end
    for _, path in ipairs(source.files("spec/fixtures/echo", "%.json$")) do
      assert(named["echo/" .. path:match "([%w_]+)%.json$"], path)
    end
  end)

  it("has a spec that names every row of the request side", function()
    local titles = {}
    for _, path in ipairs(source.files("spec", "_spec%.lua$")) do
      for line in source.read(path):gmatch "[^\n]+" do
        if line:find "^%s*it%(" then titles[#titles + 1] = line end
      end
    end
    local all = table.concat(titles, "\n")
    for i = 1, REQUEST_ROWS do
      assert(all:find("%f[%w]R" .. i .. "%f[%W]"), "no spec names R" .. i)
    end
  end)
end)


describe("row", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function() restore() end)

  it("R24: a tool that servers would refuse is refused when it is made", function()
    local function make(name) return rille.tool { name = name, run = print } end
    for _, name in ipairs { "a.b", "1st", "", "a b", ("n"):rep(65), "größe" } do
      assert.has_error(function() make(name) end, nil, name)
    end
    for _, name in ipairs { "a", "_a-1", ("n"):rep(64) } do assert.equal(name, make(name).name) end
  end)

  it("R27: a model without tools is told of, not asked without them", async(function()
    local asked = 0
    local model = rille.script { loop = true, function()
      asked = asked + 1
      return rille.script.failure { status = 400, message = "registry.ollama.ai/library/gemma does not support tools" }
    end }
    local completion, failure = chat.complete {
      model = model, messages = core.transcript { { role = "user", content = "x" } },
      tools = { rille.tool { name = "f", run = print } },
    }
    assert.is_nil(completion)
    assert.equal("invalid_request", failure.code)
    assert.matches("does not support tools", failure.message)
    assert.equal(1, asked)
  end))

  it("R28: what Anthropic's endpoint ignores is written down", function()
    local line = source.read("docs/providers.md"):match "\n(| `anthropic`[^\n]*)"
    for _, word in ipairs { "system", "`n`", "`strict`", "`response_format`", "`seed`", "penalties" } do
      assert.truthy(line:find(word, 1, true), word)
    end
  end)
end)
