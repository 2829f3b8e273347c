local core = require "rille.core"
local proc = require "spec.support.proc"
local rille = require "rille"

local fs, uv = rille.fs, rille.uv

local is_root = (uv.os_get_passwd() or {}).uid == 0

--- What the function raises, with the position, which luassert would take away.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- The file as the C library reads it.
local function slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function spit(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function octal(mode)
  return ("%o"):format(mode)
end


describe("rille.fs", function()
  local dir

  before_each(function() dir = assert(uv.fs_mkdtemp("/tmp/rille_fs_XXXXXX")) end)
  after_each(function() os.execute("chmod -R u+rwx " .. dir .. "; rm -rf " .. dir) end)

  local function at(name) return dir .. "/" .. name end

  local function names() return table.concat(assert(fs.list(dir)), " ") end

  local function both(name, body)
    it(name .. ", in a task", async(body))
    it(name .. ", outside a task", body)
  end

  --- Fails unless the values are nil and a failure of this code, errno and message.
  local function assert_failed(code, errno, message, value, why)
    assert.is_nil(value)
    assert.is_true(rille.failure.is(why))
    assert.equal(code, why.code)
    assert.equal(errno, why.detail)
    assert.equal(message, why.message)
  end

  describe("read", function()
    both("returns every byte", function()
      local bytes = {}
      for i = 0, 255 do bytes[i + 1] = string.char(i) end
      local text = table.concat(bytes):rep(100)
      spit(at("a"), text)
      assert.is_true(text == fs.read(at("a")))
    end)

    both("returns an empty file", function()
      spit(at("a"), "")
      assert.equal("", fs.read(at("a")))
    end)

    both("returns a file of several megabytes", function()
      local text = ("0123456789abcdef"):rep(300000)
      spit(at("a"), text)
      assert.is_true(text == fs.read(at("a")))
    end)

    both("returns a file that does not say its size", function()
      if not proc.is_here then return end
      assert.matches("^Name:", fs.read("/proc/self/status"))
    end)

    both("says what is missing", function()
      assert_failed("not_found", "ENOENT", ("cannot read %s: no such file or directory"):format(at("no")),
        fs.read(at("no")))
    end)

    both("says that it is a directory", function()
      assert_failed("invalid_request", "EISDIR",
        ("cannot read %s: illegal operation on a directory"):format(dir), fs.read(dir))
    end)

    both("says that a part of the path is no directory", function()
      spit(at("a"), "")
      assert_failed("invalid_request", "ENOTDIR", ("cannot read %s: not a directory"):format(at("a/b")),
        fs.read(at("a/b")))
    end)

    both("says that it is not allowed", function()
      if is_root then return end
      spit(at("a"), "x")
      os.execute("chmod 000 " .. at("a"))
      assert_failed("permission", "EACCES", ("cannot read %s: permission denied"):format(at("a")),
        fs.read(at("a")))
    end)

    both("refuses a file that is larger than max_bytes", function()
      spit(at("a"), "12345")
      assert.equal("12345", fs.read(at("a"), { max_bytes = 5 }))
      assert_failed("invalid_request", "EFBIG", ("cannot read %s: larger than max_bytes (4)"):format(at("a")),
        fs.read(at("a"), { max_bytes = 4 }))
    end)

    both("does not read without end", function()
      local _, why = fs.read("/dev/zero", { max_bytes = 100000 })
      assert.equal("EFBIG", why.detail)
    end)

    both("reads a part", function()
      spit(at("a"), "0123456789")
      assert.equal("345", fs.read(at("a"), { offset = 3, length = 3 }))
      assert.equal("789", fs.read(at("a"), { offset = 7 }))
      assert.equal("01", fs.read(at("a"), { length = 2 }))
      assert.equal("89", fs.read(at("a"), { offset = 8, length = 100 }))
      assert.equal("", fs.read(at("a"), { offset = 100 }))
      assert.equal("", fs.read(at("a"), { length = 0 }))
      assert.equal("6789", fs.read(at("a"), { offset = 6, max_bytes = 4 }))
    end)

    both("refuses a NUL byte, which would name another file", function()
      spit(at("a"), "x")
      assert_failed("invalid_request", "EINVAL", ("cannot read %s: a NUL byte in the path"):format(at("a") .. "\0b"),
        fs.read(at("a") .. "\0b"))
    end)

    it("waits for a pipe without holding up the others", async(function()
      os.execute("mkfifo " .. at("pipe"))
      local writer = rille.spawn(rille.process.run,
        { "sh", "-c", ("exec >%s; : >%s; sleep 0.05; echo hello; sleep 0.05; echo bye"):format(at("pipe"), at("ready")) })
      local opened = uv.fs_open(at("pipe"), uv.constants.O_RDONLY | uv.constants.O_NONBLOCK, 0)
      for _ = 1, 1000 do -- without a writer a pipe is at its end
        if uv.fs_stat(at("ready")) then break end
        rille.sleep(0.005)
      end
      local text = fs.read(at("pipe"))
      uv.fs_close(opened)
      writer:join()
      assert.equal("hello\nbye\n", text)
    end))

    it("of a pipe can be cancelled", async(function()
      os.execute("mkfifo " .. at("pipe"))
      local writer = uv.fs_open(at("pipe"), uv.constants.O_RDWR, 0)
      local _, why = rille.timeout(0.05, fs.read, at("pipe"))
      uv.fs_close(writer)
      assert.equal("timeout", why.code)
    end))

    it("blames the caller for a wrong argument", function()
      local place = "^spec/fs_spec.lua:%d+: rille.fs.read: "
      assert.matches(place .. "path: string expected, got nil$", raised(function() fs.read() end))
      assert.matches(place .. "unknown option 'max_byte' %(did you mean 'max_bytes'%?%)$",
        raised(function() fs.read("x", { max_byte = 1 }) end))
      assert.matches(place .. "option 'length': integer expected, got string$",
        raised(function() fs.read("x", { length = "1" }) end))
      assert.matches(place .. "offset, length: 0 or more$", raised(function() fs.read("x", { offset = -1 }) end))
    end)
  end)

  describe("write", function()
    both("makes a file", function()
      assert.is_true(fs.write(at("a"), "hello\0\255"))
      assert.equal("hello\0\255", slurp(at("a")))
      assert.equal("a", names())
    end)

    both("replaces a file", function()
      spit(at("a"), "something long that was there")
      assert.is_true(fs.write(at("a"), "x"))
      assert.equal("x", slurp(at("a")))
      assert.equal("a", names())
    end)

    both("writes nothing and a lot", function()
      assert.is_true(fs.write(at("a"), ""))
      assert.equal("", slurp(at("a")))
      local text = ("0123456789abcdef"):rep(300000)
      assert.is_true(fs.write(at("a"), text))
      assert.is_true(text == slurp(at("a")))
    end)

    both("brings it to the disk when asked", function()
      assert.is_true(fs.write(at("a"), "x", { fsync = true }))
      assert.equal("x", slurp(at("a")))
    end)

    both("gives a new file the usual mode", function()
      spit(at("usual"), "")
      fs.write(at("a"), "x")
      assert.equal(octal(fs.stat(at("usual")).mode), octal(fs.stat(at("a")).mode))
    end)

    both("keeps the mode of a file that is there", function()
      spit(at("a"), "x")
      os.execute("chmod 751 " .. at("a"))
      fs.write(at("a"), "y")
      assert.equal("751", octal(fs.stat(at("a")).mode))
    end)

    both("sets the mode that is given, whatever the umask", function()
      fs.write(at("a"), "x", { mode = tonumber("666", 8) })
      assert.equal("666", octal(fs.stat(at("a")).mode))
      fs.write(at("a"), "x", { mode = tonumber("600", 8) })
      assert.equal("600", octal(fs.stat(at("a")).mode))
    end)

    both("writes through a symbolic link and leaves it one", function()
      os.execute(("mkdir %s; ln -s sub/real %s"):format(at("sub"), at("link")))
      spit(at("sub/real"), "x")
      assert.is_true(fs.write(at("link"), "y"))
      assert.equal("y", slurp(at("sub/real")))
      assert.equal("link", fs.stat(at("link"), { follow = false }).type)
      assert.equal("link sub", names())
    end)

    both("does not change the old file that somebody has open", function()
      spit(at("a"), "old")
      local file <close> = assert(io.open(at("a")))
      fs.write(at("a"), "new")
      assert.equal("old", file:read("a"))
    end)

    both("writes into a device", function()
      assert.is_true(fs.write("/dev/null", "x"))
      assert.equal("char", fs.stat("/dev/null").type)
    end)

    both("says what is missing and leaves nothing", function()
      assert_failed("not_found", "ENOENT", ("cannot write %s: no such file or directory"):format(at("no/a")),
        fs.write(at("no/a"), "x"))
      assert.equal("", names())
    end)

    both("does not replace a directory", function()
      assert_failed("invalid_request", "EISDIR", ("cannot write %s: illegal operation on a directory"):format(dir),
        fs.write(dir, "x"))
    end)

    both("does not replace what may not be written", function()
      if is_root then return end
      spit(at("a"), "x")
      os.execute("chmod 444 " .. at("a"))
      assert_failed("permission", "EACCES", ("cannot write %s: permission denied"):format(at("a")),
        fs.write(at("a"), "y"))
      assert.equal("x", slurp(at("a")))
    end)

    both("takes a name as long as the system allows", function()
      local name = ("n"):rep(255)
      assert.is_true(fs.write(at(name), "x"))
      assert.equal("x", slurp(at(name)))
      local _, why = fs.write(at(name .. "n"), "x")
      assert.equal("ENAMETOOLONG", why.detail)
    end)

    both("takes a path without a directory", function()
      local name = "rille_fs_spec_" .. math.random(1e9)
      assert.is_true(fs.write(name, "x", { fsync = true }))
      local text = slurp(name)
      os.remove(name)
      assert.equal("x", text)
    end)

    it("shows readers the old contents or the new, never a part", async(function()
      local old, new = ("o"):rep(500000), ("n"):rep(500000)
      spit(at("a"), old)
      local reading, seen = true, {}
      local reader = rille.spawn(function()
        while reading do
          local text = assert(fs.read(at("a")))
          assert(text == old or text == new)
          seen[text:sub(1, 1)] = true
        end
      end)
      for _ = 1, 20 do
        fs.write(at("a"), new)
        fs.write(at("a"), old)
      end
      reading = false
      local _, why = reader:join()
      assert.is_nil(why)
      assert.is_true(seen.o or seen.n)
    end))

    it("that is cancelled leaves the old contents or the new, and nothing else", async(function()
      local old, new = ("o"):rep(100000), ("n"):rep(100000)
      spit(at("a"), old)
      for i = 1, 60 do
        local task = rille.spawn(fs.write, at("a"), new, { fsync = i % 3 == 0 })
        for _ = 1, i % 15 do rille.sleep(0) end
        task:cancel()
        task:join()
        rille.sleep(0.005)
        assert.equal("a", names())
        local text = slurp(at("a"))
        assert.is_true(text == old or text == new)
      end
    end))

    it("closes every descriptor, also when cancelled", async(function()
      if not proc.is_here then return end
      fs.write(at("a"), "x")
      local before = proc.descriptors()
      for i = 1, 60 do
        local task = rille.spawn(function()
          fs.write(at("a"), "x")
          fs.read(at("a"))
          fs.append(at("a"), "x")
        end)
        for _ = 1, i do rille.sleep(0) end
        task:cancel()
        task:join()
      end
      rille.sleep(0.02)
      assert.equal(before, proc.descriptors())
    end))

    it("blames the caller for a wrong argument", function()
      local place = "^spec/fs_spec.lua:%d+: rille.fs.write: "
      assert.matches(place .. "path: string expected, got nil$", raised(function() fs.write() end))
      assert.matches(place .. "data: string expected, got nil$", raised(function() fs.write("x") end))
      assert.matches(place .. "unknown option 'sync' %(did you mean 'fsync'%?%)$",
        raised(function() fs.write("x", "y", { sync = true }) end))
    end)
  end)

  describe("append", function()
    both("adds to a file, and makes it", function()
      assert.is_true(fs.append(at("a"), "one\n"))
      assert.is_true(fs.append(at("a"), "two\n", { fsync = true }))
      assert.equal("one\ntwo\n", slurp(at("a")))
    end)

    both("makes it with the mode that is given", function()
      fs.append(at("a"), "x", { mode = tonumber("600", 8) })
      assert.equal("600", octal(fs.stat(at("a")).mode))
    end)

    both("says what is missing", function()
      assert_failed("not_found", "ENOENT", ("cannot append to %s: no such file or directory"):format(at("no/a")),
        fs.append(at("no/a"), "x"))
    end)

    it("keeps lines of several tasks whole", async(function()
      local list = {}
      for i = 1, 50 do list[i] = ("line %02d "):format(i):rep(100) .. "\n" end
      rille.map(list, function(line) return fs.append(at("log"), line) end)
      local lines = {}
      for line in io.lines(at("log"), "L") do lines[#lines + 1] = line end
      table.sort(lines)
      assert.same(list, lines)
    end))

    it("blames the caller for a wrong argument", function()
      assert.matches("^spec/fs_spec.lua:%d+: rille.fs.append: data: string expected, got number$",
        raised(function() fs.append("x", 5) end))
    end)
  end)

  describe("stat", function()
    both("says what a file is", function()
      spit(at("a"), "12345")
      os.execute("chmod 640 " .. at("a"))
      local stat = fs.stat(at("a"))
      assert.equal("file", stat.type)
      assert.equal(5, stat.size)
      assert.equal("640", octal(stat.mode))
      assert.equal(1, stat.nlink)
      assert.is_true(math.abs(stat.mtime - os.time()) < 100)
      assert.equal("float", math.type(stat.mtime))
      for _, name in ipairs { "atime", "ctime", "uid", "gid", "ino", "dev" } do
        assert.is_number(stat[name], name)
      end
    end)

    both("tells types apart", function()
      os.execute(("ln -s no %s; mkfifo %s"):format(at("link"), at("pipe")))
      assert.equal("directory", fs.stat(dir).type)
      assert.equal("fifo", fs.stat(at("pipe")).type)
      assert.equal("link", fs.stat(at("link"), { follow = false }).type)
      assert.equal("char", fs.stat("/dev/null").type)
    end)

    both("follows links unless told otherwise", function()
      os.execute("ln -s no " .. at("link"))
      assert_failed("not_found", "ENOENT", ("cannot stat %s: no such file or directory"):format(at("link")),
        fs.stat(at("link")))
    end)
  end)

  describe("list", function()
    both("returns names, sorted by byte", function()
      for _, name in ipairs { "b", "a", "B", ".hidden", "é", "a b" } do spit(at(name), "") end
      assert.same({ ".hidden", "B", "a", "a b", "b", "é" }, fs.list(dir))
    end)

    both("of an empty directory is empty", function()
      assert.same({}, fs.list(dir))
    end)

    both("says what is missing", function()
      assert_failed("not_found", "ENOENT", ("cannot list %s: no such file or directory"):format(at("no")),
        fs.list(at("no")))
      spit(at("a"), "")
      assert_failed("invalid_request", "ENOTDIR", ("cannot list %s: not a directory"):format(at("a")),
        fs.list(at("a")))
    end)
  end)

  describe("mkdir", function()
    both("makes a directory", function()
      assert.is_true(fs.mkdir(at("a")))
      assert.equal("directory", fs.stat(at("a")).type)
    end)

    both("refuses what is there", function()
      fs.mkdir(at("a"))
      assert_failed("invalid_request", "EEXIST",
        ("cannot make the directory %s: file already exists"):format(at("a")), fs.mkdir(at("a")))
    end)

    both("needs the directory above", function()
      local _, why = fs.mkdir(at("a/b"))
      assert.equal("not_found", why.code)
    end)

    both("makes those above when asked", function()
      assert.is_true(fs.mkdir(at("a/b//c/"), { parents = true }))
      assert.is_true(fs.mkdir(at("a/b/c"), { parents = true }))
      assert.equal("directory", fs.stat(at("a/b/c")).type)
    end)

    both("does not take a file for a directory", function()
      spit(at("a"), "")
      local _, why = fs.mkdir(at("a"), { parents = true })
      assert.equal("EEXIST", why.detail)
      _, why = fs.mkdir(at("a/b/c"), { parents = true })
      assert.equal("ENOTDIR", why.detail)
    end)

    both("sets the mode", function()
      fs.mkdir(at("a"), { mode = tonumber("700", 8) })
      assert.equal("700", octal(fs.stat(at("a")).mode))
    end)

    it("makes the same path from many tasks", async(function()
      local list = {}
      for i = 1, 20 do list[i] = at("a/b/c/d/" .. i) end
      local _, failures = rille.map(list, function(path) return fs.mkdir(path, { parents = true }) end)
      assert.is_nil(failures)
      assert.equal(20, #fs.list(at("a/b/c/d")))
    end))
  end)

  describe("remove", function()
    both("removes files, links and empty directories", function()
      spit(at("a"), "")
      fs.mkdir(at("d"))
      os.execute(("ln -s a %s; ln -s no %s"):format(at("l"), at("broken")))
      for _, name in ipairs { "l", "broken", "a", "d" } do assert.is_true(fs.remove(at(name))) end
      assert.equal("", names())
    end)

    both("refuses a directory that is not empty", function()
      fs.mkdir(at("d/e"), { parents = true })
      assert_failed("invalid_request", "ENOTEMPTY",
        ("cannot remove %s: directory not empty (recursive = true removes what is in it)"):format(at("d")),
        fs.remove(at("d")))
      assert.equal("directory", fs.stat(at("d/e")).type)
    end)

    both("removes a whole tree when asked", function()
      fs.mkdir(at("d/e/f"), { parents = true })
      for i = 1, 20 do spit(at("d/e/" .. i), "") end
      assert.is_true(fs.remove(at("d"), { recursive = true }))
      assert.equal("", names())
    end)

    both("never follows a link out of the tree", function()
      fs.mkdir(at("keep"))
      spit(at("keep/a"), "x")
      fs.mkdir(at("d"))
      os.execute(("ln -s ../keep %s"):format(at("d/link")))
      assert.is_true(fs.remove(at("d"), { recursive = true }))
      assert.equal("x", slurp(at("keep/a")))
      os.execute(("ln -s keep %s"):format(at("link")))
      assert.is_true(fs.remove(at("link"), { recursive = true }))
      assert.equal("x", slurp(at("keep/a")))
    end)

    both("says what is missing", function()
      assert_failed("not_found", "ENOENT", ("cannot remove %s: no such file or directory"):format(at("no")),
        fs.remove(at("no")))
    end)
  end)

  describe("rename", function()
    both("gives another name and replaces", function()
      spit(at("a"), "x")
      spit(at("b"), "y")
      assert.is_true(fs.rename(at("a"), at("b")))
      assert.equal("b", names())
      assert.equal("x", slurp(at("b")))
    end)

    both("says what is missing", function()
      assert_failed("not_found", "ENOENT",
        ("cannot rename %s to %s: no such file or directory"):format(at("a"), at("b")),
        fs.rename(at("a"), at("b")))
    end)

    it("blames the caller for a wrong argument", function()
      assert.matches("^spec/fs_spec.lua:%d+: rille.fs.rename: path: string expected, got nil$",
        raised(function() fs.rename("a") end))
    end)
  end)

  describe("walk", function()
    local function walk(path, options)
      local seen = {}
      for entry in fs.walk(path, options) do
        local mark = entry.failure and "!" or ({ directory = "/", link = "@" })[entry.type] or ""
        seen[#seen + 1] = entry.depth .. ":" .. entry.path:sub(#dir + 2) .. mark
      end
      return table.concat(seen, " ")
    end

    local function plant()
      fs.mkdir(at("b/d/e"), { parents = true })
      for _, name in ipairs { "a", "b/c", "b/d/x", "z" } do spit(at(name), "") end
      os.execute("ln -s .. " .. at("b/up"))
    end

    both("visits everything in order, directories first, and follows no link", function()
      plant()
      assert.equal("1:a 1:b/ 2:b/c 2:b/d/ 3:b/d/e/ 3:b/d/x 2:b/up@ 1:z", walk(dir))
    end)

    both("takes a slash at the end", function()
      plant()
      for entry in fs.walk(dir .. "/", { depth = 1 }) do
        assert.equal(dir .. "/" .. entry.name, entry.path)
      end
    end)

    both("goes as deep as it may", function()
      plant()
      assert.equal("1:a 1:b/ 1:z", walk(dir, { depth = 1 }))
      assert.equal("1:a 1:b/ 2:b/c 2:b/d/ 2:b/up@ 1:z", walk(dir, { depth = 2 }))
      assert.equal("", walk(dir, { depth = 0 }))
    end)

    both("keeps out of directories", function()
      plant()
      local asked = {}
      local seen = walk(dir, { enter = function(entry)
        asked[#asked + 1] = entry.name
        return entry.name ~= "d"
      end })
      assert.equal("1:a 1:b/ 2:b/c 2:b/d/ 2:b/up@ 1:z", seen)
      assert.same({ "b", "d" }, asked)
    end)

    both("says of a path that cannot be read why", function()
      local count = 0
      for entry in fs.walk(at("no")) do
        count = count + 1
        assert.equal(at("no"), entry.path)
        assert.equal(0, entry.depth)
        assert.equal("not_found", entry.failure.code)
      end
      assert.equal(1, count)
    end)

    both("goes on after a directory that vanished", function()
      plant()
      local seen = {}
      for entry in fs.walk(dir) do
        if entry.name == "b" and not entry.failure then fs.remove(at("b"), { recursive = true }) end
        seen[#seen + 1] = entry.name .. (entry.failure and "!" or "")
      end
      assert.equal("a b b! z", table.concat(seen, " "))
    end)

    it("can be left at any time", async(function()
      plant()
      local next_entry = fs.walk(dir)
      assert.equal("a", next_entry().name)
    end))

    it("blames the caller for a wrong argument", function()
      assert.matches("^spec/fs_spec.lua:%d+: rille.fs.walk: path: string expected, got nil$",
        raised(function() fs.walk() end))
      assert.matches("^spec/fs_spec.lua:%d+: rille.fs.walk: unknown option 'dept'",
        raised(function() fs.walk("x", { dept = 1 }) end))
    end)
  end)

  describe("watch", function()
    both("yields what happens, and ends with the loop", function()
      local events = assert(fs.watch(dir))
      spit(at("a"), "x")
      local seen
      for event in events, nil, nil, events do
        seen = event
        if seen then break end
      end
      assert.equal("a", seen.name)
      assert.is_true(seen.changed or seen.renamed)
      for event in events do assert.equal("a", event.name) end   -- what was seen before, then the end
    end)

    it("works in a for loop", async(function()
      rille.spawn(function()
        rille.sleep(0.02)
        fs.write(at("a"), "x")
      end)
      local seen = {}
      for event in assert(fs.watch(dir)) do
        seen[event.name] = true
        if event.name == "a" then break end
      end
      assert.is_true(seen.a)
    end))

    both("watches one file", function()
      spit(at("a"), "x")
      local events <close> = assert(fs.watch(at("a")))
      spit(at("a"), "y")
      assert.is_true(events:next(5).changed)
    end)

    both("gives up after the time that it was given", function()
      local events <close> = assert(fs.watch(dir))
      local event, why = events:next(0.01)
      assert.is_nil(event)
      assert.equal("timeout", why.code)
    end)

    both("says what is missing", function()
      assert_failed("not_found", "ENOENT", ("cannot watch %s: no such file or directory"):format(at("no")),
        fs.watch(at("no")))
    end)

    it("is ended by a cancel", async(function()
      local task = rille.spawn(function()
        for _ in assert(fs.watch(dir)) do error("nothing happened") end
      end)
      rille.sleep(0.01)
      task:cancel()
      assert.equal("cancelled", select(2, task:join()).code)
    end))

    it("is closed when it is collected", function()
      local before = core.counts().handles
      for _ = 1, 10 do fs.watch(dir) end
      collectgarbage()
      collectgarbage()
      rille.sleep(0)
      assert.equal(before, core.counts().handles)
    end)

    it("can be closed twice", function()
      local events = assert(fs.watch(dir))
      events:close()
      events:close()
    end)
  end)

  describe("many at once", function()
    it("reads and writes five hundred files", async(function()
      local list = {}
      for i = 1, 500 do list[i] = tostring(i) end
      local _, failures = rille.map(list, function(name) return fs.write(at(name), name:rep(100)) end)
      assert.is_nil(failures)
      local texts
      texts, failures = rille.map(list, function(name) return fs.read(at(name)) end)
      assert.is_nil(failures)
      for i, text in ipairs(texts) do assert.is_true(text == list[i]:rep(100)) end
    end))
  end)
end)
