--- fixtures_spec.lua -- every recorded reply gives what its expected.json says, whatever the cuts.
---
--- A stream that ends early, at any byte, is never taken for malformed, and never says what the server did not.
local core = require "rille.core"
local wire = require "spec.support.wire"

--- How much is tried: all of it where there is time, a sample under an aggressive collector.
local SLOW <const>, GC <const> = os.getenv "RILLE_SLOW", os.getenv "RILLE_GC"
local RANDOM_CUTS <const> = SLOW and 1000 or GC and 5 or 50
local SPLIT_LIMIT <const> = SLOW and math.huge or GC and 60 or 400 -- bytes that get every 2-split
local EARLY_STEP <const> = SLOW and 1 or GC and 97 or 7             -- bytes between early ends
local LAST_BYTES <const> = GC and 10 or 200                         -- the end of a stream is cut everywhere

local fixtures = wire.fixtures()


describe("core.decode of the wire fixtures", function()
  for _, fixture in ipairs(fixtures) do
    describe(fixture.name, function()
      local function expect(cuts, what)
        local complaint = wire.compare(fixture.expect, wire.decode_fixture(fixture, cuts))
        if complaint ~= "" then error(what .. "\n" .. complaint, 0) end
      end

      it("is decoded whole", function() expect(nil, "whole") end)

      it("is decoded byte by byte", function() expect(wire.every_byte(fixture.body), "bytes") end)

      it("is decoded in random cuts", function()
        for seed = 1, RANDOM_CUTS do
          local cuts = wire.random_cuts(fixture.body, seed)
          expect(cuts, "cuts " .. table.concat(cuts, ","))
        end
      end)

      if #fixture.body <= SPLIT_LIMIT then
        it("is decoded in every two parts", function()
          for at = 0, #fixture.body do expect({ at }, "split " .. at) end
        end)
      end

      if fixture.splits then
        it("is decoded in its own cuts", function() expect(fixture.splits, "own cuts") end)
      end
    end)
  end

  it("cover the quirk table", function() assert.is_true(#fixtures >= 130) end)
end)


--- Does `part` begin `whole`, leaving out what replaces half a character?
local function is_prefix(part, whole)
  part = part:gsub("\xEF\xBF\xBD$", "")
  return whole:sub(1, #part) == part
end


--- What a cut stream may say: a part of the texts, and no call with more arguments.
local function is_part_of(part, whole)
  for _, choice in ipairs(part.choices) do
    local full
    for _, other in ipairs(whole.choices) do
      if other.index == choice.index then full = other end
    end
    if not full then return false end
    local content = choice.message.content
    local text = full.message.content
    if type(content) == "string" and content ~= "" and not is_prefix(content, type(text) == "string" and text or "") then
      return false
    end
  end
  return true
end


describe("core.decode of a stream that ends early", function()
  -- malformed or erring fixtures end in their own way
  local function is_sound(fixture)
    return fixture.expect.error == core.null and fixture.options.stream and #fixture.body < 4000
      and not fixture.body:find "^%s*{"
  end

  local function check(fixture, at)
    local cut = core.decode(fixture.body:sub(1, at), { n = fixture.options.n })
    local kind = cut.error ~= core.null and cut.error.kind or nil
    local says = ("%s cut at %d: %s"):format(fixture.name, at, kind)
    assert(kind == nil or kind == "incomplete_stream" or kind == "empty_response", says)
    assert(cut.complete == (kind == nil), says)
    assert(is_part_of(cut, fixture.expect), says .. " invented text")
  end

  it("is whole or incomplete, and invents nothing", function()
    local count = 0
    for i, fixture in ipairs(fixtures) do
      if is_sound(fixture) then
        count = count + 1
        for at = i % EARLY_STEP, #fixture.body, EARLY_STEP do check(fixture, at) end
        for at = math.max(0, #fixture.body - LAST_BYTES), #fixture.body do check(fixture, at) end
      end
    end
    assert.is_true(count > 50)
  end)
end)
