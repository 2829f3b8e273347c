--- cli_parts_spec.lua -- the pieces that the program's commands are made of, without starting it.
local approve = require "rille.cli.approve"
local cli = require "rille.cli"
local failure = require "rille.failure"
local loader = require "rille.cli.load"
local printer = require "rille.cli.printer"
local setup = require "rille.cli.setup"
local status = require "rille.cli.status"
local temporary = require "spec.support.temporary"
local terminal = require "rille.cli.terminal"

--- What a function writes to stdout and stderr.
local function captured(body)
  local out, err, stdout, stderr = {}, {}, io.stdout, io.stderr
  local function sink(list)
    return { write = function(self, ...)
      for i = 1, select("#", ...) do list[#list + 1] = (select(i, ...)) end
      return self
    end, flush = function(self) return self end }
  end
  io.stdout, io.stderr = sink(out), sink(err)   -- luacheck: ignore
  local ok, problem = pcall(body)
  io.stdout, io.stderr = stdout, stderr         -- luacheck: ignore
  if not ok then error(problem, 0) end
  return table.concat(out), table.concat(err)
end


describe("rille.cli.status.of", function()
  it("takes the status that a failure carries, before its code", function()
    assert.equal(3, status.of(failure.new("invalid_request", "x", { exit_status = 3 })))
    assert.equal(1, status.of(failure.new("invalid_request", "x")))
  end)

  it("says 3 for a broken configuration", function()
    assert.equal(3, status.of(failure.new("invalid_request", "x", { detail = { config = "/c.lua" } })))
  end)

  it("says 1 for codes that it does not know", function()
    assert.equal(1, status.of(failure.new("something_else", "x")))
  end)

  it("has a status for every code of the library", function()
    for _, code in ipairs(failure.codes) do
      assert.equal("integer", math.type(status.of(failure.new(code, "x"))))
    end
  end)
end)


describe("rille.cli.status.report", function()
  local function said(problem)
    local code
    local _, text = captured(function() code = status.report(problem) end)
    return text, code
  end

  it("writes one line and returns the status", function()
    local text, code = said(failure.new("limit_turns", "the limit of 2 turns is reached"))
    assert.equal("rille: limit_turns: the limit of 2 turns is reached\n", text)
    assert.equal(4, code)
  end)

  it("leaves the word internal out", function()
    assert.equal("rille: a.lua:3: boom\n", (said(failure.new("internal", "a.lua:3: boom"))))
  end)

  it("reports anything that was raised", function()
    assert.equal("rille: a.lua:3: boom\n", (said "a.lua:3: boom"))
    assert.equal(1, select(2, said {}))
    assert.equal("rille: nil\n", (said(nil)))
  end)

  it("makes line breaks and escapes visible", function()
    assert.equal("rille: a\\nb\\x1b[0m\n", (said "a\nb\27[0m"))
  end)
end)


describe("rille.cli.terminal.clean", function()
  it("keeps text, newlines and tabs, and drops other control characters", function()
    assert.equal("a\tb\nc", terminal.clean "a\tb\nc")
    assert.equal("[31mred", terminal.clean "\27[31mred\a\0\8\127")
    assert.equal("x2J", terminal.clean "x\u{9b}2J")
    assert.equal("Grüße 你好 🌙", terminal.clean "Grüße 你好 🌙")
  end)
end)


describe("rille.cli.load.pairs", function()
  it("reads JSON where it is JSON, and text where it is not", function()
    assert.same({ a = 1, b = true, c = "x y", d = { 1, 2 }, e = "a=b", f = "" },
      loader.pairs { "a=1", "b=true", "c=x y", "d=[1,2]", "e=a=b", "f=" })
  end)

  it("keeps text where text is wanted", function()
    assert.same({ zip = "01234", n = 5 }, loader.pairs({ "zip=01234", "n=5" }, function(key) return key == "zip" end))
  end)

  it("refuses words without a key", function()
    for _, word in ipairs { "a", "=1", "" } do
      local values, problem = loader.pairs { word }
      assert.is_nil(values)
      assert.equal(2, problem.exit_status)
    end
  end)

  it("takes nothing for nothing", function()
    assert.same({}, loader.pairs(nil))
  end)
end)


describe("rille.cli.load", function()
  it("collects tools, lists of them and functions that make one", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("t.lua", [[
      local rille = require "rille"
      local function named(name) return rille.tool { name = name, run = print } end
      return { named "a", { named "b", function() return named "c" end } }]])
    local names = {}
    for i, tool in ipairs(assert(loader.tools { path, path })) do names[i] = tool.name end
    assert.same({ "a", "b", "c", "a", "b", "c" }, names)
  end))

  it("passes the path to the file", async(function()
    local directory <close> = temporary.directory()
    local path = directory.file("v.lua", "return { ... }")
    assert.same({ path }, loader.value(path))
  end))

  it("reads schemas from JSON and from Lua", async(function()
    local directory <close> = temporary.directory()
    local text = '{"type":"object","properties":{"z":{},"a":{}}}'
    assert.equal(text, loader.schema(directory.file("s.json", text)))
    assert.same({ { "n", "integer" } }, loader.schema(directory.file("s.lua", 'return { { "n", "integer" } }')))
    local schema, problem = loader.schema(directory.file("b.json", "[1,"))
    assert.is_nil(schema)
    assert.truthy(problem.message:find("b.json", 1, true))
  end))
end)


