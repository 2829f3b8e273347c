--- wish_spec.lua -- what is kept between requests, and what makes it be made anew.
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local fake_wire = require "spec.support.fake_wire"
local heal = require "rille.heal"
local json = require "rille.json"
local rille = require "rille"
local temporary = require "spec.support.temporary"
local uv = require "rille.uv"
local wish = require "rille.chat.wish"
local world = require "spec.support.world"

local LOCAL <const> = "http://localhost:9/v1"
local NO_TOOLS <const> = {}


local variables, restore

before_each(function()
  variables = {}
  restore = world.environment(variables)
  config.reset()
  endpoint.reset()
  heal.reset()
end)

after_each(function()
  restore()
  config.reset()
  endpoint.reset()
  heal.reset()
end)


describe("a wish", function()
  --- Everything that somebody may change in place.
  local function asked()
    return {
      base_url = LOCAL, api_key = "k", stream = false, insecure = true, retries = 1,
      params = { temperature = 0.5, stop = { "a", "b" }, logit_bias = { ["1"] = 2 } },
      extra = { deep = { list = { 1, 2 } }, user = json.absent }, headers = { ["X-A"] = "1" }, query = { v = "1" },
      timeout = { total = 5 }, provider = { name = "generic", flags = { drop = { "x" } } },
    }
  end

  it("serves what says the same", function()
    local kept = wish.keep("m", NO_TOOLS, asked())
    assert.is_true(kept:serves("m", NO_TOOLS, asked()))
  end)

  local changes <const> = {
    ["a parameter"] = function(a) a.params.temperature = 0.6 end,
    ["a float where an integer stood"] = function(a) a.retries = 1.0 end,
    ["a parameter more"] = function(a) a.params.seed = 1 end,
    ["a parameter less"] = function(a) a.params.stop = nil end,
    ["a list in a parameter"] = function(a) a.params.stop[2] = "c" end,
    ["the mark of a list"] = function(a) json.array(a.params.stop) end,
    ["something deep in extra"] = function(a) a.extra.deep.list[3] = 3 end,
    ["a member of extra that is no longer taken away"] = function(a) a.extra.user = nil end,
    ["a header"] = function(a) a.headers["X-A"] = false end,
    ["the query"] = function(a) a.query.v = "2" end,
    ["a timeout"] = function(a) a.timeout.total = nil end,
    ["a flag of the provider"] = function(a) a.provider.flags.drop[1] = "y" end,
    ["the base URL"] = function(a) a.base_url = "http://localhost:10/v1" end,
    ["the key"] = function(a) a.api_key = false end,
    ["whether there is a stream"] = function(a) a.stream = true end,
    ["whether there are instructions"] = function(a) a.opened = true end,
  }
  for what, change in pairs(changes) do
    it("does not serve when this differs: " .. what, function()
      local kept, other = wish.keep("m", NO_TOOLS, asked()), asked()
      change(other)
      assert.is_false(kept:serves("m", NO_TOOLS, other))
    end)

    it("holds copies: it sees this change from outside: " .. what, function()
      local mine = asked()
      local kept = wish.keep("m", NO_TOOLS, mine)
      change(mine)
      assert.is_false(kept:serves("m", NO_TOOLS, mine))
      assert.is_true(kept:serves("m", NO_TOOLS, asked()))
      local target = assert(kept:target(1))
      assert.equal(assert(wish.keep("m", NO_TOOLS, asked()):target(1)).frame.tail, target.frame.tail)
    end)
  end

  it("keeps no objects, whose state it does not see", function()
    local object = setmetatable({ level = 1 }, { __index = {} })
    local mine = { base_url = LOCAL, extra = { object = object } }
    local kept = wish.keep("m", NO_TOOLS, mine)
    assert.is_false(kept:serves("m", NO_TOOLS, mine))
    object.level = 2
    assert.matches('"object":{"level":2}', assert(wish.keep("m", NO_TOOLS, mine):target(1)).frame.tail)
  end)

  it("takes models that are scripts, and tools, for what they are and not for what they hold", function()
    local function respond() end
    local one, other = { respond = respond }, { respond = respond }
    local tool, twin = { type = "function" }, { type = "function" }
    local kept = wish.keep({ "m", one }, { tool }, {})
    assert.is_true(kept:serves({ "m", one }, { tool }, {}))
    for _, list in ipairs { { "m", other }, { one, "m" }, { "m" }, { "m", one, one }, {} } do
      assert.is_false(kept:serves(list, { tool }, {}))
    end
    assert.is_false(kept:serves("m", { tool }, {}))
    assert.is_false(kept:serves({ "m", one }, { twin }, {}))
    assert.is_false(kept:serves({ "m", one }, {}, {}))
    assert.is_false(wish.keep(one, {}, {}):serves(other, {}, {}))
    assert.is_true(wish.keep(nil, {}, {}):serves(nil, {}, {}))
    assert.is_false(wish.keep(nil, {}, {}):serves("m", {}, {}))
  end)

  it("keeps a list of models as it was", function()
    local models = { "a", "b" }
    local kept = wish.keep(models, NO_TOOLS, { base_url = LOCAL })
    models[1], models[2] = "c", nil
    assert.equal("a", assert(kept:target(1)).profile.model)
    assert.equal("b", assert(kept:target(2)).profile.model)
    assert.same({ n = 1 }, table.pack(kept:target(3)))
  end)
end)


