--- parity_spec.lua -- one script in process and over HTTP: the same replies, events, failures and requests.
local core = require "rille.core"
local json = require "rille.json"
local rille = require "rille"
local script = require "rille.script"

local call, calls, failure, raw, text = script.call, script.calls, script.failure, script.raw, script.text

local double = rille.tool {
  name = "double", parameters = { { "number", "integer", "What to double", minimum = 0 } },
  run = function(args) return { result = args.number * 2 } end,
}

local slow = rille.tool {
  name = "slow",
  run = function()
    rille.sleep(0.02)
    return "slept"
  end,
}

--- Members of an event that do not depend on time, or on who answered.
local function plain(event)
  local kept = { type = event.type, delta = event.delta, content = event.content, ok = event.ok, number = event.number }
  if event.call then kept.call = { name = event.call.name, arguments = event.call.arguments, id = event.call.id } end
  if event.message then kept.message = event.message end
  if event.failure then kept.failure = { code = event.failure.code, status = event.failure.status } end
  return kept
end

--- Neighbouring deltas are one: how many pieces there are depends on when they arrive.
local function joined(events)
  local list = {}
  for _, event in ipairs(events) do
    local last = list[#list]
    if event.delta and last and last.type == event.type then
      last.delta = last.delta .. event.delta
    else
      list[#list + 1] = event
    end
  end
  return list
end

--- Everything that a run of an agent shows to the outside.
local function observed(options, prompt)
  options.tools = { double, slow }
  local agent, events = rille.agent(options), {}
  local run = agent:start(prompt)
  for event in run:events() do
    if event.type ~= "request" then events[#events + 1] = plain(event) end
  end
  local reply, problem = run:wait()
  local end_of = reply or problem.reply
  return {
    events = joined(events), text = end_of.text, finish_reason = end_of.finish_reason,
    tokens = end_of.usage.total_tokens, requests = end_of.usage.requests, turns = #end_of.turns,
    messages = end_of.transcript:messages(), code = problem and problem.code, status = problem and problem.status,
    message = problem and problem.message:gsub("; from http%S+$", ""),   -- a script in process has no address
  }
end

local function in_process(steps)
  local model = script(steps())
  local seen = observed({ model = model }, "begin")
  seen.bodies = model.requests
  return seen
end

local function over_http(steps)
  local model = script(steps())
  local server <close> = assert(rille.mock.serve(model))
  local seen = observed({ model = "m", base_url = server.url, api_key = "sk-test" }, "begin")
  seen.bodies = model.requests
  server:close()
  core.sleep(0)
  return seen
end

--- What differs by nature: the model's name.
local function without_model(bodies)
  local list = {}
  for i, body in ipairs(bodies) do
    list[i] = {}
    for name, value in pairs(body) do
      if name ~= "model" then list[i][name] = value end
    end
  end
  return list
end

local conversations <const> = {
  ["a plain answer"] = function() return { "Hello, Grüße, 你好!" } end,
  ["an answer in single characters"] = function() return { text("Grüße 🌙", { delta = 1 }) } end,
  ["reasoning"] = function() return { text("42.", { reasoning = "Six times seven." }) } end,
  ["a refusal"] = function() return { { refusal = "I would rather not." } } end,
  ["a call and an answer"] = function()
    return { call("double", { number = 21 }), function(request)
      return "It is " .. json.decode(request.messages[#request.messages].content).result
    end }
  end,
  ["calls side by side, and text beside them"] = function()
    return { calls({ { "slow" }, { "double", { number = 1 } }, { "double", { number = 2 } } }, { text = "One moment." }), "Done." }
  end,
  ["arguments that break the schema"] = function()
    return { call("double", { number = -1 }), call("double", { numbr = 1 }), call("double", "{not json"), "Sorry." }
  end,
  ["a tool that does not exist"] = function() return { call("triple", { number = 1 }), "Sorry." } end,
  ["an answer that was cut"] = function() return { text("Once upon", { finish_reason = "length" }) } end,
  ["a refused request"] = function() return { failure { status = 400, message = "no such parameter", code = "c" } } end,
  ["a wrong key"] = function() return { failure { status = 401 } } end,
  ["an error page"] = function()
    return { raw { status = 403, body = "<html><title>Forbidden</title></html>", headers = { "Content-Type: text/html" } } }
  end,
  ["a script that is too short"] = function() return { call("double", { number = 1 }), name = "short" } end,
  ["usage that the server tells"] = function()
    return { text("x", { usage = { prompt_tokens = 100, completion_tokens = 11 } }) }
  end,
}


describe("a script in process and over HTTP gives the same for", function()
  for what, steps in pairs(conversations) do
    it(what, async(function()
      local here, there = in_process(steps), over_http(steps)
      assert.same(without_model(here.bodies), without_model(there.bodies))
      here.bodies, there.bodies = nil, nil
      assert.same(here, there)
    end))
  end

  it("completions, plain and streamed", async(function()
    for _, stream in ipairs { false, true } do
      local function create(model, options)
        local result = assert(rille.chat.completions.create({ model = model, stream = stream or nil,
          messages = { { role = "user", content = "hi" } } }, options))
        if not stream then return result end
        local chunks = {}
        for chunk in result do chunks[#chunks + 1] = chunk end
        return { chunks = chunks, completion = assert(result:completion()) }
      end
      local server <close> = assert(rille.mock.serve(script { "Hello there.", model = "m" }))
      assert.same(create(script { "Hello there.", model = "m" }), create("m", { base_url = server.url }))
      server:close()
      core.sleep(0)
    end
  end))
end)
