--- rille.fs -- beside the walk: files and directories, without blocking the other tasks.
---
--- Everything waits in a task and turns the loop outside one. Trouble is `nil, failure`: the
--- message names the path, `code` is "not_found", "permission", "invalid_request" (a directory
--- where a file is needed, …) or "internal" (a full disk, …), `detail` the name of the errno.
--- Source: https://docs.libuv.org/en/v1.x/fs.html

local core = require "rille.core"
local failure = require "rille.failure"
local file = require "rille.fs.file"
local options = require "rille.options"
local save = require "rille.fs.save"
local tree = require "rille.fs.tree"

local uv <const> = core.uv()

local fs = { walk = tree.walk, watch = require "rille.fs.watch" }

local MAX_BYTES <const> = 64 << 20     -- of a file that is read whole
local DEFAULT_MODE <const> = 438       -- 0666, before the umask
local DIRECTORY_MODE <const> = 511     -- 0777
local PERMISSIONS <const> = 4095       -- 07777


--- Raises unless these are texts; a path with a NUL byte would name another file for the system.
local function check_path(path, name, doing)
  if type(path) ~= "string" then
    error(("%s: path: string expected, got %s"):format(name, type(path)), 3)
  end
  if not path:find("\0", 1, true) then return end
  return failure.new("invalid_request", doing .. ": a NUL byte in the path", { detail = "EINVAL" })
end


local function check_data(data, name)
  if type(data) ~= "string" then
    error(("%s: data: string expected, got %s"):format(name, type(data)), 3)
  end
end


-- ---------------------------------------------------------------- files

local function too_big(doing, max_bytes)
  local message = ("%s: larger than max_bytes (%d)"):format(doing, max_bytes)
  return failure.new("invalid_request", message, { detail = "EFBIG" })
end


local function read_whole(opened, opts, doing)
  local max_bytes = math.tointeger(opts.max_bytes or MAX_BYTES)
  local stat, why = opened:stat()
  if not stat then return nil, why end
  if stat.size - (opts.offset or 0) > max_bytes then return nil, too_big(doing, max_bytes) end
  local bytes
  bytes, why = opened:read(max_bytes + 1, opts.offset)
  if not bytes then return nil, why end
  if #bytes > max_bytes then return nil, too_big(doing, max_bytes) end
  return bytes
end


--- Reads a file.
---@async
---@param path string
---@param opts? {max_bytes?: integer, offset?: integer, length?: integer}   max_bytes: a file that
---        is larger is a failure, default 64 MiB; offset, length: in bytes, reads only a part
---@return string? bytes
---@return rille.Failure? failure
function fs.read(path, opts)
  local doing = "cannot read " .. tostring(path)
  local bad = check_path(path, "rille.fs.read", doing)
  local spec = { max_bytes = "integer", offset = "integer", length = "integer" }
  opts = options.check(opts, spec, "rille.fs.read")
  if (opts.offset or 0) < 0 or (opts.length or 0) < 0 then
    error("rille.fs.read: offset, length: 0 or more", 2)
  end
  if bad then return nil, bad end
  local flags = uv.constants.O_RDONLY | uv.constants.O_NONBLOCK   -- or a pipe would hold the thread
  local opened <close>, why = file.open(path, flags, 0, doing)
  if not opened then return nil, why end
  if opts.length then return opened:read(math.tointeger(opts.length), opts.offset) end
  return read_whole(opened, opts, doing)
end


--- Writes a file in one step: readers see the old contents or the new, never a part. The mode of a
--- file that exists is kept, a symbolic link is followed; other hard links keep the old contents.
---@async
---@param path string
---@param data string
---@param opts? {mode?: integer, fsync?: boolean}   mode: exactly this; default: that of the old
---        file, or 0666 without the umask. fsync: on the disk before this returns
---@return true?
---@return rille.Failure? failure
function fs.write(path, data, opts)
  local doing = "cannot write " .. tostring(path)
  local bad = check_path(path, "rille.fs.write", doing)
  check_data(data, "rille.fs.write")
  opts = options.check(opts, { mode = "integer", fsync = "boolean" }, "rille.fs.write")
  if bad then return nil, bad end
  return save.replace(path, data, opts, doing)
end


--- Adds to the end of a file, which is made when it does not exist.
---@async
---@param path string
---@param data string
---@param opts? {mode?: integer, fsync?: boolean}   mode: of a new file, before the umask
---@return true?
---@return rille.Failure? failure
function fs.append(path, data, opts)
  local doing = "cannot append to " .. tostring(path)
  local bad = check_path(path, "rille.fs.append", doing)
  check_data(data, "rille.fs.append")
  opts = options.check(opts, { mode = "integer", fsync = "boolean" }, "rille.fs.append")
  if bad then return nil, bad end
  local opened <close>, why = file.open(path, "a", opts.mode or DEFAULT_MODE, doing)
  if not opened then return nil, why end
  local ok
  ok, why = opened:write(data)
  if ok and opts.fsync then ok, why = opened:sync() end
  return ok, why
end


