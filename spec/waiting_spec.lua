--- waiting_spec.lua -- everything that takes time, in a task and outside one; and what cancelling it leaves behind.
local core = require "rille.core"
local mock = require "rille.mock"
local rille = require "rille"
local script = require "rille.script"
local temporary = require "spec.support.temporary"

--- The same behaviour twice: with the main thread turning the loop, and in a task that parks.
local function both(what, body)
  it(what .. ", outside a task", function()
    assert.is_nil(core.running())
    body()
  end)

  it(what .. ", in a task", async(function()
    assert.truthy(core.running())
    body()
  end))
end

local function slow(seconds, value)
  return function()
    rille.sleep(seconds)
    return value
  end
end

--- Fails with the failure that was not expected.
local function failed(code, value, failure)
  assert.is_nil(value)
  assert.equal(code, failure and failure.code, tostring(failure))
end


describe("tasks", function()
  both("give back what their function returned", function()
    local task = rille.spawn(function(a, b) rille.sleep(0.005) return b, a end, 1, 2)
    assert.same({ 2, 1 }, { task:join() })
    assert.same({ 2, 1 }, { task:join(0) })
  end)

  both("run side by side: all takes as long as the longest", function()
    local start = rille.now()
    assert.same({ "a", "b", "c" }, { rille.all { slow(0.4, "a"), slow(0.2, "b"), slow(0.4, "c") } })
    assert.is_true(rille.now() - start < 0.9)
  end)

  both("all stops the others when one fails", function()
    local finished = false
    failed("internal", rille.all { function() rille.sleep(0.3) finished = true end, function() error "no" end })
    assert.is_false(finished)
  end)

  both("map keeps the order and its concurrency", function()
    local now, most = 0, 0
    local results = rille.map({ 3, 1, 2, 1 }, function(value)
      now = now + 1
      most = math.max(most, now)
      rille.sleep(value / 200)
      now = now - 1
      return value * 10
    end, { concurrency = 2 })
    assert.same({ 30, 10, 20, 10 }, results)
    assert.equal(2, most)
  end)

  both("race gives the first and stops the rest", function()
    local finished = false
    assert.equal("fast", rille.race { function() rille.sleep(5) finished = true end, slow(0.01, "fast") })
    assert.is_false(finished)
  end)

  both("timeout ends what takes too long, and lets pass what does not", function()
    failed("timeout", rille.timeout(0.02, rille.sleep, 5))
    assert.same({ 1, 2 }, { rille.timeout(5, function(...) return ... end, 1, 2) })
  end)

  both("join gives up waiting, but not the task", function()
    local task = rille.spawn(slow(0.1, "late"))
    failed("timeout", task:join(0.01))
    assert.equal("late", task:join())
  end)

  both("cancel says why", function()
    local task = rille.spawn(rille.sleep, 5)
    rille.sleep(0)
    task:cancel "enough of it"
    local value, failure = task:join()
    failed("cancelled", value, failure)
    assert.truthy(failure.message:find("enough of it", 1, true))
  end)
end)


describe("rille.http", function()
  local function served(body)
    return function()
      local server <close> = assert(mock.serve(script { "hi" }))
      body(server.url)
      rille.sleep(0)
    end
  end

  both("has a function for every method; a status of 404 is a response", served(function(url)
    for _, method in ipairs { "get", "post", "put", "patch", "delete", "head" } do
      local response = assert(rille.http[method](url .. "/nowhere"))
      assert.is_true(response.status >= 400, method)
      assert.equal(url .. "/nowhere", response.url)
    end
  end))

  both("request takes everything in one table, and reads JSON", served(function(url)
    local response = assert(rille.http.request { url = url .. "/chat/completions", method = "POST",
      json = { model = "m", messages = { { role = "user", content = "hello" } } }, timeout = 5, max_bytes = 1e6 })
    assert.equal(200, response.status)
    assert.equal("hi", response:json().choices[1].message.content)
  end))

  both("says that nobody is there, with the URL", function()
    local response, failure = rille.http.get "http://127.0.0.1:1/x"
    failed("connection", response, failure)
    assert.truthy(failure.message:find("http://127.0.0.1:1/x", 1, true))
  end)
end)


