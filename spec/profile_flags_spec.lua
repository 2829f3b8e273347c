--- profile_flags_spec.lua -- every flag that a profile may have, by name, in the bytes that a server receives.
---
--- A row: what is asked, and what a look at the request shows with the flag set and as profiles.base has it. What each
--- provider sets is in provider_spec and requests_spec; which server wants what, in the wire contract §1.7.
local agents = require "rille.agent"
local chat = require "rille.chat"
local completions = require "rille.completions"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local heal = require "rille.heal"
local json = require "rille.json"
local output = require "rille.output"
local profiles = require "rille.profiles"
local raw_server = require "spec.support.raw_server"
local schema = require "rille.schema"
local toolset = require "rille.agent.toolset"
local world = require "spec.support.world"

local ANSWER <const> = '{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'
local USER <const> = { role = "user", content = "hi" }
local PICTURE <const> = { type = "image_url", image_url = { url = "data:image/png;base64,AA==" } }
local LONG_ID <const> = ("x"):rep(41)


local function call(id, more)
  local made = { id = id, type = "function", ["function"] = { name = "f", arguments = "{}" } }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end


local function asks(...)
  return { role = "assistant", content = json.null, tool_calls = { ... } }
end


local function result(id, content)
  return { role = "tool", tool_call_id = id, content = content or "r" }
end


local function tool(name, more)
  local inner = { name = name, parameters = { type = "object", additionalProperties = false, properties = json.object {} } }
  for key, value in pairs(more or {}) do inner[key] = value end
  return { type = "function", ["function"] = inner }
end


local NAMED <const> = { type = "function", ["function"] = { name = "b" } }
local ALLOWED <const> = { type = "allowed_tools", allowed_tools = { mode = "required", tools = { NAMED } } }
local TWO <const> = { tool "a", tool "b" }


--- `param "x"`: what the body says for x.
local function param(name)
  return function(body) return body[name] end
end


--- A member of message i.
local function member(i, name)
  return function(body) return body.messages[i][name] end
end


local function roles(body)
  local list = {}
  for i, message in ipairs(body.messages) do list[i] = message.role end
  return table.concat(list, " ")
end


local function call_member(name)
  return function(body) return body.messages[1].tool_calls[1][name] end
end


