local agents = require "spec.support.agents"
local calls = require "rille.dispatch.calls"
local json = require "rille.json"
local toolset = require "rille.agent.toolset"

local tools = toolset.new({
  agents.tool("get_weather", function() end), agents.tool("now", function() end),
}, "spec", 1)

--- A call as it stands in a message.
local function entry(name, arguments, more)
  local made = { id = "call_1", type = "function", ["function"] = { name = name, arguments = arguments } }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

--- Reads a message of these calls: the records and the message.
local function read(...)
  local message = { role = "assistant", tool_calls = { ... } }
  return calls.read(message, tools), message
end

describe("rille.dispatch.calls", function()
  it("keeps the bytes of valid arguments", function()
    local given = '{ "city" : "Bos\\u0074on", "n": 1.50 }'
    local records, message = read(entry("get_weather", given))
    assert.equal(given, message.tool_calls[1]["function"].arguments)
    assert.equal("Boston", records[1].decoded.city)
    assert.is_nil(records[1].problem)
  end)

  it("reads no arguments as an empty object, however they are written", function()
    for _, given in ipairs { "", "  ", "null", " null\n", "{}" } do
      local records, message = read(entry("now", given))
      assert.is_nil(records[1].problem)
      assert.is_table(json.decode(message.tool_calls[1]["function"].arguments))
    end
    local records, message = read { id = "a", type = "function", ["function"] = { name = "now" } }
    assert.same({}, records[1].decoded)
    assert.equal("{}", message.tool_calls[1]["function"].arguments)
  end)

  it("stores {} for arguments that are no JSON, and quotes them in the problem", function()
    local records, message = read(entry("get_weather", '{"city":"Os'))
    assert.equal("{}", message.tool_calls[1]["function"].arguments)
    assert.matches("not valid JSON", records[1].problem)
    assert.matches('{"city":"Os', records[1].problem, 1, true)
  end)

  it("shortens wrong arguments that are long, without cutting a character", function()
    local records = read(entry("get_weather", '{"city":"' .. ("ü"):rep(500)))
    assert.is_truthy(utf8.len(records[1].problem))
    assert.is_true(#records[1].problem < 400)
    assert.matches("1009 bytes", records[1].problem)
  end)

  it("refuses JSON that is no object", function()
    for _, given in ipairs { "[1]", "3", "true", '"text"' } do
      local records, message = read(entry("now", given))
      assert.matches("must be a JSON object", records[1].problem)
      assert.equal("{}", message.tool_calls[1]["function"].arguments)
    end
  end)

  it("refuses the same key twice", function()
    local records = read(entry("get_weather", '{"city":"Oslo","city":"Rome"}'))
    assert.is_string(records[1].problem)
  end)

  it("reads an object that was encoded twice", function()
    local records, message = read(entry("get_weather", '"{\\"city\\":\\"Oslo\\"}"'))
    assert.equal("Oslo", records[1].decoded.city)
    assert.equal('{"city":"Oslo"}', message.tool_calls[1]["function"].arguments)
  end)

  it("takes an object in the place of its text", function()
    local _, message = read(entry("get_weather", { city = "Oslo" }))
    assert.equal('{"city":"Oslo"}', message.tool_calls[1]["function"].arguments)
  end)

  it("refuses arguments beyond a megabyte", function()
    local records = read(entry("get_weather", '{"city":"' .. ("x"):rep(1 << 20) .. '"}'))
    assert.matches("too long", records[1].problem)
  end)

  describe("ids", function()
    it("are kept when they are good", function()
      local records = read(entry("now", "{}", { id = "call_abc" }))
      assert.equal("call_abc", records[1].id)
    end)

    it("are made when they are missing, empty or no text", function()
      local without = entry("now", "{}")
      without.id = nil
      local records, message = read(without, entry("now", "{}", { id = "" }), entry("now", "{}", { id = 7 }))
      local seen = {}
      for i, record in ipairs(records) do
        assert.matches("^%w%w%w%w%w%w%w%w%w$", record.id)
        assert.equal(record.id, message.tool_calls[i].id)
        assert.is_nil(seen[record.id])
        seen[record.id] = true
      end
    end)

    it("are made anew for the second of two equal ones", function()
      local records = read(entry("now", "{}", { id = "x" }), entry("now", "{}", { id = "x" }))
      assert.equal("x", records[1].id)
      assert.matches("^%w+$", records[2].id)
      assert.not_equal("x", records[2].id)
    end)
  end)

  describe("names", function()
    it("that no server would take back are stored in a form that all do", function()
      for given, stored in pairs {
        ["../../etc"] = "______etc", ["a b"] = "a_b", [""] = "unnamed", ["naïve"] = "na__ve",
        [("n"):rep(90)] = ("n"):rep(64), ["\27[2J"] = "__2J",
      } do
        local records, message = read(entry(given, "{}"))
        assert.equal(stored, message.tool_calls[1]["function"].name)
        assert.equal(given, records[1].name)
      end
    end)

    it("with the prefix of the old API mean the tool", function()
      local records, message = read(entry("functions.get_weather", "{}"), entry("function:now", "{}"))
      assert.equal("get_weather", records[1].name)
      assert.equal("now", records[2].name)
      assert.equal("get_weather", message.tool_calls[1]["function"].name)
    end)

    it("with a prefix before no tool stay as they are", function()
      local records = read(entry("functions.nope", "{}"))
      assert.equal("functions.nope", records[1].name)
    end)

    it("that are no text at all are survived", function()
      local records = read({ id = "a", type = "function", ["function"] = { name = 5 } }, { id = "b", type = "function" })
      assert.equal(2, #records)
      assert.equal("", records[1].name)
    end)
  end)

  describe("multi_tool_use.parallel", function()
    local wrapped <const> = '{"tool_uses":[{"recipient_name":"functions.get_weather","parameters":{"city":"Oslo"}},'
      .. '{"recipient_name":"functions.now","parameters":{}}]}'

    it("is unwrapped into the calls that it holds", function()
      local records, message = read(entry("multi_tool_use.parallel", wrapped, { id = "w" }))
      assert.same({ "get_weather", "now" }, { records[1].name, records[2].name })
      assert.equal("Oslo", records[1].decoded.city)
      assert.equal(2, #message.tool_calls)
      assert.not_equal(records[1].id, records[2].id)
    end)

    it("keeps the order among other calls", function()
      local records = read(entry("now", "{}", { id = "1" }), entry("multi_tool_use_parallel", wrapped, { id = "2" }),
        entry("now", "{}", { id = "3" }))
      assert.equal(4, #records)
      assert.same({ "1", "3" }, { records[1].id, records[4].id })
    end)

    it("is an unknown tool when it holds nothing that could be unwrapped", function()
      for _, given in ipairs { "{}", '{"tool_uses":[]}', '{"tool_uses":"x"}', "{" } do
        local records = read(entry("multi_tool_use.parallel", given))
        assert.equal("multi_tool_use.parallel", records[1].name)
      end
    end)

    it("survives uses that are no objects", function()
      local records = read(entry("multi_tool_use.parallel", '{"tool_uses":[1,null,{"recipient_name":7}]}'))
      for _, record in ipairs(records) do assert.is_string(record.name) end
    end)
  end)

  it("makes a call of the old function_call", function()
    local message = { role = "assistant", function_call = { name = "now", arguments = "" } }
    local records = calls.read(message, tools)
    assert.equal("now", records[1].name)
    assert.is_nil(message.function_call)
    assert.equal("{}", message.tool_calls[1]["function"].arguments)
  end)

  it("never touches the text of a custom call", function()
    local records, message = read { id = "c", type = "custom", custom = { name = "now", input = "  {not json " } }
    assert.equal("custom", records[1].kind)
    assert.equal("  {not json ", records[1].arguments)
    assert.equal("  {not json ", message.tool_calls[1].custom.input)
  end)

  it("keeps unknown members of a call", function()
    local _, message = read(entry("now", "{}", { extra_content = { google = { thought_signature = "S" } } }))
    assert.equal("S", message.tool_calls[1].extra_content.google.thought_signature)
  end)

  it("leaves a message without calls without a list", function()
    local message = { role = "assistant", tool_calls = {} }
    assert.same({}, calls.read(message, tools))
    assert.is_nil(message.tool_calls)
  end)

  it("answers more calls than anybody can mean, but does not run them", function()
    local many = {}
    for i = 1, 200 do many[i] = entry("now", "{}", { id = "c" .. i }) end
    local records = read(table.unpack(many))
    assert.equal(200, #records)
    assert.is_nil(records[128].problem)
    assert.matches("at most 128 calls", records[129].problem)
  end)

  it("changes what was called, in the record and in the message", function()
    local records, message = read(entry("get_weather", '{"city":"Oslo"}'))
    calls.change(records[1], '{"city":"Rome"}')
    assert.equal('{"city":"Rome"}', message.tool_calls[1]["function"].arguments)
    assert.equal('{"city":"Rome"}', records[1].arguments)
    local custom, other = read { id = "c", type = "custom", custom = { name = "now", input = "a" } }
    calls.change(custom[1], "b")
    assert.equal("b", other.tool_calls[1].custom.input)
    local called = read(entry("sql", '{"input":"a"}'))
    called[1].kind = "custom"
    calls.change(called[1], "b")
    assert.equal('{"input":"b"}', called[1].wire["function"].arguments)
  end)
end)
