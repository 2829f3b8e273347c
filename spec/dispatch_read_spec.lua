--- dispatch_read_spec.lua -- calls as most models write them, read in one step (core.read_calls): the same records as the
--- long way round, or none.
local agents = require "spec.support.agents"
local core = require "rille.core"
local json = require "rille.json"
local lookup = require "rille.dispatch.lookup"
local calls = require "rille.dispatch.calls"
local rille = require "rille"
local toolset = require "rille.agent.toolset"

local S <const> = rille.script

local weather = agents.tool("get_weather", function() end, {
  parameters = { { "city", "string" }, { "days", "integer", optional = true }, { "unit", { "c", "f" }, default = "c" } },
})
local now = agents.tool("now", function() end)
local sql = rille.tool { name = "sql", type = "custom", run = function() end }
local tools = toolset.new({ weather, now, sql }, "spec", 1)
local run = { tools = tools, ask = {} }

local function entry(name, arguments, id)
  return { id = id or "call_1", type = "function", ["function"] = { name = name, arguments = arguments } }
end

--- Reads a message, and finds the tools of its calls.
local function read(...)
  local message = { role = "assistant", tool_calls = json.array { ... } }
  local records = calls.read(message, tools)
  for _, record in ipairs(records) do lookup.find(run, record) end
  return records, message
end

--- The same without the short way: no tool has a shape.
local function read_long(...)
  local weather_shape, now_shape = weather._shape, now._shape
  weather._shape, now._shape = nil, nil
  local records, message = read(...)
  weather._shape, now._shape = weather_shape, now_shape
  return records, message
end

local function read_short(...)
  return core.read_calls(json.array { ... }, tools.by_name)
end

