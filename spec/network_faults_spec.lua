--- network_faults_spec.lua -- a whole agent, while the transport breaks at every offset of every recorded reply.
---
--- The server closes, resets or stalls after n bytes of the response, head included. Whatever n is: the right failure
--- code or the whole answer, no text that the server did not say, no tool run unless all of its call had come, and a
--- transcript that can be sent. Offsets are sampled; RILLE_SLOW takes every one.
local core = require "rille.core"
local raw_server = require "spec.support.raw_server"
local rille = require "rille"
local sendable = require "spec.support.sendable"
local wire = require "spec.support.wire"

local SLOW <const>, GC <const> = os.getenv "RILLE_SLOW", os.getenv "RILLE_GC"
local SAMPLES <const> = { close = 8, reset = 6, stall = 3 }    -- offsets of each reply
local LAST_BYTES <const> = 3                                   -- of each reply, always
local CHUNK <const> = 150                                      -- bytes of an HTTP chunk
local SANITIZED <const> = (os.getenv "RILLE_PRELOAD" or "") ~= ""
local STALLED <const> = (GC or SANITIZED) and 1.2 or 0.3       -- seconds without a byte until a stall is one
local AT_ONCE <const> = 32
local NEXT_ANSWER <const> = '{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'


-- ---------------------------------------------------------------- the replies

