--- calls_spec.lua -- which call does a delta belong to? Every rule, and rules in combination.
local core = require "rille.core"
local wire = require "spec.support.wire"

local null, list, chunk, calls = core.null, wire.list, wire.chunk, wire.calls


--- One element of tool_calls; members that are nil stay away.
local function d(index, id, name, args, more)
  local element = { index = index, id = id, type = "function", ["function"] = { name = name, arguments = args } }
  for key, value in pairs(more or {}) do element[key] = value end
  return element
end


--- Expects these calls, in order: {id, name, arguments}.
local function expect(expected, deltas)
  local complaint = wire.compare(expected, calls(deltas))
  if complaint ~= "" then error(complaint, 2) end
end


--- All permutations of a list.
local function permutations(items)
  if #items <= 1 then return { items } end
  local out = {}
  for i, item in ipairs(items) do
    local rest = { table.unpack(items) }
    table.remove(rest, i)
    for _, tail in ipairs(permutations(rest)) do out[#out + 1] = { item, table.unpack(tail) } end
  end
  return out
end


describe("tool calls", function()
  describe("with an index that is known", function()
    it("continue while no name comes, whatever the id", function()
      expect({ { "a", "f", '{"x":1}' } }, { { d(0, "a", "f", "") }, { d(0, "b", nil, '{"x"') }, { d(0, nil, "", ":1}") } })
    end)

    it("continue the call that the id names, if there is one", function()
      expect({ { "a", "f", '{"x":1}' }, { "b", "g", '{"y":2}' } },
        { { d(0, "a", "f", '{"x"') }, { d(0, "b", "g", '{"y"') }, { d(0, "a", nil, ":1}") }, { d(0, "b", nil, ":2}") } })
    end)

    it("begin anew with a name and another id", function()
      expect({ { "a", "f", "{}" }, { "b", "f", "{}" } }, { { d(0, "a", "f", "{}") }, { d(0, "b", "f", "{}") } })
      expect({ { "a", "f", "{}" }, { "b", "f", "{}" } }, { { d(0, "a", "f", "") }, { d(0, "b", "f", "") } })
    end)

    it("begin anew with a name when the arguments are whole and new ones open", function()
      expect({ { "$GEN9", "f", '{"x":1}' }, { "$GEN9", "f", '{"x":2}' } },
        { { d(0, "", "f", '{"x":1}') }, { d(0, "", "f", '{"x":2}') } })
      expect({ { "$GEN9", "f", "{}" }, { "$GEN9", "g", "[]" } }, { { d(0, nil, "f", "{}") }, { d(0, nil, "g", "[]") } })
      expect({ { "$GEN9", "f", "{}" }, { "$GEN9", "g", "{}" } }, { { d(0, "", "f", "null") }, { d(0, "", "g", "{}") } })
    end)

    it("ignore a call that is sent again", function()
      expect({ { "a", "f", '{"x":1}' } }, { { d(0, "a", "f", '{"x":1}') }, { d(0, "a", "f", '{"x":1}') } })
      expect({ { "a", "f", '{"x":1}' } },
        { { d(0, "a", "f", '{"x"') }, { d(0, nil, nil, ":1}") }, { d(0, "a", "f", '{"x":1}') } })
    end)

    it("go on behind a {} that was put before the arguments", function()
      expect({ { "a", "f", '{"x":1}' } }, { { d(0, "a", "f", "{}") }, { d(0, "a", "f", '{"x":') }, { d(0, "a", "f", "1}") } })
      expect({ { "$GEN9", "f", "{}" }, { "$GEN9", "f", '{"x":1}' } }, { { d(0, "", "f", "{}") }, { d(0, "", "f", '{"x":1}') } })
    end)

    it("ignore the repetition of all calls at the end", function()
      local all = { d(0, "a", "f", "{}"), d(1, "b", "f", '{"x":1}'), d(2, "c", "g", "{}") }
      expect({ { "a", "f", "{}" }, { "b", "f", '{"x":1}' }, { "c", "g", "{}" } }, { { all[1] }, { all[2] }, { all[3] }, all })
    end)

    it("ignore the repetition where every index is 0", function()
      local all = { d(0, "a", "f", "{}"), d(0, "b", "f", '{"x":1}') }
      expect({ { "a", "f", "{}" }, { "b", "f", '{"x":1}' } }, { { all[1] }, { all[2] }, all })
    end)

    it("do not take a call without parameters for the repetition of another", function()
      expect({ { "$GEN9", "f", "{}" }, { "$GEN9", "g", "{}" } }, { { d(0, "", "f", "{}") }, { d(0, "", "g", "{}") } })
    end)

    it("keep a repeated name", function()
      expect({ { "a", "search", '{"q":"x"}' } },
        { { d(0, "a", "search", "") }, { d(0, "a", "search", '{"q"') }, { d(0, "a", "search", ':"x"}') } })
    end)

    it("keep a repeated name although a fragment opens a bracket", function()
      expect({ { "a", "f", '{"x":{"y":1}}' } }, { { d(0, "a", "f", '{"x":') }, { d(0, "a", "f", '{"y":1}}') } })
    end)

    it("let a name grow", function()
      expect({ { "a", "edit_file", "{}" } }, { { d(0, "a", "edit", "") }, { d(0, nil, "edit_file", "{}") } })
    end)

    it("join a name in two halves as long as there are no arguments", function()
      expect({ { "a", "edit_file", "{}" } }, { { d(0, "a", "edit_", "") }, { d(0, nil, "file", "") }, { d(0, nil, nil, "{}") } })
      expect({ { "a", "edit_file", "{}" } }, { { d(0, "a", "edit_", nil) }, { d(0, "a", "file", "{}") } })
    end)

    it("begin anew with another name when arguments have begun", function()
      expect({ { "$GEN9", "f", '{"x' }, { "$GEN9", "g", "{}" } }, { { d(0, nil, "f", '{"x') }, { d(0, nil, "g", "{}") } })
    end)

    it("take a late id, a late name and a late type", function()
      expect({ { "late", "f", '{"x":1}' } },
        { { { index = 0, ["function"] = { arguments = "" } } }, { { index = 0, ["function"] = { name = "f" } } },
          { d(0, "late", nil, '{"x":1}') } })
    end)

    it("take a late id with the name once more", function()
      expect({ { "late", "f", '{"x":1}' } }, { { d(0, nil, "f", "") }, { d(0, "late", "f", '{"x":1}') } })
    end)

    it("begin anew where an id comes with another name", function()
      expect({ { "$GEN9", "f", "{}" }, { "b", "g", "{}" } }, { { d(0, nil, "f", "") }, { d(0, "b", "g", "") } })
    end)

    it("are nobody's array: any integer is a key", function()
      expect({ { "c", "f", "{}" }, { "b", "f", "{}" }, { "a", "f", '{"x":1}' } }, {
        { d(2147483648, "a", "f", '{"x":') }, { d(7, "b", "f", "{}") }, { d(math.mininteger, "c", "f", "{}") },
        { d(2147483648, nil, nil, "1}") },
      })
    end)

    it("may be written as text", function()
      expect({ { "a", "f", '{"x":1}' }, { "b", "f", "{}" } },
        { { d("0", "a", "f", '{"x":') }, { d("1", "b", "f", "{}") }, { d("0", nil, nil, "1}") } })
    end)
  end)

  describe("without an index", function()
    it("continue the call of a known id", function()
      expect({ { "a", "f", '{"x":1}' }, { "b", "g", "{}" } },
        { { d(nil, "a", "f", '{"x":') }, { d(nil, "b", "g", "{}") }, { d(nil, "a", nil, "1}") } })
    end)

    it("begin anew with a name", function()
      expect({ { "$GEN9", "f", "{}" }, { "$GEN9", "g", "{}" } }, { { d(nil, nil, "f", "") }, { d(nil, nil, "g", "{}") } })
      expect({ { "a", "f", "{}" }, { "b", "f", "{}" } }, { { d(nil, "a", "f", "{}") }, { d(nil, "b", "f", "{}") } })
    end)

    it("continue the last call with the same name, no id and unfinished arguments", function()
      expect({ { "a", "f", '{"x":1}' } }, { { d(nil, "a", "f", '{"x":') }, { d(nil, nil, "f", "1}") } })
    end)

    it("continue the last call without a name", function()
      expect({ { "a", "f", '{"x":1}' } }, { { d(nil, "a", "f", '{"x":') }, { d(nil, nil, nil, "1}") } })
      expect({ { "a", "f", '{"x":1}' } }, { { d(null, "a", "f", '{"x":') }, { d(null, null, null, "1}") } })
    end)

    it("begin anew with the name of the last call when its arguments are whole", function()
      expect({ { "$GEN9", "f", '{"x":1}' }, { "$GEN9", "f", '{"x":2}' } },
        { { d(nil, nil, "f", '{"x":1}') }, { d(nil, nil, "f", '{"x":2}') } })
    end)

    it("ignore what was sent before", function()
      expect({ { "a", "f", "{}" }, { "b", "f", "{}" } },
        { { d(nil, "a", "f", "{}"), d(nil, "b", "f", "{}") }, { d(nil, "a", "f", "{}"), d(nil, "b", "f", "{}") } })
    end)

    it("take a number that is none for no index", function()
      expect({ { "a", "f", '{"x":1}' } }, { { d(0.5, "a", "f", '{"x":') }, { d(0.5, nil, nil, "1}") } })
      expect({ { "a", "f", '{"x":1}' } }, { { d("x", "a", "f", '{"x":') }, { d("x", nil, nil, "1}") } })
    end)

    it("keep their order among calls with one", function()
      expect({ { "b", "f", "{}" }, { "a", "f", "{}" } }, { { d(5, "b", "f", "{}") }, { d(nil, "a", "f", "{}") } })
    end)
  end)

  describe("with an index never seen", function()
    it("continue the call of a known id", function()
      expect({ { "a", "f", '{"x":1}' } }, { { d(0, "a", "f", "") }, { d(1, "a", nil, '{"x":') }, { d(1, nil, nil, "1}") } })
      expect({ { "a", "f", '{"x":1}' } }, { { d(0, "a", "f", '{"x":') }, { d(1, "a", "f", "1}") } })
    end)

    it("begin anew otherwise", function()
      expect({ { "a", "f", "{}" }, { "$GEN9", "f", '{"x":1}' } }, { { d(0, "a", "f", "{}") }, { d(1, "a", "f", '{"x":1}') } })
    end)

    it("give their index to a call that had none", function()
      expect({ { "b", "g", "{}" }, { "a", "f", '{"x":1}' } },
        { { d(nil, "a", "f", '{"x":') }, { d(3, "a", nil, "1}") }, { d(1, "b", "g", "{}") } })
    end)
  end)

  describe("in any order of arrival", function()
    it("are sorted by index", function()
      for _, order in ipairs(permutations { 1, 2, 3 }) do
        local deltas = {}
        for _, i in ipairs(order) do deltas[#deltas + 1] = { d(i, "id" .. i, "f" .. i, "") } end
        for _, i in ipairs(order) do deltas[#deltas + 1] = { d(i, nil, nil, ('{"i":%d}'):format(i)) } end
        expect({ { "id1", "f1", '{"i":1}' }, { "id2", "f2", '{"i":2}' }, { "id3", "f3", '{"i":3}' } }, deltas)
      end
    end)

    it("are sorted by arrival under one index", function()
      expect({ { "a", "f", "{}" }, { "b", "f", "{}" }, { "z", "f", "{}" } },
        { { d(1, "z", "f", "{}") }, { d(0, "a", "f", "{}") }, { d(0, "b", "f", "{}") } })
    end)

    it("join arguments fragment by fragment", function()
      local text = core.json_encode { city = "Málaga \u{1F642}", nested = { list = { 1, 2, { "}" } } } }
      local deltas = { { d(0, "a", "f", "") }, { d(1, "b", "f", "") } }
      for i = 1, #text do
        if text:sub(i, i):byte() < 128 then
          deltas[#deltas + 1] = { d(0, nil, nil, text:sub(i, i)), d(1, nil, nil, text:sub(i, i)) }
        else
          deltas[#deltas + 1] = { d(0, nil, nil, ""), d(1, nil, nil, "") }
        end
      end
      local ascii = text:gsub("[\x80-\xFF]", "")
      expect({ { "a", "f", ascii }, { "b", "f", ascii } }, deltas)
    end)
  end)

  describe("arguments", function()
    local function arguments(...)
      local deltas = { { d(0, "a", "f", (...)) } }
      for i = 2, select("#", ...) do deltas[i] = { d(0, nil, nil, (select(i, ...))) } end
      return calls(deltas)
    end

    it("that are empty become {}", function()
      for _, empty in ipairs { "", " ", "\n", "null", " null ", null } do
        assert.same({ { "a", "f", "{}" } }, arguments(empty))
      end
      assert.same({ { "a", "f", "{}" } }, calls { { { index = 0, id = "a", ["function"] = { name = "f" } } } })
    end)

    it("may come as an object", function()
      local values = { [1] = { x = 1 }, [2] = list {}, [3] = { y = { z = list { true } } } }
      assert.same({ { "a", "f", '{"x":1}' } }, arguments(values[1]))
      assert.same({ { "a", "f", "[]" } }, arguments(values[2]))
      assert.same({ { "a", "f", '{"y":{"z":[true]}}' } }, arguments(values[3]))
      assert.same({ { "a", "f", "{}" } }, arguments(setmetatable({}, core.object_metatable)))
    end)

    it("keep integers beyond a double in an object", function()
      assert.same({ { "a", "f", '{"n":9223372036854775807}' } }, arguments { n = math.maxinteger })
    end)

    it("that are valid keep every byte", function()
      for _, text in ipairs { '{ "a" : 1.0, "a":1e2 }', ' {"b":"\\u0041"}\n', "{\n}", "[1]", "12", '"x"', "true", '{"a":1}\r\n' } do
        assert.same({ { "a", "f", text } }, arguments(text))
      end
    end)

    it("lose a {} before them", function()
      assert.same({ { "a", "f", '{"x":1}' } }, arguments("{}", '{"x":', "1}"))
      assert.same({ { "a", "f", '{"x":1}' } }, arguments("{}", "{}", '{"x":1}'))
      assert.same({ { "a", "f", '{"x":1}' } }, arguments("null", '{"x":1}'))
      assert.same({ { "a", "f", "{}" } }, arguments("{}", "{}"))
    end)

    it("of several calls under one become calls of their own", function()
      expect({ { "a", "f", '{"x":1}' }, { "$GEN9", "f", '{"x":2}' }, { "$GEN9", "f", '{"x":3}' } },
        { { d(0, "a", "f", '{"x":1}{"x":2}') }, { d(0, nil, nil, ' {"x":3}') } })
    end)

    it("that repeat themselves count once", function()
      assert.same({ { "a", "f", '{"x":1}' } }, arguments('{"x":1}', '{"x":1}'))
      assert.equal(2, #arguments('{"x":1}', '{"x":2}', '{"x":1}'))
    end)

    it("that are cut stay cut", function()
      for _, text in ipairs { '{"x":', "{", '{"x":1}{"y"', "nul", "{]", '{"x":1},' } do
        assert.same({ { "a", "f", text } }, arguments(text))
      end
    end)

    it("keep a NUL and half an emoji", function()
      local body = wire.stream({
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"\\u0000\\ud83d"}}]}}]}',
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\ude42"}}]}}]}',
      })
      assert.equal("\0\u{1F642}", core.decode(body).choices[1].message.tool_calls[1]["function"].arguments)
    end)

    it("split calls stand where their source stood", function()
      expect({ { "a", "f", '{"x":1}' }, { "$GEN9", "f", '{"x":2}' }, { "b", "g", "{}" } },
        { { d(1, "b", "g", "{}") }, { d(0, "a", "f", '{"x":1}{"x":2}') } })
    end)
  end)

  describe("ids", function()
    it("are made where they are missing, and differ", function()
      local deltas, seen = {}, {}
      for i = 1, 100 do deltas[i] = { d(i, nil, "f", "{}") } end
      for _, call in ipairs(calls(deltas)) do
        assert.is_true(wire.is_generated(call[1]))
        assert.is_nil(seen[call[1]])
        seen[call[1]] = true
      end
    end)

    it("differ from reply to reply", function()
      local one, other = calls { { d(0, nil, "f", "{}") } }, calls { { d(0, nil, "f", "{}") } }
      assert.not_equal(one[1][1], other[1][1])
    end)

    it("that stand twice are made anew for the second call", function()
      expect({ { "a", "f", "{}" }, { "$GEN9", "g", "{}" } }, { { d(0, "a", "f", "{}") }, { d(1, "a", "g", "{}") } })
    end)

    it("keep every byte of the server's", function()
      local id = "functions.get_weather:0/Ü \u{1F642}" .. ("x"):rep(100)
      expect({ { id, "f", "{}" } }, { { d(0, id, "f", "{}") } })
    end)
  end)

  describe("types", function()
    local function first(delta)
      return wire.message({ chunk { tool_calls = list { delta } }, chunk(nil, "tool_calls") }).tool_calls[1]
    end

    it("default to function", function()
      assert.equal("function", first({ index = 0, id = "a", ["function"] = { name = "f" } }).type)
      assert.equal("function", first({ index = 0, id = "a", type = null, ["function"] = { name = "f" } }).type)
      assert.equal("function", first({ index = 0, id = "a", type = "", ["function"] = { name = "f" } }).type)
    end)

    it("stay as they are otherwise", function()
      assert.equal("mcp", first({ index = 0, id = "a", type = "mcp", ["function"] = { name = "f" } }).type)
    end)

    it("of custom tools keep the input untouched", function()
      local message = wire.message({
        chunk { tool_calls = list { { index = 0, id = "a", type = "custom", custom = { name = "sql", input = "" } } } },
        chunk { tool_calls = list { { index = 0, custom = { input = "{}" } } } },
        chunk { tool_calls = list { { index = 0, custom = { input = "{}null " } } } },
        chunk { tool_calls = list { { index = 1, type = "custom", id = "b", custom = { name = "empty" } } } },
        chunk(nil, "tool_calls"),
      })
      assert.same({ id = "a", type = "custom", custom = { name = "sql", input = "{}{}null " } }, message.tool_calls[1])
      assert.same({ id = "b", type = "custom", custom = { name = "empty", input = "" } }, message.tool_calls[2])
    end)

    it("of custom tools may have name and input beside it", function()
      local message = wire.message({
        chunk { tool_calls = list { { index = 0, id = "a", type = "custom", name = "sql", input = "SELECT" } } },
        chunk { tool_calls = list { { index = 0, input = " 1" } } },
        chunk(nil, "tool_calls"),
      })
      assert.same({ { id = "a", type = "custom", custom = { name = "sql", input = "SELECT 1" } } }, message.tool_calls)
    end)

    it("of custom tools default to custom", function()
      assert.equal("custom", first({ index = 0, id = "a", custom = { name = "f", input = "x" } }).type)
    end)
  end)

  describe("unknown members", function()
    local function call(...)
      local chunks = {}
      for i, element in ipairs { ... } do chunks[i] = chunk { tool_calls = list { element } } end
      chunks[#chunks + 1] = chunk(nil, "tool_calls")
      return wire.message(chunks).tool_calls[1]
    end

    it("are kept, merged and echoed", function()
      local got = call(d(0, "a", "f", "", { extra_content = { google = { thought_signature = "S" } }, x = 1 }),
        d(0, nil, nil, "{}", { extra_content = { google = { other = true } }, x = 2, y = null }))
      assert.same({ google = { thought_signature = "S", other = true } }, got.extra_content)
      assert.equal(2, got.x)
      assert.is_nil(got.y)
      assert.is_nil(got.index)
    end)

    it("of the function are kept in it", function()
      local element = d(0, "a", "f", "{}")
      element["function"].provider_specific_fields = { signature = "S" }
      assert.same({ name = "f", arguments = "{}", provider_specific_fields = { signature = "S" } }, call(element)["function"])
    end)

    it("do not multiply a signature that is repeated", function()
      local signed = { extra_content = { google = { thought_signature = "S" } } }
      local got = call(d(0, "a", "f", '{"x":', signed), d(0, nil, nil, "1}", signed))
      assert.equal("S", got.extra_content.google.thought_signature)
    end)

    it("belong to the first call when arguments are split", function()
      local message = wire.message({
        chunk { tool_calls = list { d(0, "a", "f", '{"x":1}{"x":2}', { note = "n" }) } }, chunk(nil, "tool_calls"),
      })
      assert.equal("n", message.tool_calls[1].note)
      assert.is_nil(message.tool_calls[2].note)
    end)
  end)

  describe("strange shapes", function()
    it("are read or ignored", function()
      for _, value in ipairs { null, false, true, 1, "x", list {}, list { null, 1, "x", list {} } } do
        local message = wire.message({ chunk { content = "k", tool_calls = value }, chunk(nil, "stop") })
        assert.is_nil(message.tool_calls)
        assert.equal("k", message.content)
      end
    end)

    it("a single object is a list of one", function()
      local message = wire.message({ chunk { tool_calls = d(0, "a", "f", "{}") }, chunk(nil, "tool_calls") })
      assert.same({ { "a", "f", "{}" } }, wire.shapes(message.tool_calls))
    end)

    it("name and arguments may stand beside the id", function()
      expect({ { "a", "f", '{"x":1}' } }, { { { index = 0, id = "a", name = "f", arguments = '{"x":1}' } } })
    end)

    it("a function that is null, text or a number is none", function()
      for _, value in ipairs { null, "f", 1, false } do
        local message = wire.message({ chunk { tool_calls = list { { index = 0, id = "a", ["function"] = value } } }, chunk(nil, "stop") })
        assert.is_nil(message.tool_calls)
      end
    end)

    it("calls with neither name nor arguments are dropped", function()
      expect({ { "b", "f", "{}" } }, { { d(0, "a", nil, nil) }, { d(1, "b", "f", "") }, { { index = 2, id = "c" } } })
    end)

    it("names and ids of other types are absent", function()
      expect({ { "$GEN9", "f", "{}" } }, { { d(0, 7, "f", "{}") }, { d(0, false, 3, "") } })
    end)
  end)

  describe("of a plain body", function()
    local function body_calls(elements)
      local body = wire.body({ role = "assistant", content = null, tool_calls = list(elements) }, "tool_calls")
      return wire.shapes(core.decode(body).choices[1].message.tool_calls)
    end

    it("are each one of their own", function()
      assert.equal("", wire.compare({ { "$GEN9", "f", "{}" }, { "$GEN9", "f", "{}" }, { "a", "g", "{}" }, { "$GEN9", "g", "[1]" } },
        body_calls { d(nil, nil, "f", ""), d(nil, "", "f", ""), d(0, "a", "g", "{}"), d(0, "a", "g", "[1]") }))
    end)

    it("that stand there twice word for word count once", function()
      assert.same({ { "a", "f", "{}" } }, body_calls { d(nil, "a", "f", "{}"), d(nil, "a", "f", "{}") })
    end)

    it("have their arguments tidied as well", function()
      assert.equal("", wire.compare({ { "a", "f", '{"x":1}' }, { "$GEN9", "f", '{"x":2}' }, { "b", "f", '{"y":1}' } },
        body_calls { d(nil, "a", "f", '{}{"x":1}{"x":2}'), d(nil, "b", "f", { y = 1 }) }))
    end)
  end)

  describe("function_call of old", function()
    local function legacy(...)
      local chunks = {}
      for i, delta in ipairs { ... } do chunks[i] = chunk { function_call = delta } end
      chunks[#chunks + 1] = chunk(nil, "function_call")
      return wire.decode(chunks).choices[1]
    end

    it("is joined and treated as a call", function()
      local choice = legacy({ name = "f", arguments = "" }, { arguments = '{"x"' }, { arguments = ":1}" })
      assert.same({ name = "f", arguments = '{"x":1}' }, choice.message.function_call)
      assert.equal("tool_calls", choice.effective_finish_reason)
      assert.equal(null, choice.message.content)
    end)

    it("keeps a repeated name and takes arguments as an object", function()
      assert.same({ name = "f", arguments = '{"x":1}' },
        legacy({ name = "f" }, { name = "f", arguments = { x = 1 } }).message.function_call)
    end)

    it("with neither name nor arguments is none", function()
      for _, delta in ipairs { core.json_decode "{}", { name = "", arguments = "" }, { name = null, arguments = null } } do
        local chunks = { chunk { content = "a", function_call = delta }, chunk({ function_call = delta }, "stop") }
        local got = wire.decode(chunks).choices[1]
        assert.same({ role = "assistant", content = "a" }, got.message)
        assert.equal("stop", got.effective_finish_reason)
        got = core.decode(wire.body({ content = "a", function_call = delta }, "stop")).choices[1]
        assert.same({ role = "assistant", content = "a" }, got.message)
        assert.equal("stop", got.effective_finish_reason)
      end
      assert.same({ name = "f", arguments = "{}" }, legacy({ name = "" }, { name = "f" }).message.function_call)
    end)

    it("loses a {} before its arguments, and what is said again", function()
      local function text(...) return legacy(...).message.function_call.arguments end
      assert.equal('{"x":1}', text({ name = "f", arguments = "{}" }, { arguments = '{"x"' }, { arguments = ":1}" }))
      assert.equal('{"x":1}', text({ name = "f", arguments = '{"x":1}' }, { name = "f", arguments = '{"x":1}' }))
      assert.equal('{"x":1}{"x":2}', text({ name = "f", arguments = '{"x":1}' }, { arguments = '{"x":2}' }))
      assert.equal('{}{"x"', text({ name = "f", arguments = '{}' }, { arguments = '{"x"' }))
    end)

    it("without parameters gets {}", function()
      assert.same({ name = "f", arguments = "{}" }, legacy({ name = "f", arguments = "" }).message.function_call)
    end)

    it("that is null is none", function()
      assert.is_nil(legacy(null, null).message.function_call)
      assert.equal("stop", legacy(null).effective_finish_reason)
    end)
  end)

  it("hold up to 1024 calls", function()
    local deltas = {}
    for i = 1, 1024 do deltas[i] = { d(i, "id" .. i, "f", "{}") } end
    assert.equal(1024, #calls(deltas))
    deltas[1025] = { d(1025, "one too many", "f", "{}") }
    local chunks = {}
    for i, delta in ipairs(deltas) do chunks[i] = chunk { tool_calls = list(delta) } end
    local got = wire.decode(chunks)
    assert.equal("bad_chunk", got.error.kind)
    assert.equal(1024, #got.choices[1].message.tool_calls)
  end)

  it("split no further than 1024 calls", function()
    local parts = {}
    for i = 1, 2000 do parts[i] = ('{"x":%d}'):format(i) end
    local got = calls { { d(0, "a", "f", table.concat(parts)) }, { d(1, "b", "g", "{}") } }
    assert.equal(2, #got)
    assert.equal(table.concat(parts), got[1][3])
    parts = { table.unpack(parts, 1, 1000) }
    got = calls { { d(0, "a", "f", table.concat(parts)) }, { d(1, "b", "g", table.concat(parts)) } }
    assert.equal(1001, #got)
  end)
end)
