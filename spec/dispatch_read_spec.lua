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
local run = { ask = { tools = tools } }

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

describe("core.read_calls that completes", function()
  local tool = agents.tool("take", function() end, { parameters = {
    { "city", "string" }, { "days", "integer", optional = true }, { "unit", { "c", "f" }, default = "c" },
    { "most", "integer", default = 5, maximum = 9 }, { "loud", "boolean", default = false },
    { "near", "string", optional = true, nullable = true }, { "tags", "array", items = "string", optional = true },
    { "place", { { "x", "number" }, { "y", "number", default = 1.5 } }, optional = true },
  } })
  local odd = agents.tool("odd", function() end, { parameters = { type = "object", required = json.array { "must" }, properties = {
    must = { type = "string", default = "m" }, any = { default = "a" }, float = { type = "number", default = 1.0 },
    wrong = { type = "string", default = 5 }, list = { type = "array", default = json.array { 1 } },
    text = { type = { "string", "integer" } },
    bytes = { type = "string", default = "\xff" }, null = { type = { "null", "string" } },
    word = { enum = json.array { "a" }, default = "a" },
  } } })
  local both = toolset.new({ tool, odd }, "spec", 1)

  --- The record of a call, by the short way alone or by the long one alone; nil and the problem when there is none.
  local function record_of(name, text, is_long)
    local one = both.by_name[name]
    local made = one._shape
    assert.is_table(made)
    local message = { role = "assistant", tool_calls = json.array { entry(name, text) } }
    if is_long then one._shape = nil end
    local records = is_long and calls.read(message, both) or core.read_calls(message.tool_calls, both.by_name, true)
    one._shape = made
    if not records then return nil end
    lookup.find({ ask = { tools = both } }, records[1])
    return not records[1].problem and records[1] or nil, records[1].problem, message
  end

  it("puts in defaults and takes out nulls, as the long way does", function()
    local short, _, message = record_of("take", '{"city":"Oslo","days":null,"unit":null,"tags":null,"loud":true}')
    assert.equal('{"city":"Oslo","loud":true,"most":5,"unit":"c"}', assert(short).arguments)
    assert.same({ city = "Oslo", loud = true, most = 5, unit = "c" }, short.decoded)
    assert.same(entry("take", '{"city":"Oslo","days":null,"unit":null,"tags":null,"loud":true}'), message.tool_calls[1])
    assert.equal('{"city":"a","loud":false,"most":5,"unit":"c"}', record_of("take", '{"city":"a"}').arguments)
    assert.is_nil(core.read_calls(json.array { entry("take", '{"city":"a"}') }, both.by_name))
    assert.is_nil(record_of("take", '{"city":null}'))
    assert.is_nil(record_of("take", '{"city":"a","near":null}'))
    assert.is_nil(record_of("take", '{"city":"a","place":{"x":1}}'))
    assert.is_nil(record_of("take", '{"city":"a","most":10}'))
    assert.is_nil(record_of("take", '{"city":"a","more":null}'))
    local given = '{"bytes":"b","float":1.5,"list":[],"must":"a","wrong":"w"%s}'
    assert.equal('{"any":"a","bytes":"b","float":1.5,"list":[],"must":"a","word":"a","wrong":"w"}',
      record_of("odd", given:format "").arguments)
    assert.is_nil(record_of("odd", given:format ',"any":null'))   -- a value of its own
  end)

  it("comes to the same as the long way, or to nothing", function()
    local values <const> = {
      city = { '"a"', "null", '"a"' }, days = { "1", "null", "2.0" }, unit = { '"f"', "null", '"x"' }, most = { "1", "null", "99" },
      loud = { "true", "null", "1" }, near = { '"n"', "null" }, tags = { "[]", "null", '["a"]', "[null]" },
      place = { '{"x":1,"y":2}', "null", '{"x":1}', '{"x":1,"y":null}' }, more = { "1", "null" },
      must = { '"a"', '"b"', "null" }, any = { "1", "null", "[]" }, float = { "1.5", "null", "2" }, wrong = { '"a"', "null" },
      list = { "[]", "null" }, text = { '"a"', "1", "null" }, bytes = { '"b"', '"b"' }, null = { "null" }, word = { '"a"', "null" },
    }
    local names <const> = { take = { "city", "days", "unit", "most", "loud", "near", "tags", "place", "more" },
      odd = { "must", "any", "float", "wrong", "list", "text", "bytes", "null", "word" } }
    local state, seen = 7, { take = 0, odd = 0 }
    local function roll(n)
      state = (state * 1664525 + 1013904223) % 4294967296
      return state * n // 4294967296 + 1
    end
    for i = 1, 600 do
      local name, members = i % 2 == 0 and "take" or "odd", {}
      for at, member in ipairs(names[name]) do
        local list = values[member]
        if roll(10) <= (at == 1 and 9 or name == "odd" and 8 or 4) then
          members[#members + 1] = ('"%s":%s'):format(member, list[roll(4) < 4 and 1 or roll(#list)])
        end
      end
      local text = "{" .. table.concat(members, ",") .. "}"
      local short, long = record_of(name, text), record_of(name, text, true)
      if short then
        seen[name] = seen[name] + 1
        assert.equal(assert(long, text).arguments, short.arguments, text)
        assert.is_true(core.same(core.json_decode(long.arguments, { nulls = false }), short.decoded), text)
      end
    end
    assert.is_true(seen.take > 30 and seen.odd > 10, seen.take .. " " .. seen.odd)
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
