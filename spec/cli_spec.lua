--- cli_spec.lua -- the `rille` program: scripts, help, flags that are wrong, and the commands without a model.
local core = require "rille.core"
local json = require "rille.json"
local program = require "spec.support.program"
local process = require "rille.process"
local source = require "spec.support.source"
local temporary = require "spec.support.temporary"

--- One run with a file that holds `text`; "FILE" among the words stands for it.
local function with_file(name, text, words, more)
  local directory <close> = temporary.directory()
  local path = directory.file(name, text)
  local pattern = path:gsub("%p", "%%%0")
  for i, word in ipairs(words) do words[i] = word == "FILE" and path or word end
  local result = program.run(words, more)
  result.stdout = result.stdout:gsub(pattern, "FILE")
  result.stderr = result.stderr:gsub(pattern, "FILE")
  return result
end

local function run_script(text, more) return with_file("script.lua", text, { "FILE" }, more) end

--- Everything that must hold for a run that fails: one line, no traceback, nothing on stdout.
local function assert_fails(result, code, line)
  assert.equal("", result.stdout)
  assert.equal(line, result.stderr)
  assert.equal(code, result.code)
end


describe("rille SCRIPT", function()
  it("runs a file with its arguments in ... and arg", async(function()
    local result = with_file("a.lua", 'print(#arg, arg[1], arg[-1] ~= nil, ...)',
      { "FILE", "x", "-m", "--help" })
    assert.equal("3\tx\ttrue\tx\t-m\t--help\n", result.stdout)
    assert.equal("", result.stderr)
    assert.equal(0, result.code)
  end))

  it("sets arg[0] to the script", async(function()
    assert.equal("FILE\n", with_file("a.lua", "print(arg[0])", { "FILE" }).stdout)
  end))

  it("skips a first line that begins with #, and keeps line numbers", async(function()
    assert_fails(run_script "#!/usr/bin/env rille\n\nerror 'here'", 1, "rille: FILE:3: here\n")
  end))

  it("runs a file without extension, as #! wants it", async(function()
    assert.equal("ok\n", with_file("tool", "#!/usr/bin/env rille\nprint 'ok'", { "FILE" }).stdout)
  end))

  it("is found by #!", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("hello", ("#!%s\nprint('hello', ...)"):format(core.uv().fs_realpath(program.path)))
    core.uv().fs_chmod(path, 493)
    local result = assert(require("rille.process").run { path, "you" })
    assert.equal("hello\tyou\n", result.stdout)
  end))

  it("reads the script from stdin", async(function()
    local result = program.run({ "-", "a" }, { stdin = "print(arg[0], arg[1])" })
    assert.equal("-\ta\n", result.stdout)
    assert_fails(program.run({ "-" }, { stdin = "\nerror 'x'" }), 1, "rille: stdin:2: x\n")
  end))

  it("runs code from the command line", async(function()
    assert.equal("3\tx\n", program.run({ "-e", "print(1 + 2, arg[1])", "x" }).stdout)
    assert_fails(program.run { "-e" }, 2, "rille: -e: the code is missing\n")
  end))

  it("lets the script wait, and waits for what it spawned", async(function()
    local result = run_script [[
      local rille = require "rille"
      rille.spawn(function() rille.sleep(0.02) print "later" end)
      rille.sleep(0.01)
      print "first"]]
    assert.equal("first\nlater\n", result.stdout)
    assert.equal(0, result.code)
  end))

  it("exits as the script says", async(function()
    assert.equal(7, run_script("io.write 'x' os.exit(7)").code)
    assert.equal("x", run_script("io.write 'x' os.exit(7)").stdout)
  end))

  it("says what is wrong in one line, with file and line", async(function()
    assert_fails(run_script "local x = \nprint(", 1, "rille: FILE:2: unexpected symbol near <eof>\n")
    assert_fails(run_script "\nlocal t = nil\nprint(t.x)", 1,
      "rille: FILE:3: attempt to index a nil value (local 't')\n")
    local unknown = run_script "local rille = require 'rille'\nrille.agent { modle = 'x' }"
    assert.truthy(unknown.stderr:find("^rille: FILE:2: .*unknown option 'modle' %(did you mean 'model'%?%)\n$"),
      unknown.stderr)
    assert.equal(1, unknown.code)
  end))

  it("keeps one line whatever the error says", async(function()
    assert_fails(run_script "error('a\\nb\\27[31m', 0)", 1, "rille: a\\nb\\x1b[31m\n")
  end))

  it("names the line of a module that does not compile, and where a missing one was looked for", async(function()
    local directory <close> = temporary.directory()
    directory.file("broken.lua", "return {\n\nfunction end }")
    local pattern = ("package.path = %q\n"):format(directory.path .. "/?.lua")
    local broken = run_script(pattern .. 'require "broken"')
    assert.equal(1, broken.code)
    assert.truthy(broken.stderr:find "^rille: [^\n\\]*/broken%.lua:3: [^\n\\]+\n$", broken.stderr)
    local missing = run_script(pattern .. 'require "no_such_module"')
    assert.truthy(missing.stderr:find "^rille: FILE:2: module 'no_such_module' not found: [^\n\\]+\n$", missing.stderr)
  end))

  it("shows a traceback only for RILLE_LOG=debug", async(function()
    for _, raised in ipairs { "'x'", "{ 1 }", "require('rille.failure').new('timeout', 'late')" } do
      local text = ("local function deep() error(%s) end\nlocal function outer() deep() end outer()"):format(raised)
      assert.falsy(run_script(text).stderr:find "traceback")
      local told = run_script(text, { env = { RILLE_LOG = "debug" } }).stderr
      assert.truthy(told:find "stack traceback:\n[^\n]*'error'\n[^\n]*:1: in upvalue 'deep'\n[^\n]*'outer'", told)
    end
  end))

  it("prints as lua does", async(function()
    local text = "print() print(1, nil, 'x', 2.0) print(setmetatable({}, { __tostring = function() return 'mine' end }))"
    assert.equal("\n1\tnil\tx\t2.0\nmine\n", run_script(text).stdout)
  end))

  it("ends when nobody reads what it prints", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("chatty.lua", "while true do print 'again' end")
    local line <const> = ("%s %s 2>%s/trouble | head -n 1"):format(program.path, path, directory.path)
    local result = process.run { "sh", "-c", line, timeout = 20 }
    assert.equal("again\n", result.stdout)
    assert.equal("rille: connection: stdout: Broken pipe\n", source.read(directory.path .. "/trouble"))
  end))

  it("maps an uncaught failure to the exit status", async(function()
    local statuses = { server_error = 1, connection = 1, authentication = 3, permission = 3, limit_turns = 4,
      limit_tokens = 4, limit_tool_calls = 4, loop = 4, approval = 5, schema = 6, timeout = 124,
      limit_seconds = 124, cancelled = 130 }
    for code, status in pairs(statuses) do
      local result = program.run { "-e", ("assert(nil, require('rille').failure.new('%s', 'why'))"):format(code) }
      assert.equal(status, result.code, code)
      assert.equal(("rille: %s: why\n"):format(code), result.stderr)
    end
  end))

  it("says that a script is not there", async(function()
    assert_fails(program.run { "/no/such.lua" }, 2, "rille: cannot open /no/such.lua: No such file or directory\n")
  end))

  it("ends at Ctrl-C, even when the script waits", async(function()
    local running <close> = program.open { "-e", "print 'up' io.flush() require('rille').sleep(60)" }
    assert.equal("up\n", running:read(5))
    core.uv().kill(running.pid, "sigint")
    assert.equal(130, running:wait(5).code)
    assert.equal("rille: cancelled: interrupted\n", running:stderr())
  end))

  it("ends at a request to terminate: at once when the script waits, in some seconds when it spins", async(function()
    for code, seconds in pairs { ["require('rille').sleep(60)"] = 5, ["while true do end"] = 20 } do
      local running <close> = program.open { "-e", "print 'up' io.flush() " .. code }
      assert.equal("up\n", running:read(5))
      core.uv().kill(running.pid, "sigterm")
      local exit = assert(running:wait(seconds))
      assert.same({ code = 130 }, exit)
    end
  end))
