--- cli_tools_spec.lua -- `rille tools`, `rille models` and `rille doctor`.
local core = require "rille.core"
local httpd = require "rille.httpd"
local json = require "rille.json"
local mock = require "rille.mock"
local program = require "spec.support.program"
local script = require "rille.script"
local temporary = require "spec.support.temporary"

local tools_file <const> = [[
local rille = require "rille"
return {
  rille.tool {
    name = "repeat_text", description = "Repeats a text.\nSecond line.",
    parameters = { { "text", "string", "The text" }, { "times", "integer", "How often", optional = true, default = 2 } },
    run = function(args, context)
      context:progress("working")
      return args.text:rep(args.times)
    end,
  },
  rille.tool { name = "sum", parameters = { { "numbers", "array", items = "number" } },
    run = function(args)
      local total = 0
      for _, number in ipairs(args.numbers) do total = total + number end
      return { total = total }
    end },
  rille.tool { name = "broken", run = function() error "it broke" end },
  rille.tool { name = "risky", approve = true, run = function() return "ran" end },
  rille.tool { name = "slow", timeout = 0.05, run = function() rille.sleep(10) end },
}]]

--- `rille tools VERB FILE …` with the file above.
local function tools(verb, ...)
  local directory <close> = temporary.directory()
  return program.run { "tools", verb, directory.file("tools.lua", tools_file), ... }
end


describe("rille tools list", function()
  it("prints a line for each tool", async(function()
    local result = tools "list"
    assert.equal(0, result.code)
    assert.truthy(result.stdout:find "^repeat_text +Repeats a text%.\n")
    assert.equal(5, select(2, result.stdout:gsub("\n", "")))
  end))

  it("knows the ready-made tools", async(function()
    local result = program.run { "tools", "list", "tools/read_file.lua", "tools/write_file.lua" }
    assert.equal("", result.stderr)
    assert.truthy(result.stdout:find "read_file")
    assert.truthy(result.stdout:find "write_file")
  end))
end)


describe("rille tools schema", function()
  it("prints what a request would say of each tool", async(function()
    local result = tools "schema"
    local first = assert(json.decode(result.stdout:match "^[^\n]+"))
    assert.equal("function", first.type)
    assert.equal("repeat_text", first["function"].name)
    assert.equal("string", first["function"].parameters.properties.text.type)
    assert.truthy(result.stdout:find('"text":.-"times":'))
  end))

  it("prints that of the tool that is named, and says when there is none", async(function()
    local result = tools("schema", "sum")
    assert.equal("sum", assert(json.decode(result.stdout))["function"].name)
    assert.matches("^sum[^\n]*\n$", tools("list", "sum").stdout)
    local none = tools("schema", "sun")
    assert.same({ 2, "rille: no tool 'sun' (did you mean 'sum'?)\n" }, { none.code, none.stderr })
    assert.truthy(tools("schema", "x=1").stderr:find("^rille: no tool 'x=1'; there is [^\n]*sum"))
    assert.equal(2, tools("schema", "sum", "more").code)
  end))
end)


describe("rille tools call", function()
  it("prints the result as a model would see it", async(function()
    local result = tools("call", "repeat_text", "text=ab", "times=3")
    assert.equal("ababab\n", result.stdout)
    assert.equal("working\n", result.stderr)
    assert.equal(0, result.code)
    assert.equal('{"total":6}\n', tools("call", "sum", "numbers=[1,2,3]").stdout)
  end))

  it("fills defaults in, and keeps text that looks like a number", async(function()
    assert.equal("0707\n", tools("call", "repeat_text", "text=07").stdout)
    assert.equal("a=ba=b\n", tools("call", "repeat_text", "text=a=b").stdout)
  end))

  it("shows errors on stderr and fails", async(function()
    local result = tools("call", "broken")
    assert.equal(1, result.code)
    assert.equal("", result.stdout)
    assert.truthy(result.stderr:find "\nrille: broken: .*it broke")
    result = tools("call", "repeat_text", "txt=1")
    assert.equal(1, result.code)
    assert.truthy(result.stderr:find("text", 1, true))
    assert.equal(1, tools("call", "slow").code)
  end))

  it("does not run what must be approved", async(function()
    local result = tools("call", "risky")
    assert.falsy(result.stdout:find "ran")
    assert.equal("rille: risky: Error: denied: there is no terminal to ask at\n", result.stderr)
    assert.equal(5, result.code)
    assert.equal("ran\n", tools("call", "risky", "--approve", "always").stdout)
  end))

  it("names the nearest tool", async(function()
    local result = tools("call", "repeat_txt")
    assert.equal("rille: no tool 'repeat_txt' (did you mean 'repeat_text'?)\n", result.stderr)
    assert.equal(2, result.code)
  end))

  it("says how it is used", async(function()
    assert.equal("rille: tools: list, schema or call expected (did you mean 'list'?)\n",
      program.run({ "tools", "lst" }).stderr)
    assert.equal("rille: tools list: FILE expected\n", program.run({ "tools", "list" }).stderr)
    assert.equal("rille: tools call: FILE… NAME key=value… expected\n", tools("call").stderr)
    assert.equal("rille: key=value expected, got 'text'\n", tools("call", "repeat_text", "text").stderr)
  end))
end)


