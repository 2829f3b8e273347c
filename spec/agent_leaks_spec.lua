--- agent_leaks_spec.lua -- a hundred agents with tools of every kind, cancelled at random moments: no task, handle, child process,
--- file descriptor or memory stays behind.
local agents = require "spec.support.agents"
local chaos = require "spec.support.chaos"
local core = require "rille.core"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local S <const> = rille.script

--- Open file descriptors of this process; nil where the system does not say.
local function descriptors()
  local list = rille.fs.list "/proc/self/fd"
  return list and #list
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

describe("agents that are cancelled at random moments", function()
  it("leave nothing behind", async(function()
    local before_level = rille.log.level "off"
    local slow = rille.script { loop = true, function() return S.text("late", { delay = 0.02, chunks = { "a", "b" }, pause = 0.02 }) end }
    local server = assert(rille.mock.serve(slow))
    local tools = holders(server)
    local function round(first)
      local seeds = {}
      for i = 1, 100 do seeds[i] = first + i end
      local _, broken = rille.map(seeds, function(seed)
        one(seed, server, tools)
        return true
      end, { concurrency = 50 })
      for _, failure in pairs(broken or {}) do error(failure, 0) end
      core.sleep(0.05)   -- connections that are closed need a moment
      collectgarbage()
      collectgarbage()
      return collectgarbage "count", descriptors()
    end
    round(0)
    local memory, files = round(1000)
    local memory_after, files_after = round(2000)
    server:close()
    rille.log.level(before_level)
    for _ = 1, 40 do   -- what was killed takes a moment to go
      if children(marker) == 0 then break end
      core.sleep(0.05)
    end
    assert.equal(0, children(marker))
    assert.is_true(memory_after - memory < 300, ("%.0f KiB more after a second round"):format(memory_after - memory))
    if files then assert.is_true(files_after - files <= 16, ("%d descriptors more"):format(files_after - files)) end
  end))
end)