--- The bytes of the response, and how many of them are its head.
local FRAMINGS <const> = {
  length = function(fixture)
    local lines = table.move(fixture.options.headers, 1, #fixture.options.headers, 1, {})
    lines[#lines + 1] = "Content-Length: " .. #fixture.body
    return raw_server.head(fixture.options.status, lines), fixture.body
  end,
  chunked = function(fixture)
    local lines = table.move(fixture.options.headers, 1, #fixture.options.headers, 1, {})
    lines[#lines + 1] = "Transfer-Encoding: chunked"
    return raw_server.head(fixture.options.status, lines), raw_server.chunks(fixture.body, CHUNK)
  end,
  close = function(fixture) return raw_server.head(fixture.options.status, fixture.options.headers), fixture.body end,
}
local FRAMING_NAMES <const> = { "length", "chunked", "close" }


--- Replies that an agent may be given: one choice, not too long.
local function is_usable(fixture)
  return fixture.options.n == 1 and #fixture.body < 8000
end


local fixtures = {}
for _, fixture in ipairs(wire.fixtures()) do
  if is_usable(fixture) then fixtures[#fixtures + 1] = fixture end
end
if GC then fixtures = table.move(fixtures, 1, 6, 1, {}) end


--- Some ascending offsets below `most`, others for each fixture, and the last ones.
local function offsets_of(most, samples, shift)
  local offsets = {}
  local step = SLOW and 1 or math.max(1, most / samples)
  for i = 0, most - 1 - LAST_BYTES do
    local at = (i * step + shift % math.max(1, step)) // 1
    if at >= most - LAST_BYTES then break end
    offsets[#offsets + 1] = at
  end
  for at = math.max(0, most - LAST_BYTES), most - 1 do offsets[#offsets + 1] = at end
  return offsets
end


-- ---------------------------------------------------------------- the server

--- Says `bytes` of the response and breaks; every further request gets a sound answer.
local function breaking(response, at, how)
  local calm = false
  return raw_server.start(function(connection)
    if calm then
      connection:send(raw_server.response(NEXT_ANSWER))
      return
    end
    calm = true
    if at > 0 then connection:send(response:sub(1, at)) end
    if how == "stall" then return connection:hold() end
    if how == "reset" then core.sleep(0.002) end   -- a reset overtakes what was said before
    connection[how](connection)
  end)
end


-- ---------------------------------------------------------------- the agent

--- Tools for all calls that the reply makes; each call is written down.
local function tools_for(fixture, ran)
  local tools, known = {}, {}
  local function add(name, kind)
    if known[name] or not name:find "^[%a_][%w_-]*$" then return end
    known[name] = true
    tools[#tools + 1] = rille.tool {
      name = name, type = kind, parameters = kind ~= "custom" and { type = "object" } or nil,
      run = function(args)
        ran[#ran + 1] = name .. (kind == "custom" and args or rille.json.encode(args))
        return "done"
      end,
    }
  end
  for _, choice in ipairs(fixture.expect.choices) do
    for _, call in ipairs(choice.message.tool_calls or {}) do add(call[call.type or "function"].name, call.type) end
    if choice.message.function_call then add(choice.message.function_call.name, "function") end
  end
  return tools
end


--- What came of it: {code = of the failure, text, ran = calls, turns}.
local function outcome(fixture, server, patience)
  local ran = {}
  local agent = rille.agent {
    model = "m", base_url = server.url .. "/v1", api_key = false, retries = 0, tools = tools_for(fixture, ran),
    timeout = { first_byte = patience, idle = patience }, limits = { turns = 2 },
    params = { stream = fixture.options.stream },
  }
  local reply, failure = agent:run "Go."
  local seen = reply or failure.reply
  sendable.check(seen.transcript)
  table.sort(ran)
  local first = seen.transcript[2]
  return {
    code = failure and failure.code, ran = table.concat(ran, "\n"), text = failure and seen.text or nil,
    said = first and first.role == "assistant" and first.content or "",
  }
end


-- ---------------------------------------------------------------- what must hold

local function is_prefix(part, whole)
  part = part:gsub("\xEF\xBF\xBD$", "")   -- stands for the half of a character
  return whole:sub(1, #part) == part
end


--- Codes that a break may have, by where it came.
local function codes_of(how, at, head, framing, fixture)
  if at >= head and fixture.options.status >= 300 then return nil end   -- the status says enough
  if how == "stall" then return { timeout = true } end
  if at < head then return { connection = true } end
  if framing == "close" and how == "close" then return { incomplete_stream = true, bad_response = true } end
  return { incomplete_stream = true }
end


describe("an agent keeps its promises", function()
  --- Compares what a break left with what the whole reply brings.
  local function check(fixture, whole, framing, how, at)
    local head, body = FRAMINGS[framing](fixture)
    local server <close> = breaking(head .. body, at, how)
    local got = outcome(fixture, server, how == "stall" and STALLED or nil)
    local says = ("%s, %s, %s at %d: %s"):format(fixture.name, framing, how, at, tostring(got.code))
    local is_same = got.said == whole.said and got.ran == whole.ran
    if is_same and (got.code == whole.code or got.ran ~= "") then return end   -- the next answer may come too late
    local allowed = codes_of(how, at, #head, framing, fixture)
    assert(not allowed or allowed[got.code], says)
    assert(got.code, says .. ": a reply that is another one than the whole")
    assert.equal("", got.ran, says .. ": a tool ran")
    local full = fixture.expect.choices[1]
    full = full and full.message.content
    assert(is_prefix(got.text or "", type(full) == "string" and full or ""), says .. ": said " .. tostring(got.text))
  end

  for how, samples in pairs(SAMPLES) do
    it("whatever offset a " .. how .. " comes at", async(function()
      local cases = {}
      for number, fixture in ipairs(fixtures) do
        local framing = FRAMING_NAMES[(number + #how) % #FRAMING_NAMES + 1]
        local head, body = FRAMINGS[framing](fixture)
        local server <close> = breaking(head .. body, #head + #body, "close")
        local whole = outcome(fixture, server)
        for _, at in ipairs(offsets_of(#head + #body, samples, number)) do
          cases[#cases + 1] = { fixture, whole, framing, how, at }
        end
      end
      assert.is_true(#cases > #fixtures)
      local complaints = {}
      rille.map(cases, function(case)
        local ok, complaint = pcall(check, table.unpack(case))
        if not ok then complaints[#complaints + 1] = tostring(complaint) end
      end, { concurrency = AT_ONCE })
      assert.equal("", table.concat(complaints, "\n", 1, math.min(#complaints, 20)))
    end))
  end
end)
