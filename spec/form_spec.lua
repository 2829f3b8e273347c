--- form_spec.lua -- wire forms of ordinary answers: core.chat makes those that it can, and they are what rille.rewrite
--- would have made.
local core = require "rille.core"
local heal = require "rille.heal"
local json = require "rille.json"
local profiles = require "rille.profiles"
local rewrite = require "rille.rewrite"
local transcript = require "rille.transcript"
local world = require "spec.support.world"

local RUNS <const> = os.getenv "RILLE_GC" and 3 or 60


--- A generator of its own: a failing run can be repeated by its seed.
local function dice(seed)
  local state = seed * 2654435761 % 4294967296
  return function(n)
    state = (state * 1664525 + 1013904223) % 4294967296
    return state * n // 4294967296 + 1
  end
end


local function profile_of(name, model, changes)
  local flags = heal.apply(heal.apply(profiles.base, profiles.rows[name].flags or {}), changes or {})
  return { name = name, model = model, flags = flags }
end


--- Has core.chat made all forms that the profile wants?
local function is_filled(t, profile)
  local key, plain_serves, rules = rewrite.key(profile)
  local plan = core.chat_plan { url = "http://127.0.0.1:1/", head = "[", tail = "]", key = key, plain_serves = plain_serves,
    rules = rules }
  local transfer = core.chat(plan, t)
  if transfer then transfer:close() end
  return transfer ~= nil
end


--- What a server should read, made of the messages one by one.
local function expected(t, profile)
  local texts = {}
  for i, message in ipairs(assert(rewrite.messages(t:messages(), profile))) do texts[i] = json.encode(message) end
  return "[" .. table.concat(texts, ",") .. "]"
end


local function call(changes)
  local made = { id = "call_1", type = "function", ["function"] = { name = "f", arguments = '{"a":"\\\\\\"}"}' } }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

local function answer(changes)
  local made = { role = "assistant", content = "hello" }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

local function asks(changes)
  local made = answer { content = json.null, tool_calls = json.array { call(), call { id = "call_2" } } }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

local PROMPT <const> = { role = "user", content = "hi" }
local RESULT <const> = { role = "tool", content = "42", tool_call_id = "call_1" }
local THOUGHT <const> = 'so "it" is\\ \n{[,\\'
local IMAGE <const> = { type = "image_url", image_url = { url = "data:image/png;base64,AA==" } }


