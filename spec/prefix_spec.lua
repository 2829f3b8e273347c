--- prefix_spec.lua -- what a server repeats of a beginning that it was given, taken away from every split of its answer.
local prefix = require "rille.chat.prefix"
local transcripts = require "rille.transcript"

local repeating <const> = { repeats_prefix = true }

--- The prefix of a transcript that ends with a given beginning.
local function given(content, flags)
  return prefix.of(transcripts.new {
    { role = "user", content = "Go on." }, { role = "assistant", content = content, prefix = true },
  }, flags or repeating)
end

--- What comes out when the pieces go in.
local function out_of(state, pieces)
  local out = {}
  for _, piece in ipairs(pieces) do out[#out + 1] = state:take(piece) end
  out[#out + 1] = state:flush()
  return table.concat(out)
end

--- Calls `body` with every way to cut a text into three pieces, empty ones among them.
local function every_split(text, body)
  for i = 0, #text do
    for j = i, #text do body { text:sub(1, i), text:sub(i + 1, j), text:sub(j + 1) } end
  end
end


describe("prefix.of", function()
  it("is nothing for a server that does not repeat", function()
    assert.is_nil(given("Once", {}))
  end)

  it("is nothing where nothing was begun", function()
    assert.is_nil(given "")
    assert.is_nil(prefix.of(transcripts.new {}, repeating))
    assert.is_nil(prefix.of(transcripts.new { { role = "assistant", content = "Once" } }, repeating))
    assert.is_nil(prefix.of(transcripts.new { { role = "user", content = "Once", prefix = true } }, repeating))
  end)
end)


describe("a streamed answer", function()
  --- answer of the server → what is new in it, after "Once upon "
  local cases <const> = {
    ["Once upon a time"] = "a time",
    ["Once upon "] = "",
    ["a time"] = "a time",
    ["Once more"] = "Once more",                    -- begins alike, and is no repetition
    ["Once"] = "Once",                              -- ends before it can be told: it was the answer
    ["Once upon Once upon "] = "Once upon ",        -- taken away once
    ["once upon a time"] = "once upon a time",      -- letter by letter
    [""] = "",
  }

  for answer, new in pairs(cases) do
    it(("%q loses what was given, however it is cut"):format(answer), function()
      every_split(answer, function(pieces)
        assert.equal(new, out_of(given "Once upon ", pieces), table.concat(pieces, "|"))
      end)
    end)
  end

  it("is held back no longer than there is doubt", function()
    local state = given "ab"
    assert.is_nil(state:take "a")
    assert.equal("ax", state:take "x")
    assert.equal("ab", state:take "ab")             -- settled: nothing is looked at any more
    assert.is_nil(state:flush())
  end)

  it("gives what was held back only once", function()
    local state = given "abc"
    assert.is_nil(state:take "ab")
    assert.equal("ab", state:flush())
    assert.is_nil(state:flush())
  end)
end)


describe("a whole answer", function()
  local function stripped(content)
    local completion = { choices = { { message = { role = "assistant", content = content } } } }
    given("Once "):strip(completion)
    return completion.choices[1].message.content
  end

  it("loses the beginning when it is there", function()
    assert.equal("more", stripped "Once more")
    assert.equal("", stripped "Once ")
  end)

  it("is left alone when it begins otherwise, or is no text", function()
    assert.equal("Twice", stripped "Twice")
    assert.equal("Once", stripped "Once")
    assert.is_nil(stripped(nil))
    assert.same({ { type = "text", text = "Once " } }, stripped { { type = "text", text = "Once " } })
  end)

  it("may have no choices", function()
    local completion = { choices = {} }
    given("Once "):strip(completion)
    assert.same({ choices = {} }, completion)
  end)
end)
