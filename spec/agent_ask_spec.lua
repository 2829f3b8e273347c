--- agent_ask_spec.lua -- what an agent asks for: kept from turn to turn, and never other than what would be decided anew.
local core = require "rille.core"
local fake_wire = require "spec.support.fake_wire"
local some = require("spec.support.effort").some
local rille = require "rille"

local LOCAL <const> = "http://localhost:9/v1"


local function call(name)
  return { completion = { id = "c", choices = { { index = 0, finish_reason = "tool_calls", message = {
    role = "assistant", tool_calls = { { id = "call", type = "function", ["function"] = { name = name, arguments = "{}" } } },
  } } } } }
end


local function answer()
  return { completion = { id = "c", choices = {
    { index = 0, finish_reason = "stop", message = { role = "assistant", content = "ok" } } } } }
end


--- Has a conversation in which a tool does `change(turn, agent, options)` after each of the first turns; what was sent.
local function sent_by(turns, given, options, change)
  local steps, agent, number = { default = answer() }, nil, 0
  for n = 1, turns do steps[n] = call "change" end
  local wire = fake_wire.install(steps)
  local tool = rille.tool { name = "change", description = "Changes.", run = function()
    number = number + 1
    change(number, agent, options)
    return tostring(number)
  end }
  given.tools = given.tools or { tool }
  given.limits = { repeats = math.huge }
  agent = rille.agent(given)
  local reply, failure = agent:run("a", options)
  agent:run("b", options)
  wire.restore()
  local sent = {}
  for i, request in ipairs(wire.sent) do
    sent[i] = table.concat({ request.settings.url, table.concat(request.settings.headers, "\n"), request.text,
      request.settings.total and ("%.1f"):format(request.settings.total) or "" }, "\n")
  end
  return sent, reply, failure
end


--- The same with nothing kept.
local function sent_anew(...)
  local same = core.same_members
  core.same_members = function() return false end
  local sent, reply, failure = sent_by(...)
  core.same_members = same
  return sent, reply, failure
end


local function new_options()
  return {
    model = "m", base_url = LOCAL, api_key = "k", instructions = "Be brief.", params = { temperature = 1, stop = { "x" } },
    headers = { ["X-A"] = "1" }, extra = { deep = { 1 } },
  }
end


