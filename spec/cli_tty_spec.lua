--- cli_tty_spec.lua -- the program at a terminal: script(1) lends one.
local core = require "rille.core"
local mock = require "rille.mock"
local process = require "rille.process"
local program = require "spec.support.program"
local script = require "rille.script"
local temporary = require "spec.support.temporary"

local has_script = os.execute "script --version >/dev/null 2>&1"
local on_tty = has_script and it or pending

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

--- Starts the program with a terminal for stdin, stdout and stderr. `before`: what the shell runs in front of it.
local function open(words, server, before)
  local line = { before or "exec", quoted(program.path) }   -- a shell in between would take Ctrl-C, too
  for i, word in ipairs(words) do line[i + 2] = quoted(word) end
  return assert(process.open { "script", "-qec", table.concat(line, " "), "/dev/null",
    env = { OPENAI_BASE_URL = server.url, OPENAI_MODEL = "m", OPENAI_API_KEY = false, RILLE_MODEL = false,
      NO_COLOR = false, TERM = "xterm", SHELL = "/bin/sh", XDG_CONFIG_HOME = "/nonexistent", RILLE_LOG = false } })
end

local unread = setmetatable({}, { __mode = "k" })

--- Reads until `wanted` (plain text) was seen; returns what came up to its end.
local function expect(running, wanted)
  local text, stop = unread[running] or "", core.now() + 10
  while not text:find(wanted, 1, true) do
    local bytes = running:read(math.max(0, stop - core.now()))
    assert(bytes, ("'%s' did not come; only: %q"):format(wanted, text))
    text = text .. bytes
  end
  local last = select(2, text:find(wanted, 1, true))
  unread[running] = text:sub(last + 1)
  return text:sub(1, last)
end

local risky_tool <const> = [[
return require("rille").tool { name = "risky", approve = true, parameters = { { "path", "string" } },
  run = function(args) return "removed " .. args.path end }]]

local function serving(model, body)
  return async(function()
    local server <close> = assert(mock.serve(model))
    local directory <close> = temporary.directory()
    body(server, directory)
    core.sleep(0)
  end)
end