describe("rille models", function()
  it("lists what the server offers", async(function()
    local server <close> = assert(mock.serve { small = script { "x" }, big = script { "x" } })
    local result = program.run { "models", "--base-url", server.url }
    assert.equal("big\nsmall\n", result.stdout)
    assert.equal(0, result.code)
    local entry = assert(json.decode(program.run({ "models", "--json", "--base-url", server.url }).stdout:match "^[^\n]+"))
    assert.equal("model", entry.object)
    core.sleep(0)
  end))

  it("says that the server is not there", async(function()
    local result = program.run { "models", "--base-url", "http://127.0.0.1:1/v1" }
    assert.equal(1, result.code)
    assert.truthy(result.stderr:find "^rille: connection: [^\n]+\n$")
  end))
end)


describe("rille doctor", function()
  --- A server that answers everything with the same text.
  local function polite() return script { "one", loop = true } end

  it("prints a row for each question, and what to set", async(function()
    local server <close> = assert(mock.serve(polite()))
    local result = program.run { "doctor", "-m", "m", "--base-url", server.url }
    assert.equal(0, result.code, result.stderr)
    assert.equal("", result.stderr)
    assert.truthy(result.stdout:find "\nstreams +yes\n")
    assert.truthy(result.stdout:find "return {\n  providers = {")
    core.sleep(0)
  end))

  it("says what to set for a provider of the configuration, so that nothing of it is lost", async(function()
    local server <close> = assert(mock.serve(polite()))
    local directory <close> = temporary.directory()
    core.uv().fs_mkdir(directory.path .. "/rille", 448)
    directory.file("rille/config.lua", ("return { providers = { work = { base_url = %q, keyless = true, model = 'm',\n"
      .. "flags = { alternate = true } } } }"):format(server.url))
    local result = program.run({ "doctor", "--provider", "work" }, { env = { XDG_CONFIG_HOME = directory.path } })
    assert.equal(0, result.code, result.stderr)
    assert.truthy(result.stdout:find("\nto set for the provider 'work' in [^\n]*config.lua:\n\nflags = {[^\n]*}\n$"), result.stdout)
    assert.truthy(result.stdout:find("alternate = true", 1, true))
    core.sleep(0)
  end))

  it("prints the diagnosis as JSON", async(function()
    local server <close> = assert(mock.serve(polite()))
    local result = program.run { "doctor", "-m", "m", "--base-url", server.url, "--json" }
    local diagnosis = assert(json.decode(result.stdout))
    assert.equal(server.url, diagnosis.base_url)
    assert.is_true(diagnosis.findings[1].ok)
    core.sleep(0)
  end))

  it("writes the profile to a new file, and changes no other", async(function()
    local server <close> = assert(mock.serve(polite()))
    local directory <close> = temporary.directory()
    local path = directory.path .. "/config.lua"
    local words = { "doctor", "-m", "m", "--base-url", server.url, "--write", path, "--name", "mine" }
    assert.equal(0, program.run(words).code)
    local settings = assert(loadfile(path))()
    assert.equal(server.url, settings.providers.mine.base_url)
    local again = program.run(words)
    assert.equal(2, again.code)
    assert.equal(("rille: --write: %s exists; it is not changed\n"):format(path), again.stderr)
    core.sleep(0)
  end))

  it("says in one line that nobody is there, or that there is no key", async(function()
    local result = program.run { "doctor", "-m", "m", "--base-url", "http://127.0.0.1:1/v1" }
    assert.equal(1, result.code)
    assert.truthy(result.stderr:find "^rille: connection: [^\n]+\n$")
    assert.equal(3, program.run({ "doctor", "-m", "m" }).code)
    local unnamed = program.run { "doctor", "--base-url", "http://127.0.0.1:1/v1" }
    assert.equal(1, unnamed.code)
    assert.truthy(unnamed.stderr:find "^rille: connection: [^\n]+127%.0%.0%.1:1/[^\n]+\n$", unnamed.stderr)
  end))

  it("says how to name a model when the server lists none", async(function()
    local server <close> = assert(httpd.serve(function() return { status = 404, body = "{}" } end))
    local result = program.run { "doctor", "--base-url", ("http://127.0.0.1:%d/v1"):format(server.port) }
    assert.equal(1, result.code)
    assert.truthy(result.stderr:find("no model: set `model`, RILLE_MODEL or OPENAI_MODEL", 1, true), result.stderr)
  end))
end)
