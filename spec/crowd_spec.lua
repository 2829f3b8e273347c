--- crowd_spec.lua -- many agents at once, in one process, over real sockets.
local core = require "rille.core"
local crowd = require "spec.support.crowd"
local program = require "spec.support.program"
local rille = require "rille"
local step = require "rille.script"

--- A model that has every agent call its tool twice, whichever of them asks.
local function two_rounds()
  return step { function(request)
    local results = 0
    for _, message in ipairs(request.messages) do
      if message.role == "tool" then results = results + 1 end
    end
    if results < 2 then return step.call("look", { round = results + 1 }) end
    return ("%s saw %s"):format(request.messages[1].content, request.messages[#request.messages].content)
  end, loop = true }
end

local look = rille.tool {
  name = "look", parameters = { { "round", "integer" } },
  run = function(args)
    rille.sleep(0.02)
    return "round " .. args.round
  end,
}

--- Runs them all and checks that each got its own answer.
local function run_all(agent, count)
  local list = {}
  for i = 1, count do list[i] = i end
  local replies, failures = rille.map(list, function(i) return agent:run("agent " .. i) end)
  assert.is_nil(failures and tostring(select(2, next(failures))))
  for i, reply in ipairs(replies) do
    assert.equal(("agent %d saw round 2"):format(i), reply.text)
    assert.equal(3, reply.usage.requests)
    assert.equal(6, #reply.transcript)
  end
end

describe("a crowd of agents", function()
  it("finishes over HTTP, each with two tool rounds", async(function()
    local count = crowd(1000)
    local server <close> = assert(rille.mock.serve(two_rounds()))
    run_all(rille.agent { model = "m", base_url = server.url, tools = { look } }, count)
    assert.equal(3 * count, #server.requests)
    server:close()
    core.sleep(0.05)
  end))

  it("finishes in process", async(function()
    local model = two_rounds()
    run_all(rille.agent { model = model, tools = { look } }, crowd(300))
    model:assert_done()
  end))

  --- KB of a program in which so many agents wait for their answer.
  local function resident(url, count)
    local result = program.run { "-e", ([[
      local rille = require "rille"
      local agent = rille.agent { model = "m", base_url = %q, params = { stream = false } }
      for _ = 1, %d do rille.spawn(agent.run, agent, "hello") end
      rille.sleep(1)
      print(rille.uv.resident_set_memory() // 1024)
      os.exit(0, false)
    ]]):format(url, count) }
    assert.equal("", result.stderr)
    return tonumber(result.stdout)
  end

  it("takes little while it waits", async(function()
    if os.getenv("RILLE_HOST_FLAGS") then return end   -- a sanitizer takes more
    local server <close> = assert(rille.mock.serve(step { step.text("late", { delay = 60 }), loop = true }))
    local few = resident(server.url, 20)
    local each = (resident(server.url, 320) - few) / 300
    assert.is_true(each < 27, ("%.1f KB each"):format(each))
    server:close()
    core.sleep(0.05)
  end))

  it("stops at once when it is cancelled", async(function()
    local count = crowd(1000)
    local server <close> = assert(rille.mock.serve(step { step.text("late", { delay = 60 }), loop = true }))
    local agent = rille.agent { model = "m", base_url = server.url }
    local task = rille.spawn(function()
      local list = {}
      for i = 1, count do list[i] = i end
      rille.map(list, function(i) return agent:run("agent " .. i) end)
    end)
    rille.sleep(0.3)
    local before = rille.now()
    task:cancel()
    task:join()
    assert.is_true(rille.now() - before < 2)
    server:close()
    core.sleep(0.05)
  end))
end)
