--- transcript_wire_spec.lua -- the wire forms beside a transcript's messages, and the whole thing against
--- a plain list.
local json = require "rille.json"
local transcript = require "rille.transcript"


local function user(text)
  return { role = "user", content = text }
end


--- A transcript of user messages.
local function talk(...)
  local t = transcript.new()
  for _, text in ipairs { ... } do t:append(user(text)) end
  return t
end


local function raises(pattern, call)
  local ok, err = pcall(call)
  assert.is_false(ok)
  assert.matches(pattern, err)
end


describe("rille.core.Transcript:wire", function()
  it("joins neutral bytes where no form was set", function()
    local t = talk("a", "b")
    assert.equal(t:encode(), t:wire())
    assert.equal(t:encode(), t:wire "p")
    assert.equal("[]", transcript.new():wire "p")
  end)

  it("takes the forms for its key", function()
    local t = talk("a", "b", "c")
    t:set_wire(1, "p", '{"w":1}')
    t:set_wire(2, "p", nil)
    t:set_wire(-1, "p", '{"w":3},{"w":4}')
    assert.equal('[{"w":1},{"content":"b","role":"user"},{"w":3},{"w":4}]', t:wire "p")
    assert.equal(t:encode(), t:wire())
    assert.equal(t:encode(), t:wire "q")
    assert.equal("a", t[1].content)
  end)

  it("leaves out forms that are empty, and their commas", function()
    local t = talk("a", "b", "c", "d")
    for i, form in ipairs { "", "2", "", "4" } do t:set_wire(i, "p", form) end
    assert.equal("[2,4]", t:wire "p")
    t:set_wire(4, "p", "")
    assert.equal("[2]", t:wire "p")
    t:set_wire(2, "p", "")
    assert.equal("[]", t:wire "p")
  end)

  it("raises for a message that does not exist", function()
    raises("no message 2 in a transcript of 1", function() talk("a"):set_wire(2, "p", "x") end)
    assert.has_error(function() talk("a"):set_wire(1, nil, "x") end)
  end)
end)


describe("rille.core.Transcript:set_wire", function()
  it("keeps a form that says what the message says as none of its own", function()
    local t = talk("a", "b")
    local bytes = t:clone():truncate(1):encode():sub(2, -2)
    t:set_wire(1, "p", bytes)
    t:set_wire(2, "p", '{"w":2}')
    assert.is_nil(t:unwired "p")
    assert.equal("[" .. bytes .. ',{"w":2}]', t:wire "p")
    t:replace(1, user "c")
    assert.equal(1, t:unwired "p")
    assert.equal('[{"content":"c","role":"user"},{"w":2}]', t:wire "p")
  end)

  it("tells keys apart that begin alike", function()
    local t = talk("a")
    t:set_wire(1, "key", '{"w":1}')
    assert.equal(1, t:unwired "ke")
    assert.equal(1, t:unwired "keyx")
    assert.equal(1, t:unwired "")
    assert.equal(t:encode(), t:wire "ke")
    assert.equal('[{"w":1}]', t:wire "key")
  end)
end)


describe("rille.core.Transcript:unwired", function()
  it("finds the first message without a form for the key", function()
    local t = talk("a", "b", "c")
    assert.equal(1, t:unwired "p")
    t:set_wire(1, "p", "x")
    t:set_wire(2, "p", nil)
    assert.equal(3, t:unwired("p", 1))
    assert.equal(3, t:unwired("p", 3))
    t:set_wire(3, "p", "")
    assert.is_nil(t:unwired "p")
    assert.is_nil(t:unwired("p", 4))
    assert.is_nil(t:unwired("p", 100))
    assert.equal(1, t:unwired "q")
    assert.equal(4, t:append(user "d"):unwired "p")
    assert.has_error(function() t:unwired("p", 0) end)
  end)

  it("keeps one key a message: a new one replaces the old", function()
    local t = talk "a"
    t:set_wire(1, "p", "x")
    t:set_wire(1, "q", "y")
    assert.equal(1, t:unwired "p")
    assert.is_nil(t:unwired "q")
    assert.equal("[y]", t:wire "q")
  end)

  it("forgets the form of what was replaced, and of the last after a cut", function()
    local t = talk("a", "b", "c")
    for i = 1, 3 do t:set_wire(i, "p", tostring(i)) end
    t:replace(2, user "B")
    assert.equal(2, t:unwired "p")
    t:set_wire(2, "p", "2")
    t:truncate(3)
    assert.is_nil(t:unwired "p")
    t:truncate(2)
    assert.equal(2, t:unwired "p")
  end)

  it("gives a clone the forms it has, and nothing that is set later", function()
    local t = talk("a", "b")
    t:set_wire(1, "p", "1")
    local clone = t:clone()
    assert.equal(2, clone:unwired "p")
    clone:set_wire(1, "q", "Q")
    clone:set_wire(2, "p", "2")
    assert.equal(2, t:unwired "p")
    assert.equal("[1," .. '{"content":"b","role":"user"}]', t:wire "p")
  end)
end)