end)


describe("rille without a script", function()
  it("says how it is used", async(function()
    local result = program.run {}
    assert.equal(2, result.code)
    assert.equal("", result.stdout)
    assert.truthy(result.stderr:find "usage: rille SCRIPT")
  end))

  it("says its version", async(function()
    assert.equal(("rille %s\n"):format(core.version), program.run({ "--version" }).stdout)
  end))

  it("helps", async(function()
    for _, words in ipairs { { "help" }, { "--help" }, { "-h" } } do
      local result = program.run(words)
      assert.equal(0, result.code)
      for _, name in ipairs(require("rille.cli").order) do
        assert.truthy(result.stdout:find("\n  " .. name .. " ", 1, true), name)
      end
    end
  end))

  it("helps with every command", async(function()
    for _, name in ipairs(require("rille.cli").order) do
      local page = program.run({ "help", name }).stdout
      assert.truthy(page:find("usage: rille " .. name, 1, true), name)
      assert.equal(page, program.run({ name, "--help" }).stdout)
    end
  end))

  it("names the nearest command and flag", async(function()
    assert_fails(program.run { "aks" }, 2,
      "rille: no command or script 'aks' (did you mean 'ask'?); `rille help` lists the commands\n")
    assert_fails(program.run { "help", "modles" }, 2,
      "rille: no command or script 'modles' (did you mean 'models'?); `rille help` lists the commands\n")
    assert_fails(program.run { "--verison" }, 2, "rille: unknown flag '--verison' (did you mean '--version'?)\n")
    assert_fails(program.run { "ask", "--modle", "x", "hi" }, 2,
      "rille: ask: unknown flag '--modle' (did you mean '--model'?)\n")
  end))

  it("does not take a directory for a script", async(function()
    assert.equal(2, program.run({ "spec" }).code)
  end))
end)


