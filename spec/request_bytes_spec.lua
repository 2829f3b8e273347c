--- request_bytes_spec.lua -- the exact bytes of requests: what the caller wrote, and not one byte more.
---
--- Every parameter, role, part and form that the wire contract knows (§1.1–1.6), one at a time, through
--- rille.chat.completions.create against a server that nobody has heard of, and against OpenAI's profile.
local completions = require "rille.completions"
local config = require "rille.config"
local endpoint = require "rille.endpoint"
local heal = require "rille.heal"
local json = require "rille.json"
local raw_server = require "spec.support.raw_server"
local rille = require "rille"
local world = require "spec.support.world"

local ANSWER <const> = '{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'
local STREAM <const> = 'data: {"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
local HELLO <const> = { { role = "user", content = "hi" } }
local HELLO_JSON <const> = '[{"content":"hi","role":"user"}]'
local array, object, null = json.array, json.object, json.null

--- name, value as a script writes it, JSON as it must arrive
local PARAMETERS <const> = {
  { "audio", { voice = "alloy", format = "mp3" }, '{"format":"mp3","voice":"alloy"}' },
  { "audio", { voice = { id = "v1" }, format = "pcm16" }, '{"format":"pcm16","voice":{"id":"v1"}}' },
  { "audio", null, "null" },
  { "frequency_penalty", -2, "-2" },
  { "frequency_penalty", 0.5, "0.5" },
  { "presence_penalty", 2.0, "2" },
  { "function_call", "auto", '"auto"' },
  { "function_call", { name = "f" }, '{"name":"f"}' },
  { "functions", { { name = "f", parameters = object {} } }, '[{"name":"f","parameters":{}}]' },
  { "logit_bias", { ["50256"] = -100 }, '{"50256":-100}' },
  { "logit_bias", object {}, "{}" },
  { "logprobs", true, "true" },
  { "logprobs", false, "false" },
  { "top_logprobs", 20, "20" },
  { "max_completion_tokens", 100.0, "100" },
  { "max_tokens", 1e2, "100" },
  { "metadata", { a = "b" }, '{"a":"b"}' },
  { "metadata", object {}, "{}" },
  { "modalities", { "text", "audio" }, '["text","audio"]' },
  { "moderation", { model = "omni", policy = { input = { mode = "block" } } }, '{"model":"omni","policy":{"input":{"mode":"block"}}}' },
  { "n", 3, "3" },
  { "prediction", { type = "content", content = "x" }, '{"content":"x","type":"content"}' },
  { "prompt_cache_key", "k", '"k"' },
  { "prompt_cache_options", { mode = "explicit", ttl = "30m" }, '{"mode":"explicit","ttl":"30m"}' },
  { "prompt_cache_retention", "24h", '"24h"' },
  { "reasoning_effort", "none", '"none"' },
  { "response_format", { type = "text" }, '{"type":"text"}' },
  { "response_format", { type = "json_object" }, '{"type":"json_object"}' },
  { "response_format", { type = "json_schema", json_schema = { name = "s", strict = true, schema = object {} } },
    '{"json_schema":{"name":"s","schema":{},"strict":true},"type":"json_schema"}' },
  { "response_format", { type = "json_object", schema = { type = "object" } }, '{"schema":{"type":"object"},"type":"json_object"}' },
  { "safety_identifier", "s", '"s"' },
  { "seed", math.mininteger, "-9223372036854775808" },
  { "seed", 9007199254740993, "9007199254740993" },
  { "service_tier", "flex", '"flex"' },
  { "stop", "end", '"end"' },
  { "stop", { "a", "b" }, '["a","b"]' },
  { "stop", array {}, "[]" },
  { "stop", null, "null" },
  { "store", true, "true" },
  { "temperature", 0, "0" },
  { "temperature", 0.1, "0.1" },
  { "temperature", 1e-7, "1e-07" },
  { "top_p", 1, "1" },
  { "user", "u\u{1F642}", '"u\u{1F642}"' },
  { "verbosity", "low", '"low"' },
  { "web_search_options", object {}, "{}" },
  { "web_search_options", { user_location = { type = "approximate", approximate = { city = "Oslo" } } },
    '{"user_location":{"approximate":{"city":"Oslo"},"type":"approximate"}}' },
  -- what other servers take
  { "reasoning", { effort = "high", exclude = true }, '{"effort":"high","exclude":true}' },
  { "provider", { order = { "a" } }, '{"order":["a"]}' },
  { "models", { "a", "b" }, '["a","b"]' },
  { "route", "fallback", '"fallback"' },
  { "transforms", array {}, "[]" },
  { "plugins", { { id = "web" } }, '[{"id":"web"}]' },
  { "usage", { include = true }, '{"include":true}' },
  { "thinking", { type = "enabled", budget_tokens = 1024 }, '{"budget_tokens":1024,"type":"enabled"}' },
  { "enable_thinking", false, "false" },
  { "thinking_budget", 5, "5" },
  { "chat_template_kwargs", { enable_thinking = false }, '{"enable_thinking":false}' },
  { "top_k", 40, "40" },
  { "min_p", 0.05, "0.05" },
  { "repetition_penalty", 1.1, "1.1" },
  { "guided_regex", "a|b", '"a|b"' },
  { "structured_outputs", { choice = { "a" } }, '{"choice":["a"]}' },
  { "grammar", 'root ::= "x"', '"root ::= \\"x\\""' },
  { "json_schema", { type = "object" }, '{"type":"object"}' },
  { "cache_prompt", true, "true" },
  { "id_slot", -1, "-1" },
  { "timings_per_token", true, "true" },
  { "return_progress", true, "true" },
  { "reasoning_format", "parsed", '"parsed"' },
  { "options", { num_ctx = 8192 }, '{"num_ctx":8192}' },
  { "keep_alive", "5m", '"5m"' },
  { "safe_prompt", true, "true" },
  { "random_seed", 7, "7" },
  { "include_reasoning", false, "false" },
  { "extra_body", { google = { thinking_config = { thinking_budget = 0 } } }, '{"google":{"thinking_config":{"thinking_budget":0}}}' },
  { "search_parameters", { mode = "auto" }, '{"mode":"auto"}' },
}

