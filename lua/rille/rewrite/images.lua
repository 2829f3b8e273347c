--- rille.rewrite.images -- walk 2: images that the server cannot reach become data URLs.
---
--- `{type = "image_url", image_url = {url = "file:…"}}`, a path instead of a URL, and a bare string
--- instead of the table are all read here, and remote ones are fetched for servers that fetch
--- nothing. Only what is an image by its first bytes is sent: a URL that somebody else put into a
--- message cannot carry another file away.
--- Source: wire contract §1.3 (parts), R21 (Ollama takes data URLs only).

local core = require "rille.core"
local failure = require "rille.failure"
local http = require "rille.http"

local images = {}

local MOST_BYTES <const> = 32 << 20
local FETCH_SECONDS <const> = 60

local SIGNATURES <const> = {
  { "^\x89PNG\r\n\x1a\n", "image/png" },
  { "^\xff\xd8\xff", "image/jpeg" },
  { "^GIF8[79]a", "image/gif" },
  { "^RIFF....WEBP", "image/webp" },
  { "^BM....\0\0\0\0", "image/bmp" },
  { "^....ftypavif", "image/avif" },
  { "^....ftyphei", "image/heic" },
}


local function refuse(message)
  return nil, failure.new("invalid_request", message)
end


--- The MIME type of an image, by its first bytes.
---@param bytes string
---@return string?
function images.type_of(bytes)
  for _, entry in ipairs(SIGNATURES) do
    if bytes:find(entry[1]) then return entry[2] end
  end
end


--- The path that a URL or plain text means; nil for anything that is no local file.
local function path_of(text)
  local path = text:match("^file://localhost(/.*)$") or text:match("^file://(/.*)$")
    or text:match("^file:(.+)$")
  if path then
    return (path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end
  if text:find("^%a[%w+.-]*:") or text == "" then return nil end
  return text
end


local function encoded(bytes, origin)
  local mime = images.type_of(bytes)
  if not mime then return refuse(("image: %s: not an image"):format(origin)) end
  return "data:" .. mime .. ";base64," .. core.base64(bytes)
end


--- Reads an image file.
---@param path string
---@return string? url      `data:image/png;base64,…`
---@return rille.Failure? failure   "invalid_request"
function images.data_url(path)
  local file, reason = io.open(path, "rb")
  if not file then return refuse("image: " .. tostring(reason)) end
  local bytes = file:read(MOST_BYTES + 1)
  file:close()
  if not bytes then return refuse(("image: %s: cannot be read"):format(path)) end
  if #bytes > MOST_BYTES then
    return refuse(("image: %s: larger than %d MiB"):format(path, MOST_BYTES >> 20))
  end
  return encoded(bytes, path)
end


--- Fetches an image for a server that fetches none itself (R21).
local function fetch(address)
  local reply, trouble = http.get(address, { max_bytes = MOST_BYTES, timeout = FETCH_SECONDS })
  if not reply then return refuse(("image: %s"):format(trouble.message)) end
  if reply.status ~= 200 then
    return refuse(("image: %s: HTTP %d"):format(address, reply.status))
  end
  return encoded(reply.body, address)
end


--- The data URL that should stand there instead. → text | nil (leave it) | false, failure
local function replacement(text, may_fetch)
  local path = path_of(text)
  local data, trouble
  if path then
    data, trouble = images.data_url(path)
  elseif may_fetch and text:find("^[Hh][Tt][Tt][Pp][Ss]?://") then
    data, trouble = fetch(text)
  else
    return nil
  end
  return data or false, trouble
end


--- → new part | nil (nothing to do) | false, failure
local function localised(part, may_fetch)
  local holder = part.image_url
  local text = holder
  if type(holder) == "table" then text = holder.url end
  if type(text) ~= "string" then return nil end
  local data, trouble = replacement(text, may_fetch)
  if not data then return data, trouble end
  local made = {}
  for key, value in pairs(part) do made[key] = value end
  made.image_url = {}
  for key, value in pairs(type(holder) == "table" and holder or {}) do
    made.image_url[key] = value
  end
  made.image_url.url = data
  return made
end


--- Puts the images of a message into it that the server cannot reach.
---@async
---@param message table    never changed
---@param may_fetch? boolean   remote ones, too
---@return table? message  the same one when there are none
---@return rille.Failure? failure   "invalid_request": what cannot be read, or is no image
function images.inline(message, may_fetch)
  local content = message.content
  if type(content) ~= "table" or message.role == "assistant" then return message end
  local parts
  for i, part in ipairs(content) do
    if type(part) == "table" and part.type == "image_url" then
      local made, trouble = localised(part, may_fetch)
      if made == false then return nil, trouble end
      if made then
        parts = parts
          or table.move(content, 1, #content, 1, setmetatable({}, getmetatable(content)))
        parts[i] = made
      end
    end
  end
  if not parts then return message end
  local made = {}
  for key, value in pairs(message) do made[key] = value end
  made.content = parts
  return made
end


return images