describe("the first target of a wish", function()
  local function keep(more)
    local asked = { base_url = LOCAL, api_key = "k", params = { temperature = 1 } }
    for name, value in pairs(more or {}) do asked[name] = value end
    return wish.keep("m", NO_TOOLS, asked)
  end

  it("is made once", function()
    local kept = keep()
    assert.equal(assert(kept:target(1)), kept:target(1))
  end)

  it("stays when a variable changes that nobody asked for", function()
    local kept = keep()
    local before = assert(kept:target(1))
    variables.SOMETHING, variables.OLLAMA_API_KEY = "else", "x"
    assert.equal(before, kept:target(1))
  end)

  it("is made anew when a variable changes that was asked for, though it was not set", function()
    local kept = wish.keep("m", NO_TOOLS, {})
    assert.equal("authentication", select(2, kept:target(1)).code)
    variables.OPENAI_BASE_URL, variables.OPENAI_API_KEY = LOCAL, "one"
    local first = assert(kept:target(1))
    assert.same({ LOCAL, "one" }, { first.profile.base_url, first.profile.api_key })
    assert.equal(first, kept:target(1))
    variables.OPENAI_API_KEY = "two"
    assert.equal("two", assert(kept:target(1)).profile.api_key)
    variables.OPENAI_BASE_URL = "http://localhost:10/v1"
    assert.equal("http://localhost:10/v1/chat/completions", assert(kept:target(1)).address)
    variables.RILLE_PROVIDER = "ollama"
    assert.equal("ollama", assert(kept:target(1)).profile.name)
  end)

  it("is made anew when another model is the default", function()
    variables.RILLE_MODEL = "a"
    local kept = wish.keep(nil, NO_TOOLS, { base_url = LOCAL })
    assert.equal("a", assert(kept:target(1)).profile.model)
    variables.RILLE_MODEL = "b"
    assert.equal("b", assert(kept:target(1)).profile.model)
  end)

  it("is made anew when the way there changes: proxy and certificates", function()
    local wire = fake_wire.install { default = { completion = {} } }
    finally(wire.restore)
    local kept = keep { base_url = "https://api.example/v1" }
    assert.is_nil(assert(kept:target(1)).plan.proxy)
    variables.https_proxy = "http://proxy:1"
    assert.equal("http://proxy:1", assert(kept:target(1)).plan.proxy)
    variables.SSL_CERT_FILE = "/a.pem"
    assert.equal("/a.pem", assert(kept:target(1)).plan.ca_file)
  end)

  it("is made anew when the configuration is read again", function()
    local kept = keep()
    local before = assert(kept:target(1))
    config.reset()
    assert.not_equal(before, assert(kept:target(1)))
  end)

  it("is made anew when something was learned, or turned out to be wrong", function()
    local kept = keep()
    local before = assert(kept:target(1))
    local lesson = { drop = { "temperature" } }
    heal.remember(before.profile, lesson, "without temperature")
    local cured = assert(kept:target(1))
    assert.falsy(cured.frame.tail:find("temperature", 1, true))
    assert.equal(cured, kept:target(1))
    heal.unlearn(before.profile, lesson)
    assert.equal(before.frame.tail, assert(kept:target(1)).frame.tail)
  end)

  it("is kept as long as the function that gives the key gives the same one", function()
    local now, count = "a", 0
    local kept = keep { api_key = function()
      count = count + 1
      return now
    end }
    local first = assert(kept:target(1))
    assert.equal(first, kept:target(1))
    assert.equal(2, count)
    now = "b"
    assert.equal("b", assert(kept:target(1)).profile.api_key)
    assert.equal(3, count)
    now = nil
    variables.OPENAI_API_KEY = "c"
    local of_environment = assert(kept:target(1))
    assert.equal("c", of_environment.profile.api_key)
    assert.equal(of_environment, kept:target(1))
    variables.OPENAI_API_KEY = "d"
    assert.equal("d", assert(kept:target(1)).profile.api_key)
    now = false
    assert.is_nil(assert(kept:target(1)).profile.api_key)
    now = "with\nbreak"
    assert.equal("authentication", select(2, kept:target(1)).code)
    now = "e"
    assert.equal("e", assert(kept:target(1)).profile.api_key)
    assert.equal(9, count)
  end)

  it("is made anew when a script gets another name", function()
    local script = { model = "one", respond = function() end }
    local kept = wish.keep(script, NO_TOOLS, {})
    local first = assert(kept:target(1))
    assert.equal(first, kept:target(1))
    script.model = "two"
    assert.matches('"model":"two"', assert(kept:target(1)).frame.head)
    script.model = nil
    assert.equal("script", assert(kept:target(1)).profile.model)
  end)

  it("sends what a function gives for the key to its own provider only", function()
    local directory <close> = temporary.directory()
    assert(uv.fs_mkdir(directory.path .. "/rille", 448))
    directory.file("rille/config.lua", [[return { providers = {
      a = { base_url = "http://localhost:9/v1", api_key = function() return "key-a" end },
      b = { base_url = "http://localhost:10/v1", api_key = function() return "key-b" end },
    } }]])
    variables.XDG_CONFIG_HOME = directory.path
    local kept = wish.keep(nil, NO_TOOLS, {})
    for _, name in ipairs { "a", "b", "b", "a" } do
      variables.RILLE_MODEL = name .. ":m"
      local profile = assert(kept:target(1)).profile
      assert.same({ name, "key-" .. name }, { profile.name, profile.api_key })
    end
  end)

  it("minds variables that were read beside a function that waits for the key", async(function()
    local kept = wish.keep("m", NO_TOOLS, { base_url = "https://api.example/v1", api_key = function()
      rille.sleep(0.002)
      return "k"
    end })
    local wire = fake_wire.install { default = { completion = {} } }
    finally(wire.restore)
    local other = rille.spawn(function()
      rille.sleep(0.001)
      local notes <close> = config.take_notes()
      rille.sleep(0.01)
      return notes
    end)
    assert.is_nil(assert(kept:target(1)).plan.proxy)
    variables.https_proxy = "http://proxy:1"
    assert.equal("http://proxy:1", assert(kept:target(1)).plan.proxy)
    other:join()
  end))

  it("is the one that another request made while the function for the key waited", async(function()
    local pause = 0
    local kept = keep { api_key = function()
      rille.sleep(pause)
      return "k"
    end }
    local before = assert(kept:target(1))
    pause = 0.01
    local slow = rille.spawn(function() return kept:target(1) end)
    rille.sleep(0)
    pause = 0
    heal.remember(before.profile, { drop = { "temperature" } }, "without temperature")
    local cured = assert(kept:target(1))
    assert.not_equal(before, cured)
    assert.equal(cured, slow:join())
  end))

  it("asks a function for the key once for each request", function()
    for _, where in ipairs { "option", "provider" } do
      local count = 0
      local function api_key()
        count = count + 1
        return "key" .. count
      end
      local kept = wish.keep("m", NO_TOOLS, where == "option" and { base_url = LOCAL, api_key = api_key }
        or { base_url = LOCAL, provider = { name = "generic", api_key = api_key } })
      assert.equal("key1", assert(kept:target(1)).profile.api_key)
      assert.equal("key2", assert(kept:target(1)).profile.api_key)
    end
  end)
end)