local FUNCTION <const> = { type = "function", ["function"] = { name = "f" } }
local FUNCTION_JSON <const> = '{"function":{"name":"f"},"type":"function"}'

--- Parameters that need tools beside them.
local CHOICES <const> = {
  { "tool_choice", "none", '"none"' },
  { "tool_choice", "auto", '"auto"' },
  { "tool_choice", "required", '"required"' },
  { "tool_choice", FUNCTION, FUNCTION_JSON },
  { "tool_choice", { type = "custom", custom = { name = "c" } }, '{"custom":{"name":"c"},"type":"custom"}' },
  { "tool_choice", { type = "allowed_tools", allowed_tools = { mode = "auto", tools = { FUNCTION } } },
    '{"allowed_tools":{"mode":"auto","tools":[' .. FUNCTION_JSON .. ']},"type":"allowed_tools"}' },
  { "parallel_tool_calls", false, "false" },
  { "parallel_tool_calls", true, "true" },
}

local TOOLS <const> = {
  { FUNCTION, FUNCTION_JSON },
  { { type = "function", ["function"] = { name = "f", description = "d", strict = false,
      parameters = { type = "object", properties = object {}, required = array {} } } },
    '{"function":{"description":"d","name":"f","parameters":{"properties":{},"required":[],"type":"object"},"strict":false},'
      .. '"type":"function"}' },
  { { type = "custom", custom = { name = "c", format = { type = "text" } } },
    '{"custom":{"format":{"type":"text"},"name":"c"},"type":"custom"}' },
  { { type = "custom", custom = { name = "c", format = { type = "grammar",
      grammar = { syntax = "regex", definition = "^a$" } } } },
    '{"custom":{"format":{"grammar":{"definition":"^a$","syntax":"regex"},"type":"grammar"},"name":"c"},"type":"custom"}' },
  { { type = "web_search" }, '{"type":"web_search"}' },
}

