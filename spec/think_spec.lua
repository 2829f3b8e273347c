--- think_spec.lua -- reasoning between tags at the beginning of an answer (C8), where a profile says so.
local agent = require "rille.agent"
local chat = require "rille.chat"
local config = require "rille.config"
local core = require "rille.core"
local endpoint = require "rille.endpoint"
local heal = require "rille.heal"
local raw_server = require "spec.support.raw_server"
local think = require "rille.chat.think"
local wire = require "spec.support.wire"
local world = require "spec.support.world"

local ON <const> = { think_tags = true }


--- What is told of a text that arrives in these pieces: reasoning, text.
local function told(pieces)
  local lens, said = think.of(ON), { reasoning = "", text = "" }
  local function drain()
    for kind, text in function() return lens:pop() end do said[kind] = said[kind] .. text end
  end
  for _, piece in ipairs(pieces) do
    lens:take(piece, 0)
    drain()
  end
  lens:flush()
  drain()
  return said.reasoning, said.text
end


describe("rille.chat.think", function()
  local cases <const> = {
    { "<think>Let me see.</think>Four.", "Let me see.", "Four." },
    { "\n <think>\na < b</thin</think>\n\nFour.\n", "\na < b</thin", "Four.\n" },
    { "<think></think>Four.", "", "Four." },
    { "<think>never closed </th", "never closed </th", "" },
    { "<think>only</think>\n", "only", "" },
    { "Four. <think>is a tag</think>", "", "Four. <think>is a tag</think>" },
    { "<thinking>is another one</thinking>", "", "<thinking>is another one</thinking>" },
    { "<thi", "", "<thi" },
    { "  \n", "", "  \n" },
    { "", "", "" },
    { "<think>a</think><think>b</think>", "a", "<think>b</think>" },
    { "<think>é\u{1F642}</think>日本", "é\u{1F642}", "日本" },
  }

  for _, case in ipairs(cases) do
    it(("reads %q, wherever it is cut"):format(case[1]), function()
      local bytes = {}
      for i = 1, #case[1] do bytes[i] = case[1]:sub(i, i) end
      assert.same({ case[2], case[3] }, { told(bytes) })
      for at = 0, #case[1] do
        assert.same({ case[2], case[3] }, { told { case[1]:sub(1, at), case[1]:sub(at + 1) } })
      end
    end)
  end

  it("tells text as soon as it can be no tag", function()
    local lens = think.of(ON)
    lens:take("<think>a", 0)
    assert.same({ "reasoning", "a", 0 }, { lens:pop() })
    lens:take("b</", 0)
    assert.same({ "reasoning", "b", 0 }, { lens:pop() })
    assert.is_nil(lens:pop())
    lens:take("x</think>", 0)
    assert.same({ "reasoning", "</x", 0 }, { lens:pop() })
    lens:take("now", 0)
    assert.same({ "text", "now", 0 }, { lens:pop() })
  end)

  it("keeps choices apart", function()
    local lens = think.of(ON)
    lens:take("<think>a", 0)
    lens:take("plain", 1)
    assert.same({ "reasoning", "a", 0 }, { lens:pop() })
    assert.same({ "text", "plain", 1 }, { lens:pop() })
  end)

  it("is not there unless it is asked for", function()
    assert.is_nil(think.of { think_tags = false })
  end)
end)


describe("the flag think_tags", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
    heal.reset()
  end)

  after_each(function() restore() end)

  local BODY <const> = wire.stream { wire.chunk { content = "<thi" }, wire.chunk { content = "nk>hm</think>\n\nFo" },
    wire.chunk { content = "ur." }, wire.chunk({}, "stop") }

  --- The parts that are told, joined by kind, and what `finish` returns.
  local function asked(body, flags, want)
    local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(body)) end)
    local exchange <close> = assert(chat.start {
      model = "m", stream = true, want = want, retries = 0, messages = core.transcript { { role = "user", content = "q" } },
      provider = { name = "p", profile = "generic", base_url = server.url .. "/v1", flags = flags },
    })
    local said = {}
    for kind, delta in function() return exchange:next() end do
      if kind ~= "chunk" then said[kind] = (said[kind] or "") .. delta end
    end
    return said, exchange:finish()
  end

  it("tells reasoning apart from text, in deltas and in the answer", async(function()
    for _, want in ipairs { "deltas", false } do
      local said, completion, info = asked(BODY, ON, want or nil)
      assert.same(want and { reasoning = "hm", text = "Four." } or {}, said)
      assert.equal("Four.", completion.choices[1].message.content)
      assert.equal("hm", completion.choices[1].message.reasoning)
      assert.same({ "hm" }, info.reasoning)
    end
  end))

  it("holds for the turns of an agent", async(function()
    local server <close> = raw_server.start(function(connection) connection:send(raw_server.response(BODY)) end)
    local reply = assert(agent.new({
      model = "m", provider = { name = "p", profile = "generic", base_url = server.url .. "/v1", flags = ON },
    }):run("q"))
    assert.same({ "Four.", "hm" }, { reply.text, reply.reasoning })
    assert.same({ "Four.", "hm" }, { reply.transcript[2].content, reply.transcript[2].reasoning })
  end))

  it("is off by default, and never concerns chunks", async(function()
    local _, completion = asked(BODY, nil, "deltas")
    assert.equal("<think>hm</think>\n\nFour.", completion.choices[1].message.content)
    _, completion = asked(BODY, ON, "chunks")
    assert.equal("<think>hm</think>\n\nFour.", completion.choices[1].message.content)
  end))

  it("holds for what had arrived when the exchange is given up", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(raw_server.stream_head .. raw_server.chunks(BODY:sub(1, -120), 1000, true))
      connection:hold()
    end)
    local exchange <close> = assert(chat.start {
      model = "m", stream = true, want = "deltas", messages = core.transcript { { role = "user", content = "q" } },
      provider = { name = "p", profile = "generic", base_url = server.url .. "/v1", flags = ON },
    })
    assert.equal("reasoning", (exchange:next()))
    local message = exchange:abort().choices[1].message
    assert.equal("hm", message.reasoning)
    assert.is_nil(message.content:find("think", 1, true))
  end))

  it("holds for the part that came before a break", async(function()
    local _, last = BODY:find("\n\n", BODY:find("hm</think>", 1, true), true)
    local cut = BODY:sub(1, last)
    local said, completion, failure = asked(cut, ON, "deltas")
    assert.is_nil(completion)
    assert.equal("hm", said.reasoning)
    assert.equal("Fo", failure.partial.choices[1].message.content)
    assert.equal("hm", failure.partial.choices[1].message.reasoning)
  end))
end)
