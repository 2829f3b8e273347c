--- rille.fs.save -- beside the walk: replaces the contents of a file in one step.
---
--- The bytes go to a new file in the same directory, which then takes the name. Invariant: whoever
--- opens the name sees all of the old contents or all of the new; whatever happens (cancel, full
--- disk) no other file is left, and a symbolic link stays one.
--- Source: rename(2), "atomically replaced"

local core = require "rille.core"
local file = require "rille.fs.file"
local failure = require "rille.failure"

local uv <const> = core.uv()

local save = {}

local PERMISSIONS <const> = 4095      -- 07777
local DEFAULT_MODE <const> = 438      -- 0666, before the umask
local LONGEST_BASE <const> = 200      -- bytes of the name that the temporary one repeats


local function temporary_name(path)
  local directory, base = path:match("^(.*/)([^/]*)$")
  local salt = uv.random(6):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
  return ("%s.%s.%s.tmp"):format(directory or "", (base or path):sub(1, LONGEST_BASE), salt)
end


--- A file of its own name that vanishes with the scope, unless it was given another name.
local temporary_metatable <const> = {
  __close = function(temporary)
    temporary.file:close()
    if not temporary.renamed then uv.fs_unlink(temporary.name) end
  end,
}


local function open_temporary(path, doing)
  local name = temporary_name(path)
  local opened, why = file.open(name, "wx", DEFAULT_MODE, doing, function() uv.fs_unlink(name) end)
  if not opened then return nil, why end
  return setmetatable({ file = opened, name = name }, temporary_metatable)
end


--- The name behind symbolic links and what is there; stat is nil when there is nothing yet.
local function look(path, doing)
  local real, why = file.request(doing, function(done) return uv.fs_realpath(path, done) end)
  if not real then
    if why.detail ~= "ENOENT" then return nil, nil, why end
    return path
  end
  local stat, reason = file.request(doing, function(done) return uv.fs_stat(real, done) end)
  return stat and real, stat, reason
end


--- The new file looks like the old one. The owner is kept where we may; the mode comes last, since
--- a change of owner drops bits of it.
local function keep_attributes(opened, mode, old)
  if old then
    opened:call(function(done) return uv.fs_fchown(opened.fd, old.uid, old.gid, done) end)
    mode = mode or old.mode & PERMISSIONS
  end
  if not mode then return true end
  return opened:call(function(done) return uv.fs_fchmod(opened.fd, mode, done) end)
end


local function sync_directory(path, doing)
  local directory = path:match("^(.*)/[^/]*$") or "."
  local opened <close>, why = file.open(directory == "" and "/" or directory, "r", 0, doing)
  if not opened then return nil, why end
  return opened:sync()
end


--- Everything up to the moment in which the new contents have the name.
local function replace(path, data, options, old, doing)
  local temporary <close>, why = open_temporary(path, doing)
  if not temporary then return nil, why end
  local opened = temporary.file
  local ok
  ok, why = opened:write(data)
  if ok then ok, why = keep_attributes(opened, options.mode, old) end
  if ok and options.fsync then ok, why = opened:sync() end
  if not ok then return nil, why end
  ok, why = file.request(doing, function(done)
    return uv.fs_rename(temporary.name, path, done)
  end)
  temporary.renamed = ok
  return ok, why
end


--- Pipes, terminals, devices: there is nothing to replace.
local function write_through(path, data, doing)
  local flags = uv.constants.O_WRONLY | uv.constants.O_NONBLOCK
  local opened <close>, why = file.open(path, flags, 0, doing)
  if not opened then return nil, why end
  return opened:write(data)
end


local function check_writable(path, doing)
  local permitted, why = file.request(doing, function(done)
    return uv.fs_access(path, "W", done)
  end)
  if permitted then return true end
  if permitted == nil then return nil, why end
  return nil, failure.new("permission", doing .. ": permission denied", { detail = "EACCES" })
end


--- Replaces the contents of `path`, or makes it.
---@async
---@param path string
---@param data string
---@param options {mode?: integer, fsync?: boolean}
---@param doing string   as in file.request
---@return true?
---@return rille.Failure? failure
function save.replace(path, data, options, doing)
  local real, old, why = look(path, doing)
  if not real then return nil, why end
  if old and old.type ~= "file" then return write_through(real, data, doing) end
  if old then
    local ok, reason = check_writable(real, doing)
    if not ok then return nil, reason end
  end
  local ok, reason = replace(real, data, options, old, doing)
  if ok and options.fsync then return sync_directory(real, doing) end
  return ok, reason
end


return save
