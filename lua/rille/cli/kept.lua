--- rille.cli.kept -- beside the walk: the conversation in the file of --transcript.
---
--- The file is a JSON array of messages. Invariant: it is replaced in one step and holds what can be sent; a file that
--- is none of ours is an error before a request is made, and stays as it is.

local fs = require "rille.fs"
local json = require "rille.json"
local status = require "rille.cli.status"
local transcript = require "rille.transcript"

local kept = {}

local OWNER_ONLY <const> = 384   -- 0600: for a new file


local function wrong(path, why)
  return status.misused(("--transcript: %s: %s"):format(path, why))
end


--- The conversation so far; an empty one when there is no such file, or none is named.
---@async
---@param path? string
---@return rille.Transcript?
---@return rille.Failure? failure    exit status 2
function kept.load(path)
  if not path then return transcript.new() end
  local text, unread = fs.read(path)
  if not text then
    if unread.code == "not_found" then return transcript.new() end
    return status.misused("--transcript: " .. unread.message)
  end
  if text:find("^%s*$") then return transcript.new() end
  local messages, broken = json.decode(text)
  if messages == nil then return wrong(path, broken.message) end
  if type(messages) ~= "table" then return wrong(path, "a list of messages expected") end
  local ok, made = pcall(transcript.new, messages)
  if not ok then return wrong(path, tostring(made):gsub("^.-transcript: ", "")) end
  return made
end


--- Writes the conversation as it stands.
---@async
---@param path? string               nil: it is not kept
---@param conversation rille.Transcript
---@return true?
---@return rille.Failure? failure
function kept.save(path, conversation)
  if not path then return true end
  local mode = not fs.stat(path) and OWNER_ONLY or nil
  return fs.write(path, conversation:encode() .. "\n", { mode = mode })
end


return kept