---@class rille.fs.stat
---@field type "file"|"directory"|"link"|"fifo"|"socket"|"char"|"block"
---@field size integer     bytes
---@field mode integer     permission bits
---@field mtime number     seconds since 1970, of the last change; likewise atime, ctime
---@field uid integer
---@field gid integer
---@field ino integer
---@field dev integer
---@field nlink integer

local function seconds(t)
  return t.sec + t.nsec / 1e9
end


--- What is known about a path.
---@async
---@param path string
---@param opts? {follow?: boolean}   false: of a symbolic link itself; default true
---@return rille.fs.stat?
---@return rille.Failure? failure
function fs.stat(path, opts)
  local doing = "cannot stat " .. tostring(path)
  local bad = check_path(path, "rille.fs.stat", doing)
  opts = options.check(opts, { follow = "boolean" }, "rille.fs.stat")
  if bad then return nil, bad end
  local stat, why = file.request(doing, function(done)
    return (opts.follow == false and uv.fs_lstat or uv.fs_stat)(path, done)
  end)
  if not stat then return nil, why end
  return {
    type = stat.type, size = stat.size, mode = stat.mode & PERMISSIONS, uid = stat.uid,
    gid = stat.gid, ino = stat.ino, dev = stat.dev, nlink = stat.nlink,
    mtime = seconds(stat.mtime), atime = seconds(stat.atime), ctime = seconds(stat.ctime),
  }
end


-- ---------------------------------------------------------------- directories

--- Names in a directory, sorted, without "." and "..".
---@async
---@param path string
---@return string[]?
---@return rille.Failure? failure
function fs.list(path)
  local doing = "cannot list " .. tostring(path)
  local bad = check_path(path, "rille.fs.list", doing)
  if bad then return nil, bad end
  local entries, why = tree.scan(path, doing)
  if not entries then return nil, why end
  local names = {}
  for i, entry in ipairs(entries) do names[i] = entry.name end
  return names
end


local function make_parents(path, mode, doing)
  local function make(one)
    return file.request(doing, function(done) return uv.fs_mkdir(one, mode, done) end)
  end
  local ok, why = make(path)
  local parent = path:match("^(.*[^/])/+[^/]+/*$")
  if not ok and why.detail == "ENOENT" and parent then
    ok, why = make_parents(parent, mode, doing)
    if ok then ok, why = make(path) end
  end
  if not ok and why.detail == "EEXIST" then
    local stat = fs.stat(path)
    ok = stat and stat.type == "directory" or nil
  end
  return ok, why
end


--- Makes a directory.
---@async
---@param path string
---@param opts? {parents?: boolean, mode?: integer}   parents: also those above it, and it is well
---        when it exists already; mode: default 0777 without the umask
---@return true?
---@return rille.Failure? failure
function fs.mkdir(path, opts)
  local doing = "cannot make the directory " .. tostring(path)
  local bad = check_path(path, "rille.fs.mkdir", doing)
  opts = options.check(opts, { parents = "boolean", mode = "integer" }, "rille.fs.mkdir")
  if bad then return nil, bad end
  local mode = opts.mode or DIRECTORY_MODE
  if not opts.parents then
    return file.request(doing, function(done) return uv.fs_mkdir(path, mode, done) end)
  end
  local ok, why = make_parents(path, mode, doing)
  if ok then return true end
  return nil, why
end


local remove_any

local function remove_below(path, doing)
  local entries, why = tree.scan(path, doing)
  if not entries then return nil, why end
  for _, entry in ipairs(entries) do
    local ok, reason = remove_any(tree.join(path, entry.name), true, doing)
    if not ok then return nil, reason end
  end
  return true
end


function remove_any(path, recursive, doing)
  local stat, why = file.request(doing, function(done) return uv.fs_lstat(path, done) end)
  if not stat then return nil, why end
  local remove = uv.fs_unlink
  if stat.type == "directory" then
    remove = uv.fs_rmdir
    if recursive then
      local ok, reason = remove_below(path, doing)
      if not ok then return nil, reason end
    end
  end
  return file.request(doing, function(done) return remove(path, done) end)
end


--- Removes a file, a symbolic link or an empty directory.
---@async
---@param path string
---@param opts? {recursive?: boolean}   true: a directory with everything in it; links are not
---        followed
---@return true?
---@return rille.Failure? failure   detail "ENOTEMPTY" for a directory that is not empty
function fs.remove(path, opts)
  local doing = "cannot remove " .. tostring(path)
  local bad = check_path(path, "rille.fs.remove", doing)
  opts = options.check(opts, { recursive = "boolean" }, "rille.fs.remove")
  if bad then return nil, bad end
  local ok, why = remove_any(path, opts.recursive, doing)
  if not ok and why.detail == "ENOTEMPTY" and not opts.recursive then
    why.message = why.message .. " (recursive = true removes what is in it)"
  end
  return ok, why
end


--- Gives a file or directory another name on the same file system; replaces a file of that name.
---@async
---@param from string
---@param to string
---@return true?
---@return rille.Failure? failure
function fs.rename(from, to)
  local doing = ("cannot rename %s to %s"):format(from, to)
  local bad = check_path(from, "rille.fs.rename", doing) or check_path(to, "rille.fs.rename", doing)
  if bad then return nil, bad end
  return file.request(doing, function(done) return uv.fs_rename(from, to, done) end)
end


return fs
