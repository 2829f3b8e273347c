--- plain_spec.lua -- messages of the ordinary shape: which they are, and that whoever takes them as they are gets what
--- rille.rewrite would have made.
local json = require "rille.json"
local profiles = require "rille.profiles"
local rewrite = require "rille.rewrite"
local transcript = require "rille.transcript"
local world = require "spec.support.world"

local RUNS <const> = os.getenv "RILLE_GC" and 20 or 400


--- A generator of its own: a failing run can be repeated by its seed.
local function dice(seed)
  local state = seed * 2654435761 % 4294967296
  return function(n)
    state = (state * 1664525 + 1013904223) % 4294967296
    return state * n // 4294967296 + 1
  end
end


local function profile_of(name, model)
  local flags = {}
  for _, layer in ipairs { profiles.base, profiles.rows[name].flags or {} } do
    for flag, value in pairs(layer) do flags[flag] = value end
  end
  return { name = name, model = model, flags = flags }
end


local function call(changes)
  local made = { id = "call_1", type = "function", ["function"] = { name = "f", arguments = "{}" } }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

local function asks(...)
  return { role = "assistant", content = json.null, tool_calls = json.array { ... } }
end


describe("Transcript:unwired where plain messages serve", function()
  --- Is a message that stands alone plain?
  local function is_plain(message)
    return transcript.new({ message }):unwired("key", 1, true) == nil
  end

  local plain <const> = {
    ["a prompt"] = { role = "user", content = "hi" },
    ["a prompt with odd bytes"] = { role = "user", content = "a\0\xff\"é\n" },
    ["an empty prompt"] = { role = "user", content = "" },
    ["a system message"] = { role = "system", content = "Be brief." },
    ["a result"] = { role = "tool", content = "42", tool_call_id = ("i"):rep(40) },
    ["an answer"] = { role = "assistant", content = "hello" },
    ["an answer with calls"] = { role = "assistant", content = "wait", tool_calls = { call(), call() } },
    ["calls"] = asks(call(), call { id = "other" }),
    ["calls with arguments"] = asks(call { ["function"] = { name = "f", arguments = ' { "a": [1, {"b": null}] } ' } }),
  }
  for what, message in pairs(plain) do
    it("needs no form for " .. what, function()
      assert.is_true(is_plain(message))
      assert.equal("[" .. json.encode(message) .. "]", transcript.new({ message }):encode())
      assert.is_false(transcript.new({ message }):unwired("key", 1) == nil)
    end)
  end

  local function with_arguments(text)
    return asks(call { ["function"] = { name = "f", arguments = text } })
  end

  local others <const> = {
    ["another role"] = { role = "developer", content = "hi" },
    ["a role that begins alike"] = { role = "user\0", content = "hi" },
    ["a name"] = { role = "user", content = "hi", name = "Ann" },
    ["a member that begins alike"] = { role = "user", content = "hi", ["content\0"] = "ho" },
    ["parts"] = { role = "user", content = { { type = "text", text = "hi" } } },
    ["no content"] = { role = "user" },
    ["null for a prompt"] = { role = "user", content = json.null },
    ["a number for a prompt"] = { role = "user", content = 5 },
    ["an order of its own"] = json.object { { "role", "user" }, { "content", "hi" } },
    ["a mark"] = json.object { role = "user", content = "hi" },
    ["a result without an id"] = { role = "tool", content = "42" },
    ["a result with a long id"] = { role = "tool", content = "42", tool_call_id = ("i"):rep(41) },
    ["a prompt with an id"] = { role = "user", content = "hi", tool_call_id = "i" },
    ["a result of parts"] = { role = "tool", content = {}, tool_call_id = "i" },
    ["an answer that says nothing"] = { role = "assistant", content = json.null },
    ["an answer without content"] = { role = "assistant", tool_calls = { call() } },
    ["an answer with an id"] = { role = "assistant", content = "a", tool_call_id = "x" },
    ["what came with an answer"] = { role = "assistant", content = "a", annotations = {} },
    ["a refusal"] = { role = "assistant", content = json.null, refusal = "no" },
    ["reasoning"] = { role = "assistant", content = "a", reasoning_content = "b" },
    ["an empty list of calls"] = { role = "assistant", content = "a", tool_calls = json.array {} },
    ["calls that are no list"] = { role = "assistant", content = "a", tool_calls = { a = call() } },
    ["calls marked as an object"] = { role = "assistant", content = "a", tool_calls = json.object {} },
    ["calls that are text"] = { role = "assistant", content = "a", tool_calls = "f" },
    ["a hole among the calls"] = { role = "assistant", content = "a", tool_calls = json.array { call(), json.null } },
    ["a custom call"] = asks({ id = "c", type = "custom", custom = { name = "f", input = "x" } }),
    ["a call of another type"] = asks(call { type = "custom" }),
    ["a call without a type"] = asks({ id = "c", ["function"] = { name = "f", arguments = "{}" } }),
    ["a call with an index"] = asks(call(), call { index = 0 }),
    ["a call with a long id"] = asks(call { id = ("i"):rep(41) }),
    ["a call with an order of its own"] = asks(json.object {
      { "type", "function" }, { "id", "c" }, { "function", { name = "f", arguments = "{}" } } }),
    ["a call without a name"] = asks(call { ["function"] = { arguments = "{}" } }),
    ["a call with more than arguments"] = asks(call { ["function"] = { name = "f", arguments = "{}", strict = true } }),
    ["a function that is marked"] = asks(call { ["function"] = json.object { name = "f", arguments = "{}" } }),
    ["arguments that are a table"] = with_arguments { a = 1 },
    ["arguments that are a list"] = with_arguments "[]",
    ["arguments that are no JSON"] = with_arguments "{a}",
    ["arguments that break off"] = with_arguments '{"a":',
    ["two arguments"] = with_arguments "{}{}",
    ["no arguments"] = with_arguments "",
  }
  for what, message in pairs(others) do
    it("wants a form for " .. what, function()
      assert.is_false(is_plain(message))
      assert.equal("[" .. json.encode(message) .. "]", transcript.new({ message }):encode())
    end)
  end

  it("needs none for an answer with an empty list of annotations, which stays in the transcript", function()
    for _, message in ipairs { { role = "assistant", content = "a" }, asks(call()) } do
      local plain_text = json.encode(message)
      message.annotations = json.array {}
      local t = transcript.new { { role = "user", content = "q" }, message, { role = "user", content = "r" } }
      assert.is_nil(t:unwired("key", 1, true))
      assert.equal(2, t:unwired("key", 2, false))
      assert.equal('[{"content":"q","role":"user"},' .. plain_text .. ',{"content":"r","role":"user"}]', t:wire "key")
      assert.equal(json.encode { { role = "user", content = "q" }, message, { role = "user", content = "r" } }, t:encode())
      assert.same({}, t[2].annotations)
      t:set_wire(2, "key", "2")
      assert.equal('[{"content":"q","role":"user"},2,{"content":"r","role":"user"}]', t:wire "key")
      t:set_wire(2, "key", nil)
      assert.equal(t:encode(), t:wire "key")
    end
    for _, annotations in ipairs { {}, json.array { 1 }, { {} }, json.null, "", false } do
      assert.is_false(is_plain { role = "assistant", content = "a", annotations = annotations })
    end
    assert.is_false(is_plain { role = "user", content = "a", annotations = json.array {} })
  end)

  it("wants one for results that follow one which is not plain in their turn", function()
    local odd, good = { role = "tool", content = {}, tool_call_id = "i" }, plain["a result"]
    local t = transcript.new { asks(call()), good, odd, good, plain["a prompt"], good }
    assert.equal(3, t:unwired("key", 1, true))
    t:set_wire(3, "key", "3")
    assert.equal(4, t:unwired("key", 1, true))
    assert.equal(4, t:unwired("key", 4, true))
    t:set_wire(4, "key", "4")
    assert.is_nil(t:unwired("key", 1, true))
    assert.equal(6, t:unwired("key", 6))
  end)

  it("wants new forms for all results beside one that is replaced", function()
    local odd, good = { role = "tool", content = {}, tool_call_id = "i" }, plain["a result"]
    for replaced = 2, 4 do
      local t = transcript.new { plain["a prompt"], odd, good, odd, plain["a prompt"] }
      for i = 1, 5 do t:set_wire(i, "key", tostring(i)) end
      t:replace(replaced, plain["a prompt"])
      for i = 1, 5 do assert.equal(i >= 2 and i <= 4, t:unwired("key", i) == i, i) end
    end
  end)
end)