describe("rille decode", function()
  local function canonical(name, ...)
    local result = program.run { "decode", "spec/fixtures/reference/" .. name, ... }
    assert.equal("", result.stderr)
    assert.equal(0, result.code)
    assert.equal(1, select(2, result.stdout:gsub("\n", "")))
    return assert(json.decode(result.stdout))
  end

  it("prints what a body means", async(function()
    local object = canonical("default.json", "--type", "application/json", "--no-stream")
    assert.equal(json.null, object.error)
    assert.is_true(object.complete)
    assert.equal("Hello! How can I assist you today?", object.choices[1].message.content)
    assert.equal(29, object.usage.total_tokens)
  end))

  it("prints what a stream means", async(function()
    local object = canonical("streaming.sse", "--type", "text/event-stream")
    assert.is_true(object.done)
    assert.equal("Hello", object.choices[1].message.content)
    assert.equal("stop", object.choices[1].effective_finish_reason)
  end))

  it("takes status and headers into account", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("error.json", '{"error":{"message":"slow down","code":"rate"}}')
    local result = program.run { "decode", path, "--status", "429", "--header", "Retry-After: 2" }
    local object = assert(json.decode(result.stdout))
    assert.equal("http_error", object.error.kind)
    assert.equal("slow down", object.error.message)
    assert.equal(429, object.error.status)
  end))

  it("reads the body from stdin", async(function()
    local body = source.read "spec/fixtures/reference/default.json"
    local result = program.run({ "decode", "-", "--no-stream" }, { stdin = body })
    assert.equal("chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", assert(json.decode(result.stdout)).id)
  end))

  it("prints null for numbers that are too large for any", async(function()
    local body = '{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"cost":1e400,"all":[-1e400,1]}}'
    local result = program.run({ "decode", "-" }, { stdin = body })
    assert.equal(0, result.code)
    local object = assert(json.decode(result.stdout))
    assert.same({ cost = json.null, all = { json.null, 1 } }, object.usage)
    assert.equal("Hi", object.choices[1].message.content)
  end))

  it("prints an object for bytes that mean nothing, too", async(function()
    local result = program.run({ "decode", "-" }, { stdin = "<html><title>502</title></html>" })
    assert.equal(0, result.code)
    assert.equal("table", type(assert(json.decode(result.stdout)).error))
  end))

  it("says what is wrong with the command line", async(function()
    assert_fails(program.run { "decode" }, 2, "rille: decode: one FILE expected\n")
    assert_fails(program.run { "decode", "/no/file" }, 2, "rille: cannot open /no/file: No such file or directory\n")
    assert_fails(program.run { "decode", "x", "--status", "ok" }, 2,
      "rille: decode: --status: a whole number expected, got 'ok'\n")
    assert_fails(program.run { "decode", "spec/fixtures/reference/default.json", "--header", "nonsense" }, 2,
      "rille: --header: 'Name: value' expected, got 'nonsense'\n")
  end))
end)


describe("rille mock", function()
  --- A running `rille mock` and its URL.
  local function start(path, ...)
    local running = program.open { "mock", path, ... }
    local line = assert(running:read(5))
    return running, line:match "^(http://127%.0%.0%.1:%d+/v1)\n$"
  end

  it("prints its URL on stdout and serves until Ctrl-C", async(function()
    local directory <close> = temporary.directory()
    local started, url = start(directory.file("parrot.json", '["Hello!"]'))
    local running <close> = started
    assert.truthy(url)
    local http = require "rille.http"
    local response = assert(http.post(url .. "/chat/completions", { json = { model = "m", messages = json.array {} } }))
    assert.equal("Hello!", response:json().choices[1].message.content)
    core.uv().kill(running.pid, "sigint")
    assert.equal(130, running:wait(5).code)
  end))

  it("says in one line that the port is in use", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("parrot.json", '["Hello!"]')
    local started, url = start(path)
    local _ <close>, port = started, url:match ":(%d+)/"
    assert_fails(program.run { "mock", path, "--port", port }, 1,
      ("rille: connection: 127.0.0.1:%s: address already in use\n"):format(port))
  end))

  it("says what is wrong with the file", async(function()
    assert_fails(program.run { "mock", "/no/file.lua" }, 2,
      "rille: cannot open /no/file.lua: No such file or directory\n")
    assert_fails(with_file("s.lua", "return {\n", { "mock", "FILE" }), 1,
      "rille: FILE:2: unexpected symbol near <eof>\n")
    assert_fails(program.run { "mock" }, 2, "rille: mock: one FILE expected\n")
    assert_fails(program.run { "mock", "x", "--port", "70000" }, 2, "rille: --port: 0 to 65535 expected\n")
  end))
end)
