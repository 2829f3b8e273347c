--- events_plain_spec.lua -- events as lines of JSON: what is told, what only Lua can hold, and that every event can be told.
local failure = require "rille.failure"
local json = require "rille.json"
local plain = require "rille.events.plain"
local rille = require "rille"
local script = require "rille.script"
local transcripts = require "rille.transcript"

--- An event, encoded and read again as a program in another language would.
local function told(event)
  local line = plain.event(event)
  assert.falsy(line:find "\n", line)
  return assert(json.decode(line))
end


describe("an event", function()
  it("keeps its type, path and time, and what it carries", function()
    local event = { type = "tool_call", path = { "outer", "inner" }, time = 1.5,
      call = { id = "c1", name = "f", arguments = { a = json.null, b = json.array {} } } }
    assert.same({ "outer", "inner" }, told(event).path)
    assert.equal(plain.event(event), plain.event(event))
    assert.truthy(plain.event(event):find('"arguments":{"a":null,"b":[]}', 1, true))
  end)

  it("leaves out methods and what begins with an underscore", function()
    assert.same({ type = "approval" }, told { type = "approval", approve = function() end, _answer = 1 })
  end)

  it("has line ends and control characters of a model escaped", function()
    assert.equal("a\nb\27[2J\0", told({ type = "text", delta = "a\nb\27[2J\0" }).delta)
  end)

  it("says of a value that JSON does not hold what Lua would print", function()
    local value = setmetatable({ print }, { __tostring = function() return "a thing" end })
    assert.equal("a thing", told({ type = "tool_progress", value = value }).value)
    assert.equal("nan", told({ type = "tool_progress", value = 0 / 0 }).value:gsub("^-", ""))
    assert.truthy(told({ type = "tool_progress", value = coroutine.create(print) }).value:find "^thread: ")
    assert.equal("tool_progress", told({ type = "tool_progress", value = value }).type)
  end)

  it("says of a table that contains itself that it is a table", function()
    local loop = {}
    loop.loop = loop
    assert.truthy(told({ type = "tool_progress", value = loop }).value:find "^table: ")
  end)
end)


describe("a failure", function()
  local function problem(fields) return failure.new("rate_limit", "too many", fields) end

  it("is told with what a program can act on", function()
    local event = told { type = "failed", failure = problem { status = 429, retryable = true, request_id = "r1",
      provider = "openai" } }
    assert.same({ code = "rate_limit", message = "too many", status = 429, retryable = true, request_id = "r1",
      provider = "openai" }, event.failure)
  end)

  it("keeps tracebacks, details and what is ours alone to itself", function()
    local event = told { type = "failed", failure = problem { detail = { api_key = "sk-secret" },
      traceback = "stack traceback: …", exit_status = 4 } }
    assert.same({ code = "rate_limit", message = "too many" }, event.failure)
  end)

  it("brings the reply that there was until then", function()
    local reply = { text = "half", transcript = transcripts.new { { role = "user", content = "hi" } },
      usage = { requests = 1 } }
    local event = told { type = "failed", failure = problem { reply = reply } }
    assert.same({ text = "half", messages = { { role = "user", content = "hi" } }, usage = { requests = 1 } },
      event.failure.reply)
  end)
end)


describe("a reply", function()
  it("is nothing where there is none", function()
    assert.is_nil(plain.reply(nil))
  end)

  it("has its transcript as messages, an empty one as an empty array", function()
    local encoded = plain.encode(plain.reply { text = "", transcript = transcripts.new {} })
    assert.truthy(encoded:find('"messages":[]', 1, true), encoded)
  end)

  it("of a run says the same to Lua and to other programs", async(function()
    local agent = rille.agent { model = script { script.call("look", { at = "it" }), "Seen." }, tools = { rille.tool {
      name = "look", parameters = { { "at", "string" } }, run = function(args) return { seen = args.at } end } } }
    local types, last = {}, nil
    for event in agent:stream "Look!" do
      last = told(event)
      types[#types + 1] = last.type
      assert.same(event.path, last.path)
      if event.reply then assert.equal(event.reply.text, last.reply.text) end
    end
    assert.equal("done", last.type)
    assert.equal("Seen.", last.reply.text)
    assert.equal(2, last.reply.usage.requests)
    assert.same({ "user", "assistant", "tool", "assistant" }, (rille.map(last.reply.messages, function(m) return m.role end)))
    assert.equal('{"seen":"it"}', last.reply.messages[3].content)
    assert.equal("request", types[1])
  end))
end)