local MESSAGES <const> = {
  { { role = "developer", content = "d", name = "n" }, '{"content":"d","name":"n","role":"developer"}' },
  { { role = "system", content = { { type = "text", text = "s" } } }, '{"content":[{"text":"s","type":"text"}],"role":"system"}' },
  { { role = "user", content = "", name = "n" }, '{"content":"","name":"n","role":"user"}' },
  { { role = "user", content = { { type = "image_url", image_url = { url = "https://x/y.png", detail = "high" } } } },
    '{"content":[{"image_url":{"detail":"high","url":"https://x/y.png"},"type":"image_url"}],"role":"user"}' },
  { { role = "user", content = { { type = "image_url", image_url = { url = "data:image/png;base64,AA==" } } } },
    '{"content":[{"image_url":{"url":"data:image/png;base64,AA=="},"type":"image_url"}],"role":"user"}' },
  { { role = "user", content = { { type = "image_url", image_url = "https://x/y.png" } } },
    '{"content":[{"image_url":"https://x/y.png","type":"image_url"}],"role":"user"}' },
  { { role = "user", content = { { type = "input_audio", input_audio = { data = "AA==", format = "wav" } } } },
    '{"content":[{"input_audio":{"data":"AA==","format":"wav"},"type":"input_audio"}],"role":"user"}' },
  { { role = "user", content = { { type = "file", file = { file_data = "data:application/pdf;base64,AA==", filename = "a.pdf" } },
      { type = "file", file = { file_id = "f1" } } } },
    '{"content":[{"file":{"file_data":"data:application/pdf;base64,AA==","filename":"a.pdf"},"type":"file"},'
      .. '{"file":{"file_id":"f1"},"type":"file"}],"role":"user"}' },
  { { role = "user", content = { { type = "text", text = "t", cache_control = { type = "ephemeral" } },
      { type = "text", text = "u", prompt_cache_breakpoint = { mode = "explicit" } } } },
    '{"content":[{"cache_control":{"type":"ephemeral"},"text":"t","type":"text"},'
      .. '{"prompt_cache_breakpoint":{"mode":"explicit"},"text":"u","type":"text"}],"role":"user"}' },
  { { role = "assistant", content = "a", refusal = null, audio = { id = "x" }, prefix = true },
    '{"audio":{"id":"x"},"content":"a","prefix":true,"refusal":null,"role":"assistant"}' },
  { { role = "assistant", content = { { type = "refusal", refusal = "no" } } },
    '{"content":[{"refusal":"no","type":"refusal"}],"role":"assistant"}' },
  { { role = "assistant", content = null, function_call = { name = "f", arguments = "{ }" } },
    '{"content":null,"function_call":{"arguments":"{ }","name":"f"},"role":"assistant"}' },
  { { role = "assistant", tool_calls = { { id = "a", type = "function", ["function"] = { name = "f", arguments = '{"x": 1.0}' } },
      { id = "b", type = "custom", custom = { name = "c", input = "raw" } } } },
    '{"role":"assistant","tool_calls":[{"function":{"arguments":"{\\"x\\": 1.0}","name":"f"},"id":"a","type":"function"},'
      .. '{"custom":{"input":"raw","name":"c"},"id":"b","type":"custom"}]}' },
  { { role = "tool", tool_call_id = "a", content = "r" }, '{"content":"r","role":"tool","tool_call_id":"a"}' },
  { { role = "tool", tool_call_id = "a", content = { { type = "text", text = "r" } } },
    '{"content":[{"text":"r","type":"text"}],"role":"tool","tool_call_id":"a"}' },
  { { role = "function", name = "f", content = null }, '{"content":null,"name":"f","role":"function"}' },
  { { role = "user", content = "a\0b\"\\\n\u{7f}\u{2028}/" }, '{"content":"a\\u0000b\\"\\\\\\n\u{7f}\u{2028}/","role":"user"}' },
  { { role = "user", content = "x", odd = { 1, { deep = object {} } } }, '{"content":"x","odd":[1,{"deep":{}}],"role":"user"}' },
}