describe("rille at a terminal", function()
  on_tty("shows a prompt and answers", serving(script { "Hello, you." }, function(server)
    local running <close> = open({ "chat" }, server)
    expect(running, "> ")
    running:write "hi\n"
    expect(running, "Hello, you.")
    expect(running, "> ")
    running:write "/exit\n"
    assert.equal(0, running:wait(5).code)
  end))

  on_tty("lets no text of a model move the cursor", serving(script { "red \27[31m alert \u{9b}2J \a!" }, function(server)
    local running <close> = open({ "ask", "hi" }, server)
    local text = expect(running, "!")
    assert.falsy(text:find("\27[31m", 1, true))
    assert.falsy(text:find "\a")
    assert.falsy(text:find("\u{9b}", 1, true))
    assert.truthy(text:find("red [31m alert 2J !", 1, true))
  end))

  on_tty("asks before a call that needs approval, and obeys", serving(
    script { script.call("risky", { path = "/tmp/x" }), function(request)
      return request.messages[#request.messages].content
    end, loop = true }, function(server, directory)
      local tool = directory.file("risky.lua", risky_tool)
      local running <close> = open({ "ask", "-T", tool, "go" }, server)
      expect(running, [[Allow risky {"path":"/tmp/x"}? [y/N] ]])
      running:write "y\n"
      expect(running, "removed /tmp/x")
      assert.equal(0, running:wait(5).code)
      local other <close> = open({ "ask", "-T", tool, "go" }, server)
      expect(other, "[y/N] ")
      other:write "\n"
      expect(other, "the user said no")
      assert.equal(0, other:wait(5).code)
    end))

  on_tty("asks at the terminal when stdin is a pipe", serving(
    script { script.call("risky", { path = "/tmp/x" }), function(request)
      return request.messages[1].content:gsub("\n", " ") .. request.messages[#request.messages].content
    end }, function(server, directory)
      local running <close> = open({ "ask", "-q", "-T", directory.file("risky.lua", risky_tool), "go" }, server, "echo piped |")
      expect(running, "[y/N] ")
      running:write "y\n"
      expect(running, "go  piped removed /tmp/x")
      assert.equal(0, running:wait(5).code)
    end))

  on_tty("says why the tool asks", serving(script { script.call("risky", { path = "/tmp/x" }), "ok" },
    function(server, directory)
      local tool = directory.file("risky.lua", (risky_tool:gsub("approve = true",
        'approve = function() return "ask", "outside of\\27 home" end')))
      local running <close> = open({ "ask", "-q", "-T", tool, "go" }, server)
      expect(running, [[Allow risky {"path":"/tmp/x"} (outside of\x1b home)? [y/N] ]])
      running:write "y\n"
      expect(running, "ok")
      assert.equal(0, running:wait(5).code)
    end))

  on_tty("tells the model why, when the answer is more than a no", serving(
    script { script.call("risky", { path = "/tmp/x" }), function(request)
      return request.messages[#request.messages].content
    end }, function(server, directory)
      local running <close> = open({ "ask", "-q", "-T", directory.file("risky.lua", risky_tool), "go" }, server)
      expect(running, "[y/N] ")
      running:write "not there, take /tmp/y\n"
      expect(running, "Error: denied: the user said no: not there, take /tmp/y")
      assert.equal(0, running:wait(5).code)
    end))

  on_tty("ends the line of a question that Ctrl-C took away", serving(
    script { script.call("risky", { path = "x" }), "x" }, function(server, directory)
      local running <close> = open({ "ask", "-q", "-T", directory.file("risky.lua", risky_tool), "go" }, server)
      expect(running, "[y/N] ")
      running:write "\3"
      assert.truthy(expect(running, "rille: cancelled: interrupted"):find "\nrille: cancelled")
      assert.equal(130, running:wait(5).code)
    end))

  on_tty("asks about one call at a time", serving(
    script { script.calls { { "risky", { path = "a" } }, { "risky", { path = "b" } }, { "risky", { path = "c" } } },
      function(request)
        local said = {}
        for i = 3, 1, -1 do said[i] = request.messages[#request.messages - 3 + i].content end
        return table.concat(said, ", ")
      end }, function(server, directory)
      local tool = directory.file("risky.lua", risky_tool)
      local running <close> = open({ "ask", "-T", tool, "go" }, server)
      for _, answer in ipairs { "a:y", "b:n", "c:y" } do
        local name <const>, word <const> = answer:match "(.):(.)"
        local asked = expect(running, ([[Allow risky {"path":"%s"}? [y/N] ]]):format(name))
        core.sleep(0.05)   -- time enough for another question
        assert.equal(1, select(2, asked:gsub("Allow", "")), asked)
        assert.falsy((unread[running] or ""):find "Allow")
        running:write(word .. "\n")
      end
      expect(running, "removed a, Error: denied: the user said no, removed c")
      assert.equal(0, running:wait(5).code)
    end))

  on_tty("says which agent wants a call, when it is one within another", serving(
    script { script.call("helper", { prompt = "go" }), script.call("risky", { path = "x" }), "ok", "done" },
    function(server, directory)
      directory.file("risky.lua", risky_tool)
      local agent = directory.file("team.lua", ([[
        local rille = require "rille"
        local helper = rille.agent { name = "help\27er", tools = { dofile "%s/risky.lua" } }
        return rille.agent { name = "boss", tools = { helper:as_tool { name = "helper" } } }
      ]]):format(directory.path))
      local running <close> = open({ "ask", "-a", agent, "go" }, server)
      expect(running, [[Allow risky {"path":"x"} for boss > help\x1ber? [y/N] ]])
      running:write "y\n"
      expect(running, "done")
      assert.equal(0, running:wait(5).code)
    end))

  on_tty("colours traces, but not with --no-color", serving(
    script { script.call("risky", { path = "x" }), "done.", loop = true }, function(server, directory)
      local tool = directory.file("risky.lua", risky_tool)
      local running <close> = open({ "ask", "--approve", "always", "-T", tool, "go" }, server)
      assert.truthy(expect(running, "done."):find("\27[2m→ risky", 1, true))
      local plain <close> = open({ "ask", "--no-color", "--approve", "always", "-T", tool, "go" }, server)
      assert.falsy(expect(plain, "done."):find("\27", 1, true))
    end))

  on_tty("cancels the answer at Ctrl-C and goes on", serving(
    script { script.text("Once upon a time there was", { delta = 1, pause = 0.1 }), "Yes?" }, function(server)
      local running <close> = open({ "chat" }, server)
      expect(running, "> ")
      running:write "story\n"
      expect(running, "Once")
      running:write "\3"
      expect(running, "rille: cancelled: interrupted")
      expect(running, "> ")
      running:write "still there?\n"
      expect(running, "Yes?")
      expect(running, "> ")
      running:write "\4"
      expect(running, "\r\n")   -- the shell's prompt gets a line of its own
      assert.equal(0, running:wait(5).code)
    end))

  on_tty("ends at Ctrl-C before the prompt", serving(script { "x" }, function(server)
    local running <close> = open({ "chat" }, server)
    expect(running, "> ")
    running:write "\3"
    assert.equal(130, running:wait(5).code)
  end))

  on_tty("ends a script that spins at the second Ctrl-C", serving(script { "x" }, function(server)
    local running <close> = open({ "-e", "print 'up' io.flush() while true do end" }, server)
    expect(running, "up")
    running:write "\3"
    core.sleep(0.1)
    running:write "\3"
    assert.is_true(running:wait(5).code ~= 0)
  end))
end)