describe("core.chat with rules", function()
  --- The second message behind a prompt, as a profile sends it; nil: rille.rewrite has to make it.
  local function sent(message, name, model, changes)
    local profile, t = profile_of(name, model or "m", changes), transcript.new { PROMPT, message, RESULT }
    assert.equal(json.encode { PROMPT, message, RESULT }, t:encode())
    if not is_filled(t, profile) then return nil end
    local text = t:wire((rewrite.key(profile)))
    assert.equal(expected(t, profile), text)
    return json.decode(text)[2]
  end

  it("sends an answer without its reasoning to those that do not want it", async(function()
    for _, name in ipairs { "openai", "vllm", "groq", "ollama", "openrouter" } do
      local made = sent(answer { reasoning_content = THOUGHT, reasoning = "r", provider = { a = { 1 } }, index = 0 }, name)
      assert.same({ role = "assistant", content = "hello" }, made, name)
    end
    assert.same({ role = "assistant", content = "" }, sent(answer { content = "", reasoning = "r" }, "vllm"))
    for _, name in ipairs { "openai", "deepseek", "openrouter" } do assert.is_nil(sent(answer { [""] = "x" }, name)[""], name) end
  end))

  it("sends it back to those that do", async(function()
    assert.same(THOUGHT, sent(answer { reasoning_content = THOUGHT }, "deepseek").reasoning_content)
    assert.same(THOUGHT, sent(asks { reasoning_content = THOUGHT, reasoning = "r" }, "moonshot").reasoning_content)
    assert.is_nil(sent(asks { reasoning_content = THOUGHT, reasoning = "r" }, "moonshot").reasoning)
    local made = sent(asks { reasoning_text = "t", reasoning_opaque = "o" }, "copilot")
    assert.same({ "t", "o" }, { made.reasoning_text, made.reasoning_opaque })
  end))

  it("sends back tables that reading and writing leaves as they are", async(function()
    local settled <const> = {
      { { type = "reasoning.text", text = THOUGHT, index = 0 }, { data = "a", id = "b" } }, {}, json.array {}, json.object {},
      { a = { b = { 1, 2.5, -1, 1e300, true, false, "null" }, c = {} }, b = json.array { json.array {}, {} } }, 5, false, 2^60,
    }
    for i, details in ipairs(settled) do
      local made = sent(answer { reasoning_details = details }, "openrouter")
      assert.equal(json.encode(details), made and json.encode(made.reasoning_details), i)
    end
    local others <const> = {
      { { text = json.null } }, { 1, json.null }, json.array { json.null }, { a = { json.null, b = nil } }, -0.0, { -0.0 },
      json.object { { "b", 1 }, { "a", 2 } }, { json.object { { "type", "t" }, { "a", {} } } }, { ['a"'] = 1 },
      { ["\xfe"] = 1, ["\xff"] = 2 },   -- one name in JSON
    }
    for i, details in ipairs(others) do
      assert.is_nil(sent(answer { reasoning_details = details }, "openrouter"), i)
      assert.same({ role = "assistant", content = "hello" }, sent(answer { reasoning_details = details }, "vllm"), i)
    end
  end))

  it("sends the empty text that has to stand there", async(function()
    for _, message in ipairs { answer(), asks(), answer { reasoning_content = json.null }, asks { zeta = "z" } } do
      assert.equal("", sent(message, "deepseek").reasoning_content)
      assert.is_nil(sent(message, "deepseek", "deepseek-r1").reasoning_content)
    end
    for _, name in ipairs { "alpha", "content", "pi", "reasoning", "role", "tone", "tool_calls", "zeta" } do
      sent(asks { pi = "p" }, "deepseek", "m", { echo = { "pi" }, echo_always = name })
      sent(answer { pi = "p", beta = "b" }, "deepseek", "m", { echo = { "beta", "pi" }, echo_always = name })
    end
  end))

  it("sends what stands for the null beside calls", async(function()
    assert.equal("", sent(asks(), "groq").content)
    assert.equal("", sent(asks { reasoning = "null" }, "together").content)
    assert.equal(json.null, sent(asks { reasoning = "null" }, "deepseek").content)
  end))

  it("sends calls without what came beside them", async(function()
    local calls = json.array { call { index = 0 }, call { ["function"] = { name = "f", arguments = "{}", parsed = { 1 } } } }
    local made = sent(asks { tool_calls = calls, reasoning = "r" }, "vllm")
    assert.same(json.decode(json.encode { call(), call { ["function"] = { name = "f", arguments = "{}" } } }), made.tool_calls)
    assert.is_nil(sent(asks { tool_calls = calls }, "litellm"))
    assert.is_table(sent(asks { thinking = "t" }, "litellm"))
  end))

  it("sends no arguments that are nested deeper than anybody would read", async(function()
    for depth, is_read in pairs { [128] = true, [129] = false } do
      local text = ('{"a":'):rep(depth) .. "1" .. ("}"):rep(depth)
      local calls = json.array { call { ["function"] = { name = "f", arguments = text } } }
      local t, profile = transcript.new { PROMPT, asks { tool_calls = calls } }, profile_of("vllm", "m")
      assert.equal(is_read, is_filled(t, profile))
      local key = assert(rewrite.transcript(t, profile))
      assert.equal(expected(t, profile), t:wire(key))
      assert.equal(is_read and text or "{}", json.decode(t:wire(key))[2].tool_calls[1]["function"].arguments)
      assert.equal(is_read, sent(asks { tool_calls = calls, reasoning = "r" }, "vllm") ~= nil)
    end
  end))

  it("leaves to rille.rewrite what is no ordinary answer", async(function()
    local others <const> = {
      answer { refusal = "no" }, answer { name = "Ann" }, answer { prefix = true }, answer { content = json.null },
      answer { content = { { type = "text", text = "hi" } } }, asks { function_call = { name = "f" } },
      answer { tool_call_id = "i", x = 1 }, answer { tool_calls = json.array {} }, asks { tool_calls = { call { type = "x" } } },
      { role = "user", content = "hi", index = 1 }, { role = "developer", content = "hi" },
    }
    for i, message in ipairs(others) do assert.is_nil(sent(message, "vllm"), i) end
    assert.is_nil(sent(answer { reasoning_details = { { text = json.null } } }, "openrouter"))
    for _, name in ipairs { "mistral", "llamacpp" } do assert.is_nil(sent(asks { reasoning = "r" }, name), name) end
    assert.is_table(sent(answer { refusal = json.null, audio = json.null }, "vllm"))
  end))

  it("leaves the results to it that follow one with an image", async(function()
    local odd = { role = "tool", content = { IMAGE }, tool_call_id = "call_1" }
    for _, name in ipairs { "vllm", "deepseek" } do
      local profile = profile_of(name, "m")
      local t = transcript.new { PROMPT, asks { reasoning = "r" }, odd }
      assert.is_false(is_filled(t, profile))
      local key = assert(rewrite.transcript(t, profile))
      t:append(RESULT)
      assert.is_false(is_filled(t, profile))
      rewrite.transcript(t, profile)
      t:append(answer { reasoning = "r" })
      assert.is_true(is_filled(t, profile))
      assert.equal(expected(t, profile), t:wire(key))
    end
  end))

  it("checks the rules", function()
    local function plan(rules)
      return pcall(core.chat_plan, { url = "http://127.0.0.1:1/", key = "k", rules = rules })
    end
    assert.is_true((plan {}))
    assert.is_false((plan { keeps = 1 }))
    assert.is_false((plan { unknown = "x" }))
    assert.is_false((plan "x"))
  end)
end)


