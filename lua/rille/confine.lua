--- rille.confine -- beside the walk: keeps the paths that a model names inside one directory.
---
--- `..`, absolute paths and symbolic links are followed to where they really lead; what leads out of the root is
--- refused. The answer is the real path, without links, so that what was checked is what is opened.
--- Not a sandbox: a program that changes links between check and use is not held back.
--- Source: realpath(3)

local core = require "rille.core"
local failure = require "rille.failure"
local file = require "rille.fs.file"

local uv <const> = core.uv()

local confine = {}

---@class rille.Confine
---@field root string      as it was given
---@field _real string?    absolute and without links, once it is known
---@field _named string?   absolute, as it was given
local Confine = {}
Confine.__index = Confine


local function refused(path)
  return failure.new("permission", ("%s is outside of the directory that is open to you"):format(path))
end


--- The path without `.`, `..` and double slashes; `..` of the top stays there.
local function normal(path)
  local kept = {}
  for segment in path:gmatch("[^/]+") do
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
  end
  return "/" .. table.concat(kept, "/")
end


local function is_inside(path, root)
  return path == root or root == "/" or path:sub(1, #root + 1) == root .. "/"
end


local function realpath(path)
  return file.request("cannot find " .. path, function(done) return uv.fs_realpath(path, done) end)
end


local function is_link(path)
  local stat = file.request("", function(done) return uv.fs_lstat(path, done) end)
  return stat ~= nil and stat.type == "link"
end


--- The real path of what need not exist yet: the real path of the nearest directory that does, and the rest.
local function real_or_new(path)
  local rest = ""
  while true do
    local real, why = realpath(path)
    if real then return rest == "" and real or (real == "/" and "" or real) .. rest end
    if why.code ~= "not_found" or path == "/" or is_link(path) then return nil, why end
    local parent, name = path:match("^(.*)/([^/]+)$")
    rest = "/" .. name .. rest
    path = parent == "" and "/" or parent
  end
end


--- Paths inside of `root`.
---@param root string    a directory
---@return rille.Confine
function confine.new(root)
  return setmetatable({ root = root }, Confine)
end


--- The root itself, absolute and without links.
---@async
---@return string? path
---@return rille.Failure? failure    "not_found"
function Confine:real_root()
  if self._real then return self._real end
  local real, why = realpath(self.root)
  if not real then return nil, why end
  local absolute = self.root:sub(1, 1) == "/"
  self._named = normal(absolute and self.root or uv.cwd() .. "/" .. self.root)
  self._real = real
  return real
end


--- Where a path leads. What lies outside is not even looked at.
---@async
---@param path string    relative to the root, or absolute
---@return string? real  absolute, without links; it need not exist
---@return rille.Failure? failure    "permission": outside of the root; what the file system says
function Confine:resolve(path)
  if path:find("\0", 1, true) then return nil, failure.new("invalid_request", "a NUL byte in the path") end
  local root, why = self:real_root()
  if not root then return nil, why end
  local full = normal(path:sub(1, 1) == "/" and path or root .. "/" .. path)
  if not is_inside(full, root) and not is_inside(full, self._named) then return nil, refused(path) end
  local real
  real, why = real_or_new(full)
  if not real then return nil, why end
  if not is_inside(real, root) then return nil, refused(path) end
  return real
end


--- A real path as the model knows it: relative to the root.
---@param real string
---@return string
function Confine:relative(real)
  local root = self._real or ""
  if real == root then return "." end
  if is_inside(real, root) then return real:sub(root == "/" and 2 or #root + 2) end
  return real
end


return confine
