--- script_spec.lua -- rille.script: steps in, the bytes of a server out.
local bytes = require "rille.script.bytes"
local failure = require "rille.failure"
local json = require "rille.json"
local script = require "rille.script"

--- A request body with one user message.
local function request(more)
  local body = { model = "m", messages = { { role = "user", content = "hello" } } }
  for name, value in pairs(more or {}) do body[name] = value end
  return body
end

local function streamed(more)
  more = more or {}
  more.stream = true
  return request(more)
end

--- The data of every event of an SSE body.
local function events(body)
  local list = {}
  for data in body:gmatch "data: (.-)\n\n" do list[#list + 1] = data end
  return list
end

--- The decoded chunks of an SSE body, without [DONE].
local function chunks(body)
  local list = {}
  for _, data in ipairs(events(body)) do
    if data ~= "[DONE]" then list[#list + 1] = assert(json.decode(data, { nulls = false })) end
  end
  return list
end

--- What a streamed body adds up to, for the plain members of the first choice.
local function joined(body)
  local message = { content = "", reasoning = "", refusal = "", calls = {} }
  for _, chunk in ipairs(chunks(body)) do
    local choice = chunk.choices[1]
    if choice then
      local delta = choice.delta
      message.content = message.content .. (delta.content or "")
      message.reasoning = message.reasoning .. (delta.reasoning_content or "")
      message.refusal = message.refusal .. (delta.refusal or "")
      for _, call in ipairs(delta.tool_calls or {}) do
        local known = message.calls[call.index + 1] or { arguments = "" }
        message.calls[call.index + 1] = known
        known.id, known.name = known.id or call.id, known.name or call["function"].name
        known.arguments = known.arguments .. call["function"].arguments
      end
      message.finish_reason = choice.finish_reason or message.finish_reason
    end
  end
  return message
end

local function body_of(response) return assert(json.decode(response.body, { nulls = false })) end


describe("rille.script.bytes.pieces", function()
  it("cuts between characters, never inside one", function()
    assert.same({ "Grü", "ß d", "ich" }, bytes.pieces("Grüß dich", 3))
    assert.same({ "你", "好", "🌙" }, bytes.pieces("你好🌙", 1))
  end)

  it("loses no byte, whatever the text and the size", function()
    local texts = { "", "a", "abc", "äöü", "你好，世界", "\xff\xfe", "a\xc3", "\x80\x80b", "\0x\0" }
    for _, text in ipairs(texts) do
      for size = 1, 6 do
        assert.equal(text, table.concat(bytes.pieces(text, size)))
      end
    end
  end)

  it("takes four characters when no size is given", function()
    assert.same({ "abcd", "ef" }, bytes.pieces("abcdef"))
  end)
end)


describe("rille.script", function()
  it("answers with a completion as the API writes it", function()
    local model = script { "Hello!" }
    local response = model:respond(request())
    assert.equal(200, response.status)
    assert.same({ "Content-Type: application/json" }, response.headers)
    local body = body_of(response)
    assert.equal("chat.completion", body.object)
    assert.equal("m", body.model)
    assert.equal(0, body.choices[1].index)
    assert.equal("stop", body.choices[1].finish_reason)
    assert.same({ role = "assistant", content = "Hello!", annotations = {} }, body.choices[1].message)
  end)

  it("writes the members in the order of the API", function()
    local body = script({ "x" }):respond(request()).body
    local order = { '"id"', '"object"', '"created"', '"model"', '"choices"', '"usage"' }
    local at = 0
    for _, member in ipairs(order) do
      local found = assert(body:find(member, 1, true))
      assert.is_true(found > at)
      at = found
    end
  end)

  it("gives the same bytes for the same script", function()
    local function run() return script({ script.call("f", { b = 1, a = 2 }) }):respond(streamed()).body end
    assert.equal(run(), run())
  end)

  it("streams role, deltas, finish and [DONE], in this order", function()
    local response = script({ "Hello!" }):respond(streamed())
    assert.same({ "Content-Type: text/event-stream; charset=utf-8" }, response.headers)
    local list = events(response.body)
    assert.equal("[DONE]", list[#list])
    local parts = chunks(response.body)
    assert.same({ role = "assistant", content = "" }, parts[1].choices[1].delta)
    assert.same({ content = "Hell" }, parts[2].choices[1].delta)
    assert.same({ content = "o!" }, parts[3].choices[1].delta)
    assert.same({}, parts[4].choices[1].delta)
    assert.equal("stop", parts[4].choices[1].finish_reason)
    assert.equal(4, #parts)
    for _, part in ipairs(parts) do
      assert.equal("chat.completion.chunk", part.object)
      assert.equal(parts[1].id, part.id)
      assert.is_nil(part.usage)
    end
  end)

  it("sends the usage chunk only when it is asked for", function()
    local asked = streamed { stream_options = { include_usage = true } }
    local parts = chunks(script({ "Hello!" }):respond(asked).body)
    local last = parts[#parts]
    assert.same({}, last.choices)
    assert.equal(last.usage.prompt_tokens + last.usage.completion_tokens, last.usage.total_tokens)
    assert.is_nil(parts[1].usage)
  end)

  it("says null usage in the other chunks, as the API does", function()
    local asked = streamed { stream_options = { include_usage = true } }
    local body = script({ "x" }):respond(asked).body
    assert.truthy(body:find('"usage":null', 1, true))
  end)

  it("takes usage as the script gives it and adds the total", function()
    local model = script { script.text("x", { usage = { prompt_tokens = 7, completion_tokens = 5 } }) }
    assert.same({ prompt_tokens = 7, completion_tokens = 5, total_tokens = 12 },
      body_of(model:respond(request())).usage)
  end)

  it("leaves usage out when the script says false", function()
    local model = script { script.text("x", { usage = false }) }
    assert.is_nil(body_of(model:respond(request())).usage)
  end)

  it("streams the pieces of chunks one by one", function()
    local model = script { script.text("", { chunks = { "a", "bc", "" } }) }
    local parts = chunks(model:respond(streamed()).body)
    assert.equal("a", parts[2].choices[1].delta.content)
    assert.equal("bc", parts[3].choices[1].delta.content)
    assert.equal("", parts[4].choices[1].delta.content)
  end)

  it("obeys the delta size of a step, then that of the script", function()
    local model = script { "abcdef", script.text("abcdef", { delta = 6 }), delta = 1 }
    assert.equal(8, #chunks(model:respond(streamed()).body))
    assert.equal(3, #chunks(model:respond(streamed()).body))
  end)

  it("calls a tool, with its arguments in fragments when it streams", function()
    local function model() return script { script.call("weather", { city = "Zürich" }) } end
    local message = body_of(model():respond(request())).choices[1].message
    assert.is_nil(message.content)
    assert.same({ { id = "call_1", type = "function",
      ["function"] = { name = "weather", arguments = '{"city":"Zürich"}' } } }, message.tool_calls)
    local body = model():respond(streamed()).body
    local result = joined(body)
    assert.same({ { id = "call_1", name = "weather", arguments = '{"city":"Zürich"}' } }, result.calls)
    assert.equal("tool_calls", result.finish_reason)
    local opening = chunks(body)[2].choices[1].delta.tool_calls[1]
    assert.same({ index = 0, id = "call_1", type = "function",
      ["function"] = { name = "weather", arguments = "" } }, opening)
    assert.same({ index = 0, ["function"] = { arguments = '{"ci' } },
      chunks(body)[3].choices[1].delta.tool_calls[1])
  end)

  it("takes a name for a call without arguments, and a text for a choice", function()
    local model = script { script.calls { "look", { "see", { at = "x" } } }, { choices = { "a", { text = "b" } } } }
    local calls = body_of(model:respond(request())).choices[1].message.tool_calls
    assert.same({ name = "look", arguments = "{}" }, calls[1]["function"])
    assert.equal("see", calls[2]["function"].name)
    local choices = body_of(model:respond(request())).choices
    assert.same({ "a", "b" }, { choices[1].message.content, choices[2].message.content })
  end)

  it("sends content null beside calls, and text when there is some", function()
    local model = script { script.call("f"), script.call("f", {}, { text = "Let me look." }) }
    assert.truthy(model:respond(request()).body:find('"content":null', 1, true))
    assert.equal("Let me look.", joined(model:respond(streamed()).body).content)
  end)

  it("calls several tools at once, each with an id of its own", function()
    local model = script { script.calls { { "a", { x = 1 } }, { name = "b", arguments = "{not json", id = "own" } } }
    local calls = joined(model:respond(streamed()).body).calls
    assert.same({ id = "call_1", name = "a", arguments = '{"x":1}' }, calls[1])
    assert.same({ id = "own", name = "b", arguments = "{not json" }, calls[2])
  end)

  it("numbers calls over the whole script", function()
    local model = script { script.call("a"), script.call("b") }
    model:respond(request())
    assert.equal("call_2", body_of(model:respond(request())).choices[1].message.tool_calls[1].id)
  end)

  it("encodes missing arguments as an empty object", function()
    local message = body_of(script({ script.call("f") }):respond(request())).choices[1].message
    assert.equal("{}", message.tool_calls[1]["function"].arguments)
  end)

  it("makes custom calls with their input", function()
    local model = script { script.calls { { name = "sql", input = "select 1" } } }
    assert.same({ { id = "call_1", type = "custom", custom = { name = "sql", input = "select 1" } } },
      body_of(model:respond(request())).choices[1].message.tool_calls)
    local parts = chunks(script({ script.calls { { name = "sql", input = "select 1" } } }):respond(streamed()).body)
    assert.same({ index = 0, custom = { input = "sele" } }, parts[3].choices[1].delta.tool_calls[1])
  end)

  it("sends reasoning before the text", function()
    local model = script { script.text("Yes.", { reasoning = "Hmm, well" }) }
    local parts = chunks(model:respond(streamed()).body)
    assert.same({ reasoning_content = "Hmm," }, parts[2].choices[1].delta)
    local model_two = script { script.text("Yes.", { reasoning = "Hmm, well" }) }
    assert.equal("Hmm, well", body_of(model_two:respond(request())).choices[1].message.reasoning_content)
  end)

  it("refuses", function()
    local step = { refusal = "I cannot help with that." }
    local message = body_of(script({ step }):respond(request())).choices[1].message
    assert.is_nil(message.content)
    assert.equal("I cannot help with that.", message.refusal)
    assert.equal("I cannot help with that.", joined(script({ step }):respond(streamed()).body).refusal)
  end)

  it("ends with the finish_reason that the step names", function()
    local model = script { script.text("cut", { finish_reason = "length" }) }
    assert.equal("length", joined(model:respond(streamed()).body).finish_reason)
  end)

  it("keeps id, created, model and members of the message", function()
    local step = script.text("x", { id = "chatcmpl-7", created = 5, model = "other",
      message = { audio = { id = "a1" } } })
    local body = body_of(script({ step }):respond(request()))
    assert.equal("chatcmpl-7", body.id)
    assert.equal(5, body.created)
    assert.equal("other", body.model)
    assert.same({ id = "a1" }, body.choices[1].message.audio)
  end)

  it("deals logprobs out over the pieces", function()
    local tokens = { { token = "a", logprob = -1 }, { token = "b", logprob = -2 }, { token = "c", logprob = -3 } }
    local model = script { script.text("", { chunks = { "a", "bc" }, logprobs = { content = tokens } }) }
    local parts = chunks(model:respond(streamed()).body)
    assert.same({ tokens[1] }, parts[2].choices[1].logprobs.content)
    assert.same({ tokens[2], tokens[3] }, parts[3].choices[1].logprobs.content)
  end)

  it("gives several choices, interleaved in a stream", function()
    local step = { choices = { { text = "one" }, { text = "twelve" } } }
    local body = body_of(script({ step }):respond(request()))
    assert.equal("one", body.choices[1].message.content)
    assert.equal(1, body.choices[2].index)
    local indexes = {}
    for i, part in ipairs(chunks(script({ step }):respond(streamed()).body)) do
      indexes[i] = part.choices[1].index
    end
    assert.same({ 0, 1, 0, 1, 0, 1, 1 }, indexes)
  end)
end)


describe("rille.script failures", function()
  it("answer with the error body of the API", function()
    local response = script({ script.failure { status = 429, retry_after = 3 } }):respond(request())
    assert.equal(429, response.status)
    assert.same({ "Content-Type: application/json", "Retry-After: 3" }, response.headers)
    local error = body_of(response).error
    assert.equal("rate_limit_exceeded", error.code)
    assert.equal("rate_limit_error", error.type)
  end)

  it("say what the script says", function()
    local response = script({ script.failure { status = 418, message = "teapot", type = "t", code = "c",
      param = "p", headers = { ["X-Request-Id"] = "req_1" }, delay = 0.5 } }):respond(request())
    assert.equal(418, response.status)
    assert.equal(0.5, response.delay)
    assert.equal("X-Request-Id: req_1", response.headers[2])
    assert.same({ message = "teapot", type = "t", code = "c", param = "p" }, body_of(response).error)
  end)

  it("are server errors when the script names no status", function()
    assert.equal(500, script({ script.failure() }):respond(request()).status)
  end)
end)


describe("rille.script.raw", function()
  it("sends these very bytes", function()
    local response = script({ script.raw { status = 502, body = "<html>", headers = { "Content-Type: text/html" } } })
      :respond(streamed())
    assert.same({ status = 502, body = "<html>", headers = { "Content-Type: text/html" } }, response)
  end)

  it("guesses the content type from the bytes", function()
    local function type_of(body) return script({ script.raw { body = body } }):respond(request()).headers[1] end
    assert.equal("Content-Type: text/event-stream", type_of "data: {}\n\n")
    assert.equal("Content-Type: text/event-stream", type_of ": ping\n\ndata: {}\n\n")
    assert.equal("Content-Type: application/json", type_of "{}")
  end)

  it("makes offsets of a size of pieces", function()
    assert.same({ 2, 4 }, script({ script.raw { body = "abcde", cuts = 2 } }):respond(request()).cuts)
    assert.same({ 1, 4 }, script({ script.raw { body = "abcde", cuts = { 1, 4 } } }):respond(request()).cuts)
  end)
end)


describe("a rille.script function step", function()
  it("sees the request and returns a step", function()
    local model = script { function(seen) return "you said " .. seen.messages[1].content end }
    assert.equal("you said hello", joined(model:respond(streamed()).body).content)
  end)

  it("may return another function", function()
    local model = script { function() return function() return script.call("f") end end }
    assert.equal("f", joined(model:respond(streamed()).body).calls[1].name)
  end)

  it("may answer with a message of the API", function()
    local answers = {
      { role = "assistant", content = "hi", reasoning_content = "hm" },
      { content = json.null, tool_calls = { { id = "c1", type = "function", ["function"] = { name = "f", arguments = '{"a": 1}' } } } },
      { content = json.null, refusal = "no" },
    }
    local said = script { function() return answers[1] end, function() return answers[2] end, answers[3] }
    local joins = {}
    for i = 1, 3 do joins[i] = joined(said:respond(streamed()).body) end
    assert.same({ "hi", "hm" }, { joins[1].content, joins[1].reasoning })
    assert.same({ "c1", "f", '{"a": 1}' }, { joins[2].calls[1].id, joins[2].calls[1].name, joins[2].calls[1].arguments })
    assert.equal("no", joins[3].refusal)
    said:assert_done()
  end)

  it("may answer with a completion of the API", function()
    local said = script { function()
      return { id = "x", object = "chat.completion", usage = { prompt_tokens = 3, completion_tokens = 4 }, choices = {
        { index = 0, finish_reason = "length", message = { role = "assistant", content = "half" } },
        { index = 1, message = { content = "whole" } },
      } }
    end }
    local body = assert(json.decode(said:respond(request { n = 2 }).body, { nulls = false }))
    assert.equal("x", body.id)
    assert.equal(3, body.usage.prompt_tokens)
    assert.same({ "half", "length" }, { body.choices[1].message.content, body.choices[1].finish_reason })
    assert.same({ "whole", "stop" }, { body.choices[2].message.content, body.choices[2].finish_reason })
    said:assert_done()
  end)

  it("that raises is answered by a 400 and remembered", function()
    local model = script { function() error("unexpected prompt", 0) end, name = "greeter" }
    local response = model:respond(request())
    assert.equal(400, response.status)
    assert.equal("script greeter: step 1: unexpected prompt", body_of(response).error.message)
    assert.has_error(function() model:assert_done() end, "script greeter: step 1: unexpected prompt")
  end)

  it("that returns nothing, or nonsense, is answered by a 400", function()
    local model = script { function() end, function() return { txt = "x" } end }
    assert.truthy(body_of(model:respond(request())).error.message:find "returned nothing")
    assert.truthy(body_of(model:respond(request())).error.message:find "unknown option 'txt'")
  end)

  it("lets a cancellation pass", function()
    local cancelled = failure.new("cancelled", "enough")
    local model = script { function() error(cancelled, 0) end }
    local ok, value = pcall(model.respond, model, request())
    assert.is_false(ok)
    assert.equal(cancelled, value)
  end)
end)


describe("rille.script bookkeeping", function()
  it("keeps every request", function()
    local model = script { "a", "b" }
    local first, second = request(), request()
    model:respond(first)
    model:respond(second)
    assert.equal(first, model.requests[1])
    assert.equal(second, model.requests[2])
    model:assert_done()
  end)

  it("answers a request beyond the last step by a 400 that names the script", function()
    local model = script { "a", name = "short" }
    model:respond(request())
    local response = model:respond(request())
    assert.equal(400, response.status)
    assert.equal("script_exhausted", body_of(response).error.code)
    assert.equal("script short: has 1 step and this is request 2", body_of(response).error.message)
    assert.has_error(function() model:assert_done() end, "script short: 2 of 1 steps used")
  end)

  it("complains about steps that were never used", function()
    local model = script { "a", "b", name = "long" }
    model:respond(request())
    assert.has_error(function() model:assert_done() end, "script long: 1 of 2 steps used")
  end)

  it("starts again after the last step when it loops", function()
    local model = script { "a", "b", loop = true }
    local texts = {}
    for i = 1, 5 do texts[i] = joined(model:respond(streamed()).body).content end
    assert.same({ "a", "b", "a", "b", "a" }, texts)
    model:assert_done()
  end)

  it("is named after the place where it was made", function()
    local model = script { "a" }
    assert.truthy(model.name:find("spec/script_spec.lua:%d+$"))
    assert.equal(("rille.Script (%s)"):format(model.name), tostring(model))
  end)

  it("never changes a step, so that it can be used twice", function()
    local step = script.call("f", { x = 1 })
    local model = script { step, step }
    local first = body_of(model:respond(request())).choices[1].message.tool_calls[1].id
    local second = body_of(model:respond(request())).choices[1].message.tool_calls[1].id
    assert.not_equal(first, second)
    assert.same({ calls = { { "f", { x = 1 } } } }, step)
  end)
end)


describe("rille.script arguments", function()
  local function message_of(fn) return select(2, pcall(fn)) end

  it("that are unknown raise at the caller and name the nearest", function()
    local message = message_of(function() local _ = script { { txt = "a" } } end)
    assert.truthy(message:find("spec/script_spec.lua:%d+: .*unknown option 'txt' %(did you mean 'text'%?%)"))
    message = message_of(function() local _ = script.text("a", { finish = "stop" }) end)
    assert.truthy(message:find("spec/script_spec.lua:%d+: script.text: unknown option 'finish'"))
    message = message_of(function() local _ = script.failure { stats = 500 } end)
    assert.truthy(message:find("did you mean 'status'?", 1, true))
    message = message_of(function() local _ = script.raw { bdy = "" } end)
    assert.truthy(message:find("did you mean 'body'?", 1, true))
  end)

  it("of a wrong type raise at the caller", function()
    assert.has_error(function() script.text(nil) end)
    assert.has_error(function() script.call {} end)
    assert.has_error(function() script.calls "x" end)
    assert.has_error(function() script { 42 } end)
    assert.has_error(function() script { { text = 42 } } end)
  end)

  it("say what is no list, no call and no choice", function()
    assert.truthy(message_of(function() local _ = script "x" end)
      :find("spec/script_spec.lua:%d+: rille.script: a list of steps expected, got string$"))
    assert.truthy(message_of(function() local _ = script { { calls = { 5 } } } end):find "call 1: a name, or a table")
    assert.truthy(message_of(function() local _ = script { { choices = { print } } } end)
      :find "choice 1: a text or a table expected")
  end)

  it("are checked in the choices of a step, too", function()
    local message = message_of(function() local _ = script { { choices = { { txt = "" } } } } end)
    assert.truthy(message:find("step 1: choice 1: unknown option 'txt'", 1, true))
  end)
end)


describe("rille.script.load", function()
  local paths = {}

  local function file(name, text)
    local path = os.tmpname() .. name
    local handle = assert(io.open(path, "wb"))
    handle:write(text)
    handle:close()
    paths[#paths + 1] = path
    return path
  end

  after_each(function()
    for _, path in ipairs(paths) do
      os.remove(path)
      os.remove((path:gsub("%.%a+$", "")))
    end
    paths = {}
  end)

  it("reads a Lua file that returns a script", function()
    local path = file(".lua", 'return require("rille.script") { "from a file" }')
    assert.equal("from a file", joined(assert(script.load(path)):respond(streamed()).body).content)
  end)

  it("reads a Lua file that returns a list of steps, and skips a first line with #", function()
    local path = file(".lua", '#!/usr/bin/env rille\nreturn { "a", { call = { "f" } } }')
    local model = assert(script.load(path))
    assert.equal(path, model.name)
    model:respond(request())
    assert.equal("f", joined(model:respond(streamed()).body).calls[1].name)
  end)

  it("reads a JSON list of steps", function()
    local path = file(".json", '["a", {"text": "b", "finish_reason": "length"},'
      .. ' {"calls": [{"name": "f", "arguments": {"x": 1}}]}, {"failure": {"status": 503}}]')
    local model = assert(script.load(path))
    assert.equal("a", joined(model:respond(streamed()).body).content)
    assert.equal("length", joined(model:respond(streamed()).body).finish_reason)
    assert.equal('{"x":1}', joined(model:respond(streamed()).body).calls[1].arguments)
    assert.equal(503, model:respond(request()).status)
    model:assert_done()
  end)

  it("reads a JSON object with steps and options", function()
    local model = assert(script.load(file(".json", '{"model": "parrot", "loop": true, "steps": ["a"]}')))
    assert.equal("parrot", model.model)
    model:respond(request())
    assert.equal(200, model:respond(request()).status)
  end)

  it("reads a table of scripts by model name", function()
    local models = assert(script.load(file(".lua",
      'local s = require "rille.script" return { one = s { "1" }, two = s { "2" } }')))
    assert.equal("2", joined(models.two:respond(streamed()).body).content)
  end)

  it("names the file when a tail call has left no line", function()
    local path = file(".lua", "return require('rille.script') { { txt = 1 } }")
    local _, problem = script.load(path)
    assert.equal(1, (problem.message:find(path, 1, true)))
    assert.truthy(problem.message:find("rille.script: step 1: unknown option 'txt'", 1, true), problem.message)
  end)

  it("names the file and the line of what is wrong", function()
    local function trouble(name, text)
      local path = file(name, text)
      local model, problem = script.load(path)
      assert.is_nil(model)
      assert.truthy(problem.message:find(path, 1, true), problem.message)
      return problem.message
    end
    assert.truthy(trouble(".lua", "return {\n  +"):find(":2:", 1, true))
    assert.truthy(trouble(".lua", "\nerror 'no'"):find(":2: no", 1, true))
    assert.truthy(trouble(".lua", "return 42"):find "list of steps expected")
    assert.truthy(trouble(".lua", "return {}"):find "no steps")
    assert.truthy(trouble(".lua", "return { { txt = 1 } }"):find "unknown option 'txt'")
    trouble(".json", "[1, 2")
    trouble(".json", '[{"txt": "a"}]')
  end)

  it("says that a file is not there", function()
    local model, problem = script.load "/no/such/file.lua"
    assert.is_nil(model)
    assert.equal("not_found", problem.code)
    assert.truthy(problem.message:find("/no/such/file.lua", 1, true))
  end)
end)
