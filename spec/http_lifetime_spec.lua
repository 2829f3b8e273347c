--- http_lifetime_spec.lua -- what transfers leave behind: nothing, whenever and however they end.
local core = require "rille.core"
local http = require "rille.http"
local proc = require "spec.support.proc"
local raw_server = require "spec.support.raw_server"

local response, chunks, stream_head = raw_server.response, raw_server.chunks, raw_server.stream_head


--- Runs Lua code in an interpreter of its own; returns what it wrote, and how it ended.
local function run(code)
  local build = os.getenv "RILLE_BUILD"
  local paths = "LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lua/?.so;;'"
  local command = ("LD_PRELOAD=\"$RILLE_PRELOAD\" " .. paths .. " %s - 2>&1 <<'LUA'\n%s\nLUA"):format(build, arg[-1] or "lua5.4", code)
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  return output, select(3, pipe:close())
end


describe("closing a runtime", function()
  it("ends transfers in every state", function()
    local output, status = run [[
      local core = require "rille.core"
      local uv = core.uv()
      local server = uv.new_tcp()
      server:bind("127.0.0.1", 0)
      local peers = {}
      server:listen(10, function()
        local peer = uv.new_tcp()
        server:accept(peer)
        peer:write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
        peers[#peers + 1] = peer
      end)
      local url = "http://127.0.0.1:" .. server:getsockname().port
      handles = {}
      for i = 1, 5 do handles[i] = core.http { url = url } end          -- connecting
      handles[6] = core.http { url = url }
      handles[6]:head()                                                 -- receiving
      handles[7] = core.http { url = "http://host.invalid/" }           -- resolving
      handles[8] = core.chat { url = url, body = ("x"):rep(1 << 22) }   -- sending
      handles[9] = core.chat { canned = { body = "data: x\n\n", cuts = { 1, 2, 3 } } }
      core.spawn(function() handles[6]:body() end)                      -- waited for
      core.sleep(0.01)
      io.write("over")]]
    assert.equal("over", output)
    assert.equal(0, status)
  end)

  it("lets finalisers fail instead of starting anew", function()
    local output, status = run [[
      late = setmetatable({}, { __gc = function()
        io.write(tostring(select(2, pcall(core.http, { url = "http://127.0.0.1:9/" }))), "|")
        io.write(tostring(select(2, pcall(core.chat, { url = "http://127.0.0.1:9/" }))), "|")
        io.write(tostring(select(2, pcall(core.chat, { canned = { body = "x" } }))))
      end })
      core = require "rille.core"
      handle = core.http { url = "http://127.0.0.1:9/" }]]
    assert.equal("the runtime is closed|the runtime is closed|the runtime is closed", output)
    assert.equal(0, status)
  end)

  it("does not wait for connections at rest, nor for a name that nobody answers", function()
    local before = core.now()
    local output = run [[
      local core = require "rille.core"
      local uv = core.uv()
      local server = uv.new_tcp()
      server:bind("127.0.0.1", 0)
      server:listen(10, function()
        local peer = uv.new_tcp()
        server:accept(peer)
        peer:write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      end)
      core.spawn(function()
        local handle <close> = core.http { url = "http://127.0.0.1:" .. server:getsockname().port }
        io.write(handle:body())
        server:close()
      end):join()
      core.http { url = "http://host.invalid/" }:close()
      core.run()]]
    assert.equal("ok", output)
    assert.is_true(core.now() - before < 5)
  end)
end)


describe("core.counts", function()
  it("counts transfers whose end nobody knows", async(function()
    local server <close> = raw_server.start(function(connection) connection:hold() end)
    assert.equal(0, core.counts().transfers)
    local handles = {}
    for i = 1, 3 do handles[i] = core.http { url = server.url } end
    handles[4] = core.chat { url = server.url, body = "{}" }
    core.sleep(0.01)
    assert.equal(4, core.counts().transfers)
    for _, handle in ipairs(handles) do handle:close() end
    assert.equal(0, core.counts().transfers)
  end))
end)


describe("a server that closes connections at rest", function()
  it("costs no turn of the loop and no answer", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(response("ok"))
      core.sleep(0.005)
      connection:close()
    end)
    for _ = 1, 5 do
      assert.equal("ok", assert(http.get(server.url)).body)
      core.sleep(0.02)
    end
    assert.equal(5, server.accepted)
  end))

  it("with bytes that nobody asked for is not asked again there", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(response("ok"))
      core.sleep(0.002)
      connection:send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
    end)
    for _ = 1, 5 do
      assert.equal("ok", assert(http.get(server.url)).body)
      core.sleep(0.02)
    end
    assert.equal(5, server.accepted)
  end))

  it("while another transfer is paused spoils nothing", async(function()
    local total <const> = 16 << 20
    local server <close> = raw_server.start(function(connection, request)
      if request.target == "/small" then connection:send(response("ok")) return end
      connection:send(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(total))
      local piece = ("x"):rep(1 << 16)
      for _ = 1, total >> 16 do
        if not connection:send(piece) then return end
      end
    end)
    for _ = 1, 3 do assert(http.get(server.url .. "/small")) end
    local reply <close> = assert(http.get(server.url .. "/big", { stream = true }))
    core.sleep(0.05)
    assert.equal("ok", assert(http.get(server.url .. "/small")).body)
    local received = 0
    for piece in reply do
      received = received + #piece
      if received % 7 == 0 then core.sleep(0) end
    end
    assert.is_nil(reply.failure)
    assert.equal(total, received)
  end))
