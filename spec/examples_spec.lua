--- examples_spec.lua -- runs every example: 01-05 against the reference page's own bodies, the others against scripts.
local core = require "rille.core"
local json = require "rille.json"
local mock = require "rille.mock"
local program = require "spec.support.program"
local rille = require "rille"
local script = require "rille.script"
local source = require "spec.support.source"

local fixtures <const> = "spec/fixtures/reference/"

--- Runs an example against a script that is served over HTTP.
local function against(model, path, ...)
  local server <close> = assert(mock.serve(model))
  local result = program.run({ path, ... }, { env = { OPENAI_BASE_URL = server.url, OPENAI_API_KEY = "sk-test" } })
  result.requests = server.requests
  core.sleep(0)
  return result
end

--- The page's own answer for an example.
local function page(name)
  return script { script.raw { body = source.read(fixtures .. name) } }
end

local function decoded(name) return assert(json.decode(source.read(fixtures .. name), { nulls = false })) end

local function succeed(result)
  assert.equal("", result.stderr)
  assert.equal(0, result.code)
  return result.stdout
end

--- Runs the example in this process and hands back what `create` gave it: the whole result, not only what it prints.
local function created_by(path, model)
  local server <close> = assert(mock.serve(model))
  local completions = rille.chat.completions
  local create, seen = completions.create, {}
  completions.create = function(params)
    seen.params = params
    seen.result, seen.failure = create(params, { base_url = server.url })
    return seen.result, seen.failure
  end
  local print_of = print
  _G.print = function() end   -- luacheck: ignore
  local ok, problem = pcall(assert(loadfile(path)))
  _G.print = print_of         -- luacheck: ignore
  completions.create = create
  assert(ok, problem)
  seen.request = server.requests[1].json
  return seen
end


describe("the examples of the reference page", function()
  local plain <const> = {
    { "01_default.lua", "default.json" }, { "02_image_input.lua", "image_input.json" },
    { "04_functions.lua", "functions.json" }, { "05_logprobs.lua", "logprobs.json" },
  }

  for _, row in ipairs(plain) do
    local file, fixture = row[1], row[2]

    it(file .. " gets every field of the page's response", async(function()
      local seen = created_by("examples/" .. file, page(fixture))
      assert.same(decoded(fixture), seen.result)
    end))

    it(file .. " sends what it says and nothing else", async(function()
      local seen = created_by("examples/" .. file, page(fixture))
      assert.same(seen.params, seen.request)
    end))

    it(file .. " prints the response", async(function()
      local result = against(page(fixture), "examples/" .. file)
      local expected = decoded(fixture)
      if file ~= "04_functions.lua" then expected = expected.choices[1] end
      assert.same(expected, assert(json.decode(succeed(result), { nulls = false })))
      assert.equal("Bearer sk-test", result.requests[1].headers.authorization)
    end))
  end

  it("03_streaming.lua gets every chunk of the page as it was sent", async(function()
    local expected = {}
    for data in source.read(fixtures .. "streaming.sse"):gmatch "data: ({.-})\n\n" do
      expected[#expected + 1] = assert(json.decode(data, { nulls = false }))
    end
    local server <close> = assert(mock.serve(page "streaming.sse"))
    local stream = assert(rille.chat.completions.create({ model = "VAR_chat_model_id", stream = true,
      messages = { { role = "user", content = "Hello!" } } }, { base_url = server.url }))
    local chunks = {}
    for chunk in stream do chunks[#chunks + 1] = chunk end
    assert.same(expected, chunks)
    assert.same({
      id = "chatcmpl-123", object = "chat.completion", created = 1694268190, model = "gpt-4o-mini",
      system_fingerprint = "fp_44709d6fcb",
      choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = "Hello" } } },
    }, assert(stream:completion()))
  end))

  it("03_streaming.lua prints the deltas", async(function()
    local result = against(page "streaming.sse", "examples/03_streaming.lua")
    assert.equal("\nHello\nnil\n", succeed(result))
    assert.is_true(result.requests[1].json.stream)
  end))

  it("the numbers of 05 keep every digit", async(function()
    local seen = created_by("examples/05_logprobs.lua", page "logprobs.json")
    assert.equal(-0.000054669687, seen.result.choices[1].logprobs.content[3].logprob)
    assert.equal(-3.7697225e-6, seen.result.choices[1].logprobs.content[5].logprob)
    assert.is_nil(seen.result.choices[1].logprobs.content[3].top_logprobs[2].bytes)
  end))
end)


local call, calls, text = script.call, script.calls, script.text