describe("rille.cli.setup.prompt", function()
  it("is the text alone without files", function()
    assert.equal("hi", setup.prompt "hi")
  end)

  it("knows images by their first bytes", async(function()
    local directory <close> = temporary.directory()
    local images = { ["image/png"] = "\137PNG\r\n\26\n", ["image/jpeg"] = "\255\216\255\224", ["image/gif"] = "GIF89a.",
      ["image/webp"] = "RIFF\1\2\3\4WEBPVP8 " }
    for kind, bytes in pairs(images) do
      local parts = assert(setup.prompt("hi", { directory.file("image", bytes) }))
      assert.equal("data:" .. kind .. ";base64,", parts[2].image_url.url:match "^[^,]*,")
    end
  end))
end)


describe("rille.cli.approve.handler", function()
  local call <const> = { id = "1", name = "f", arguments = {} }

  it("says yes to everything, or no to everything", function()
    assert.is_true((approve.handler "always"(call)))
    local allowed, reason = approve.handler "never"(call)
    assert.is_false(allowed)
    assert.equal("--approve never", reason)
  end)

  it("says no when there is nobody to ask", function()
    if terminal.has_person() then return end
    local allowed, reason = approve.handler "ask"(call)
    assert.is_false(allowed)
    assert.equal("there is no terminal to ask at", reason)
  end)
end)