describe("core.read_calls", function()
  it("freezes arguments as the long way does, and keeps what the tool gets", function()
    local given = '{ "unit": "f", "city" : "Bos\\u0074on", "days": 2.0 }'
    local short, long = read_short(entry("get_weather", given))[1], read_long(entry("get_weather", given))[1]
    assert.equal('{"city":"Boston","days":2,"unit":"f"}', short.arguments)
    for _, name in ipairs { "arguments", "kind", "name", "id", "tool" } do assert.equal(long[name], short[name]) end
    assert.same({ city = "Boston", days = 2, unit = "f" }, short.decoded)
    assert.equal("integer", math.type(short.decoded.days))
  end)

  it("leaves the message as it is", function()
    local given = entry("get_weather", '{ "unit":"c", "city":"Oslo" }', "x")
    local records = read_short(given)
    assert.same(entry("get_weather", '{ "unit":"c", "city":"Oslo" }', "x"), given)
    assert.equal(given, records[1].wire)
  end)

  it("reads several calls in order", function()
    local records = read_short(entry("now", "{}", "a"), entry("get_weather", '{"city":"Rome","unit":"c"}', "b"), entry("now", "{}", "c"))
    local ids = {}
    for i, record in ipairs(records) do ids[i] = record.id end
    assert.equal("a b c", table.concat(ids, " "))
  end)

  it("gives nothing where anything is to be put right, filled in or refused", function()
    local good = '{"city":"Oslo","unit":"c"}'
    local without_id = entry("now", "{}")
    without_id.id = nil
    local without_type = entry("now", "{}")
    without_type.type = nil
    local lists = {
      {}, { entry("nope", "{}") }, { entry("get_weather", '{"city":"Oslo"}') }, { entry("get_weather", '{"city":5,"unit":"c"}') },
      { entry("get_weather", good, "") }, { entry("get_weather", good, 7) }, { entry("get_weather", good), entry("now", "{}") },
      { without_id }, { without_type }, { "text" }, { 5 }, { {} }, { { id = "a", type = "function", ["function"] = 5 } },
      { { id = "a", type = "function", ["function"] = { name = 5, arguments = "{}" } } }, { entry("now", nil) }, { entry("now", {}) },
      { entry("now", "") }, { entry("now", "null") }, { entry("now", "[]") }, { entry("now", '"{}"') }, { entry("now", "{") },
      { entry("now", '{"a":1,"a":2}') }, { { id = "a", type = "custom", custom = { name = "sql", input = "x" } } },
      { entry("sql", '{"input":"x"}') }, { entry("get_weather", '{"city":null,"unit":"c"}') },
      { entry("get_weather", ('{"unit":"c","city":"%s"}'):format(("x"):rep(1 << 20))) },
    }
    for i, list in ipairs(lists) do assert.is_nil(read_short(table.unpack(list)), "list " .. i) end
    assert.is_nil(core.read_calls(nil, tools.by_name))
    assert.is_nil(core.read_calls("calls", tools.by_name))
    assert.has_error(function() core.read_calls({}, nil) end)
  end)

  it("says nothing of more calls than a message may have", function()
    local many = {}
    for i = 1, 129 do many[i] = entry("now", "{}", "c" .. i) end
    assert.is_nil(read_short(table.unpack(many)))
    assert.equal(128, #read_short(table.unpack(many, 1, 128)))
    assert.matches("at most 128 calls", read(table.unpack(many))[129].problem)
  end)

  it("leaves nothing behind on the stack, however often it says no", function()
    for _ = 1, 300 do
      assert.is_nil(read_short(entry("now", "{}", "a"), entry("get_weather", '{"unit":"c","city":{"a":[1,[2,{"b":null}]]}}', "b")))
    end
  end)

  it("comes to the same as the long way, whatever the arguments are", function()
    local texts = { "{}", '{"city":"a"}', '{"city":"a","unit":"f"}', '{"city":"\\ud800","unit":"f"}', '{"unit":"x","city":"a"}',
      '{"city":"a","days":1e0,"unit":"c"}', '{"city":"a","days":1.5,"unit":"c"}', '{"city":"a","more":1,"unit":"c"}',
      ' {"unit":"c","days":-3,"city":"\\u0000é"}\n', '{"city":"a","days":null,"unit":"c"}' }
    for _, text in ipairs(texts) do
      read_short(entry("now", "{}"))
      local short, long = read(entry("get_weather", text))[1], read_long(entry("get_weather", text))[1]
      for _, name in ipairs { "arguments", "problem", "tool", "kind" } do assert.equal(long[name], short[name], text) end
      local wanted = not long.problem and core.json_decode(long.arguments, { nulls = false })
      if short.decoded and not short.problem then assert.is_true(core.same(wanted, short.decoded), text) end
    end
  end)
end)

describe("a tool whose calls were read in one step", function()
  --- Has a model call `take` with these arguments in three rounds: what the tool got, and how the run was told.
  local function converse(more)
    local got = {}
    local tool = agents.tool("take", function(args, context)
      got[#got + 1] = json.encode(args)
      args.list[1], args.extra = "spoiled", true
      assert.equal('{"list":["a"]}', json.encode(context.call.arguments))
    end, { parameters = { { "list", "array", items = "string" } } })
    local steps = {}
    for i = 1, 3 do steps[i] = S.call("take", { list = { "a" } }) end
    steps[4] = S.text "done"
    local options = { tools = { tool } }
    for key, value in pairs(more or {}) do options[key] = value end
    agents.reply(agents.new(steps, options))
    return table.concat(got, " ")
  end

  it("gets arguments of its own each time", async(function()
    assert.equal('{"list":["a"]} {"list":["a"]} {"list":["a"]}', converse())
  end))

  it("gets what was approved, whatever approval and handlers do to what they are shown", async(function()
    assert.equal('{"list":["a"]} {"list":["a"]} {"list":["a"]}', converse { on = {
      tool_call = function(event) event.call.arguments.list[1] = "other" end,
      message = function() end,
    } })
  end))

  it("gets the changed arguments when somebody changes them", async(function()
    local got
    local tool = agents.tool("take", function(args) got = args.n end, { parameters = { { "n", "integer" } }, approve = true })
    local agent = agents.new({ S.call("take", { n = 1 }), S.call("take", { n = 2 }), S.text "ok" }, { tools = { tool } })
    agents.reply(agent, "Go.", { on = { approval = function(event) event:approve { n = event.call.arguments.n + 10 } end } })
    assert.equal(12, got)
  end))

  it("is refused when another one was asked for", async(function()
    local tool = agents.tool("take", function() end)
    local other = agents.tool("other", function() error "never" end)
    local agent = agents.new({ S.call "other", S.call "other", S.text "ok" }, { tools = { tool, other } })
    agent.prepare = function(turn)
      if turn.number < 3 then return { tool_choice = { type = "function", ["function"] = { name = "take" } } } end
    end
    for _, result in ipairs(agents.results(agents.reply(agent).transcript)) do
      assert.equal("Error: 'take' was asked for, not 'other'", result)
    end
  end))
end)
