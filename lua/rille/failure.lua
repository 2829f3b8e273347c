--- rille.failure -- beside the walk: the one error object, `{code, message, ...}`.
---
--- Expected trouble is returned as `nil, failure`; a cancelled task gets one raised at its await.
--- C makes the same objects (rl_push_failure), with the metatable that this file fills.
--- Invariant: `tostring(failure)` is one printable line.
--- Source: the code list is the public contract (docs, "Failures").

local core = require "rille.core"
local printable = require "rille.printable"

---@class rille.Failure
---@field code string            one of `failure.codes`
---@field message string         one sentence for a person
---@field status? integer        HTTP status of the response that said so
---@field retryable? boolean     would the same request have a chance a little later?
---@field request_id? string     the server's id of the request
---@field provider? string       name of the provider profile
---@field detail? any            what the code cannot say: the errno name, the server's error, …
---@field traceback? string      of a raised error, for the log
---@field reply? rille.Reply     what there was until then; its transcript is sendable
---@field partial? table         the part of a completion that arrived
local failure = {}

--- Every code that the library uses. A tool or an embedder may use others.
---@type string[]
failure.codes = {
  "invalid_request", "authentication", "permission", "not_found", "rate_limit", "quota",
  "context_length", "content_filter", "server_error", "connection", "timeout", "cancelled",
  "bad_response", "incomplete_stream", "length", "refusal", "schema", "guard", "limit_turns",
  "limit_seconds", "limit_tokens", "limit_tool_calls", "loop", "approval", "internal",
}

local metatable <const> = core.failure_metatable
metatable.__name = "rille.Failure"


--- `code: message (status 401, request req_1)`
function metatable.__tostring(self)
  local notes = {}
  if self.status then notes[#notes + 1] = "status " .. tostring(self.status) end
  if self.request_id then notes[#notes + 1] = "request " .. tostring(self.request_id) end
  local line = tostring(self.code) .. ": " .. tostring(self.message)
  if #notes > 0 then line = line .. " (" .. table.concat(notes, ", ") .. ")" end
  return printable.line(line)
end


--- A failure joins texts as its line: `"cannot start: " .. failure`.
function metatable.__concat(left, right)
  return tostring(left) .. tostring(right)
end


--- Makes a failure.
---@param code string              one of `failure.codes`
---@param message string
---@param fields? table            copied into it: status, retryable, detail, …
---@return rille.Failure
function failure.new(code, message, fields)
  if type(code) ~= "string" then
    error("failure.new: code: string expected, got " .. type(code), 2)
  end
  if type(message) ~= "string" then
    error("failure.new: message: string expected, got " .. type(message), 2)
  end
  local made = { code = code, message = message }
  if fields then
    for name, value in pairs(fields) do made[name] = value end
    made.code, made.message = code, message
  end
  return setmetatable(made, metatable)
end


--- Is this value a failure?
---@param value any
---@return boolean
function failure.is(value)
  return type(value) == "table" and getmetatable(value) == metatable
end


--- What a raised value says: an error object of somebody else's has its words in `message`, as a rule. An address
--- would tell nobody anything.
local function words_of(value)
  if value == nil then return "unknown error" end
  if type(value) == "string" or type(value) == "number" then return tostring(value) end
  local mine = getmetatable(value)
  if type(mine) == "table" and mine.__tostring then return tostring(value) end
  if type(value) == "table" and type(value.message) == "string" then return value.message end
  return ("(error object is a %s value)"):format(type(value))
end


--- Turns any raised value into a failure; a failure comes back as it is.
---@param value any       an error object that is a table is kept in `detail`
---@param code? string    for what is none yet; default "internal"
---@return rille.Failure
function failure.from(value, code)
  if failure.is(value) then return value end
  return failure.new(code or "internal", words_of(value), type(value) == "table" and { detail = value })
end


--- Message handler for xpcall: a failure of what was raised, with the traceback of where.
---@param value any
---@return rille.Failure
function failure.traced(value)
  if failure.is(value) then return value end
  local made = failure.from(value)
  made.traceback = debug.traceback(made.message, 2)
  return made
end


return failure