describe("plain messages", function()
  local image = { type = "image_url", image_url = { url = "data:image/png;base64,AA==" } }

  local makers <const> = {
    function() return { role = "user", content = "hi" } end,
    function() return { role = "user", content = { { type = "text", text = "a" }, { type = "text", text = "b" } } } end,
    function() return { role = "system", content = "Be brief." } end,
    function() return { role = "developer", content = "Be long.", name = "Ann" } end,
    function() return { role = "assistant", content = "hello", reasoning_content = "hm", annotations = {} } end,
    function() return { role = "assistant", content = "hello" } end,
    function() return asks(call { id = ("long"):rep(12) }) end,
    function() return asks(call(), call { id = "call_2" }) end,
    function() return { role = "tool", content = "42", tool_call_id = "call_1" } end,
    function() return { role = "tool", content = "43", tool_call_id = "call_2" } end,
    function() return { role = "tool", content = { { type = "text", text = "see" }, image }, tool_call_id = "call_1" } end,
    function() return { role = "tool", content = json.null, tool_call_id = "call_2" } end,
    function() return { role = "assistant", content = "hello", annotations = json.array {} } end,
    function()
      local made = asks(call(), call { id = "call_2" })
      made.annotations = json.array {}
      return made
    end,
  }

  --- Does something to a transcript.
  local function change(t, roll)
    local kind, made = roll(8), makers[roll(#makers)]()
    if kind == 1 and #t > 0 then
      t:replace(roll(#t), made)
    elseif kind == 2 and #t > 0 then
      t:truncate(roll(#t) - 1)
    else
      t:append(made)
    end
  end

  --- What a server should read, made of the messages one by one.
  local function expected(t, profile)
    local texts = {}
    for i, message in ipairs(assert(rewrite.messages(t:messages(), profile))) do texts[i] = json.encode(message) end
    return "[" .. table.concat(texts, ",") .. "]"
  end

  for _, name in ipairs(world.providers()) do
    it("are what " .. name .. " would read otherwise, whatever stands around them", async(function()
      for _, model in ipairs { "m", "o1-mini" } do
        local profile = profile_of(name, model)
        for seed = 1, RUNS // 8 do
          local roll, t = dice(seed), transcript.new()
          for _ = 1, 8 do
            for _ = 1, roll(3) do change(t, roll) end
            local key = assert(rewrite.transcript(t, profile))
            assert.equal(expected(t, profile), t:wire(key), ("%s, seed %d"):format(model, seed))
          end
        end
      end
    end))
  end

  it("cost no form where they serve", function()
    local t = transcript.new { makers[1](), makers[8](), makers[9](), makers[10](), makers[6]() }
    for _, name in ipairs { "openai", "vllm", "generic", "azure" } do
      local key, serves = rewrite.key(profile_of(name, "m"))
      assert.is_true(serves, name)
      assert.equal(key, rewrite.transcript(t, profile_of(name, "m")))
      assert.equal(1, t:unwired(key), name)
    end
    for _, name in ipairs { "mistral", "llamacpp", "deepseek", "ollama" } do
      assert.is_false(select(2, rewrite.key(profile_of(name, "m"))), name)
    end
    assert.is_false(select(2, rewrite.key(profile_of("openai", "o1-mini"))))
  end)
end)
