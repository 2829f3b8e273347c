--- rille.chat -- walk 2: transcript, tools and options become a request; its reply comes back.
---
--- The door between agents (or plain completions) and the wire: which server, which bytes, and what
--- to do when it does not work out is settled behind it. Invariant: one call is one reply or one
--- failure, however often the wire was tried.
--- Source: wire contract §1 and §3.

local exchange = require "rille.chat.exchange"
local target = require "rille.chat.target"
local wish = require "rille.chat.wish"

local chat = {}

---@class rille.ChatRequest
---@field model? string|table|(string|table)[]   a list: the first, and whom to ask when it is in
---  lasting trouble
---@field provider? string|rille.ProviderSpec
---@field base_url? string
---@field api_key? string|false
---@field headers? table<string, string|false>
---@field query? table<string, string>
---@field insecure? boolean
---@field messages rille.Transcript
---@field instructions? string  opens the request as a system message and is no part of the
---  transcript
---@field tools? table[]        tools, or definitions {type = "function", ["function"] = {…}}
---@field params? table         other body parameters
---@field extra? table          merged last; json.absent as a value takes a member away
---@field stream? boolean
---@field want? "deltas"|"chunks"
---@field timeout? {connect?: number, first_byte?: number, idle?: number, total?: number}  seconds
---@field retries? integer      after the first attempt; default 2
---@field resets? boolean       the consumer understands a "retry" that makes void what it was given
---@field on_retry? fun(event: table)
---@field verbatim? boolean     leave the caller's words alone where the profile allows it
---@field usage? boolean        false: do not ask for usage in a stream
---@field heal? boolean         false: neither use nor learn what the server cannot take
---  (rille.heal)

--- What many requests ask in common (rille.chat.wish): of those that an owner keeps, or a new one.
chat.wish, chat.known_wish = wish.of, wish.find

chat.is_script = target.is_script


--- Asks what a wish says. Returns at once (after waiting for an announced rate limit): pull the
--- reply from the exchange.
---@async
---@param wanted rille.Wish
---@param messages rille.Transcript
---@param opening? rille.Opening    before the messages, if the wish says `opened`
---@param want? "deltas"|"chunks"
---@param on_retry? fun(event: table)
---@param turn? rille.Turn          gets the answer: then the exchange ends with it, not with a completion
---@param on_break? fun(owner: any, partial: table?)   an error leaves the exchange's block: what had arrived until then
---@param owner? any
---@return rille.Exchange? exchange
---@return rille.Failure? failure   "authentication" (no key), "invalid_request" (no model, a broken
---  configuration, an unreadable image)
chat.ask = exchange.new


--- Sends a single request.
---@async
---@param request rille.ChatRequest
---@return rille.Exchange? exchange
---@return rille.Failure? failure   as those of chat.ask
function chat.start(request)
  local opening = request.instructions and request.instructions ~= "" and { text = request.instructions } or nil
  local wanted = wish.new(request)
  wanted.request.opened = opening ~= nil
  return exchange.new(wanted, request.messages, opening, request.want, request.on_retry)
end


--- Sends a request and waits for the whole reply.
---@async
---@param request rille.ChatRequest
---@return table? completion
---@return rille.Failure|table     info, or the failure
---@return table? info             beside a failure
function chat.complete(request)
  local started <close>, refused = chat.start(request)
  if not started then return nil, refused end
  return started:finish()
end


return chat
