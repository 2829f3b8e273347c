--- dialects_spec.lua -- one message, told by a thousand servers: whatever habits come together, the message is the same.
---
--- A dialect is a choice of habits, one from each list below. A random message is written in a random dialect and decoded in
--- random cuts. Habits that contradict each other in the field (and so cannot be told apart by anybody) are not combined.
local core = require "rille.core"
local wire = require "spec.support.wire"

local null, list = core.null, wire.list

local ROUNDS <const> = os.getenv "RILLE_SLOW" and 20000 or os.getenv "RILLE_GC" and 200 or 2000


--- A generator of its own, so that a failing round can be repeated.
local function generator(seed)
  local state = seed * 0x9E3779B97F4A7C15 + 1
  return function(most)
    state = state * 6364136223846793005 + 1442695040888963407
    return 1 + (state >> 33) % most
  end
end


-- ---------------------------------------------------------------- the message

local WORDS <const> = {
  "a", "Hello", " world", "\n\n", "}", "{", '"', "\\", "data: x", "é", "日本", "\u{1F642}", "<think>", "[DONE]", ": ", "\t", "\0",
}

local function text(random, most)
  local out = {}
  for i = 1, random(most) do out[i] = WORDS[random(#WORDS)] end
  return table.concat(out)
end


local NAMES <const> = { "get_weather", "search", "run", "search_all", "now" }

--- Arguments are always objects: that is what every schema wants.
local function arguments(random)
  local t = setmetatable({}, core.object_metatable)
  for _ = 1, random(4) - 1 do
    local values = { random(100), text(random, 3), list { random(9), { a = "}" } }, true }
    t[text(random, 2)] = values[random(4)]
  end
  return t
end


--- What the server wants to say. `calls` have distinct ids.
local function message(random)
  local m = { text = random(3) > 1 and text(random, 8) or "", reasoning = random(3) == 1 and text(random, 5) or "", calls = {} }
  for i = 1, random(4) - 1 do
    m.calls[i] = { id = ("call_%d_%d"):format(i, random(1000)), name = NAMES[random(#NAMES)], arguments = arguments(random) }
  end
  return m
end


-- ---------------------------------------------------------------- habits

local HABITS <const> = {
  line = { "\n", "\r\n", "\r" },
  blank = { true, true, true, false },                      -- a blank line between events?
  colon = { "data: ", "data:" },
  noise = { "none", "comments", "data comments", "empty", "null", "ping", "event lines", "ids" },
  mark = { false, false, true },                            -- a byte order mark
  ending = { "done", "done", "finish only", "done only", "no newline" },
  role = { "first", "never", "always", "empty" },
  content = { "string", "string", "null elsewhere", "parts" },
  reasoning = { "reasoning_content", "reasoning", "reasoning_text", "both", "details", "parts" },
  index = { "normal", "normal", "from one", "huge", "zero", "none", "text" },
  id = { "first", "always", "empty after", "null after" },
  name = { "first", "always", "null after", "empty after", "split" },
  args = { "fragments", "fragments", "whole", "object", "braces before" },
  finish = { "right", "stop", "on its own", "with the last delta" },
  usage = { "none", "own chunk", "every chunk", "x_groq", "choice" },
}


local function dialect(random)
  local d = {}
  local names = {}
  for name in pairs(HABITS) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do d[name] = HABITS[name][random(#HABITS[name])] end
  -- a whole call in one delta is the only thing that calls without numbers of their own can be
  if d.index == "zero" then d.args = d.args == "object" and "object" or "whole" end
  if d.index == "zero" and d.name == "split" then d.name = "first" end
  if d.index == "none" and (d.name == "always" or d.name == "split") then d.name = "first" end
  -- {} and then a name again without an id is how others begin a second call
  if d.args == "braces before" and d.name == "always" then d.id = "always" end
  -- no blank lines: an event needs a line that ends it
  if not d.blank and d.noise ~= "data comments" and d.noise ~= "comments" then d.noise = "none" end
  if d.ending == "done only" then d.finish = "never" end
  return d
end


-- ---------------------------------------------------------------- telling it

--- Cuts a text into pieces between characters.
local function pieces(random, whole)
  local out, piece = {}, {}
  for _, code in utf8.codes(whole) do
    piece[#piece + 1] = utf8.char(code)
    if random(3) == 1 then
      out[#out + 1] = table.concat(piece)
      piece = {}
    end
  end
  if #piece > 0 then out[#out + 1] = table.concat(piece) end
  return out
end


local function reasoning_delta(d, piece)
  if d.reasoning == "both" then return { reasoning = piece, reasoning_content = piece } end
  if d.reasoning == "details" then
    return { reasoning_details = list { { type = "reasoning.text", text = piece, index = 0 } } }
  end
  if d.reasoning == "parts" then
    return { content = list { { type = "thinking", thinking = list { { type = "text", text = piece } } } } }
  end
  return { [d.reasoning] = piece }
end


local function text_delta(d, piece)
  return { content = d.content == "parts" and list { { type = "text", text = piece } } or piece }
end


local INDEX <const> = {
  normal = function(i) return i - 1 end,
  ["from one"] = function(i) return i end,
  huge = function(i) return 2147483648 * i end,
  zero = function() return 0 end,
  none = function() return nil end,
  text = function(i) return tostring(i - 1) end,
}


--- The fragments of one call's arguments as the dialect sends them.
local function fragments(random, d, call)
  if d.args == "object" then return { call.arguments } end
  local encoded = core.json_encode(call.arguments)
  if d.args == "whole" then return { encoded } end
  local out = pieces(random, encoded)
  table.insert(out, 1, d.args == "braces before" and "{}" or "")
  return out
end


local function later(habit, value)
  if habit == "always" then return value end
  if habit == "empty after" then return "" end
  if habit == "null after" then return null end
  return nil
end


--- The deltas of one call, in order.
local function call_deltas(random, d, call, i)
  local out = {}
  for n, fragment in ipairs(fragments(random, d, call)) do
    local id, name = call.id, call.name
    if n > 1 then id, name = later(d.id, id), later(d.name, name) end
    out[n] = { index = INDEX[d.index](i), id = id, type = n == 1 and "function" or nil,
      ["function"] = { name = name, arguments = fragment } }
  end
  if d.name == "split" then
    local second = { index = INDEX[d.index](i), ["function"] = { name = call.name:sub(3), arguments = "" } }
    local rest = { index = INDEX[d.index](i), ["function"] = { arguments = out[1]["function"].arguments } }
    out[1]["function"] = { name = call.name:sub(1, 2), arguments = "" }
    table.insert(out, 2, second)
    table.insert(out, 3, rest)
  end
  return out
end


--- Deltas of all calls: one after the other, or mixed where numbers keep them apart.
local function all_calls(random, d, calls)
  local queues, out = {}, {}
  for i, call in ipairs(calls) do queues[i] = call_deltas(random, d, call, i) end
  local mixed = d.index ~= "zero" and d.index ~= "none" and random(2) == 1
  while #queues > 0 do
    local i = mixed and random(#queues) or 1
    out[#out + 1] = { tool_calls = list { table.remove(queues[i], 1) } }
    if #queues[i] == 0 then table.remove(queues, i) end
  end
  return out
end


local function deltas(random, d, m)
  local out = {}
  for _, piece in ipairs(pieces(random, m.reasoning)) do out[#out + 1] = reasoning_delta(d, piece) end
  for _, piece in ipairs(pieces(random, m.text)) do out[#out + 1] = text_delta(d, piece) end
  for _, delta in ipairs(all_calls(random, d, m.calls)) do out[#out + 1] = delta end
  if #out == 0 or random(2) == 1 then table.insert(out, 1, { content = "" }) end
  for i, delta in ipairs(out) do
    if d.role == "always" or (d.role == "first" and i == 1) then delta.role = "assistant" end
    if d.role == "empty" then delta.role = "" end
    if d.content == "null elsewhere" and delta.content == nil then delta.content = null end
  end
  return out
end


local USAGE <const> = { prompt_tokens = 3, completion_tokens = 5, total_tokens = 8 }

--- The chunks of the stream, with finish_reason and usage where this server puts them.
local function chunks(random, d, m)
  local out = {}
  for i, delta in ipairs(deltas(random, d, m)) do
    out[i] = wire.chunk(delta, nil, d.usage == "every chunk" and { usage = { total_tokens = i } } or nil)
  end
  local reason = d.finish == "stop" and "stop" or #m.calls > 0 and "tool_calls" or "stop"
  if d.finish == "with the last delta" then
    out[#out].choices[1].finish_reason = reason
  elseif d.finish ~= "never" then
    out[#out + 1] = wire.chunk(d.finish == "on its own" and null or {}, reason)
  end
  local last = out[#out]
  if d.usage == "every chunk" then last.usage = USAGE end
  if d.usage == "x_groq" then last.x_groq = { usage = USAGE } end
  if d.usage == "choice" then last.choices[1].usage = USAGE end
  if d.usage == "own chunk" then out[#out + 1] = wire.chunk(nil, nil, { choices = list {}, usage = USAGE }) end
  return out
end


local NOISE <const> = {
  none = "", comments = ": keep-alive!!", ["data comments"] = "data: : PROCESSING!!", empty = "data:!!", null = "data: null!!",
  ping = 'data: {"type":"ping"}!!', ["event lines"] = "event: message!", ids = "id: 7!retry: 100!",
}

--- The bytes.
local function tell(random, d, m)
  local out = { d.mark and "\xEF\xBB\xBF" or "" }
  local stop = d.blank and "!!" or "!"
  local noise = NOISE[d.noise]:gsub("!!$", stop)
  local events = {}
  for i, chunk in ipairs(chunks(random, d, m)) do events[i] = core.json_encode(chunk) end
  if d.ending ~= "finish only" and d.ending ~= "no newline" then events[#events + 1] = "[DONE]" end
  for _, event in ipairs(events) do
    if random(2) == 1 then out[#out + 1] = (noise:gsub("!", d.line)) end
    out[#out + 1] = d.colon .. event .. (stop:gsub("!", d.line))
  end
  if d.ending == "no newline" then out[#out] = out[#out]:gsub("[\r\n]+$", "") end
  return table.concat(out)
end


-- ---------------------------------------------------------------- what must come out

local function describe_round(seed, d, bytes)
  local habits = {}
  for name, habit in pairs(d) do habits[#habits + 1] = ("%s=%q"):format(name, tostring(habit)) end
  table.sort(habits)
  return ("round %d: %s\n%s"):format(seed, table.concat(habits, " "), bytes)
end


--- The calls that stand for the message's, as {id, name, arguments}.
local function expected_calls(m)
  local out = {}
  for i, call in ipairs(m.calls) do out[i] = { call.id, call.name, core.json_encode(call.arguments) } end
  return out
end


local function complaint(m, d, got)
  local choice = got.choices[1]
  if got.error ~= null or not got.complete or #got.choices ~= 1 then return "error " .. core.json_encode(got.error) end
  local content = m.text ~= "" and m.text or #m.calls > 0 and null or ""
  if choice.message.content ~= content then return "content " .. tostring(choice.message.content) end
  if (choice.reasoning_text or "") ~= m.reasoning then return "reasoning " .. tostring(choice.reasoning_text) end
  local calls = wire.compare(expected_calls(m), wire.shapes(choice.message.tool_calls))
  if calls ~= "" then return calls end
  if choice.effective_finish_reason ~= (#m.calls > 0 and "tool_calls" or "stop") then return choice.effective_finish_reason end
  if choice.message.role ~= "assistant" then return "role" end
  local usage = d.usage ~= "none" and USAGE or null
  return wire.compare({ usage }, { got.usage })
end


describe("core.decode", function()
  it("hears the same message from every server", function()
    for seed = 1, ROUNDS do
      local random = generator(seed)
      local m, d = message(random), dialect(random)
      local bytes = tell(random, d, m)
      for _, cuts in ipairs { {}, wire.random_cuts(bytes, seed) } do
        local wrong = complaint(m, d, core.decode(bytes, { cuts = cuts }))
        if wrong ~= "" then error(wrong .. "\n" .. describe_round(seed, d, bytes), 0) end
      end
    end
  end)

  it("hears the same message in a plain body", function()
    for seed = 1, ROUNDS // 4 do
      local random = generator(-seed)
      local m = message(random)
      local calls = list {}
      for i, call in ipairs(m.calls) do
        calls[i] = { id = call.id, type = random(2) == 1 and "function" or nil,
          ["function"] = { name = call.name, arguments = random(2) == 1 and call.arguments or core.json_encode(call.arguments) } }
      end
      local said = { role = "assistant", content = m.text ~= "" and m.text or null, tool_calls = calls,
        reasoning_content = m.reasoning ~= "" and m.reasoning or nil }
      local body = wire.body(said, #calls > 0 and random(2) == 1 and "tool_calls" or "stop")
      local wrong = complaint(m, { usage = "none" }, core.decode(body, { cuts = wire.random_cuts(body, seed) }))
      if wrong ~= "" then error(wrong .. "\n" .. body, 0) end
    end
  end)
end)
