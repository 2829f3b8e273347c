--- served.lua -- a recorded reply, sent over a real socket, and what core.chat makes of it.
---
--- The canonical form is put together here from what Lua gets to see (completion, info, error), not by core.decode, so that
--- the two ways are compared with the same expectations. Lua knows no null: members that are null count as absent.
local core = require "rille.core"
local raw_server = require "spec.support.raw_server"

local served = {}


--- A value without its nulls.
local function bare(value)
  if type(value) ~= "table" then return value end
  local made = {}
  for key, inner in pairs(value) do
    if inner ~= core.null then made[key] = bare(inner) end
  end
  return made
end

served.bare = bare


-- ---------------------------------------------------------------- serving

local function pieces_of(body, cuts)
  local pieces, from = {}, 0
  for i = 1, #cuts + 1 do
    local to = cuts[i] or #body
    if to > from then pieces[#pieces + 1] = body:sub(from + 1, to) end
    from = math.max(from, to)
  end
  return pieces
end


local FRAMING <const> = {
  length = function(fixture) return "Content-Length: " .. #fixture.body end,
  chunked = function() return "Transfer-Encoding: chunked" end,
  close = function() return "Connection: close" end,
}


--- Says a fixture on a connection, each piece in a write of its own.
--- @param fixture table       of wire.fixtures
--- @param cuts integer[]      ascending offsets in the body
--- @param framing "length"|"chunked"|"close"
function served.say(connection, fixture, cuts, framing)
  local headers = { FRAMING[framing](fixture) }
  table.move(fixture.options.headers, 1, #fixture.options.headers, 2, headers)
  connection:send(raw_server.head(fixture.options.status, headers))
  for _, piece in ipairs(pieces_of(fixture.body, cuts)) do
    if not connection:send(framing == "chunked" and raw_server.chunks(piece, #piece, true) or piece) then return end
    core.sleep(0)
  end
  if framing == "chunked" then connection:send "0\r\n\r\n" end
  if framing == "close" then connection:close() end
end


-- ---------------------------------------------------------------- reading

--- The message without what stands for nothing.
local function message_of(message)
  local made = bare(message)
  for name, value in pairs(made) do
    if type(value) == "table" and next(value) == nil then made[name] = nil end
  end
  if type(made.refusal) ~= "string" or made.refusal == "" then made.refusal = nil end
  return made
end


local function error_of(trouble)
  if not trouble then return nil end
  local made = {}
  for _, name in ipairs { "kind", "message", "type", "code", "param" } do made[name] = trouble[name] end
  if trouble.kind == "http_error" then made.status, made.retryable = trouble.status, trouble.retryable end
  return made
end


local function said(value)
  if value ~= "" and value ~= 0 then return value end
end


--- What core.chat's `finish` returned, in canonical form.
function served.canonical(completion, info, trouble)
  local whole = completion or trouble.partial or {}
  local choices = {}
  for i, choice in ipairs(whole.choices or {}) do
    choices[i] = {
      index = choice.index, finish_reason = choice.finish_reason, effective_finish_reason = info.effective[i],
      message = message_of(choice.message), logprobs = bare(choice.logprobs), reasoning_text = said(info.reasoning[i]),
    }
  end
  return {
    error = error_of(trouble), complete = info.complete, done = info.done, choices = choices,
    id = said(whole.id), model = said(whole.model), created = said(whole.created), usage = whole.usage,
  }
end


--- Asks a server for a fixture. Returns the canonical form.
--- @async
--- @param server raw_server.Server   its handler says the fixture
--- @param fixture table
function served.ask(server, fixture)
  local handle <close> = core.chat {
    url = server.url .. "/v1/chat/completions", body = "{}", stream = fixture.options.stream, n = fixture.options.n, idle = 10,
  }
  return served.canonical(handle:finish())
end


return served
