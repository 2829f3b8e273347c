--- wire_cli_spec.lua -- the wire from the shell: `rille decode` of every recorded reply, and a profile's whole way: doctor
--- finds it out and writes it, and the next request is what it says.
local config = require "rille.config"
local core = require "rille.core"
local json = require "rille.json"
local mock = require "rille.mock"
local program = require "spec.support.program"
local rille = require "rille"
local script = require "rille.script"
local temporary = require "spec.support.temporary"
local wire = require "spec.support.wire"
local world = require "spec.support.world"

local S <const> = script
local fixtures = wire.fixtures()


describe("rille decode", function()
  --- The command line for a fixture.
  local function words_of(fixture)
    local options = fixture.options
    local words = { "decode", "-", "--status", tostring(options.status), "--n", tostring(options.n) }
    for _, line in ipairs(options.headers) do
      local kind = line:match "^Content%-Type: (.*)$"
      words[#words + 1] = kind and "--type" or "--header"
      words[#words + 1] = kind or line
    end
    if not options.stream then words[#words + 1] = "--no-stream" end
    return words
  end

  it("prints the canonical object of every recorded reply", async(function()
    local complaints = {}
    rille.map(fixtures, function(fixture)
      local result = program.run(words_of(fixture), { stdin = fixture.body })
      local got = json.decode(result.stdout)
      local complaint = got and wire.compare(fixture.expect, got) or result.stderr
      if complaint ~= "" or result.code ~= 0 then complaints[#complaints + 1] = fixture.name .. ": " .. complaint end
    end, { concurrency = 4 })
    assert.equal("", table.concat(complaints, "\n"))
  end))

  it("believes the bytes, whatever status line and flags say of them", async(function()
    for _, words in ipairs {
      { "decode", "spec/fixtures/wire/openai_basic_text.sse" },
      { "decode", "spec/fixtures/wire/openai_basic_text.sse", "--no-stream", "--type", "application/json" },
    } do
      local got = assert(json.decode(program.run(words).stdout))
      assert.equal("Hello wörld 👋", got.choices[1].message.content)
      assert.is_true(got.complete)
    end
  end))
end)


describe("a server with quirks", function()
  --- Takes max_tokens only, no role developer, no stream_options, no null content, no named choice, ignores schemas.
  local function refusal(request)
    if request.max_completion_tokens then return "max_completion_tokens: Extra inputs are not permitted" end
    if request.stream_options then return "stream_options: Extra inputs are not permitted" end
    if type(request.tool_choice) == "table" then return "tool_choice: Input should be a valid string" end
    for _, message in ipairs(request.messages) do
      if message.role == "developer" then return "Unexpected role: developer" end
      if message.content == nil then return "invalid message content type: <nil>" end
    end
  end

  local function quirky(request)
    local message = refusal(request)
    if message then return S.failure { status = 400, message = message } end
    local last = request.messages[#request.messages]
    if request.tools and last.role ~= "tool" then
      local name = request.tools[1]["function"].name
      return S.call(name, { city = "Oslo" })
    end
    if request.max_tokens then return S.text("one two", { finish_reason = "length" }) end
    return "Hello."
  end

  --- A mock of it, until the block is left.
  local function served() return assert(mock.serve(S { quirky, loop = true })) end

  it("is examined, its profile is written, read back and used", async(function()
    local server <close> = served()
    local directory <close> = temporary.directory()
    assert(rille.fs.mkdir(directory.path .. "/rille"))
    local path = directory.path .. "/rille/config.lua"
    local result = program.run { "doctor", "--base-url", server.url, "-m", "m", "--name", "odd", "--write", path }
    assert.equal(0, result.code, result.stderr)
    for _, row in ipairs { "knows max_completion_tokens +no", "knows max_tokens +yes", "knows the role developer +no",
      "tells the usage of a stream +no", "takes null content beside calls +no", "takes a tool_choice by name +no",
      "keeps to a JSON schema +no" } do
      assert.matches(row, result.stdout)
    end

    local restore = world.environment { XDG_CONFIG_HOME = directory.path }
    config.reset()
    local asked = #server.requests
    local weather = rille.tool { name = "get_weather", parameters = { { "city", "string" } }, run = function() return "sunny" end }
    local agent = rille.agent { model = "odd:m", tools = { weather }, params = { max_completion_tokens = 9 } }
    local transcript = rille.transcript { { role = "developer", content = "d" } }
    local ok, trouble = pcall(function()
      local reply, failure = agent:run("Weather?", { transcript = transcript, params = { tool_choice = {
        type = "function", ["function"] = { name = "get_weather" } } } })
      assert.is_nil(failure and failure.status, tostring(failure))
      assert.equal("sunny", (reply or failure.reply).transcript[4].content)
      local poet = rille.agent { model = "odd:m", output = { { "city", "string" } } }
      assert.same({ city = "Oslo" }, assert(poet:run "Capital?").output)
    end)
    restore()
    config.reset()
    if not ok then error(trouble, 0) end
    for i = asked + 1, #server.requests do assert.is_nil(refusal(server.requests[i].json), "request " .. i) end
    core.sleep(0)
  end))

  it("is cured without a profile, too, and says what it cost", async(function()
    local server <close> = served()
    local words = { "ask", "--base-url", server.url, "-m", "m", "-p", "max_completion_tokens=9", "Hi" }
    local result = program.run(words, { env = { RILLE_LOG = "info" } })
    assert.equal("one two\n", result.stdout)
    assert.matches("max_completion_tokens → max_tokens", result.stderr, 1, true)
    assert.matches("without stream_options", result.stderr, 1, true)
    assert.equal(3, #server.requests)
    core.sleep(0)
  end))

  it("lists its models", async(function()
    local server <close> = served()
    local result = program.run { "models", "--base-url", server.url }
    assert.equal(0, result.code, result.stderr)
    assert.matches("^[^\n]+\n$", result.stdout)
    core.sleep(0)
  end))
end)