describe("an agent", function()
  local wire

  local function answer(text)
    return { completion = { id = "c", choices = {
      { index = 0, finish_reason = "stop", message = { role = "assistant", content = text or "ok" } } } } }
  end

  before_each(function() wire = fake_wire.install { default = answer() } end)

  after_each(function() wire.restore() end)

  --- What the requests after `change` say.
  local function sent_by(agent, change)
    assert(agent:run "a")
    if change then change(agent) end
    assert(agent:run "b")
    assert(agent:run "c")
    assert.equal(wire.sent[2].settings.tail, wire.sent[3].settings.tail)
    return wire.sent[1], wire.sent[3]
  end

  local function new(more)
    local given = { model = "m", base_url = LOCAL, api_key = "k", instructions = "Be brief." }
    for name, value in pairs(more or {}) do given[name] = value end
    return rille.agent(given)
  end

  it("plans its requests once", async(function()
    local plans, plan = 0, core.chat_plan
    core.chat_plan = function(...)
      plans = plans + 1
      return plan(...)
    end
    local first, last = sent_by(new())
    assert.equal(1, plans)
    assert.equal((first.text:gsub('"content":"a"', '"content":"c"')), last.text)
  end))

  it("shares its wishes with agents that differ in their instructions only", async(function()
    local one, other = new { instructions = "Be one." }, new { instructions = "Be two." }
    local hot, mute = new { params = { temperature = 2 } }, new { instructions = "" }
    for _, agent in ipairs { one, other, hot, mute, one, other } do assert(agent:run "a") end
    assert.equal(one._wishes[1], other._wishes[1])
    assert.not_equal(one._wishes[1], hot._wishes[1])
    assert.not_equal(one._wishes[1], mute._wishes[1])
    local said = {}
    for i, request in ipairs(wire.sent) do
      said[i] = request.body.messages[1].content .. (request.body.temperature and " hot" or "")
    end
    assert.same({ "Be one.", "Be two.", "Be brief. hot", "a", "Be one.", "Be two." }, said)
  end))

  it("lets its wishes go when nobody asks them any more", async(function()
    local held = setmetatable({}, { __mode = "v" })
    do
      local agent = new { params = { seed = 5 } }
      assert(agent:run "a")
      held[1] = agent._wishes[1]
    end
    wire.sent = {}
    collectgarbage()
    collectgarbage()
    assert.is_nil(held[1])
  end))

  it("makes no new wish for the instructions that a function writes for each run", async(function()
    local count = 0
    local agent = new { instructions = function()
      count = count + 1
      return "Run " .. count
    end }
    for i = 1, 3 do
      assert(agent:run "a")
      assert.equal("Run " .. i, wire.sent[i].body.messages[1].content)
    end
    assert.equal(1, #agent._wishes)
  end))

  it("opens a request as each of its servers wants it", async(function()
    local agent = new { model = { "m", "llamacpp:n" }, retries = 0 }
    agent.base_url = nil
    agent.provider = { name = "mine", base_url = LOCAL, api_key = "k", flags = { no_system = { "." } } }
    wire.restore()
    wire = fake_wire.install { { status = 503 }, default = answer() }
    assert(agent:run("a", { transcript = core.transcript { { role = "system", content = "More." } } }))
    local roles = {}
    for i, request in ipairs(wire.sent) do roles[i] = request.body.messages[1].role end
    assert.same({ "user", "system" }, roles)
  end))

  it("sends parameters and extra members that are changed in place", async(function()
    local params, extra = { temperature = 1, stop = { "x" } }, { deep = { 1 } }
    local _, last = sent_by(new { params = params, extra = extra }, function()
      params.temperature, params.stop[1], extra.deep[2] = 0, "y", 2
    end)
    assert.same({ 0, { "y" }, { 1, 2 } }, { last.body.temperature, last.body.stop, last.body.deep })
  end))

  it("sends what is put in another one's place", async(function()
    local _, last = sent_by(new(), function(agent)
      agent.base_url, agent.headers, agent.instructions = "http://localhost:10/v1", { ["X-Mine"] = "1" }, "Be long."
    end)
    assert.equal("http://localhost:10/v1/chat/completions", last.settings.url)
    assert.matches("x%-mine: 1", table.concat(last.settings.headers, "\n"))
    assert.equal("Be long.", last.body.messages[1].content)
  end))

  it("asks with the options of each run", async(function()
    local agent = new { params = { temperature = 1 } }
    for i, options in ipairs { {}, { params = { temperature = 0 } }, { model = "n" }, {} } do
      assert(agent:run("a", options))
      local said = wire.sent[i].body
      assert.same({ options.model or "m", options.params and 0 or 1 }, { said.model, said.temperature })
    end
  end))

  it("keeps few wishes, however different its requests are", async(function()
    local agent = new()
    for i = 1, 50 do assert(agent:run("a", { params = { seed = i % 7 } })) end
    for i = 1, 50 do assert.equal(i % 7, wire.sent[i].body.seed) end
    assert.is_true(#agent._wishes <= 4)
  end))

  it("does not mind a request that is under way when its options change", async(function()
    local agent = new { params = { temperature = 1 } }
    wire.restore()
    wire = fake_wire.install {
      function()
        agent.params.temperature = 0
        return { status = 500, headers = { ["retry-after"] = "0" } }
      end,
      default = answer(),
    }
    assert(agent:run "a")
    assert.equal(wire.sent[1].text, wire.sent[2].text)
    assert(agent:run "a")
    assert.equal(0, wire.sent[3].body.temperature)
  end))

  it("asks for another key after a 401, and keeps to it", async(function()
    local now = "old"
    local agent = new { api_key = function() return now end }
    wire.restore()
    wire = fake_wire.install {
      function()
        now = "new"
        return { status = 401, message = "expired" }
      end,
      default = answer(),
    }
    assert(agent:run "a")
    assert(agent:run "b")
    local keys = {}
    for i, request in ipairs(wire.sent) do keys[i] = table.concat(request.settings.headers, "\n"):match "Bearer (%w+)" end
    assert.same({ "old", "new", "new" }, keys)
  end))

  it("is cured once for all of its requests", async(function()
    wire.restore()
    wire = fake_wire.install { { status = 400, message = "temperature is not supported" }, default = answer() }
    local agent = new { params = { temperature = 1 } }
    assert(agent:run "a")
    assert(agent:run "b")
    assert.equal(3, #wire.sent)
    assert.same({ 1 }, { wire.sent[1].body.temperature, wire.sent[2].body.temperature, wire.sent[3].body.temperature })
  end))

  it("goes back to the address that it was given after a redirect", async(function()
    wire.restore()
    wire = fake_wire.install { { status = 307, headers = { location = "/elsewhere" } }, default = answer() }
    local agent = new()
    assert(agent:run "a")
    assert(agent:run "b")
    local urls = {}
    for i, request in ipairs(wire.sent) do urls[i] = request.settings.url end
    assert.same({ LOCAL .. "/chat/completions", "http://localhost:9/elsewhere", LOCAL .. "/chat/completions" }, urls)
  end))
end)


describe("chat.ask", function()
  it("lets go of a response when it has told all of it", async(function()
    local wire = fake_wire.install { { status = 500, headers = { ["retry-after"] = "0" } }, default = { completion = {} } }
    finally(wire.restore)
    local kept = chat.wish({}, "m", NO_TOOLS, { base_url = LOCAL })
    local exchange <close> = assert(chat.ask(kept, core.transcript {}))
    assert(exchange:finish())
    assert.is_true(wire.transfers[2].closed)
    assert.has_error(function() wire.transfers[1]:next() end)
  end))

  it("sends what a wish says with these messages", async(function()
    local wire = fake_wire.install { default = { completion = { choices = {} } } }
    finally(wire.restore)
    local kept = chat.wish({}, "m", NO_TOOLS, { base_url = LOCAL, timeout = 7 })
    for _, text in ipairs { "one", "two" } do
      local exchange <close> = assert(chat.ask(kept, core.transcript { { role = "user", content = text } }, nil, "deltas"))
      assert(exchange:finish())
    end
    assert.equal("two", wire.sent[2].body.messages[1].content)
    assert.same({ "deltas", 10 }, { wire.sent[2].settings.want, wire.sent[2].settings.connect })
    assert.near(7, wire.sent[2].settings.total, 0.5)
  end))
end)
