local await = require "rille.await"
local core = require "rille.core"
local entries = require "spec.support.entries"
local failure = require "rille.failure"

local uv = core.uv()

local function both(name, body)
  it(name .. ", in a task", async(body))
  it(name .. ", outside a task", body)
end

--- Calls `fn` once after some milliseconds, in a callback of luv.
local function later(milliseconds, fn)
  local timer = uv.new_timer()
  timer:start(milliseconds, 0, function()
    timer:close()
    fn()
  end)
  return timer
end


describe("await.callback", function()
  both("returns what luv passed after the error", function()
    local a, b, c = await.callback(function(done)
      return later(1, function() done(nil, 1, nil, "x") end)
    end)
    assert.same({ 1, nil, "x" }, { a, b, c })
  end)

  both("returns true when luv passed nothing", function()
    assert.is_true(await.callback(function(done) return later(1, function() done() end) end))
    assert.is_true(await.callback(function(done) return later(1, function() done(nil) end) end))
  end)

  both("passes false on", function()
    local value = await.callback(function(done)
      return later(1, function() done(nil, false) end)
    end)
    assert.is_false(value)
  end)

  both("makes a failure of luv's error", function()
    local value, why = await.callback(function(done) return uv.fs_stat("/no/such/path", done) end)
    assert.is_nil(value)
    assert.is_true(failure.is(why))
    assert.equal("not_found", why.code)
    assert.equal("ENOENT", why.detail)
    assert.equal("no such file or directory", why.message)
  end)

  both("makes a failure when luv does not even start", function()
    local value, why = await.callback(function() return nil, "EMFILE: too many open files", "EMFILE" end)
    assert.is_nil(value)
    assert.equal("internal", why.code)
    assert.equal("EMFILE", why.detail)
  end)

  both("raises what start raises", function()
    local ok, err = pcall(await.callback, function() error("bad argument", 0) end)
    assert.is_false(ok)
    assert.equal("bad argument", err)
  end)

  both("takes a callback that comes before it waits", function()
    assert.equal(7, await.callback(function(done)
      done(nil, 7)
      return true
    end))
  end)

  it("hears only the first call", async(function()
    local value = await.callback(function(done)
      done(nil, 1)
      done(nil, 2)
      return true
    end)
    assert.equal(1, value)
  end))

  it("lets other tasks run", async(function()
    local ran = false
    core.spawn(function() ran = true end)
    await.callback(function(done) return later(5, done) end)
    assert.is_true(ran)
  end))

  it("keeps many waits apart", async(function()
    local tasks = {}
    for i = 1, 50 do
      tasks[i] = core.spawn(function()
        return await.callback(function(done)
          return later(51 - i, function() done(nil, i) end)
        end)
      end)
    end
    for i = 1, 50 do assert.equal(i, (tasks[i]:join())) end
  end))
end)

describe("await.callback of a cancelled task", function()
  it("lets the failure pass and withdraws the request", async(function()
    local withdrawn, request
    local task = core.spawn(function()
      return await.callback(function(done)
        request = later(10000, done)
        return request
      end, function(given)
        withdrawn = given
        given:close()
      end)
    end)
    core.sleep(0.005)
    task:cancel("enough")
    local _, why = task:join()
    assert.equal("cancelled", why.code)
    assert.equal("enough", why.message)
    assert.equal(request, withdrawn)
  end))

  it("does not withdraw what was answered", async(function()
    local withdrawn = false
    await.callback(function(done) return later(1, done) end, function() withdrawn = true end)
    await.callback(function(done) return later(1, function() done("EIO: i/o error") end) end,
      function() withdrawn = true end)
    assert.is_false(withdrawn)
  end))

  it("does not withdraw what was answered in the same turn as the cancel", async(function()
    local withdrawn, released, answer = false, nil, nil
    local task = core.spawn(function()
      return await.callback(function(done)
        answer = done
        return true
      end, function() withdrawn = true end, function(value) released = value end)
    end)
    core.sleep(0)
    answer(nil, "fd")
    task:cancel()
    assert.equal("cancelled", select(2, task:join()).code)
    assert.is_false(withdrawn)
    assert.equal("fd", released)
  end))

  it("hands values that come too late to be released", async(function()
    local released
    local task = core.spawn(function()
      return await.callback(function(done)
        return later(20, function() done(nil, "fd", 3) end)
      end, nil, function(...) released = { ... } end)
    end)
    core.sleep(0.005)
    task:cancel()
    task:join()
    assert.is_nil(released)
    core.sleep(0.03)
    assert.same({ "fd", 3 }, released)
  end))

  it("releases nothing when the late answer is an error", async(function()
    local released = false
    local task = core.spawn(function()
      return await.callback(function(done)
        return later(10, function() done("ECANCELED: operation canceled") end)
      end, nil, function() released = true end)
    end)
    core.sleep(0.002)
    task:cancel()
    task:join()
    core.sleep(0.02)
    assert.is_false(released)
  end))

  it("closes an open file that nobody waits for any more", async(function()
    local fds = function()
      local count = 0
      for _ in entries "/proc/self/fd" do count = count + 1 end
      return count
    end
    if fds() == 0 then return pending("needs /proc") end
    local before = fds()
    for _ = 1, 20 do
      local task = core.spawn(function()
        return await.callback(function(done) return uv.fs_open("/dev/null", "r", 0, done) end,
          uv.cancel, uv.fs_close)
      end)
      core.sleep(0)
      task:cancel()
      task:join()
    end
    core.sleep(0.05)
    assert.equal(before, fds())
  end))
end)