local function choice_and_tools(body)
  return ("%s %d"):format(type(body.tool_choice) == "table" and body.tool_choice.type or body.tool_choice, #body.tools)
end


---@type table<string, {set: any, ask: table, see: fun(body: table), with: any, without: any}>
local rows <const> = {
  max_tokens_key = { set = "max_completion_tokens", ask = { params = { max_tokens = 5 } },
    see = param "max_completion_tokens", with = 5 },
  developer_role = { set = "user", ask = { messages = { { role = "developer", content = "d" } } },
    see = roles, with = "user", without = "system" },
  no_system = { set = { "^m$" }, ask = { messages = { { role = "system", content = "s" } } },
    see = roles, with = "user", without = "system" },
  stream_usage = { set = false, ask = { stream = true }, see = param "stream_options", without = { include_usage = true } },
  stream_false = { set = true, ask = {}, see = param "stream", with = false },
  content_null = { set = "", ask = { messages = { asks(call "a") } }, see = member(1, "content"), with = "",
    without = json.null },
  text_only = { set = true, ask = { messages = { { role = "user", content = { { type = "text", text = "a" } } } } },
    see = member(1, "content"), with = "a", without = { { type = "text", text = "a" } } },
  names = { set = false, ask = { messages = { { role = "user", content = "x", name = "n" } } }, see = member(1, "name"),
    without = "n" },
  refusal = { set = true, ask = { messages = { { role = "assistant", refusal = "no" } } }, see = member(1, "refusal"),
    with = "no" },
  audio = { set = true, ask = { messages = { { role = "assistant", audio = { id = "a", data = "AA", transcript = "t" } } } },
    see = member(1, "audio"), with = { id = "a" } },
  custom_tools = { set = true, ask = { tools = { { type = "custom", custom = { name = "sql" } } } },
    see = function(body) return body.tools[1].type end, with = "custom", without = "function" },
  echo = { set = { "reasoning" }, ask = { messages = { { role = "assistant", content = "a", reasoning = "r" } } },
    see = member(1, "reasoning"), with = "r" },
  echo_call = { set = { "extra_content" }, ask = { messages = { asks(call("a", { extra_content = { s = 1 } })) } },
    see = call_member "extra_content", with = { s = 1 } },
  echo_always = { set = "reasoning_content", ask = { messages = { { role = "assistant", content = "a" } } },
    see = member(1, "reasoning_content"), with = "" },
  echo_except = { set = { "^m$" }, beside = { echo = { "reasoning" } },
    ask = { messages = { { role = "assistant", content = "a", reasoning = "r" } } }, see = member(1, "reasoning"), without = "r" },
  tool_id_exact = { set = 9, ask = { messages = { asks(call "call_1"), result "call_1" } },
    see = function(body) return #body.messages[2].tool_call_id end, with = 9, without = 6 },
  tool_id_max = { set = 40, ask = { messages = { asks(call(LONG_ID)), result(LONG_ID) } },
    see = function(body) return #body.messages[2].tool_call_id end, with = 9, without = 41 },
  tool_images = { set = true, ask = { messages = { asks(call "a"), result("a", { PICTURE }) } },
    see = roles, with = "assistant tool", without = "assistant tool user" },
  assistant_after_tool = { set = true, ask = { messages = { asks(call "a"), result "a", USER } },
    see = roles, with = "assistant tool assistant user", without = "assistant tool user" },
  alternate = { set = true, ask = { messages = { USER, USER } }, see = roles, with = "user", without = "user user" },
  strict = { set = false, ask = { tools = { tool("a", { strict = true }) } },
    see = function(body) return body.tools[1]["function"].strict end, without = true },
  schema = { set = "gemini", ask = { tools = { tool "a" } },
    see = function(body) return body.tools[1]["function"].parameters.additionalProperties end, without = false },
  allowed_tools = { set = true, ask = { tools = TWO, params = { tool_choice = ALLOWED } },
    see = choice_and_tools, with = "allowed_tools 2", without = "required 1" },
  required_choice = { set = "any", ask = { tools = TWO, params = { tool_choice = "required" } },
    see = choice_and_tools, with = "any 2", without = "required 2" },
  named_choice = { set = "filter", ask = { tools = TWO, params = { tool_choice = NAMED } },
    see = choice_and_tools, with = "required 1", without = "function 2" },
  thinking_choice = { set = { "^m$" }, ask = { tools = TWO, params = { tool_choice = "required" } },
    see = choice_and_tools, with = "auto 2", without = "required 2" },
  response_format = { set = { json_object = "json_schema" }, ask = { params = { response_format = { type = "json_object" } } },
    see = function(body) return body.response_format.type end, with = "json_schema", without = "json_object" },
  rename = { set = { seed = "random_seed" }, ask = { params = { seed = 1 } }, see = param "random_seed", with = 1 },
  drop = { set = { "seed" }, ask = { params = { seed = 1 } }, see = param "seed", without = 1 },
  only = { set = { "model", "messages" }, ask = { params = { seed = 1 } }, see = param "seed", without = 1 },
  clamp = { set = { temperature = { 0, 1 } }, ask = { params = { temperature = 1.5 } }, see = param "temperature", with = 1,
    without = 1.5 },
  sampling = { set = { { models = { "^m$" }, drop = { "top_p" } } }, ask = { params = { top_p = 0.5 } }, see = param "top_p",
    without = 0.5 },
}

--- Flags that a request alone does not show; each has an `it` of its own below (think_tags: think_spec).
local elsewhere <const> = { verbatim = true, json_schema = true, data_images = true, repeats_prefix = true, cumulative = true,
  think_tags = true }


describe("the flag", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function() restore() end)

  --- A provider with profiles.base and these flags.
  local function provider(url, flags)
    local all = {}
    for _, layer in ipairs { profiles.base, flags } do
      for name, value in pairs(layer) do all[name] = value end
    end
    return { name = "p", profile = "generic", base_url = url, keyless = true, flags = all }
  end

  --- The body that a server with these flags receives.
  local function received(flags, ask)
    local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(ANSWER)) end)
    local request = { model = "m", provider = provider(server.url .. "/v1", flags) }
    for name, value in pairs(ask) do request[name] = value end
    request.messages = core.transcript(ask.messages or { USER })
    assert(chat.complete(request))
    return json.decode(server.requests[1].body)
  end

  for name, row in pairs(rows) do
    it(name .. " changes what is sent", async(function()
      local beside = { [name] = row.set }
      for other, value in pairs(row.beside or {}) do beside[other] = value end
      assert.same(row.without, row.see(received(row.beside or {}, row.ask)))
      assert.same(row.with, row.see(received(beside, row.ask)))
    end))
  end

  it("verbatim leaves plain completions as they were written", async(function()
    for _, verbatim in ipairs { true, false } do
      local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(ANSWER)) end)
      local params = { model = "m", max_completion_tokens = 5, messages = { { role = "developer", content = "d" } } }
      assert(completions.create(params, { provider = provider(server.url .. "/v1", { verbatim = verbatim }) }))
      local body = json.decode(server.requests[1].body)
      assert.equal(verbatim and "developer" or "system", body.messages[1].role)
      assert.equal(verbatim and 5 or nil, body.max_completion_tokens)
    end
  end))

  it("json_schema decides how an agent's output is asked for", async(function()
    for _, knows in ipairs { true, false } do
      local compiled = schema.compile({ { "x", "integer" } }, { name = "spec" })
      local agent = { name = "a", model = "m", provider = provider("http://localhost:9/v1", { json_schema = knows }),
        output_spec = { schema = compiled, tool = require("rille.tool").new { name = "final_answer", run = print } } }
      local params = {}
      local tools = output.arrange({ agent = agent }, toolset.new({}, "spec", 1), params, "m")
      assert.equal(knows, params.response_format ~= nil)
      assert.equal(knows and 0 or 1, #tools.list)
    end
  end))

  it("data_images has remote images fetched", async(function()
    local pictures <close> = raw_server.start(function(connection)
      connection:send(raw_server.response("\x89PNG\r\n\x1a\n", 200, { "Content-Type: image/png" }))
    end)
    local url = pictures.url .. "/a.png"
    local ask = { messages = { { role = "user", content = { { type = "image_url", image_url = { url = url } } } } } }
    local function sent(flags) return received(flags, ask).messages[1].content[1].image_url.url end
    assert.equal(url, sent {})
    assert.equal("data:image/png;base64,iVBORw0KGgo=", sent { data_images = true })
  end))

  it("cumulative has the text read as the whole text so far (C11)", async(function()
    local events = {}
    for i, text in ipairs { "O", "Oslo", "Oslo\n", "Oslo\n\n" } do
      events[i] = "data: " .. json.encode { choices = { { index = 0, delta = { content = text } } } } .. "\n\n"
    end
    local body = table.concat(events) .. "data: [DONE]\n\n"
    for _, cumulative in ipairs { true, false } do
      local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(body)) end)
      local exchange <close> = assert(chat.start {
        model = "m", provider = provider(server.url .. "/v1", { cumulative = cumulative }), stream = true, want = "deltas",
        messages = core.transcript { USER },
      })
      local told = {}
      for _, delta in function() return exchange:next() end do told[#told + 1] = delta end
      local expected = cumulative and "Oslo\n\n" or "OOsloOslo\nOslo\n\n"
      assert.equal(expected, table.concat(told))
      assert.equal(expected, assert(exchange:finish()).choices[1].message.content)
    end
  end))

  it("repeats_prefix has the given beginning taken away (R34)", async(function()
    for _, repeats in ipairs { true, false } do
      local body = json.encode { choices = { { index = 0, finish_reason = "stop", message = { content = "Once upon" } } } }
      local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(body)) end)
      local completion = assert(chat.complete {
        model = "m", provider = provider(server.url .. "/v1", { repeats_prefix = repeats }),
        messages = core.transcript { USER, { role = "assistant", content = "Once", prefix = true } },
      })
      assert.equal(repeats and " upon" or "Once upon", completion.choices[1].message.content)
      local agent = agents.new { model = "m", provider = provider(server.url .. "/v1", { repeats_prefix = repeats }) }
      local reply = assert(agent:run { USER, { role = "assistant", content = "Once", prefix = true } })
      assert.equal(repeats and " upon" or "Once upon", reply.text)
    end
  end))

  it("that is not named here does not exist", function()
    for _, flags in ipairs { profiles.base, profiles.optional } do
      for name in pairs(flags) do assert.truthy(rows[name] or elsewhere[name], name) end
    end
  end)
end)
