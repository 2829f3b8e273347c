local core = require "rille.core"
local toolbox = require "spec.support.toolbox"
local uv = require "rille.uv"

local make = toolbox.load "run_command"


describe("tools/run_command", function()
  it("returns exit status and output", async(function()
    assert.equal("exit status 0\nstdout:\nhello\n", toolbox.call(make(), { command = { "echo", "hello" } }))
    assert.equal("exit status 3\nstdout:\nout\n\nstderr:\nerr\n",
      toolbox.call(make(), { command = { "sh", "-c", "echo out; echo err >&2; exit 3" } }))
    assert.equal("exit status 1", toolbox.call(make(), { command = { "false" } }))
  end))

  it("has no shell", async(function()
    assert.equal("exit status 0\nstdout:\n$(id); * | cat\n", toolbox.call(make(), { command = { "echo", "$(id); * | cat" } }))
  end))

  it("starts in the root, or below it", async(function()
    local directory <close> = toolbox.directory { ["sub/"] = "" }
    local real = uv.fs_realpath(directory.path)
    local tool = make { root = directory.path }
    assert.equal("exit status 0\nstdout:\n" .. real .. "\n", toolbox.call(tool, { command = { "pwd" } }))
    assert.equal("exit status 0\nstdout:\n" .. real .. "/sub\n", toolbox.call(tool, { command = { "pwd" }, cwd = "sub" }))
    local result, reason = toolbox.call(tool, { command = { "pwd" }, cwd = ".." })
    assert.is_nil(result)
    assert.equal("permission", reason.code)
  end))

  it("feeds standard input", async(function()
    assert.equal("exit status 0\nstdout:\nabc", toolbox.call(make(), { command = { "cat" }, stdin = "abc" }))
    assert.equal("exit status 0", toolbox.call(make(), { command = { "cat" } }))
  end))

  it("stops a program at its time", async(function()
    local before = core.now()
    assert.equal("timed out and was stopped\nstdout:\nfirst\n",
      toolbox.call(make { timeout = 0.2 }, { command = { "sh", "-c", "echo first; sleep 60" } }))
    assert.is_true(core.now() - before < 5)
  end))

  it("gives the tool more time than the program", function()
    assert.equal(65, make().timeout)
    assert.equal(5.5, make({ timeout = 0.5 }).timeout)
  end)

  it("keeps only so much output", async(function()
    local result = toolbox.call(make { max_bytes = 1000 }, { command = { "sh", "-c", "yes | head -c 100000" } })
    assert.is_true(#result < 1500)
  end))

  it("runs only the programs that it was given", async(function()
    local tool = make { programs = { "echo", "pwd" } }
    assert.equal("exit status 0\nstdout:\na\n", toolbox.call(tool, { command = { "echo", "a" } }))
    for _, program in ipairs { "sh", "/bin/echo", "./echo", "Echo", "echo " } do
      local result, reason = toolbox.call(tool, { command = { program } })
      assert.is_nil(result)
      assert.equal(program .. " may not be run; allowed are: echo, pwd", reason)
    end
    assert.matches("Programs: echo, pwd.", tool.description, 1, true)
  end))

  it("changes the environment as told", async(function()
    assert.equal("exit status 0\nstdout:\nyes\n",
      toolbox.call(make { env = { RILLE_SPEC = "yes" } }, { command = { "sh", "-c", "echo $RILLE_SPEC" } }))
  end))

  it("says that there is no such program", async(function()
    local result, reason = toolbox.call(make(), { command = { "no-such-program-anywhere" } })
    assert.is_nil(result)
    assert.equal("not_found", reason.code)
  end))

  it("takes a list with a program", function()
    local tool = make()
    assert.is_true(toolbox.takes(tool, { command = { "ls" } }))
    for _, args in ipairs { {}, { command = {} }, { command = "ls -l" }, { command = { 5 } }, { command = { "ls" }, shell = true } } do
      assert.is_false(toolbox.takes(tool, args))
    end
  end)

  it("wants approval unless told otherwise", function()
    assert.is_true(make().approve)
    assert.is_false(make({ approve = false }).approve)
  end)
end)
