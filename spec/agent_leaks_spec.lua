--- agent_leaks_spec.lua -- a hundred agents with tools of every kind, cancelled at random moments: no task, handle, child process,
--- file descriptor or memory stays behind.
local agents = require "spec.support.agents"
local chaos = require "spec.support.chaos"
local core = require "rille.core"
local program = require "spec.support.program"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local S <const> = rille.script

--- Open file descriptors of this process by kind, "socket" and the others; nil where the system does not say.
local function descriptors()
  local list = rille.fs.list "/proc/self/fd"
  if not list then return nil end
  local counts = { socket = 0, other = 0 }
  for _, descriptor in ipairs(list) do
    local target = rille.uv.fs_readlink("/proc/self/fd/" .. descriptor)   -- nil: the one that listed them
    local kind = (target or ""):find "^socket:" and "socket" or "other"
    if target then counts[kind] = counts[kind] + 1 end
  end
  return counts
end

--- Children of this process that are alive or not reaped.
local function children(marker)
  local found = rille.process.run { "sh", "-c", ("ps -eo args,stat | grep '[s]leep %s' | wc -l"):format(marker) }
  return math.tointeger(tonumber(found.stdout:match "%d+"))
end

local marker <const> = "73.25"

--- Tools that hold something while they wait.
local function holders(server)
  return {
    agents.tool("program", function() return rille.process.run { "sleep", marker } end),
    agents.tool("family", function() return rille.process.run { "sh", "-c", "sleep " .. marker .. " & sleep " .. marker } end),
    agents.tool("page", function() return rille.http.get(server.url .. "/models") end),
    agents.tool("file", function()
      local path = os.tmpname()
      rille.fs.write(path, "x")
      rille.sleep(0.001)
      rille.fs.remove(path)
    end),
    agents.tool("timer", function() rille.sleep(60) end),
    agents.tool("tasks", function()
      rille.all { function() rille.sleep(60) end, function() rille.process.run { "sleep", marker } end }
    end),
  }
end

local function busy_agent(dice, tools, url)
  local names = {}
  for i, tool in ipairs(tools) do names[i] = tool.name end
  return rille.agent { model = url and "any" or rille.script { loop = true, function()
    local calls = {}
    for i = 1, dice(3) do calls[i] = { names[dice(#names)] } end
    return S.calls(calls)
  end }, base_url = url, api_key = url and "k" or nil, tools = tools, limits = { turns = 4, repeats = math.huge } }
end

--- One agent, stopped at some moment.
local function one(seed, server, tools)
  local dice = chaos.dice(seed)
  local agent = busy_agent(dice, tools, dice(3) == 1 and server.url or nil)
  local run = agent:start "Go."
  core.sleep(dice(60) / 1000)
  run:cancel "at random"
  run:wait()
  local problem = sendable.problem(run.transcript)
  assert(not problem, problem)
end

local AT_ONCE <const> = 50
local ROUNDS <const> = 4

--- A hundred agents against a server of their own; what the process holds when they are gone.
local function round(first)
  local slow = rille.script { loop = true, function()
    return S.text("late", { delay = 0.02, chunks = { "a", "b" }, pause = 0.02 })
  end }
  local server = assert(rille.mock.serve(slow))
  local tools = holders(server)
  local seeds = {}
  for i = 1, 100 do seeds[i] = first + i end
  local _, broken = rille.map(seeds, function(seed)
    one(seed, server, tools)
    return true
  end, { concurrency = AT_ONCE })
  for _, failure in pairs(broken or {}) do error(failure, 0) end
  server:close()
  core.sleep(0.05)   -- what was killed or closed needs a moment to go
end

local function held()
  collectgarbage()
  collectgarbage()
  local counts = core.counts()
  return { memory = collectgarbage "count", files = descriptors(), handles = counts.handles, tasks = counts.tasks,
    transfers = counts.transfers, registry = counts.registry }
end

describe("agents that are cancelled at random moments", function()
  it("leave nothing behind", async(function()
    local before_level = rille.log.level "off"
    round(0)
    local before = held()
    for i = 1, ROUNDS do round(i * 1000) end
    local after = held()
    rille.log.level(before_level)
    for _ = 1, 40 do
      if children(marker) == 0 then break end
      core.sleep(0.05)
    end
    assert.equal(0, children(marker))
    for _, name in ipairs { "handles", "tasks", "transfers", "registry" } do
      assert.equal(before[name], after[name], name)
    end
    if after.files then
      assert.equal(before.files.other, after.files.other)
      -- connections that are kept for the next request: one for each agent that was at work at once, never more
      assert.is_true(after.files.socket <= AT_ONCE + 2, after.files.socket .. " sockets")
    end
    local more = after.memory - before.memory
    assert.is_true(more < 25 * ROUNDS, ("%.0f KiB more after %d rounds"):format(more, ROUNDS))
  end))
end)


describe("the arguments of calls", function()
  --- KB of a program after so many runs with one call each, of which the arguments take 20 KB.
  local function resident(runs)
    local result = program.run { "-e", ([[
      local rille = require "rille"
      local say = rille.tool { name = "say", parameters = { { "text", "string" } }, run = function() return "said" end }
      local text = ("x"):rep(20000)
      for _ = 1, %d do
        local model = rille.script { rille.script.call("say", { text = text }), "done" }
        assert(rille.agent({ model = model, tools = { say }, params = { stream = false } }):run("go").text == "done")
      end
      collectgarbage()
      print(rille.uv.resident_set_memory() // 1024)
    ]]):format(runs), }
    assert.equal("", result.stderr)
    return tonumber(result.stdout)
  end

  it("leave nothing behind", async(function()
    if os.getenv("RILLE_HOST_FLAGS") then return end   -- a sanitizer keeps what was freed, and looks for leaks itself
    local few, many = resident(100), resident(600)
    assert.is_true(many < few + 4000, ("%d KB, then %d KB"):format(few, many))
  end))
end)
