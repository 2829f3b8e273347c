--- The C face: a host program compiled against librille, run against a mock.
local mock = require "rille.mock"
local process = require "rille.process"
local script = require "rille.script"

local build = os.getenv "RILLE_BUILD" or "build"
local directory = os.tmpname()
os.remove(directory)

local function shell(text, env)
  return assert(process.run { "sh", "-c", text, timeout = 120, env = env })
end

--- Compiles a C file against the static library, with the sanitizers the library was built with.
local function compile(source, name)
  local flags = os.getenv "RILLE_HOST_FLAGS" or "-g"
  local result = shell(([[mkdir -p %s && cp runtime/rille.h %s &&
    cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror %s -I%s -o %s/%s %s %s/librille.a $(make -s B=%s host-libs)]]):format(
    directory, directory, flags, directory, directory, name, source, build, build))
  assert.equal("", result.stderr)
  return directory .. "/" .. name
end

--- A server with as many conversations as one case may need.
local function serve(count)
  local steps = {}
  for i = 1, count do
    steps[i] = function(body)
      local last = body.messages[#body.messages]
      if last.role == "tool" then
        return script.text(last.content == "sunny" and "It is sunny." or "It is " .. last.content)
      end
      return script.call("get_weather", { city = "Oslo" }, { id = "call_1" })
    end
  end
  return mock.serve(script(steps))
end

describe("librille", function()
  local host
  lazy_setup(function() host = compile("spec/support/embed_host.c", "embed_host") end)
  lazy_teardown(function() shell("rm -rf " .. directory) end)

  for _, case in ipairs { "answers", "later", "fails", "cancel", "approve", "close_early", "close_in_callback",
                          "close_run_in_callback", "continues", "many" } do
    it("holds in the case " .. case, async(function()
      local server <close> = serve(100)
      local result = assert(process.run { host, server.url, case, timeout = 60 })
      assert.equal("", result.stdout .. result.stderr)
      assert.equal(0, result.code)
    end))
  end

  it("explains what is wrong in one sentence each", async(function()
    local result = assert(process.run { host, "", "errors", timeout = 60 })
    local lines = {}
    for line in result.stdout:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(8, #lines)
    assert.matches("JSON", lines[1])
    assert.matches("^rille.agent: .*modle.*model", lines[2])
    assert.matches("nothing", lines[3])
    assert.matches("/no/such/file.lua", lines[4])
    assert.matches("^rille.tool: .*no spaces", lines[5])
    assert.matches("^transcript: messages%[1%]: a role", lines[6])
    assert.matches("^tools: a list of names", lines[7])
    assert.matches("^spec/support/embed_wrong.lua: rille.agent: .*modle.*model", lines[8])
    assert.equal(0, result.code)
  end))

  it("survives every ceiling of memory", async(function()
    local result = assert(process.run { host, "", "memory", timeout = 110 })
    assert.equal("", result.stdout .. result.stderr)
    assert.equal(0, result.code)
  end))

  it("serves as a game in examples/embed/npc.c", async(function()
    local npc = compile("examples/embed/npc.c", "npc")
    local model = script { script.call("open_door", {}), script.text "Pass, friend." }
    local server <close> = mock.serve(model)
    local result = assert(process.run { npc, env = { OPENAI_BASE_URL = server.url, OPENAI_API_KEY = "k" }, timeout = 20 })
    assert.equal("Pass, friend. (the door is open)\n", result.stdout)
    model:assert_done()
  end))

  it("has a header that C++ can include", async(function()
    local result = shell(([[command -v c++ >/dev/null || exit 0
      echo '#include "rille.h"' > %s/x.cc && c++ -Wall -Werror -I%s -c -o /dev/null %s/x.cc]]):format(
      directory, directory, directory))
    assert.equal("", result.stderr)
  end))
end)