describe("rille.cli.printer", function()
  --- Feeds events to a printer and returns what went to stdout and stderr.
  local function shown(settings, events)
    settings.color = false
    return captured(function()
      local made = printer.new(settings)
      for _, event in ipairs(events) do made:event(event) end
    end)
  end

  local function text(delta) return { type = "text", delta = delta } end
  local function done(reply)
    reply.transcript = nil
    return { type = "done", reply = reply }
  end
  local call <const> = { id = "call_1", name = "look", arguments = { at = "x" } }

  it("streams deltas and ends the line", function()
    local out, err = shown({}, { text "Hel", text "lo", done { text = "Hello" } })
    assert.equal("Hello\n", out)
    assert.equal("", err)
    assert.equal("Hello\n", (shown({}, { text "Hello\n", done { text = "Hello\n" } })))
  end)

  it("keeps messages apart, and agents further in out of the answer", function()
    local inner = { type = "text", delta = "secret", path = { "outer", "inner" } }
    local outer = { "outer" }
    local out = shown({}, {
      { type = "text", delta = "Let me look.", path = outer }, { type = "message", path = outer },
      inner, { type = "message", path = inner.path },
      { type = "text", delta = "Hel", path = outer }, { type = "text", delta = "lo", path = outer }, done { text = "Hello" },
    })
    assert.equal("Let me look.\nHello\n", out)
  end)

  it("prints the validated output where the text is another", function()
    assert.equal('{"b":1, "a":2}\n', (shown({ stream = false }, { done { text = '{"b":1, "a":2}', output = { a = 2, b = 1 } } })))
    assert.equal('{"a":2}\n', (shown({ stream = false }, { done { text = '```json\n{"a": 2}\n```', output = { a = 2 } } })))
    assert.equal("[1]\n", (shown({ stream = false }, { done { text = '{"value":[1]}', output = { 1 } } })))
  end)

  it("prints the whole answer at the end without streaming", function()
    assert.equal("Hello\n", (shown({ stream = false }, { text "Hel", text "lo", done { text = "Hello" } })))
  end)

  it("prints an answer that came without deltas, and a refusal", function()
    assert.equal("Hello\n", (shown({}, { done { text = "Hello" } })))
    assert.equal("No.\n", (shown({ stream = false }, { done { refusal = "No." } })))
    assert.equal("", (shown({}, { done { text = "" } })))
  end)

  it("shows calls and results on stderr, shortened and on one line each", function()
    local _, err = shown({}, {
      { type = "tool_call", call = call },
      { type = "tool_progress", call = call, value = "half way" },
      { type = "tool_result", call = call, content = ("line\n"):rep(100), ok = true, seconds = 0.25 },
      { type = "tool_result", call = call, content = "Error: no", ok = false, seconds = 1 },
    })
    local lines = {}
    for line in err:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal('→ look {"at":"x"}', lines[1])
    assert.equal("… look: half way", lines[2])
    assert.truthy(lines[3]:find "^← look %(0%.2 s%) line\\nline\\n" or lines[3]:find "^← look %(0%.3 s%) line\\n")
    assert.truthy(#lines[3] < 260)
    assert.equal("← look (1.0 s) Error: no", lines[4])
    assert.equal(4, #lines)
  end)

  it("shows retries, requests and usage only when asked", function()
    local events = {
      { type = "request", number = 1, model = "m", messages = 2 },
      { type = "retry", attempt = 2, delay = 0.5, failure = failure.new("rate_limit", "slow down") },
      done { text = "x", finish_reason = "stop", usage = { prompt_tokens = 1, completion_tokens = 2, requests = 1 } },
    }
    local _, err = shown({}, events)
    assert.equal("", err)
    _, err = shown({ verbose = true }, events)
    assert.truthy(err:find("request 1: m, 2 messages", 1, true))
    assert.truthy(err:find("retry 2 in 0.5 s: rate_limit: slow down", 1, true))
    assert.truthy(err:find("1 tokens in, 2 out, 1 requests, finish_reason stop", 1, true))
  end)

  it("says what a longer wait is for, and that another model is asked", function()
    local _, err = shown({}, {
      { type = "retry", attempt = 2, delay = 1.9, failure = failure.new("server_error", "busy") },
      { type = "retry", attempt = 3, delay = 20, failure = failure.new("rate_limit", "slow down") },
      { type = "fallback", model = "spare\27", failure = failure.new("server_error", "busy") },
    })
    assert.equal("retry 3 in 20.0 s: rate_limit: slow down\nasking spare\\x1b: server_error: busy\n", err)
    _, err = shown({ quiet = true }, { { type = "retry", attempt = 3, delay = 20, failure = failure.new("rate_limit", "x") } })
    assert.equal("", err)
  end)

  it("is silent on stderr when told to be quiet", function()
    local out, err = shown({ quiet = true }, { { type = "tool_call", call = call }, text "x", done { text = "x" } })
    assert.equal("x\n", out)
    assert.equal("", err)
  end)

  it("prints one JSON object for json, and one a line for stream-json", function()
    local events = { text "x", done { text = "x", finish_reason = "stop" } }
    local out = shown({ format = "json" }, events)
    assert.equal('{"finish_reason":"stop","text":"x"}\n', out)
    out = shown({ format = "stream-json" }, events)
    assert.equal('{"delta":"x","type":"text"}\n{"reply":{"finish_reason":"stop","text":"x"},"type":"done"}\n', out)
    out = shown({ format = "json" }, { { type = "failed", failure = failure.new("timeout", "late") } })
    assert.equal('{"error":{"code":"timeout","message":"late"}}\n', out)
  end)

  it("ignores events that it does not know", function()
    assert.equal("", (shown({}, { { type = "invented" } })))
  end)
end)


describe("rille.cli", function()
  it("loads every command that it names, and nothing else", function()
    for _, name in ipairs(cli.order) do
      local command = cli.command(name)
      assert.equal("function", type(command.run))
      assert.equal("rille " .. name, command.usage:match "^rille %l+")
      assert.equal("string", type(command.summary))
      for _, row in ipairs(command.flags) do
        assert.truthy(row[1]:find "^[%l-]+$")
        assert.truthy(#row.help > 0)
      end
    end
    assert.is_nil(cli.command "status")
    assert.is_nil(cli.command "../x")
  end)

  it("reports a command that raises as a failure of the run", function()
    local code
    local _, err = captured(function() code = cli.main { [0] = "rille", "-e", "error('x', 0)" } end)
    assert.equal(1, code)
    assert.equal("rille: x\n", err)
  end)
end)
