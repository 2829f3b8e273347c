--- cli_ask_spec.lua -- `rille ask` and `rille chat` against a scripted server, from outside.
local core = require "rille.core"
local fs = require "rille.fs"
local json = require "rille.json"
local mock = require "rille.mock"
local program = require "spec.support.program"
local script = require "rille.script"
local temporary = require "spec.support.temporary"

local call, failure, text = script.call, script.failure, script.text

local weather_tool <const> = [[
local rille = require "rille"
return rille.tool {
  name = "weather", description = "Weather of a city.",
  parameters = { { "city", "string", "The city" } },
  run = function(args) return args.city .. ": sunny" end,
}]]

local risky_tool <const> = [[
local rille = require "rille"
return function()
  return rille.tool { name = "risky", description = "Must be approved.", approve = true,
    run = function() return "done it" end }
end]]

--- One run of a command against a model. The words are those after the command's name.
local function against(model, words, more)
  local server <close> = assert(mock.serve(model))
  more = more or {}
  local env = { OPENAI_BASE_URL = server.url, OPENAI_API_KEY = "sk-test", OPENAI_MODEL = "m" }
  for name, value in pairs(more.env or {}) do env[name] = value end
  local result = program.run(words, { stdin = more.stdin, env = env })
  result.requests, result.url = server.requests, server.url
  core.sleep(0)
  return result
end

local function ask(model, ...) return against(model, { "ask", ... }) end

local function messages(result, i) return result.requests[i or 1].json.messages end

