--- wire.lua -- beside the walk: replies as servers send them, for the specs of the decoder.
---
--- Streams are made from Lua tables, cut in every way, and decoded by core.decode; fixtures are the files of spec/fixtures/wire.
local core = require "rille.core"
local entries = require "spec.support.entries"

local wire = {}

local DIRECTORY <const> = "spec/fixtures/wire"
local null = core.null


--- Lists for JSON: `wire.list {}` is `[]`.
function wire.list(t)
  return setmetatable(t, core.array_metatable)
end


--- One chunk with one choice.
---@param delta? table
---@param finish? string
---@param more? table    {index=, choice= members of the choice, and any member of the chunk}
---@return table
function wire.chunk(delta, finish, more)
  local chunk = { id = "c1", object = "chat.completion.chunk", created = 1764000000, model = "m" }
  local choice = { index = 0, delta = delta, finish_reason = finish or null }
  for name, value in pairs(more or {}) do
    if name == "index" then
      choice.index = value
    elseif name == "choice" then
      for key, member in pairs(value) do choice[key] = member end
    else
      chunk[name] = value
    end
  end
  chunk.choices = chunk.choices or wire.list { choice }
  return chunk
end


--- The bytes of a stream; a string among the chunks is an event's data as it is.
---@param chunks table
---@param options? {done?: boolean, separator?: string}
---@return string
function wire.stream(chunks, options)
  options = options or {}
  local separator = options.separator or "\n\n"
  local out = {}
  for _, chunk in ipairs(chunks) do
    out[#out + 1] = "data: " .. (type(chunk) == "string" and chunk or core.json_encode(chunk)) .. separator
  end
  if options.done ~= false then out[#out + 1] = "data: [DONE]" .. separator end
  return table.concat(out)
end


--- A plain body with one message.
---@param message table
---@param finish? string
---@param more? table    members of the body
---@return string
function wire.body(message, finish, more)
  local body = { id = "b1", object = "chat.completion", created = 1764000000, model = "m" }
  body.choices = wire.list { { index = 0, message = message, finish_reason = finish or null } }
  for name, value in pairs(more or {}) do body[name] = value end
  return core.json_encode(body)
end


--- Decodes chunks (or bytes) of a stream that asked for n choices.
---@param chunks table|string
---@param options? table    of core.decode, and done
---@return table canonical
function wire.decode(chunks, options)
  local done
  if options then done, options.done = options.done, nil end
  local bytes = type(chunks) == "string" and chunks or wire.stream(chunks, { done = done })
  return core.decode(bytes, options)
end


--- The first message of what was decoded.
function wire.message(chunks, options)
  return wire.decode(chunks, options).choices[1].message
end


--- The calls of a stream whose deltas have these tool_calls, as {id, name, arguments} lists.
---@param deltas table    a list of tool_calls lists
---@return table calls
function wire.calls(deltas)
  local chunks = {}
  for i, calls in ipairs(deltas) do chunks[i] = wire.chunk { tool_calls = wire.list(calls) } end
  chunks[#chunks + 1] = wire.chunk(nil, "tool_calls")
  return wire.shapes(wire.message(chunks).tool_calls)
end


--- tool_calls as {id, name, arguments} lists; generated ids as "$GEN9".
function wire.shapes(calls)
  local out = {}
  for i, call in ipairs(calls or {}) do
    local inner = call["function"] or call.custom
    out[i] = { call.id, inner.name, inner.arguments or inner.input }
  end
  return out
end


--- Is `id` one that we make: nine alphanumerics?
function wire.is_generated(id)
  return type(id) == "string" and #id == 9 and id:match "^%w+$" ~= nil
end


local function differences(expected, got, path, out)
  if expected == "$GEN9" then
    if not wire.is_generated(got) then out[#out + 1] = path .. ": a generated id expected, got " .. tostring(got) end
  elseif type(expected) == "table" and type(got) == "table" then
    for key, value in pairs(expected) do differences(value, got[key], path .. "." .. tostring(key), out) end
    for key, value in pairs(got) do
      if expected[key] == nil then out[#out + 1] = ("%s.%s: unexpected %s"):format(path, key, value) end
    end
  elseif expected ~= got or math.type(expected) ~= math.type(got) then
    out[#out + 1] = ("%s: %s expected, got %s"):format(path, expected, got)
  end
  return out
end


--- What is different, one line for each place; "" when nothing is.
---@return string
function wire.compare(expected, got)
  return table.concat(differences(expected, got, "", {}), "\n")
end


local function slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end


--- Every fixture: {name, body, expect, options of core.decode, splits?}.
---@return table[]
function wire.fixtures()
  local out = {}
  for file in entries(DIRECTORY) do
    local name = file:match "^(.*)%.expected%.json$"
    if name then
      local given = core.json_decode(slurp(DIRECTORY .. "/" .. file))
      local headers = { "Content-Type: " .. given.http.content_type }
      for key, value in pairs(given.http.headers or {}) do headers[#headers + 1] = key .. ": " .. value end
      out[#out + 1] = {
        name = name, body = slurp(DIRECTORY .. "/" .. given.file), expect = given.expect, splits = given.splits,
        options = { status = given.http.status, headers = headers, stream = given.request.stream, n = given.request.n },
      }
    end
  end
  table.sort(out, function(a, b) return a.name < b.name end)
  return out
end


--- Decodes a fixture in the slices that `cuts` makes.
function wire.decode_fixture(fixture, cuts)
  local options = { cuts = cuts }
  for name, value in pairs(fixture.options) do options[name] = value end
  return core.decode(fixture.body, options)
end


--- Offsets 1, 2, 3, … : byte by byte.
function wire.every_byte(body)
  local cuts = {}
  for i = 1, #body do cuts[i] = i end
  return cuts
end


--- A few random ascending offsets, from a generator of its own: the same ones in every run.
---@param seed integer
function wire.random_cuts(body, seed)
  local state, cuts = seed * 2654435761 + 1, {}
  local function random(most)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % most
  end
  for i = 1, 1 + random(12) do cuts[i] = random(#body + 1) end
  table.sort(cuts)
  return cuts
end

return wire