--- The content of the last message of a request.
local function last(request) return request.messages[#request.messages].content end

describe("the weather agent", function()
  local function weather_script()
    return script {
      call("get_current_weather", { location = "Boston, MA", unit = "celsius" }),
      function(request) return "It is " .. json.decode(last(request)).sky .. " in Boston." end,
    }
  end

  it("calls its tool and answers", async(function()
    local result = against(weather_script(), "examples/06_weather_agent.lua")
    assert.equal("It is sunny in Boston.\n", result.stdout)
    assert.equal('→ get_current_weather {"location":"Boston, MA","unit":"celsius"}\n', result.stderr)
    assert.equal(0, result.code)
  end))

  it("takes the server as its argument", async(function()
    local server <close> = assert(mock.serve(weather_script()))
    local result = program.run { "examples/06_weather_agent.lua", server.url }
    assert.equal("It is sunny in Boston.\n", result.stdout)
  end))

  it("is what the demo runs against a server that is named", async(function()
    local result = against(weather_script(), "examples/demo.lua")
    assert.equal("It is sunny in Boston.\n", result.stdout)
    assert.falsy(result.stderr:find "scripted")
  end))

  it("is what the demo runs against a script when no server is named", async(function()
    local result = program.run { "examples/demo.lua" }
    assert.equal("It is sunny in Boston, MA today, with a temperature of 22 °C. Enjoy the day!\n", result.stdout)
    local first, second = result.stderr:match "^([^\n]*)\n([^\n]*)\n$"
    assert.truthy(first:find "scripted model answers at http://127%.0%.0%.1:%d+/v1$")
    assert.equal('→ get_current_weather {"location":"Boston, MA","unit":"celsius"}', second)
    assert.equal(0, result.code)
  end))

  it("fails in one line when the server is not there", async(function()
    local result = program.run { "examples/06_weather_agent.lua", "http://127.0.0.1:1/v1" }
    assert.equal(1, result.code)
    assert.truthy(result.stderr:find("^rille: connection: [^\n]*127%.0%.0%.1[^\n]*\n$"), result.stderr)
  end))
end)


--- File → the script it runs against, and what it prints.
local others <const> = {
  ["07_structured_output.lua"] = {
    script { '{"name": "science fair", "day": "Friday", "people": ["Alice", "Bob"]}' },
    "science fair\tFriday\tAlice, Bob\n",
  },
  ["08_parallel_agents.lua"] = {
    script { function(request)
      local sights = { Oslo = "Opera House", Rome = "Colosseum", Lima = "Plaza Mayor" }
      return text(sights[last(request)], { delay = last(request) == "Oslo" and 0.1 or 0 })
    end, loop = true },
    "Oslo: Opera House\nRome: Colosseum\nLima: Plaza Mayor\n",
  },
  ["09_process_tool.lua"] = {
    script { call("kernel_name"), function(request) return last(request):match "^%S+" end },
    function(printed) return printed:find "^%a+\n$" end,
  },
  ["10_continue_transcript.lua"] = {
    script { "Hello, Ada!", function(request) return #request.messages .. " messages ago: Ada." end, "Goodbye!" },
    "Hello, Ada!\n4 messages ago: Ada.\nGoodbye!\n4\t4\n",
  },
  ["11_scripted_model.lua"] = { script { "unused" }, "passed\n" },
  ["12_approvals.lua"] = {
    script {
      calls { { "delete_file", { path = "/tmp/a" } }, { "delete_file", { path = "/etc/passwd" } } },
      function(request)
        assert(last(request):find("only files in /tmp may be deleted", 1, true))
        return "Only one of them is gone."
      end,
    },
    "Only one of them is gone.\nreally deleted: /tmp/a\n",
  },
  ["13_agent_as_tool.lua"] = {
    script {
      call("translate", { prompt = "good morning" }),
      function(request) return last(request) == "good morning" and "bonjour" or "?" end,
      function(request) return "They say " .. last(request) .. "." end,
    },
    "They say bonjour.\n",
  },
  ["14_mock_server.lua"] = { script { "unused" }, "Hello over HTTP!\n/v1/chat/completions\n" },
  ["15_failures.lua"] = {
    script { "unused" },
    "invalid_request\t400\ninvalid_request: No such parameter. (status 400)\ntimeout\n",
  },
  ["16_steer_and_cancel.lua"] = {
    script { text(("Once upon a time. "):rep(100), { pause = 0.005 }) }, "true\tcancelled\ntrue\n",
  },
  ["17_tools_of_a_file.lua"] = {
    script { call("read_file", { path = "LICENSE" }), function(request)
      return last(request):find("MIT License", 1, true) and "With the MIT License." or last(request)
    end },
    "With the MIT License.\n",
  },
}

describe("the example", function()
  for file, row in pairs(others) do
    it(file .. " runs", async(function()
      local result = against(row[1], "examples/" .. file)
      assert.equal(0, result.code, result.stderr)
      if type(row[2]) == "string" then
        assert.equal(row[2], result.stdout)
      else
        assert.truthy(row[2](result.stdout), result.stdout)
      end
    end))
  end

  it("is there for every row above, and every file has a row", function()
    local tested = { ["demo.lua"] = true, ["06_weather_agent.lua"] = true }
    for file in pairs(others) do tested[file] = true end
    for _, path in ipairs(source.files("examples", "%.lua$")) do
      local file = path:match "^examples/([^/]+)$"
      if file then assert.is_true(tested[file] or file:find "^0[1-5]_" ~= nil, file) end
    end
  end)
end)


describe("every example", function()
  for _, path in ipairs(source.files("examples", "%.lua$")) do
    it(path .. " is short, starts with #! and says its one idea", function()
      local lines = source.lines(path)
      assert.is_true(#lines <= 40)
      assert.equal("#!/usr/bin/env rille", lines[1])
      assert.truthy(lines[2]:find "^%-%- %w+ %-%- ")
    end)

    it(path .. " requires rille only", function()
      for module in source.read(path):gmatch 'require%s*%(?%s*"([^"]+)"' do assert.equal("rille", module) end
    end)
  end
end)
