--- The ready-made tools in the hands of an agent: through dispatch, with approval, limits and cancellation.
local agents = require "spec.support.agents"
local rille = require "rille"
local toolbox = require "spec.support.toolbox"

local S <const> = rille.script

--- What the model is told about calls, one after the other.
local function results(tools, calls, more)
  local options = { tools = tools }
  for key, value in pairs(more or {}) do options[key] = value end
  local steps = {}
  for i, call in ipairs(calls) do steps[i] = S.call(call[1], call[2]) end
  steps[#steps + 1] = S.text "done"
  local agent = agents.new(steps, options)
  return agents.results(agents.quietly(agents.reply, agent).transcript)
end


local function allow() return true end


describe("the tools of an agent", function()
  it("read, edit and search files", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "one\ntwo\n" }
    local root = { root = directory.path, approve = false }
    local told = results({ toolbox.load "read_file" { root = directory.path }, toolbox.load "edit_file"(root),
      toolbox.load "write_file"(root), toolbox.load "search_files" { root = directory.path },
      toolbox.load "list_files" { root = directory.path } }, {
      { "read_file", { path = "a.txt" } },
      { "edit_file", { path = "a.txt", old_text = "two", new_text = "2" } },
      { "write_file", { path = "sub/b.txt", content = "two again\n" } },
      { "search_files", { pattern = "^(two|2)\\b" } },
      { "list_files", { depth = 2 } },
    })
    assert.same({
      "1\tone\n2\ttwo", "replaced 1 occurrence in a.txt", "wrote 10 bytes to sub/b.txt",
      "a.txt:2: 2\nsub/b.txt:1: two again", "a.txt\nsub/\nsub/b.txt",
    }, told)
  end))

  it("do not write while nobody allows it", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "one" }
    local told = results({ toolbox.load "write_file" { root = directory.path }, toolbox.load "edit_file" { root = directory.path },
      toolbox.load "run_command" { root = directory.path } }, {
      { "write_file", { path = "a.txt", content = "gone" } },
      { "edit_file", { path = "a.txt", old_text = "one", new_text = "gone" } },
      { "run_command", { command = { "rm", "a.txt" } } },
    })
    for _, text in ipairs(told) do assert.matches("^Error: denied", text) end
    assert.equal("one", toolbox.bytes(directory.path .. "/a.txt"))
  end))

  it("write what was allowed", async(function()
    local directory <close> = toolbox.directory {}
    local shown
    local told = results({ toolbox.load "write_file" { root = directory.path } },
      { { "write_file", { path = "a.txt", content = "new" } } },
      { approve = function(call)
        shown = call
        return true
      end })
    assert.same({ "wrote 3 bytes to a.txt" }, told)
    assert.equal("write_file", shown.name)
    assert.same({ path = "a.txt", content = "new" }, shown.arguments)
    assert.equal("new", toolbox.bytes(directory.path .. "/a.txt"))
  end))

  it("tell the model what would be right", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "x" }
    local told = results({ toolbox.load "read_file" { root = directory.path } }, {
      { "read_file", { file = "a.txt" } },
      { "read_file", { path = "a.txt", limit = "ten" } },
      { "read_file", { path = "b.txt" } },
      { "read_file", { path = "../../etc/passwd" } },
    })
    assert.matches('%$.path: required property "path" %(string%) is missing', told[1])
    assert.matches('%$.file: unknown property "file"; valid: "path", "offset" and "limit"', told[1])
    assert.matches('%$.limit: expected integer, got string "ten"', told[2])
    assert.matches("^Error: cannot read .*b.txt: no such file or directory", told[3])
    assert.equal("Error: ../../etc/passwd is outside of the directory that is open to you", told[4])
  end))

  it("take null for an optional argument", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = "x" }
    assert.same({ "1\tx" }, results({ toolbox.load "read_file" { root = directory.path } },
      { { "read_file", { path = "a.txt", offset = rille.json.null, limit = rille.json.null } } }))
  end))

  it("end their programs when the run is cancelled", async(function()
    local directory <close> = toolbox.directory {}
    local agent = agents.new({ S.call("run_command", { command = { "sh", "-c", "echo $$ > pid; exec sleep 60" } }) },
      { tools = { toolbox.load "run_command" { root = directory.path } }, approve = allow })
    local run = agent:start "Go."
    local pid
    for _ = 1, 400 do
      pid = tonumber(toolbox.bytes(directory.path .. "/pid") or "")
      if pid then break end
      rille.sleep(0.01)
    end
    assert.is_number(pid)
    run:cancel()
    local reply, failure = run:wait()
    assert.is_nil(reply)
    assert.equal("cancelled", failure.code)
    local _, _, name = rille.uv.kill(pid, 0)
    assert.equal("ESRCH", name)
  end))

  it("have their long results cut in the middle", async(function()
    local directory <close> = toolbox.directory { ["a.txt"] = ("line of text\n"):rep(20000) }
    local told = results({ toolbox.load "read_file" { root = directory.path } },
      { { "read_file", { path = "a.txt", limit = 20000 } } })
    assert.is_true(#told[1] < 66000)
    assert.matches("bytes are not shown", told[1])
    assert.matches("20000\tline of text$", told[1])
  end))
end)


describe("a strict tool of an agent", function()
  it("gets no nulls for what is absent", async(function()
    local seen
    local tool = rille.tool {
      name = "look", strict = true,
      parameters = { { "a", "string" }, { "b", "integer", optional = true }, { "c", "integer", default = 7 } },
      run = function(args) seen = args end,
    }
    local null = rille.json.null
    assert.same({ "null" }, results({ tool }, { { "look", { a = "x", b = null, c = null } } }))
    assert.same({ a = "x", c = 7 }, seen)
  end))
end)


describe("a custom tool of an agent", function()
  it("gets the text and gives a result", async(function()
    local tool = rille.tool { name = "shout", type = "custom", run = function(text) return text:upper() end }
    local agent = agents.new({ S.calls { { name = "shout", input = "hello, world" } }, S.text "done" }, { tools = { tool } })
    local reply = agents.quietly(agents.reply, agent)
    assert.same({ "HELLO, WORLD" }, agents.results(reply.transcript))
  end))
end)
