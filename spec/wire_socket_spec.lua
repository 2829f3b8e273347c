--- wire_socket_spec.lua -- every recorded reply over a real socket: whole, byte by byte, in its own and in random cuts.
---
--- fixtures_spec.lua feeds the decoder itself; here the bytes take the whole way: a server, TCP, curl, the decoder, Lua.
local completions = require "rille.completions"
local config = require "rille.config"
local endpoint = require "rille.endpoint"
local raw_server = require "spec.support.raw_server"
local served = require "spec.support.served"
local wire = require "spec.support.wire"
local world = require "spec.support.world"

local SLOW <const> = os.getenv "RILLE_SLOW"
local GC <const> = os.getenv "RILLE_GC"
local RANDOM_CUTS <const> = GC and 1 or 50
local MOST_WRITES <const> = SLOW and math.huge or GC and 20 or 3000   -- of one body, byte by byte
local FRAMINGS <const> = { "length", "chunked", "close" }

--- An aggressive collector walks over all of them at every step: a sample will do.
local function sample(list)
  if not GC then return list end
  local few = {}
  for i = 1, #list, 8 do few[#few + 1] = list[i] end
  return few
end

local fixtures = sample(wire.fixtures())


--- Every byte, or every few bytes of a long body.
local function small_cuts(body)
  local step, cuts = math.max(1, math.ceil(#body / MOST_WRITES)), {}
  for at = step, #body - 1, step do cuts[#cuts + 1] = at end
  return cuts
end


describe("over a socket", function()
  for number, fixture in ipairs(fixtures) do
    local expected = served.bare(fixture.expect)

    --- Asks once for each list of cuts.
    local function check(lists, framing)
      local server <close> = raw_server.start(function(connection, _, n)
        served.say(connection, fixture, lists[n], framing or FRAMINGS[n % #FRAMINGS + 1])
      end)
      for _, cuts in ipairs(lists) do
        local complaint = wire.compare(expected, served.ask(server, fixture))
        if complaint ~= "" then error(("cuts %s\n%s"):format(table.concat(cuts, ","), complaint), 0) end
      end
    end

    it(fixture.name .. " is the same whole, however the body is framed", async(function()
      check { {}, {}, {} }
    end))

    it(fixture.name .. " is the same byte by byte", async(function()
      check({ small_cuts(fixture.body) }, FRAMINGS[number % #FRAMINGS + 1])
    end))

    it(fixture.name .. " is the same in " .. RANDOM_CUTS .. " random cuts", async(function()
      local lists = {}
      for seed = 1, RANDOM_CUTS do lists[seed] = wire.random_cuts(fixture.body, seed) end
      check(lists)
    end))

    if fixture.splits then
      it(fixture.name .. " is the same in its own cuts", async(function() check({ fixture.splits }, "length") end))
    end
  end
end)


--- Codes of the public failure that may stand for a kind of error.
local CODES <const> = {
  incomplete_stream = { incomplete_stream = true }, bad_chunk = { bad_response = true }, bad_body = { bad_response = true },
  empty_response = { bad_response = true },
}


describe("rille.chat.completions.create, of every recorded reply,", function()
  local restore

  before_each(function()
    restore = world.environment {}
    config.reset()
    endpoint.reset()
  end)

  after_each(function()
    restore()
    endpoint.reset()
  end)

  --- The completion, the failure, and the chunks that were seen on the way.
  local function created(fixture)
    local server <close> = raw_server.start(function(connection)
      served.say(connection, fixture, wire.random_cuts(fixture.body, 7), "chunked")
    end)
    local n = fixture.options.n
    local params = { model = "m", messages = { { role = "user", content = "q" } }, stream = fixture.options.stream or nil,
      n = n ~= 1 and n or nil }
    local result, trouble = completions.create(params, { base_url = server.url .. "/v1", api_key = false, retries = 0 })
    if not params.stream then return result, trouble, {} end
    local chunks = {}
    for chunk in result do chunks[#chunks + 1] = chunk end
    local completion, broken = result:completion()
    return completion, broken, chunks
  end

  local function texts_of(completion)
    local texts = {}
    for i, choice in ipairs(completion and completion.choices or {}) do texts[i] = choice.message.content or false end
    return texts
  end

  for _, fixture in ipairs(fixtures) do
    it("says what " .. fixture.name .. " says", async(function()
      local expected = served.bare(fixture.expect)
      local completion, trouble, chunks = created(fixture)
      assert.same(texts_of(expected), texts_of(completion or trouble.partial))
      if not expected.error then
        assert(completion, trouble)
        assert.same(expected.usage, completion.usage)
        assert.is_true(not fixture.options.stream or #chunks > 0)
        return
      end
      assert.is_nil(completion)
      local allowed = CODES[expected.error.kind]
      assert.is_true(not allowed or allowed[trouble.code] == true, trouble.code)
      assert.equal(expected.error.status, expected.error.kind == "http_error" and trouble.status or nil)
      assert.equal(expected.error.code, trouble.detail.code)
      assert.equal(expected.error.type, trouble.detail.type)
      assert.equal(expected.error.param, trouble.detail.param)
      if expected.error.message then
        assert.truthy(trouble.message:find(expected.error.message:sub(1, 60), 1, true), trouble.message)
      end
    end))
  end
end)