describe("forms of ordinary answers", function()
  local makers <const> = {
    function() return PROMPT end,
    function() return { role = "system", content = "Be brief." } end,
    function() return { role = "developer", content = "Be long.", name = "Ann" } end,
    function() return RESULT end,
    function() return { role = "tool", content = { { type = "text", text = "see" }, IMAGE }, tool_call_id = "call_1" } end,
    answer, asks, answer, asks,
  }

  local extras <const> = {
    { "reasoning_content", THOUGHT }, { "reasoning_content", json.null }, { "reasoning", "r" }, { "annotations", json.array {} },
    { "reasoning_details", { { type = "reasoning.text", text = THOUGHT, index = 0 } } }, { "refusal", json.null },
    { "refusal", "no" }, { "extra_content", { google = { s = "x" } } }, { "thinking_blocks", { { a = json.null } } },
    { "reasoning_text", "\0\xff" }, { "reasoning_opaque", "" }, { "audio", json.null }, { "index", 0 }, { "a\0\"\\b", "c" },
    { "content", "" }, { "prefix", true }, { "", "x" }, { "zeta", false }, { "tool", 1.5 },
  }

  local call_extras <const> = { { "index", 0 }, { "extra_content", { a = 1 } }, { "provider_specific_fields", "x" }, { "type", nil } }

  local function grown(message, roll)
    if message.role ~= "assistant" then return message end
    for _ = 2, roll(4) do
      local extra = extras[roll(#extras)]
      message[extra[1]] = extra[2]
    end
    if message.tool_calls and roll(4) == 1 then
      local extra = call_extras[roll(#call_extras)]
      message.tool_calls[1][extra[1]] = extra[2]
    end
    return message
  end

  --- Does something to a transcript.
  local function change(t, roll)
    local kind, made = roll(10), grown(makers[roll(#makers)](), roll)
    if kind == 1 and #t > 0 then
      t:replace(roll(#t), made)
    elseif kind == 2 and #t > 0 then
      t:truncate(roll(#t) - 1)
    elseif kind < 5 and made.role == "assistant" then
      t:append_all({ PROMPT }, made)
    else
      t:append(made)
    end
  end

  local names <const> = world.providers()

  it("are what would have been made otherwise, whoever was asked before", async(function()
    local filled = 0
    for seed = 1, RUNS do
      local roll, t = dice(seed), transcript.new()
      for _ = 1, 12 do
        for _ = 1, roll(3) do change(t, roll) end
        local profile = profile_of(names[roll(#names)], roll(4) == 1 and "x-r1" or "m")
        local made = is_filled(t, profile)
        local key = made and rewrite.key(profile) or assert(rewrite.transcript(t, profile))
        filled = filled + (made and 1 or 0)
        assert.equal(expected(t, profile), t:wire(key), ("%s, seed %d"):format(profile.name, seed))
        if roll(3) == 1 then t = t:clone() end
      end
    end
    assert.is_true(filled > RUNS)
  end))
end)