local function lines_of(output)
  local list = {}
  for line in output:gmatch "[^\n]+" do list[#list + 1] = assert(json.decode(line, { nulls = false })) end
  return list
end


describe("rille ask", function()
  it("prints the answer alone on stdout, with one newline at its end", async(function()
    for _, answer in ipairs { "Hello!", "Hello!\n" } do
      local result = ask(script { answer }, "Say", "hello")
      assert.equal("Hello!\n", result.stdout)
      assert.equal("", result.stderr)
      assert.equal(0, result.code)
      assert.same({ { role = "user", content = "Say hello" } }, messages(result))
      assert.equal("m", result.requests[1].json.model)
    end
  end))

  it("appends piped stdin to the prompt", async(function()
    local result = against(script { "ok" }, { "ask", "What is this?" }, { stdin = "some log\n" })
    assert.equal("What is this?\n\nsome log\n", messages(result)[1].content)
    result = against(script { "ok" }, { "ask" }, { stdin = "only stdin" })
    assert.equal("only stdin", messages(result)[1].content)
  end))

  it("takes model, system, parameters and the server from flags", async(function()
    local server <close> = assert(mock.serve(script { "ok" }))
    local result = program.run { "ask", "-m", "other", "-s", "Be brief.", "-p", "temperature=0", "-p", "user=me",
      "-p", "stop=[\"x\"]", "--base-url", server.url, "hi" }
    assert.equal("ok\n", result.stdout)
    local request = server.requests[1].json
    assert.equal("other", request.model)
    assert.equal("Be brief.", request.messages[1].content)
    assert.equal(0, request.temperature)
    assert.equal("me", request.user)
    assert.same({ "x" }, request.stop)
    core.sleep(0)
  end))

  it("streams unless told not to", async(function()
    assert.is_true(ask(script { "x" }, "hi").requests[1].json.stream)
    local whole = ask(script { "x" }, "--no-stream", "hi")
    assert.equal("x\n", whole.stdout)
    assert.is_nil(whole.requests[1].json.stream)
  end))

  it("calls tools and shows them on stderr", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("weather.lua", weather_tool)
    local function model()
      return script { call("weather", { city = "Oslo" }), function(request)
        return "It is " .. request.messages[#request.messages].content
      end }
    end
    local result = ask(model(), "-T", path, "Weather in Oslo?")
    assert.equal("It is Oslo: sunny\n", result.stdout)
    assert.truthy(result.stderr:find('→ weather {"city":"Oslo"}\n', 1, true), result.stderr)
    assert.truthy(result.stderr:find("← weather", 1, true))
    assert.equal("", ask(model(), "-q", "-T", path, "Weather in Oslo?").stderr)
  end))

  it("attaches text files and images", async(function()
    local directory <close> = temporary.directory()
    local note = directory.file("note.txt", "remember")
    local image = directory.file("dot.png", "\137PNG\r\n\26\n")
    local result = ask(script { "ok" }, "-f", note, "-f", image, "What is this?")
    local parts = messages(result)[1].content
    assert.equal("What is this?", parts[1].text)
    assert.equal(note .. ":\n\nremember", parts[2].text)
    assert.equal("data:image/png;base64,iVBORw0KGgo=", parts[3].image_url.url)
    local refused = ask(script { "ok" }, "-f", directory.file("x.bin", "\0\1"), "hi")
    assert.equal(2, refused.code)
    assert.truthy(refused.stderr:find "neither text nor an image")
  end))

  it("runs the agent of a file, or of a table of options", async(function()
    local directory <close> = temporary.directory()
    local made = directory.file("made.lua",
      'return require("rille").agent { instructions = "You are made.", model = "x" }')
    local options = directory.file("options.lua", 'return { instructions = "You are a table." }')
    assert.equal("You are made.", messages(ask(script { "ok" }, "-a", made, "hi"))[1].content)
    local result = ask(script { "ok" }, "-a", options, "-m", "y", "hi")
    assert.equal("You are a table.", messages(result)[1].content)
    assert.equal("y", result.requests[1].json.model)
    local refused = ask(script { "ok" }, "-a", made, "-s", "No.", "hi")
    assert.equal(2, refused.code)
    refused = ask(script { "ok" }, "-a", made, "-T", directory.file("risky.lua", risky_tool), "hi")
    assert.equal(2, refused.code)
  end))

  it("names the agent file that returns none, or has a wrong option", async(function()
    local directory <close> = temporary.directory()
    local none = directory.file("none.lua", 'return { require("rille").tool { name = "t", run = print } }')
    local wrong = directory.file("wrong.lua", 'return { modle = "x" }')
    local result = ask(script { "ok" }, "-a", none, "hi")
    assert.equal(2, result.code)
    assert.matches("none.lua: returns no agent\n$", result.stderr)
    result = ask(script { "ok" }, "-a", wrong, "hi")
    assert.equal(2, result.code)
    assert.matches("^rille: [^\n]*wrong.lua: [^\n]*unknown option 'modle' %(did you mean 'model'%?%)\n$", result.stderr)
  end))

  it("shows requests and usage with -v", async(function()
    local result = ask(script { text("x", { usage = { prompt_tokens = 3, completion_tokens = 4 } }) },
      "-v", "-m", "m", "hi")
    assert.truthy(result.stderr:find "request 1: m, 1 message\n")
    assert.truthy(result.stderr:find "3 tokens in, 4 out, 1 requests, finish_reason stop")
  end))

  it("prints the reply as JSON", async(function()
    local result = ask(script { "Hello!" }, "--format", "json", "hi")
    local reply = lines_of(result.stdout)[1]
    assert.equal("Hello!", reply.text)
    assert.equal("stop", reply.finish_reason)
    assert.equal(1, reply.usage.requests)
    assert.equal("assistant", reply.messages[2].role)
    local failed = ask(script { failure { status = 400, message = "no" } }, "--format", "json", "hi")
    assert.equal("invalid_request", lines_of(failed.stdout)[1].error.code)
    assert.equal(1, failed.code)
  end))

  it("prints every event as a line of JSON", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("weather.lua", weather_tool)
    local result = ask(script { call("weather", { city = "Oslo" }), "Sunny." }, "--format", "stream-json", "-T", path,
      "Weather?")
    local list, seen = lines_of(result.stdout), {}
    for _, event in ipairs(list) do seen[event.type] = event end
    assert.same({ city = "Oslo" }, seen.tool_call.call.arguments)
    assert.equal("Oslo: sunny", seen.tool_result.content)
    assert.equal("done", list[#list].type)
    assert.equal("Sunny.", list[#list].reply.text)
  end))

  it("continues the conversation in a file, and keeps it there", async(function()
    local directory <close> = temporary.directory()
    local path = directory.path .. "/talk.json"
    local function kept()
      local list = {}
      for i, one in ipairs(assert(json.decode(assert(fs.read(path))))) do list[i] = one.content end
      return list
    end
    assert.equal("Hello, Ada!\n", ask(script { "Hello, Ada!" }, "-t", path, "I am Ada.").stdout)
    assert.equal(384, fs.stat(path).mode & 511)
    local second = ask(script { "Ada." }, "--transcript", path, "Who am I?")
    assert.equal(3, #messages(second))
    assert.same({ "I am Ada.", "Hello, Ada!", "Who am I?", "Ada." }, kept())
    local failed = ask(script { failure { status = 400, message = "no" } }, "-t", path, "Really?")
    assert.equal(1, failed.code)
    assert.equal("Really?", kept()[5])
    against(script { "Yes.", "No." }, { "chat", "-t", path }, { stdin = "Sure?\n/undo\n" })
    assert.equal(5, #kept())
  end))

  it("leaves a file alone that holds no conversation: 2", async(function()
    local directory <close> = temporary.directory()
    for body, why in pairs { ['[{"content":"x"}]'] = "a role", ['{"role":"user"}'] = "a list of messages",
      ["5"] = "a list of messages", ["[1"] = "unexpected end" } do
      local path = directory.file("talk.json", body)
      for _, command in ipairs { "ask", "chat" } do
        local result = against(script { "x" }, { command, "-t", path }, { stdin = "hi" })
        assert.equal(2, result.code)
        assert.truthy(result.stderr:find("^rille: %-%-transcript: [^\n]*talk.json: [^\n]*" .. why), result.stderr)
        assert.equal(0, #result.requests)
        assert.equal(body, fs.read(path))
      end
    end
    local result = ask(script { "x" }, "-t", directory.path .. "/no/talk.json", "hi")
    assert.equal("x\n", result.stdout)
    assert.truthy(result.stderr:find "rille: not_found: cannot write [^\n]*talk.json", result.stderr)
    assert.equal(1, result.code)
  end))

  it("validates the answer against a schema", async(function()
    local directory <close> = temporary.directory()
    local schema = directory.file("s.json",
      '{"type":"object","properties":{"n":{"type":"integer"},"a":{"type":"string"}},"required":["n"]}')
    local result = ask(script { '{"n": 3}' }, "--schema", schema, "count")
    assert.equal('{"n": 3}\n', result.stdout)
    local wrong = ask(script { "x" }, "--schema", directory.file("w.json", '{"type":"strng"}'), "count")
    assert.equal(2, wrong.code)
    assert.matches("^rille: [^\n]*w%.json: unknown type \"strng\" [^\n]*\n$", wrong.stderr)
    assert.truthy(result.requests[1].body:find '"properties":{"n":.-"a":')   -- in the order of the file
    local broken = ask(script { '{"n": "x"}', loop = true }, "--schema", schema, "count")
    assert.equal(6, broken.code)
    assert.truthy(broken.stderr:find "^rille: schema: [^\n]*\n$" or broken.stderr:find "\nrille: schema: ")
    assert.equal("", broken.stdout)
    local repaired = ask(script { '{"n": "x"}', '{"n": 4}' }, "--schema", schema, "count")
    assert.equal('{"n": 4}\n', repaired.stdout)
    assert.equal(0, repaired.code)
  end))
end)


describe("rille ask, when something is wrong", function()
  local function fails(result, code, pattern)
    assert.equal(code, result.code, result.stderr)
    assert.truthy(result.stderr:find(pattern), result.stderr)
    assert.falsy(result.stderr:find "traceback")
    assert.equal(1, select(2, result.stderr:gsub("\n", "\n")), result.stderr)
  end

  it("says that the prompt is missing", async(function()
    fails(ask(script { "x" }), 2, "^rille: ask: the prompt is missing\n$")
  end))

  it("says that the key is wrong: 3", async(function()
    fails(ask(script { failure { status = 401 } }, "hi"), 3, "^rille: authentication: .*status 401")
  end))

  it("says that there is no key or no model: 3", async(function()
    fails(program.run({ "ask", "-m", "gpt-5.4", "hi" }), 3, "^rille: authentication: .*OPENAI_API_KEY")
    fails(program.run({ "ask", "--base-url", "http://127.0.0.1:1/v1", "hi" }), 3, "^rille: .*model")
  end))

  it("says that the configuration is broken: 3", async(function()
    local directory <close> = temporary.directory()
    core.uv().fs_mkdir(directory.path .. "/rille", 448)
    directory.file("rille/config.lua", "return {\n  model = ,\n}")
    local result = program.run({ "ask", "hi" }, { env = { XDG_CONFIG_HOME = directory.path } })
    fails(result, 3, "config%.lua:2:")
  end))

  it("says that the server is not there: 1", async(function()
    fails(program.run { "ask", "-m", "m", "--base-url", "http://127.0.0.1:1/v1", "hi" }, 1,
      "^rille: connection: .*127%.0%.0%.1:1")
  end))

  it("says that the body is not JSON: 1", async(function()
    fails(ask(script { script.raw { body = "<html>oops", headers = { "Content-Type: text/html" } } }, "hi"), 1,
      "^rille: bad_response: .*http://127")
  end))

  it("says that a limit was reached: 4", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("weather.lua", weather_tool)
    local model = script { function(request) return call("weather", { city = "c" .. #request.messages }) end, loop = true }
    local result = ask(model, "-q", "--max-turns", "2", "-T", path, "Weather?")
    fails(result, 4, "^rille: limit_turns: ")
    assert.equal(2, #result.requests)
  end))

  it("says that time ran out: 124", async(function()
    fails(ask(script { text("x", { delay = 30 }) }, "--timeout", "0.1", "hi"), 124, "^rille: ")
  end))

  it("denies what must be approved when nobody can be asked, and goes on", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("risky.lua", risky_tool)
    local function run(when)
      local model = script { call("risky"), function(request) return request.messages[#request.messages].content end }
      return ask(model, "-q", "-T", path, "--approve", when, "do it")
    end
    assert.equal("done it\n", run("always").stdout)
    for _, when in ipairs { "ask", "never" } do
      local result = run(when)
      assert.falsy(result.stdout:find "done it")
      assert.truthy(result.stdout:find "denied", result.stdout)
      assert.equal(5, result.code)
      local why = when == "never" and "--approve never"
        or "there is no terminal to ask at; --approve always allows every call"
      assert.equal(("rille: approval: 'risky' was denied: %s\n"):format(why), result.stderr)
    end
  end))

  it("leaves approval to the agent that brings its own, unless --approve says otherwise", async(function()
    local directory <close> = temporary.directory()
    local agent = directory.file("agent.lua", [[
      local rille = require "rille"
      local function risky(name)
        return rille.tool { name = name, approve = true, run = function() return "did " .. name end }
      end
      return rille.agent { tools = { risky "small", risky "big" },
        approve = function(call) return call.name == "small", "too big" end }
    ]])
    local function run(...)
      return ask(script { script.calls { { "small" }, { "big" } }, function(request)
        local list = request.messages
        return list[#list - 1].content .. ", " .. list[#list].content
      end }, "-q", "-a", agent, "go", ...)
    end
    local own = run()
    assert.equal("did small, Error: denied: too big\n", own.stdout)
    assert.equal("", own.stderr)
    assert.equal(0, own.code)
    assert.equal("did small, did big\n", run("--approve", "always").stdout)
    assert.equal(5, run("--approve", "ask").code)
  end))

  it("cancels at Ctrl-C: 130", async(function()
    local server <close> = assert(mock.serve(script { text("Once upon a time", { delta = 1, pause = 0.2 }) }))
    local running <close> = program.open({ "ask", "--base-url", server.url, "-m", "m", "story" })
    running:close_stdin()
    assert.truthy(running:read(5))
    core.uv().kill(running.pid, "sigint")
    assert.equal(130, running:wait(5).code)
    assert.truthy(running:stderr():find "^rille: cancelled: ")
    core.sleep(0)
  end))

  it("says what is wrong with a tool file", async(function()
    local directory <close> = temporary.directory()
    fails(ask(script { "x" }, "-T", "/no/tool.lua", "hi"), 2, "^rille: cannot open /no/tool.lua: ")
    fails(ask(script { "x" }, "-T", directory.file("a.lua", "return {\n"), "hi"), 1, "a%.lua:2: ")
    fails(ask(script { "x" }, "-T", directory.file("b.lua", "return 42"), "hi"), 1, "b%.lua: returns no tool")
    fails(ask(script { "x" }, "-T", directory.file("c.lua", "local x"), "hi"), 1, "c%.lua: returns nothing")
    fails(ask(script { "x" }, "-T", directory.file("d.lua", 'return require("rille").tool { nam = "x" }'), "hi"), 1,
      "d%.lua: rille%.tool: unknown option 'nam'")
    fails(ask(script { "x" }, "-T", directory.file("e.lua", 'local t = require("rille").tool { nam = "x" } return t'), "hi"), 1,
      "^rille: [^\n]*e%.lua:1: rille%.tool: unknown option 'nam'")
    fails(ask(script { "x" }, "-p", "nonsense", "hi"), 2, "key=value expected, got 'nonsense'")
  end))
end)


describe("rille chat", function()
  local function chat(model, stdin, ...)
    return against(model, { "chat", ... }, { stdin = stdin })
  end

  it("goes on with one transcript", async(function()
    local result = chat(script { "Hello, Ada!", "Ada." }, "I am Ada.\n\nWho am I?\n")
    assert.equal("Hello, Ada!\nAda.\n", result.stdout)
    assert.equal(0, result.code)
    assert.equal(3, #messages(result, 2))
  end))

  it("survives a run that failed", async(function()
    local result = chat(script { failure { status = 400, message = "too rude" }, "Hello." }, "grr\nhello\n")
    assert.equal("Hello.\n", result.stdout)
    assert.truthy(result.stderr:find "rille: invalid_request: too rude")
    assert.equal(0, result.code)
  end))

  it("obeys its commands", async(function()
    local result = chat(script { "one", "two", "three" }, "a\n/undo\nb\n/new\nc\n/usage\n/nonsense\n/help\n/exit\nd\n")
    assert.equal("one\ntwo\nthree\n", result.stdout)
    assert.same({ { role = "user", content = "b" } }, messages(result, 2))
    assert.same({ { role = "user", content = "c" } }, messages(result, 3))
    assert.truthy(result.stderr:find "tokens in 3 requests")
    assert.truthy(result.stderr:find "unknown command /nonsense")
    assert.truthy(result.stderr:find "/undo +forgets")
  end))

  it("takes lines that end with a backslash together with the next", async(function()
    local result = chat(script { "ok", "ok" }, "what is\\\n\\\nthis?\nand that?\n")
    assert.equal("what is\n\nthis?", messages(result)[1].content)
    assert.equal("and that?", messages(result, 2)[3].content)
    assert.equal(0, #chat(script { "ok" }, "unfinished\\").requests)
  end))

  it("reads a last line without newline", async(function()
    assert.equal("ok\n", chat(script { "ok" }, "hello").stdout)
  end))

  it("ends at Ctrl-C while it waits for a line", async(function()
    local running <close> = program.open({ "chat", "--base-url", "http://127.0.0.1:1/v1", "-m", "m" })
    core.sleep(0.2)
    core.uv().kill(running.pid, "sigint")
    assert.equal(130, running:wait(5).code)
  end))

  it("takes no prompt", async(function()
    assert.equal("rille: chat takes no prompt; use rille ask\n", chat(script { "x" }, "", "hello").stderr)
  end))
end)