describe("rille.process.run", function()
  both("gives output, both of them, and the exit status", function()
    local result = assert(rille.process.run { "sh", "-c", "cat; echo $X >&2; pwd; exit 3", stdin = "in\n", cwd = "/",
      env = { X = "y" }, timeout = 10 })
    assert.same({ 3, "in\n/\n", "y\n", false, false },
      { result.code, result.stdout, result.stderr, result.timed_out, result.truncated })
  end)

  --- Runs `line` until `stop` has been called; true when none of its processes is left.
  local function leaves_nothing(stop)
    local directory <close> = temporary.directory()
    local path = directory.path .. "/pids"
    local task = rille.spawn(rille.process.run, { "sh", "-c", "trap '' TERM; sleep 60 & echo $$ $! > " .. path .. "; wait" })
    local text
    repeat
      rille.sleep(0.01)
      text = rille.fs.read(path)
    until text and text:find "\n"
    stop(task)
    for pid in text:gmatch "%d+" do
      local deadline = rille.now() + 3
      local stat = ("/proc/%s/stat"):format(pid)
      local function alive()
        local line = rille.fs.read(stat)
        return line and not line:find "%) Z "
      end
      while alive() and rille.now() < deadline do rille.sleep(0.01) end
      assert.falsy(alive(), "process " .. pid .. " is left")
    end
  end

  both("ends its whole process group with its task", function()
    leaves_nothing(function(task)
      task:cancel()
      failed("cancelled", task:join())
    end)
  end)
end)


describe("a transfer", function()
  --- A server whose answer never ends; returns its URL and a function that waits until the client has hung up.
  local function endless()
    local uv = rille.uv
    local listener, ended, peer = uv.new_tcp(), false, nil
    assert(listener:bind("127.0.0.1", 0))
    listener:listen(8, function()
      peer = uv.new_tcp()
      listener:accept(peer)
      peer:read_start(function(_, bytes)
        if not bytes then ended = true return end
        peer:write "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: and so on\n\n"
      end)
    end)
    local function await_end()
      local deadline = rille.now() + 3
      while not ended and rille.now() < deadline do rille.sleep(0.01) end
      peer:close()
      listener:close()
      rille.sleep(0)
      return ended
    end
    return ("http://127.0.0.1:%d/v1"):format(listener:getsockname().port), await_end
  end

  both("hangs up when its task is cancelled", function()
    local url, ended = endless()
    local task = rille.spawn(rille.http.get, url)
    rille.sleep(0.05)
    task:cancel()
    failed("cancelled", task:join())
    assert.is_true(ended())
  end)

  both("hangs up when the run of an agent is cancelled", function()
    local url, ended = endless()
    local run = rille.agent { model = "m", base_url = url }:start "hi"
    rille.sleep(0.05)
    run:cancel "enough"
    failed("cancelled", run:wait())
    assert.is_true(ended())
  end)

  both("hangs up when the loop over a stream is left", function()
    local url, ended = endless()
    local agent = rille.agent { model = "m", base_url = url }
    for event in agent:stream "hi" do
      assert.equal("request", event.type)
      rille.sleep(0.05)
      if event.type == "request" then break end
    end
    assert.is_true(ended())
  end)
end)


describe("rille.fs", function()
  both("writes, appends, reads, lists, renames and removes", function()
    local directory <close> = temporary.directory()
    local fs, path = rille.fs, directory.path .. "/sub"
    assert(fs.mkdir(path))
    assert(fs.write(path .. "/a", "x"))
    assert(fs.append(path .. "/a", "y"))
    assert.equal("xy", fs.read(path .. "/a"))
    assert.equal(2, fs.stat(path .. "/a").size)
    assert.same({ "a" }, fs.list(path))
    assert(fs.rename(path .. "/a", path .. "/b"))
    failed("not_found", fs.read(path .. "/a"))
    local names = {}
    for entry in fs.walk(directory.path) do names[#names + 1] = entry.name end
    assert.same({ "b", "sub" }, (table.sort(names) or names))
    assert(fs.remove(path .. "/b"))
  end)

  both("watches until something changes", function()
    local directory <close> = temporary.directory()
    local watcher <close> = assert(rille.fs.watch(directory.path))
    local task = rille.spawn(function()
      rille.sleep(0.02)
      return rille.fs.write(directory.path .. "/new", "1")
    end)
    local event = rille.timeout(5, function() return watcher() end)
    assert.truthy(event)
    assert(task:join())
  end)
end)
