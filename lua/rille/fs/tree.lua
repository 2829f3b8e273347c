--- rille.fs.tree -- beside the walk: directories, and everything below one.
---
--- Invariant: names come in byte order, so that two runs see the same; symbolic links are entries
--- and are never followed.
--- Source: https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_opendir (luv's scandir keeps a registry slot for ever)

local core = require "rille.core"
local file = require "rille.fs.file"
local options = require "rille.options"

local uv <const> = core.uv()

local tree = {}

local BATCH <const> = 256   -- entries read at once

---@class rille.fs.entry
---@field path string       the path that was given, a slash and the rest
---@field name string       its last part
---@field type "file"|"directory"|"link"|"fifo"|"socket"|"char"|"block"
---@field depth integer     1: directly in the directory that was given
---@field failure? rille.Failure   this directory could not be read


--- `directory/name`, with one slash.
---@param directory string
---@param name string
---@return string
function tree.join(directory, name)
  return directory:sub(-1) == "/" and directory .. name or directory .. "/" .. name
end


local function open_directory(path, doing)
  return file.request(doing, function(done) return uv.fs_opendir(path, done, BATCH) end, uv.fs_closedir)
end


--- The next entries; nil at the end, and with a failure. The callback keeps the directory open for
--- the thread that reads it, even when the task is cancelled meanwhile.
local function read_batch(directory, doing)
  local batch, why = file.request(doing, function(done)
    return uv.fs_readdir(directory, function(problem, entries)
      done(problem, entries or directory)
    end)
  end, function() uv.fs_closedir(directory) end)
  if rawequal(batch, directory) then return nil end
  return batch, why
end


--- Names and types of what is in a directory, sorted by name.
---@async
---@param path string
---@param doing string   as in file.request
---@return {name: string, type: string}[]?
---@return rille.Failure? failure
function tree.scan(path, doing)
  local directory, why = open_directory(path, doing)
  if not directory then return nil, why end
  local entries, trouble = {}
  repeat
    local batch
    batch, trouble = read_batch(directory, doing)
    table.move(batch or {}, 1, batch and #batch or 0, #entries + 1, entries)
  until not batch
  file.request(doing, function(done) return uv.fs_closedir(directory, done) end)
  if trouble then return nil, trouble end
  table.sort(entries, function(a, b) return a.name < b.name end)
  return entries
end


--- Some file systems do not say what an entry is.
local function type_of(path, kind)
  if kind ~= "unknown" then return kind end
  local stat = file.request("", function(done) return uv.fs_lstat(path, done) end)
  return stat and stat.type or "unknown"
end


--- Puts what is in a directory on the stack, last name first.
local function push_entries(stack, entries, path, depth)
  for i = #entries, 1, -1 do
    local entry = entries[i]
    local full = tree.join(path, entry.name)
    stack[#stack + 1] = { path = full, name = entry.name, type = entry.type, depth = depth }
  end
end


local function next_entry(state)
  local last = state.last
  if last and last.type == "directory" and last.depth < state.depth
    and (not state.enter or last.depth == 0 or state.enter(last)) then
    local entries, why = tree.scan(last.path, ("cannot list %s"):format(last.path))
    if not entries then
      state.last = nil
      last.failure = why
      return last
    end
    push_entries(state.stack, entries, last.path, last.depth + 1)
  end
  local entry = table.remove(state.stack)
  state.last = entry
  if entry then entry.type = type_of(entry.path, entry.type) end
  return entry
end


--- Everything below a directory, each directory before what is in it:
---
---     for entry in rille.fs.walk("src", { enter = function(e) return e.name ~= ".git" end }) do
---
--- A directory that cannot be read comes (once more) as an entry with `failure`; so does `path`
--- itself, with depth 0.
---@async
---@param path string
---@param opts? {depth?: integer, enter?: fun(entry: rille.fs.entry): boolean}   depth: how deep at
---        most, 1 is the directory alone; enter: false keeps out of a directory
---@return fun(): rille.fs.entry?
function tree.walk(path, opts)
  if type(path) ~= "string" then
    error("rille.fs.walk: path: string expected, got " .. type(path), 2)
  end
  opts = options.check(opts, { depth = "number", enter = "function" }, "rille.fs.walk")
  local root = { path = path, name = path:match("[^/]*$"), type = "directory", depth = 0 }
  local state = { stack = {}, last = root, depth = opts.depth or math.huge, enter = opts.enter }
  return function() return next_entry(state) end
end


return tree
