--- agent_property_spec.lua -- whatever a model does: a run ends once, with a reply or a known failure, and its transcript can
--- be sent. RILLE_PROPERTY_RUNS sets the number of runs, RILLE_PROPERTY_SEED the first seed.
local agents = require "spec.support.agents"
local chaos = require "spec.support.chaos"
local core = require "rille.core"
local failures = require "rille.failure"
local rille = require "rille"
local sendable = require "spec.support.sendable"

local usual_runs <const> = agents.slack > 5 and 25 or agents.slack > 1 and 100 or 1000
local runs <const> = math.tointeger(tonumber(os.getenv "RILLE_PROPERTY_RUNS")) or usual_runs
local first_seed <const> = math.tointeger(tonumber(os.getenv "RILLE_PROPERTY_SEED")) or 1

local known <const> = {}
for _, code in ipairs(failures.codes) do known[code] = true end

local function random_limits(dice)
  local limits = { turns = dice(8) }
  if dice(4) == 1 then limits.tool_calls = dice(6) - 1 end
  if dice(4) == 1 then limits.tokens = dice(100) end
  if dice(6) == 1 then limits.seconds = dice(8) / 1000 end
  if dice(4) == 1 then limits.concurrency = dice(2) end
  return limits
end

local function random_handlers(dice)
  local on = {}
  if dice(3) == 1 then on.text = function() end end
  if dice(3) == 1 then
    on.approval = function(event)
      local answers = { event.approve, event.deny, function() event:approve { text = "other" } end, function() end }
      answers[dice(4)](event)
    end
  end
  if dice(12) == 1 then
    on.tool_result = function() if dice(3) == 1 then error("handler at fault", 0) end end
  end
  return on
end

local function random_agent(dice)
  return agents.new({ loop = true, function() return chaos.step(dice) end }, {
    tools = chaos.tools(dice), limits = random_limits(dice), on = random_handlers(dice),
    output = dice(6) == 1 and { { "n", "integer" } } or nil,
    approve = dice(3) == 1 and function()
      if dice(5) == 1 then error("asking failed", 0) end
      return dice(2) == 1
    end or nil,
    stop_when = dice(10) == 1 and function() return dice(3) == 1 end or nil,
    instructions = dice(2) == 1 and "Be brief." or nil,
  })
end

--- Reads events to the end, or leaves early.
local function read(dice, run)
  local last, leave = 0, dice(8) == 1 and dice(6)
  for event in run:events() do
    assert(last == 0, "an event after the last one")
    if event.type == "done" or event.type == "failed" then last = last + 1 end
    leave = leave and leave - 1
    if leave == 0 then return nil end
  end
  assert(last == 1, "not exactly one last event")
end

--- Every call that was told to be run was told its result.
local function check(run, seed)
  local reply, failure = run:wait()
  assert((reply == nil) ~= (failure == nil), "neither reply nor failure, or both")
  assert(failure == nil or known[failure.code], "unknown code " .. tostring(failure and failure.code))
  local problem = sendable.problem(run.transcript)
  assert(problem == nil, problem)
  assert((reply or failure.reply).transcript == run.transcript, "another transcript")
  assert(run.usage.requests >= #run.turns, "more turns than requests")
  return seed
end

local function one(seed)
  local dice = chaos.dice(seed)
  local agent = random_agent(dice)
  local run = agent:start("Go.", { value = seed })
  local reader = core.spawn(read, dice, run)
  if dice(4) == 1 then
    core.sleep((dice(10) - 1) / 1000)
    run:cancel("at random")
  end
  if dice(4) == 1 then run:steer "And hurry." end
  local _, trouble = reader:join()
  assert(trouble == nil, tostring(trouble))
  check(run, seed)
  if dice(4) == 1 then   -- any conversation can be continued
    local again = agent:start("Go on.", { transcript = run.transcript, limits = { turns = 2 } })
    check(again, seed)
  end
end

describe("any run", function()
  it(("ends once and leaves a transcript that can be sent (%d runs)"):format(runs), async(function()
    local seeds = {}
    for i = 1, runs do seeds[i] = first_seed + i - 1 end
    local before = rille.log.level "off"
    local _, broken = rille.map(seeds, function(seed)
      one(seed)
      return true
    end, { concurrency = 25 })
    rille.log.level(before)
    local lines = {}
    for i, failure in pairs(broken or {}) do
      lines[#lines + 1] = ("seed %d: %s\n%s"):format(seeds[i], failure.message, failure.traceback or "")
    end
    table.sort(lines)
    assert.equal("", table.concat(lines, "\n", 1, math.min(#lines, 3)))
  end))
end)