describe("the bytes of a request", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function() restore() end)

  --- What a server reads.
  local function received(params, options)
    local answer = params.stream == true and STREAM or ANSWER
    local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(answer)) end)
    local given = { base_url = server.url .. "/v1", api_key = "sk-any-key" }
    for name, value in pairs(options or {}) do given[name] = value end
    local result = assert(completions.create(params, given))
    if params.stream == true then assert(result:completion()) end
    return server.requests[1]
  end

  local function body_of(more, options)
    local params = { model = "m", messages = HELLO }
    for name, value in pairs(more or {}) do params[name] = value end
    return received(params, options).body
  end

  local PLAIN <const> = '{"model":"m","messages":' .. HELLO_JSON

  for _, provider in ipairs { "generic", "openai" } do
    local options = { provider = provider }

    describe("to " .. provider, function()
      it("are model and messages, when that is all", async(function()
        assert.equal(PLAIN .. "}", body_of({}, options))
      end))

      for _, row in ipairs(PARAMETERS) do
        it("say " .. row[1] .. " " .. row[3], async(function()
          assert.equal(('%s,"%s":%s}'):format(PLAIN, row[1], row[3]), body_of({ [row[1]] = row[2] }, options))
        end))
      end

      for _, row in ipairs(CHOICES) do
        it("say " .. row[1] .. " " .. row[3], async(function()
          local tools = '"tools":[' .. FUNCTION_JSON .. "]"
          local own = ('"%s":%s'):format(row[1], row[3])
          local both = row[1] < "tools" and own .. "," .. tools or tools .. "," .. own
          assert.equal(PLAIN .. "," .. both .. "}", body_of({ [row[1]] = row[2], tools = { FUNCTION } }, options))
        end))
      end

      for i, row in ipairs(TOOLS) do
        it("say tools as they are, form " .. i, async(function()
          assert.equal(('%s,"tools":[%s]}'):format(PLAIN, row[2]), body_of({ tools = { row[1] } }, options))
        end))
      end

      for i, row in ipairs(MESSAGES) do
        it(("say message %d, of role %s"):format(i, row[1].role), async(function()
          assert.equal('{"model":"m","messages":[' .. row[2] .. "]}", body_of({ messages = { row[1] } }, options))
        end))
      end

      it("say stream only when it is wanted, and its options only when they are given", async(function()
        assert.equal(PLAIN .. "}", body_of({ stream = false }, options))
        assert.equal(PLAIN .. ',"stream":true}', body_of({ stream = true }, options))
        assert.equal(PLAIN .. ',"stream":true,"stream_options":{"include_obfuscation":false,"include_usage":true}}',
          body_of({ stream = true, stream_options = { include_usage = true, include_obfuscation = false } }, options))
      end))
    end)
  end

  it("follow extra last: it sets, replaces and takes away", async(function()
    assert.equal('{"model":"x","messages":' .. HELLO_JSON .. ',"seed":null,"top_k":1}',
      body_of({ temperature = 0, seed = 1 }, { extra = { temperature = json.absent, seed = null, top_k = 1, model = "x" } }))
    assert.equal('{"messages":' .. HELLO_JSON .. "}", body_of({}, { extra = { model = json.absent } }))
    assert.equal('{"messages":[],"model":"m"}', body_of({}, { extra = { messages = array {} } }))
    assert.equal(PLAIN .. ',"stream":false}', body_of({}, { extra = { stream = false } }))
  end))

  it("hold numbers as integers where they are whole, and refuse those that JSON has none for", async(function()
    assert.equal(PLAIN .. ',"a":[0,-0.5,1,1e+20,1e+300]}', body_of { a = { 0.0, -0.5, 1.0, 1e20, 1e300 } })
    for _, bad in ipairs { 0 / 0, math.huge, -math.huge } do
      local ok, trouble = pcall(completions.create, { model = "m", messages = HELLO, temperature = bad },
        { base_url = "http://127.0.0.1:1/v1" })
      assert.is_false(ok)
      assert.matches("temperature: .* has no JSON", tostring(trouble))
    end
  end))

  it("are the same for the same request, whatever order its members were written in", async(function()
    local first = {}
    for i = 1, 40 do first["k" .. i] = i end
    local second = {}
    for i = 40, 1, -1 do second["k" .. i] = i end
    assert.equal(body_of(first), body_of(second))
  end))

  it("hold a local image as a data URL, and nothing of its path", async(function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write("\x89PNG\r\n\x1a\n")
    file:close()
    local expected = '[{"content":[{"image_url":{"detail":"low","url":"data:image/png;base64,iVBORw0KGgo="},"type":"image_url"}],'
      .. '"role":"user"}]'
    for _, url in ipairs { path, "file://" .. path, "file:" .. path } do
      local messages = { { role = "user", content = { { type = "image_url", image_url = { url = url, detail = "low" } } } } }
      assert.equal('{"model":"m","messages":' .. expected .. "}", body_of { messages = messages })
    end
    os.remove(path)
  end))

  it("come with the headers that they need, and no others", async(function()
    for stream, accept in pairs { [false] = "application/json", [true] = "text/event-stream" } do
      local request = received { model = "m", messages = HELLO, stream = stream }
      local names = {}
      for name in pairs(request.headers) do names[#names + 1] = name end
      table.sort(names)
      assert.same({ "accept", "authorization", "content-length", "content-type", "host", "user-agent" }, names)
      assert.equal(accept, request.headers.accept)
      assert.equal("application/json", request.headers["content-type"])
      assert.equal("Bearer sk-any-key", request.headers.authorization)
      assert.equal("POST /v1/chat/completions HTTP/1.1", request.head:match "^[^\r\n]*")
    end
  end))

  it("of an agent are model, messages, stream, usage and tools", async(function()
    local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(STREAM)) end)
    local agent = rille.agent { model = "m", base_url = server.url .. "/v1", api_key = false, instructions = "be brief",
      tools = { rille.tool { name = "f", run = print } } }
    assert(agent:run "hi")
    assert.equal('{"model":"m","messages":[{"content":"be brief","role":"system"},{"content":"hi","role":"user"}],"stream":true,'
      .. '"stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"f",'
      .. '"parameters":{"type":"object","properties":{}}}}]}', server.requests[1].body)
  end))

  it("are those of its own server, whoever else asks with the same transcript while a limit lasts", async(function()
    local limits = { "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 300ms" }
    local server <close> = raw_server.start(function(connection)
      connection:send(raw_server.response(ANSWER, 200, limits))
    end)
    local call = { id = "call_of_many_letters", type = "function", ["function"] = { name = "f", arguments = "{}" } }
    local messages = rille.transcript { { role = "user", content = "hi" }, { role = "assistant", tool_calls = { call } },
      { role = "tool", tool_call_id = call.id, content = "done" }, { role = "user", content = "and?" } }
    local function ask(profile)
      return completions.create({ model = "m", messages = messages },
        { provider = { name = profile, base_url = server.url .. "/v1", api_key = profile } })
    end
    assert(ask "mistral")
    local waiting = rille.spawn(ask, "mistral")
    rille.sleep(0.02)
    assert(ask "ollama")
    assert(waiting:join())
    assert.equal(3, #server.requests)
    assert.equal("Bearer mistral", server.requests[3].headers.authorization)
    assert.equal(server.requests[1].body, server.requests[3].body)
  end))
end)
