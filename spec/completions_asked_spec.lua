--- completions_asked_spec.lua -- what is asked again is not made again, and nobody can tell.
local completions = require "rille.completions"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local fake_wire = require "spec.support.fake_wire"
local json = require "rille.json"
local rille = require "rille"
local world = require "spec.support.world"

local HELLO <const> = { { role = "user", content = "Hello" } }


describe("rille.chat.completions.create, asked again", function()
  local wire, restore, plans

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    wire = fake_wire.install { default = { completion = { choices = {} } } }
    plans = 0
    local plan = core.chat_plan
    core.chat_plan = function(...)
      plans = plans + 1
      return plan(...)
    end
  end)

  after_each(function()
    wire.restore()
    restore()
    endpoint.reset()
  end)

  local function tool(name)
    return { type = "function", ["function"] = { name = name, parameters = { type = "object", properties = {} } } }
  end

  --- Parameters and options as a program writes them anew for each call.
  local function written()
    return { model = "m", messages = HELLO, temperature = 1, stop = { "a" }, tools = { tool "f" } },
      { base_url = "http://localhost:9/v1", api_key = "k", headers = { ["X-A"] = "1" }, extra = { deep = { 1 } } }
  end

  it("settles once what says the same", async(function()
    for i = 1, 3 do
      local params, options = written()
      params.messages = { { role = "user", content = tostring(i) } }
      assert(completions.create(params, options))
      assert.equal(tostring(i), wire.sent[i].body.messages[1].content)
      assert.equal(wire.sent[1].settings.tail, wire.sent[i].settings.tail)
    end
    assert.equal(1, plans)
  end))

  local changes <const> = {
    ["a parameter"] = { function(p) p.temperature = 0 end, function(body) return body.temperature == 0 end },
    ["a list"] = { function(p) p.stop[1] = "b" end, function(body) return body.stop[1] == "b" end },
    ["the model"] = { function(p) p.model = "n" end, function(body) return body.model == "n" end },
    ["a tool"] = { function(p) p.tools[1]["function"].name = "g" end,
      function(body) return body.tools[1]["function"].name == "g" end },
    ["a tool more"] = { function(p) p.tools[2] = tool "g" end, function(body) return #body.tools == 2 end },
    ["no tools"] = { function(p) p.tools = nil end, function(body) return body.tools == nil end },
    ["an extra member"] = { function(_, o) o.extra.deep[2] = 2 end, function(body) return body.deep[2] == 2 end },
    ["a header"] = { function(_, o) o.headers["X-A"] = "2" end,
      function(_, settings) return table.concat(settings.headers, "\n"):find "x%-a: 2" end },
    ["the server"] = { function(_, o) o.base_url = "http://localhost:10/v1" end,
      function(_, settings) return settings.url == "http://localhost:10/v1/chat/completions" end },
    ["a stream"] = { function(p) p.stream = true end, function(body) return body.stream == true end },
  }
  for what, case in pairs(changes) do
    it("sends what is changed in place: " .. what, async(function()
      local params, options = written()
      assert(completions.create(params, options))
      case[1](params, options)
      assert(completions.create(params, options))
      assert.truthy(case[2](wire.sent[2].body, wire.sent[2].settings))
      assert.equal(2, plans)
    end))
  end

  it("keeps few wishes", async(function()
    for i = 1, 20 do
      local params, options = written()
      params.seed = i % 10
      assert(completions.create(params, options))
      assert.equal(i % 10, wire.sent[i].body.seed)
    end
    assert.equal(20, plans)
  end))

  it("takes tools of ours, too", async(function()
    local ours = rille.tool { name = "f", description = "F.", run = print }
    for _ = 1, 2 do assert(completions.create { model = "ollama:m", messages = HELLO, tools = { ours } }) end
    assert.equal("f", wire.sent[2].body.tools[1]["function"].name)
    assert.equal(1, plans)
  end))

  it("tells each caller about its own retries", async(function()
    wire.restore()
    local again <const> = { status = 500, headers = { ["retry-after"] = "0" } }
    local good <const> = { completion = { choices = {} } }
    wire = fake_wire.install { again, good, again, good }
    local told = {}
    for i = 1, 2 do
      local params, options = written()
      options.on_retry = function() told[#told + 1] = i end
      assert(completions.create(params, options))
    end
    assert.same({ 1, 2 }, told)
  end))

  it("still raises for what is wrong", async(function()
    assert(completions.create(written()))
    local mistakes <const> = {
      ["on_retry"] = function(_, o) o.on_retry = 5 end,
      ["unknown option 'params'"] = function(_, o) o.params = {} end,
      ["unknown option 'stream'"] = function(_, o) o.stream = false end,
      ["tools: list expected"] = function(p) p.tools = 5 end,
      ["tools%[2%]: table expected"] = function(p) p.tools[2] = "f" end,
      ["stream: boolean expected"] = function(p) p.stream = "no" end,
      ["temperature: NaN"] = function(p) p.temperature = 0 / 0 end,
      ["messages: list expected"] = function(p) p.messages = nil end,
    }
    for what, make in pairs(mistakes) do
      for _ = 1, 2 do
        local params, options = written()
        make(params, options)
        local ok, message = pcall(completions.create, params, options)
        assert.is_false(ok)
        assert.matches(what, message)
      end
    end
  end))
end)


describe("core.snapshot", function()
  it("copies tables and what marks them", function()
    local value = { 1, 2.5, "a", true, core.null, { deep = { print } }, list = json.array {}, object = json.object {},
      ordered = json.object { { "b", 1 }, { "a", 2 } }, absent = json.absent }
    local copy = core.snapshot(value)
    assert.is_true(core.same(value, copy))
    assert.not_equal(value, copy)
    assert.not_equal(value[6].deep, copy[6].deep)
    assert.equal('{"b":1,"a":2}', json.encode(copy.ordered))
    assert.equal("[]", json.encode(copy.list))
    assert.equal(json.absent, copy.absent)
    for _, plain in ipairs { 1, "a", false, print } do assert.equal(plain, core.snapshot(plain)) end
    assert.is_nil(core.snapshot(nil))
  end)

  it("copies no objects, and ends in what holds itself", function()
    assert.is_nil(core.snapshot(setmetatable({}, {})))
    assert.is_nil(core.snapshot { a = { b = setmetatable({}, { __index = {} }) } })
    assert.is_nil(core.snapshot { HELLO, setmetatable({}, { __jsontype = "other" }) })
    local endless = {}
    endless.self = endless
    assert.is_nil(core.snapshot(endless))
    assert.has_error(function() core.snapshot() end)
  end)
end)