end)


describe("descriptors", function()
  --- Runs fn a few times; the number of open descriptors must stop growing.
  local function stays(fn)
    fn()
    collectgarbage()
    core.sleep(0.02)
    local before = proc.descriptors()
    for _ = 1, 3 do fn() end
    collectgarbage()
    core.sleep(0.02)
    assert.is_true(proc.descriptors() <= before + 2, ("%d, then %d"):format(before, proc.descriptors()))
  end

  if not proc.is_here then return end

  it("are not lost when connecting fails", async(function()
    stays(function()
      local tasks = {}
      for i = 1, 40 do
        local address = i % 2 == 0 and "http://127.0.0.1:9/" or "http://localhost:9/"
        tasks[i] = core.spawn(function() return http.get(address, { timeout = 1 }) end)
      end
      for _, task in ipairs(tasks) do task:join() end
    end)
  end))

  it("are not lost when transfers are cancelled while connecting", async(function()
    local server <close> = raw_server.start(function(connection) connection:hold() end)
    stays(function()
      for _, address in ipairs { server.url, "http://127.0.0.1:9", "http://localhost:9", (server.url:gsub("http", "https")) } do
        local handles = {}
        for i = 1, 20 do handles[i] = core.http { url = address } end
        core.sleep(0)
        for _, handle in ipairs(handles) do handle:close() end
        for i = 1, 20 do handles[i] = core.http { url = address } end
        core.sleep(0.002)
        for _, handle in ipairs(handles) do handle:close() end
      end
    end)
  end))

  it("are not lost when names are not found, or given up", async(function()
    stays(function()
      http.get("http://host.invalid/", { timeout = 1 })
      local handle = core.http { url = "http://other.invalid/" }
      core.sleep(0)
      handle:close()
      core.sleep(0.01)
    end)
  end))
end)


describe("a storm of requests that end in every way", function()
  local kinds <const> = { "whole", "chunked", "slow", "half", "reset", "silent", "drip", "done", "garbage" }

  local answers <const> = {
    whole = function(connection) connection:send(response("whole")) end,
    chunked = function(connection) connection:send_cut(stream_head .. chunks("chunked", 2), 17) end,
    slow = function(connection) core.sleep(0.02) connection:send(response("slow")) end,
    half = function(connection) connection:send(response("half"):sub(1, -3)) connection:close() end,
    reset = function(connection) connection:send(stream_head) connection:reset() end,
    silent = function(connection) connection:hold() end,
    drip = function(connection)
      connection:send(stream_head)
      while connection:send("1\r\nx\r\n") do core.sleep(0.003) end
    end,
    done = function(connection)
      connection:send(stream_head .. chunks('data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
        1000, true))
      connection:hold()
    end,
    garbage = function(connection) connection:send("\0\1\2\3\r\n\r\n") connection:close() end,
  }

  --- The same numbers on every machine.
  local function dice(seed)
    return function(n)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed // 65536 % n + 1
    end
  end

  it("leaves nothing behind", async(function()
    local server <close> = raw_server.start(function(connection, request)
      answers[request.target:sub(2)](connection)
    end)
    local random = dice(42)
    local rounds <const> = os.getenv "RILLE_GC" and 2 or 8
    for _ = 1, rounds do
      local tasks = {}
      for i = 1, 40 do
        local kind = kinds[random(#kinds)]
        local how = random(4)
        tasks[i] = core.spawn(function()
          if how == 1 then return http.get(server.url .. "/" .. kind, { timeout = { first_byte = 0.05, total = 0.1 } }) end
          if how == 2 then
            local reply <close> = http.get(server.url .. "/" .. kind, { stream = true, timeout = { first_byte = 0.05, total = 0.1 } })
            return reply and reply:read()
          end
          local handle <close> = core.chat {
            url = server.url .. "/" .. kind, body = "{}", first_byte = 0.05, idle = 0.05, total = 0.1,
            want = how == 3 and "deltas" or nil,
          }
          if how == 3 then handle:next() end
          return handle:finish()
        end)
      end
      for _ = 1, 15 do
        core.sleep(random(4) * 0.001)
        tasks[random(40)]:cancel()
      end
      for _, task in ipairs(tasks) do task:join() end
      assert.equal(0, core.counts().transfers)
    end
    core.sleep(0.08)
  end))
end)