local changes <const> = {
  ["a parameter"] = function(agent) agent.params.temperature = (agent.params.temperature or 0) + 1 end,
  ["a parameter within"] = function(agent) agent.params.stop[#agent.params.stop + 1] = "y" end,
  ["a parameter more"] = function(agent) agent.params.seed = (agent.params.seed or 0) + 1 end,
  ["other parameters"] = function(agent) agent.params = { stop = {}, top_p = 0.5 } end,
  ["the model"] = function(agent) agent.model = agent.model == "n" and "m" or "n" end,
  ["a list of models"] = function(agent) agent.model = { "one", "two" } end,
  ["the address"] = function(agent) agent.base_url = "http://localhost:10/v1" end,
  ["the key"] = function(agent) agent.api_key = agent.api_key .. "y" end,
  ["a header"] = function(agent) agent.headers["X-A"] = (agent.headers["X-A"] or "") .. "2" end,
  ["no headers"] = function(agent) agent.headers = {} end,
  ["a query"] = function(agent) agent.query = { q = "1" } end,
  ["what is merged last"] = function(agent) agent.extra.deep[#agent.extra.deep + 1] = 2 end,
  ["a time"] = function(agent) agent.timeout = 50 end,
  ["the tool that must be called"] = function(agent) agent.params.tool_choice = "required" end,
  ["one after the other"] = function(agent) agent.params.parallel_tool_calls = false end,
  ["the instructions"] = function(agent) agent.instructions = agent.instructions .. " And kind." end,
  ["no instructions"] = function(agent) agent.instructions = "" end,
  ["a parameter of the run"] = function(_, options)
    if options and options.params then options.params.user = (options.params.user or "") .. "u" end
  end,
  ["the model of the run"] = function(_, options)
    if options then options.model = "o" end
  end,
  ["the tools"] = function(agent)
    local name = "more" .. #agent.toolset.list
    agent.toolset = agent.toolset:with(rille.tool { name = name, description = name, run = function() end })
  end,
  ["the hook that prepares"] = function(agent)
    agent.prepare = not agent.prepare and function() return { params = { seed = 5 } } end or nil
  end,
  ["nothing"] = function() end,
}


local function names_of(list)
  local names = {}
  for name in pairs(list) do names[#names + 1] = name end
  table.sort(names)
  return names
end


local names = names_of(changes)


describe("what an agent asks for", function()
  for _, name in ipairs(names) do
    it("follows a change of " .. name .. " in the middle of a run", async(function()
      local function once(number, agent, options)
        if number == 2 then changes[name](agent, options) end
      end
      for _, options in ipairs { "none", "some" } do
        local function options_of() return options == "some" and { params = { user = "me" } } or nil end
        local kept = sent_by(4, new_options(), options_of(), once)
        local anew = sent_anew(4, new_options(), options_of(), once)
        assert.same(anew, kept)
        assert.equal(6, #kept)
      end
    end))
  end

  it("is what would be decided anew, whatever changes", async(function()
    for seed = 1, some(150) do
      local function random()
        math.randomseed(seed)
        return function(_, agent, options)
          changes[names[math.random(#names)]](agent, options)
        end
      end
      local options = seed % 3 == 0 and {} or seed % 3 == 1 and { params = { user = "me" } } or nil
      local function copy() return options and { params = options.params and { user = "me" } } end
      local kept = sent_by(6, new_options(), copy(), random())
      local anew = sent_anew(6, new_options(), copy(), random())
      assert.same(anew, kept, "seed " .. seed)
    end
  end))

  it("is decided once for turns and runs that ask for the same", async(function()
    local decided, chat = 0, require "rille.chat"
    local wish = chat.wish
    chat.wish = function(...)
      decided = decided + 1
      return wish(...)
    end
    sent_by(4, new_options(), nil, changes["nothing"])
    chat.wish = wish
    assert.equal(1, decided)
  end))

  it("keeps nothing of a run alive", async(function()
    local agent = rille.agent { model = rille.script { rille.script.text "ok" } }
    local seen = setmetatable({}, { __mode = "v" })
    local function run()
      seen.value, seen.transcript = {}, rille.transcript()
      assert(agent:run("a", { value = seen.value, transcript = seen.transcript, params = { seed = 1 } }))
    end
    run()
    collectgarbage()
    collectgarbage()
    assert.same({}, seen)
  end))

  it("is forced in the first turn only, in each run", async(function()
    local given = new_options()
    given.params = { tool_choice = "required" }
    local sent = sent_by(2, given, nil, changes["nothing"])
    local forced = {}
    for i, text in ipairs(sent) do forced[i] = text:find('"tool_choice":"required"', 1, true) ~= nil end
    assert.same({ true, false, false, true }, forced)
  end))

  it("is asked of `prepare` each time", async(function()
    local given, count = new_options(), 0
    given.prepare = function()
      count = count + 1
      return { params = { seed = count } }
    end
    local sent = sent_by(2, given, nil, changes["nothing"])
    for i, text in ipairs(sent) do assert.matches('"seed":' .. i .. "[,}]", text) end
    assert.equal(4, #sent)
  end))

  it("comes from the agent that speaks after a hand-off", async(function()
    local wire = fake_wire.install { call "transfer_to_other", call "transfer_to_first", call "transfer_to_other",
      default = answer() }
    local asked = {}
    local other = rille.agent { name = "other", model = "two", base_url = LOCAL, api_key = "k", params = { seed = 2 },
      instructions = function()
        asked[#asked + 1] = "other"
        return "Second."
      end }
    local first = rille.agent { name = "first", model = "one", base_url = LOCAL, api_key = "k", tools = { other:as_handoff() },
      instructions = function()
        asked[#asked + 1] = "first"
        return "First."
      end }
    other.toolset = require("rille.agent.toolset").new({ first:as_handoff() }, "spec", 1)
    assert(first:run("a", { model = "three" }))
    wire.restore()
    local said = {}
    for i, request in ipairs(wire.sent) do
      said[i] = { request.body.model, request.body.seed or 0, request.body.messages[1].content }
    end
    assert.same({ { "three", 0, "First." }, { "two", 2, "Second." }, { "one", 0, "First." }, { "two", 2, "Second." } }, said)
    assert.same({ "first", "other" }, asked)
  end))
end)


describe("core.same_members", function()
  it("looks at these members alone, by what they hold", function()
    local holder = { one = { 1, { x = 2 } }, two = 2, three = 3 }
    assert.is_true(core.same_members(holder, { "one", "two" }, { { 1, { x = 2 } }, 2 }))
    assert.is_true(core.same_members(holder, { "none", "two" }, { nil, 2 }))
    assert.is_true(core.same_members({}, {}, {}))
    assert.is_false(core.same_members(holder, { "one", "two" }, { { 1, { x = 3 } }, 2 }))
    assert.is_false(core.same_members(holder, { "two" }, { 2.0 }))
    assert.is_false(core.same_members(holder, { "two" }, { "2" }))
    assert.is_false(core.same_members({}, { "two" }, { 2 }))
    assert.is_false(core.same_members({ two = false }, { "two" }, {}))
  end)

  it("asks no metatable", function()
    local made = setmetatable({}, { __index = function() return 1 end, __eq = function() return true end })
    assert.is_true(core.same_members(made, { "one" }, {}))
  end)

  it("raises for what is no table", function()
    assert.has_error(function() core.same_members({}, {}) end)
    assert.has_error(function() core.same_members({}, 1, {}) end)
  end)
end)