describe("rille.core.Transcript:clone", function()
  it("shares its list until one of them changes what another sees", function()
    local first = talk("a", "b")
    local second, third = first:clone(), first:clone()
    first:append(user "c")
    second:append(user "d")
    assert.equal(talk("a", "b", "c"):encode(), first:encode())
    assert.equal(talk("a", "b", "d"):encode(), second:encode())
    assert.equal(talk("a", "b"):encode(), third:encode())
    third:set_wire(1, "p", "3")
    assert.equal(1, first:unwired "p")
    first:replace(1, user "A")
    second:truncate(1)
    assert.equal(talk("A", "b", "c"):encode(), first:encode())
    assert.equal(talk("a"):encode(), second:encode())
    assert.equal('[3,{"content":"b","role":"user"}]', third:wire "p")
  end)

  it("lets a message go with the last that sees it", function()
    local first = talk("a")
    do
      local second = first:clone()
      for i = 1, 20 do second:append(user(("%d"):format(i):rep(1000))) end
      second = second:clone():truncate(3)
      assert.equal(3, #second)
    end
    collectgarbage()
    collectgarbage()
    first:append(user "b")
    assert.equal(talk("a", "b"):encode(), first:encode())
    first:truncate(0)
    assert.equal("[]", first:encode())
    assert.equal(talk("c"):encode(), first:append(user "c"):encode())
  end)
end)


describe("rille.Transcript, used at random", function()
  --- What a transcript should be: a list of { text, key = form }.
  local function expected_wire(model, key)
    local forms = {}
    for _, entry in ipairs(model) do
      local form = entry.key == key and entry.form or json.encode(user(entry.text))
      if form ~= "" then forms[#forms + 1] = form end
    end
    return "[" .. table.concat(forms, ",") .. "]"
  end

  local function expected_unwired(model, key, from)
    for i = from, #model do
      if model[i].key ~= key then return i end
    end
  end

  local serial = 0
  local steps = {
    function(t, model)
      serial = serial + 1
      t:append(user("m" .. serial))
      model[#model + 1] = { text = "m" .. serial }
    end,
    function(t, model)
      if #model == 0 then return end
      serial = serial + 1
      local i = math.random(#model)
      t:replace(math.random(2) == 1 and i or i - #model - 1, user("m" .. serial))
      model[i] = { text = "m" .. serial }
    end,
    function(t, model)
      local n = math.random(0, 12)
      t:truncate(n)
      if n >= #model then return end
      for i = #model, n + 1, -1 do model[i] = nil end
      if n > 0 then model[n] = { text = model[n].text } end
    end,
    function(t, model)
      if #model == 0 then return end
      local i, key = math.random(#model), math.random(2) == 1 and "p" or "q"
      local form = ({ "", '{"w":' .. i .. "}", false })[math.random(3)]
      t:set_wire(i, key, form or nil)
      model[i].key, model[i].form = key, form or nil
    end,
  }

  local function copy_model(model)
    local copy = {}
    for i, entry in ipairs(model) do copy[i] = { text = entry.text, key = entry.key, form = entry.form } end
    return copy
  end

  it("agrees with a plain list, clones included", function()
    math.randomseed(31)
    local pool = { { transcript.new(), {} } }
    for _ = 1, os.getenv "RILLE_GC" == "aggressive" and 40 or 500 do
      local at = math.random(#pool)
      local t, model = pool[at][1], pool[at][2]
      if math.random(10) == 1 then
        pool[math.random(6) % (#pool + 1) + 1] = { t:clone(), copy_model(model) }
      else
        steps[math.random(3) == 1 and math.random(#steps) or math.random(2) * 3 - 2](t, model)
      end
      for _, pair in ipairs(pool) do
        local one, other = pair[1], pair[2]
        assert.equal(#other, #one)
        for _, key in ipairs { "p", "q" } do
          assert.equal(expected_wire(other, key), one:wire(key))
          assert.equal(expected_unwired(other, key, 1), one:unwired(key))
        end
      end
    end
  end)
end)