describe("await.failure", function()
  local cases = {
    { "ENOENT: no such file or directory: /x", "not_found", "no such file or directory", "ENOENT" },
    { "ESRCH: no such process", "not_found", "no such process", "ESRCH" },
    { "EACCES: permission denied: /x", "permission", "permission denied", "EACCES" },
    { "EPERM: operation not permitted", "permission", "operation not permitted", "EPERM" },
    { "EROFS: read-only file system", "permission", "read-only file system", "EROFS" },
    { "EISDIR: illegal operation on a directory", "invalid_request",
      "illegal operation on a directory", "EISDIR" },
    { "EEXIST: file already exists: /a -> /b", "invalid_request", "file already exists", "EEXIST" },
    { "ECONNREFUSED: connection refused", "connection", "connection refused", "ECONNREFUSED" },
    { "EPIPE: broken pipe", "connection", "broken pipe", "EPIPE" },
    { "ETIMEDOUT: connection timed out", "timeout", "connection timed out", "ETIMEDOUT" },
    { "ECANCELED: operation canceled", "cancelled", "operation canceled", "ECANCELED" },
    { "E2BIG: argument list too long", "invalid_request", "argument list too long", "E2BIG" },
    { "ENOSPC: no space left on device", "internal", "no space left on device", "ENOSPC" },
    { "EPIPE", "connection", "broken pipe", "EPIPE" },
    { "ECONNRESET", "connection", "connection reset by peer", "ECONNRESET" },
    { "ESTRANGE", "internal", "ESTRANGE", "ESTRANGE" },
    { "something odd", "internal", "something odd", nil },
  }
  for _, case in ipairs(cases) do
    it("reads " .. case[1], function()
      local made = await.failure(case[1])
      assert.equal(case[2], made.code)
      assert.equal(case[3], made.message)
      assert.equal(case[4], made.detail)
    end)
  end

  it("says what was being done", function()
    assert.equal("cannot read /x: no such file or directory",
      await.failure("ENOENT: no such file or directory: /x", "cannot read /x").message)
  end)
end)

describe("await.can_wait", function()
  it("is true on the main thread and in a task", function()
    assert.is_true(await.can_wait())
    assert.is_true((core.spawn(await.can_wait):join()))
  end)

  it("is false where nothing can yield", async(function()
    local seen
    local list = { 2, 1 }
    table.sort(list, function(a, b)
      seen = await.can_wait()
      return a < b
    end)
    assert.is_false(seen)
  end))
end)

describe("await.queue", function()
  both("gives values in the order in which they came", function()
    local queue = await.queue()
    for i = 1, 5 do queue:put(i) end
    assert.equal(5, #queue)
    for i = 1, 5 do assert.equal(i, (queue:take())) end
    assert.equal(0, #queue)
  end)

  both("waits for a value", function()
    local queue = await.queue()
    later(5, function() queue:put("x") end)
    assert.equal("x", queue:take())
  end)

  both("gives what is there before the end, then nil for ever", function()
    local queue = await.queue()
    queue:put(1)
    queue:finish()
    queue:put(2)
    assert.equal(1, queue:take())
    assert.is_nil(queue:take())
    assert.is_nil(queue:take())
  end)

  both("ends a wait", function()
    local queue = await.queue()
    later(5, function() queue:finish() end)
    assert.is_nil(queue:take())
  end)

  both("says once why it ended", function()
    local queue, why = await.queue(), failure.new("connection", "reset")
    queue:finish(why)
    queue:finish()
    assert.same({ nil, why }, { queue:take() })
    assert.same({ n = 2 }, table.pack(queue:take()))
  end)

  both("gives up after the time that it was given, and works on", function()
    local queue = await.queue()
    local value, why = queue:take(0.005)
    assert.is_nil(value)
    assert.equal("timeout", why.code)
    queue:put("late")
    assert.equal("late", queue:take(0))
  end)

  it("passes false", async(function()
    local queue = await.queue()
    queue:put(false)
    assert.is_false(queue:take())
  end))

  it("hands values between tasks", async(function()
    local queue, got = await.queue(), {}
    local reader = core.spawn(function()
      for value in function() return queue:take() end do got[#got + 1] = value end
    end)
    for i = 1, 100 do
      queue:put(i)
      if i % 7 == 0 then core.sleep(0) end
    end
    queue:finish()
    reader:join()
    assert.equal(100, #got)
    for i = 1, 100 do assert.equal(i, got[i]) end
  end))

  it("forgets the values that were taken", async(function()
    local queue = await.queue()
    local held = setmetatable({ {} }, { __mode = "v" })
    queue:put(held[1])
    assert.is_table(queue:take())
    collectgarbage()
    collectgarbage()
    assert.is_nil(held[1])
  end))
end)
