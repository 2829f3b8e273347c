--- http_spec.lua -- rille.http and core.http against a server that says exactly what each test wants.
local core = require "rille.core"
local http = require "rille.http"
local raw_server = require "spec.support.raw_server"
local uv = core.uv()

local response, chunks, stream_head = raw_server.response, raw_server.chunks, raw_server.stream_head
local patience <const> = os.getenv "RILLE_GC" and 20 or 1 -- an aggressive collector makes all of us slow


--- A server that answers every request with the same bytes, and closes when they say no length.
local function says(bytes, cuts, close)
  return raw_server.start(function(connection)
    connection:send_cut(bytes, cuts or {})
    if close then connection:close() end
  end)
end


--- Seconds that fn takes, then what it returns.
local function timed(fn, ...)
  local before = core.now()
  local results = table.pack(fn(...))
  return core.now() - before, table.unpack(results, 1, results.n)
end


--- Runs fn with environment variables set (false: unset).
local function with_environment(variables, fn)
  local before = {}
  for name, value in pairs(variables) do
    before[name] = os.getenv(name) or false
    if value then uv.os_setenv(name, value) else uv.os_unsetenv(name) end
  end
  local ok, err = pcall(fn)
  for name, value in pairs(before) do
    if value then uv.os_setenv(name, value) else uv.os_unsetenv(name) end
  end
  if not ok then error(err, 0) end
end


describe("rille.http.get", function()
  it("returns status, headers, body and url", async(function()
    local server <close> = says(response("hello", 200, { "X-One: 1", "Content-Type: text/plain" }))
    local reply = assert(http.get(server.url .. "/path"))
    assert.equal(200, reply.status)
    assert.equal("hello", reply.body)
    assert.equal("1", reply.headers["x-one"])
    assert.equal("text/plain", reply.headers["Content-Type"])
    assert.equal(server.url .. "/path", reply.url)
  end))

  it("takes all in one table, too", async(function()
    local server <close> = says(response("hello"))
    local reply = assert(http.get { url = server.url .. "/path", query = { a = 1 } })
    assert.equal("hello", reply.body)
    assert.equal(server.url .. "/path?a=1", reply.url)
  end))

  it("works outside a task, turning the loop", function()
    local server = says(response("hello"))
    local reply = assert(http.get(server.url))
    assert.equal("hello", reply.body)
    server:close()
  end)

  it("decodes JSON", async(function()
    local server <close> = says(response('{"a":[1,2]}'))
    assert.same({ a = { 1, 2 } }, assert(http.get(server.url)):json())
  end))

  it("says which address did not send JSON", async(function()
    local server <close> = says(response("<html>"))
    local value, failure = assert(http.get(server.url .. "/p?key=secret")):json()
    assert.is_nil(value)
    assert.equal("bad_response", failure.code)
    assert.matches(server.url .. "/p is not JSON", failure.message, 1, true)
    assert.not_matches("secret", failure.message)
  end))

  it("takes a status of 400 and more as a reply", async(function()
    for _, status in ipairs { 400, 404, 429, 500, 503 } do
      local server <close> = says(response("no", status))
      local reply = assert(http.get(server.url))
      assert.equal(status, reply.status)
      assert.equal("no", reply.body)
    end
  end))

  it("sends nothing but what was asked for", async(function()
    local server <close> = says(response(""))
    http.get(server.url .. "/x")
    local names = {}
    for _, line in ipairs(server.requests[1].lines) do names[#names + 1] = line:match("^[^:]+"):lower() end
    table.sort(names)
    assert.same({ "accept", "host", "user-agent" }, names)
    assert.matches("^rille/%d", server.requests[1].headers["user-agent"])
  end))

  it("encodes a query with sorted keys, and repeats the key of a list", async(function()
    local server <close> = says(response(""))
    http.get(server.url .. "/x", { query = { b = { 1, 2 }, a = "x y&z", c = true, d = 2.0, ["ü"] = "+" } })
    assert.equal("/x?a=x%20y%26z&b=1&b=2&c=true&d=2&%C3%BC=%2B", server.requests[1].target)
  end))

  it("joins a query to the one in the URL and drops the fragment", async(function()
    local server <close> = says(response(""))
    http.get(server.url .. "/x?a=1#there", { query = { b = 2 } })
    http.get(server.url .. "/x", { query = "raw=%41" })
    assert.equal("/x?a=1&b=2", server.requests[1].target)
    assert.equal("/x?raw=%41", server.requests[2].target)
  end))

  it("sends headers as given, empty and repeated ones too", async(function()
    local server <close> = says(response(""))
    http.get(server.url, { headers = { ["X-Empty"] = "", ["X-Many"] = { "a", "b" }, ["X-Number"] = 7 } })
    local text = table.concat(server.requests[1].lines, "\n")
    assert.matches("X-Empty:\n", text, 1, true)
    assert.matches("X-Many: a\nX-Many: b\nX-Number: 7", text, 1, true)
  end))

  it("joins repeated headers of the response", async(function()
    local server <close> = says(response("", 200, { "Link: a", "LINK: b", "X:  padded \t" }))
    local reply = assert(http.get(server.url))
    assert.equal("a, b", reply.headers.link)
    assert.equal("padded", reply.headers.x)
  end))

  it("uses a connection again", async(function()
    local server <close> = says(response("hello"))
    for _ = 1, 5 do assert.equal("hello", assert(http.get(server.url)).body) end
    assert.equal(1, server.accepted)
    assert.equal(5, #server.requests)
  end))

  it("asks again however often connections died before", async(function()
    local server <close> = raw_server.start(function(connection)
      if connection.is_old then return connection:reset() end
      connection.is_old = true
      connection:send(response "ok")
    end)
    for i = 1, 20 do
      local reply, failure = http.get(server.url .. "/")
      assert.is_nil(failure)
      assert.equal("ok", reply.body, i)
    end
    assert.equal(20, server.accepted)
  end))

  it("asks again on a fresh connection when the server closed the old one", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(response("hello"))
      connection:close()
    end)
    for _ = 1, 3 do assert.equal("hello", assert(http.get(server.url)).body) end
    assert.equal(3, server.accepted)
  end))

  it("repeats a request that met a connection just being closed", async(function()
    local server <close> = raw_server.start(function(connection, request, number)
      if number == 2 then connection:close() return end
      connection:send(response(request.body))
    end)
    assert.equal("one", assert(http.post(server.url, { body = "one" })).body)
    assert.equal("two", assert(http.post(server.url, { body = "two" })).body)
    assert.equal(3, #server.requests)
    assert.equal("two", server.requests[3].body)
  end))
end)


describe("rille.http.post", function()
  it("sends a body with its length and no content type of its own", async(function()
    local server <close> = says(response(""))
    http.post(server.url, { body = "a\0b" })
    local request = server.requests[1]
    assert.equal("POST", request.method)
    assert.equal("a\0b", request.body)
    assert.is_nil(request.headers["content-type"])
    assert.is_nil(request.headers.expect)
  end))

  it("encodes json and names its type", async(function()
    local server <close> = says(response(""))
    http.post(server.url, { json = { b = 1, a = { 1, 2 } } })
    http.post(server.url, { json = false, headers = { ["content-type"] = "application/x+json" } })
    assert.equal('{"a":[1,2],"b":1}', server.requests[1].body)
    assert.equal("application/json", server.requests[1].headers["content-type"])
    assert.equal("false", server.requests[2].body)
    assert.equal("application/x+json", server.requests[2].headers["content-type"])
  end))

  it("sends a large body whole, without waiting for leave", async(function()
    local body = ("0123456789abcdef"):rep(160000)
    local server <close> = raw_server.start(function(connection, request)
      connection:send(response(tostring(#request.body)))
    end)
    local seconds, reply = timed(http.post, server.url, { body = body })
    assert.equal(tostring(#body), assert(reply).body)
    assert.equal(body, server.requests[1].body)
    assert.is_true(seconds < 0.9 * patience)
  end))

  it("takes an answer that comes before the body is out", async(function()
    local server <close> = raw_server.start(function() end)
    server.listener:close()
    local early = uv.new_tcp()
    early:bind("127.0.0.1", 0)
    local peer
    early:listen(1, function()
      peer = uv.new_tcp()
      early:accept(peer)
      peer:write(response("too large", 413, { "Connection: close" }))
    end)
    local reply = http.post(("http://127.0.0.1:%d"):format(early:getsockname().port),
      { body = ("x"):rep(8 << 20), timeout = 2 })
    early:close()
    if peer then peer:close() end
    assert.equal(413, assert(reply).status)
    assert.equal("too large", reply.body)
    server.listener = { close = function() end }
  end))

  it("sends an empty body as a length of 0", async(function()
    local server <close> = says(response(""))
    http.post(server.url)
    http.put(server.url, { body = "" })
    assert.equal("0", server.requests[1].headers["content-length"])
    assert.equal("PUT", server.requests[2].method)
    assert.equal("0", server.requests[2].headers["content-length"])
  end))
end)


describe("the other methods of rille.http", function()
  it("put their name on the wire", async(function()
    local server <close> = says(response(""))
    for _, name in ipairs { "put", "patch", "delete", "get", "post" } do
      assert(http[name](server.url, name == "patch" and { body = "x" } or nil))
    end
    local methods = {}
    for i, request in ipairs(server.requests) do methods[i] = request.method end
    assert.same({ "PUT", "PATCH", "DELETE", "GET", "POST" }, methods)
    assert.equal("x", server.requests[2].body)
  end))

  it("take the head alone for HEAD", async(function()
    local server <close> = says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX-A: b\r\n\r\n")
    local reply = assert(http.head(server.url, { timeout = 1 }))
    assert.equal("", reply.body)
    assert.equal("b", reply.headers["x-a"])
    assert.equal("HEAD", server.requests[1].method)
  end))

  it("can be any, through request; a body makes it POST", async(function()
    local server <close> = says(response(""))
    http.request { url = server.url, method = "REPORT" }
    http.request { url = server.url, method = "DELETE", body = "x" }
    http.request { url = server.url, json = {} }
    http.request { url = server.url }
    local methods = {}
    for i, request in ipairs(server.requests) do methods[i] = request.method end
    assert.same({ "REPORT", "DELETE", "POST", "GET" }, methods)
    assert.equal("x", server.requests[2].body)
  end))

  it("leave no trace in the next request on the same connection", async(function()
    local server <close> = says(response(""))
    http.request { url = server.url, method = "PATCH", body = "x", headers = { ["X-Secret"] = "s" } }
    http.get(server.url)
    local second = server.requests[2]
    assert.equal("GET", second.method)
    assert.equal("", second.body)
    assert.is_nil(second.headers["x-secret"])
    assert.is_nil(second.headers["content-length"])
  end))
end)


describe("wrong arguments of rille.http", function()
  local function raises(message, ...)
    local arguments = table.pack(...)
    local ok, err = pcall(function() http.get(table.unpack(arguments, 1, arguments.n)) end)
    assert.is_false(ok)
    assert.matches("^spec/http_spec.lua:%d+: ", err)
    assert.matches(message, err, 1, true)
  end

  it("raise at the caller", function()
    raises("URL expected, got nil")
    raises("unknown option 'heders' (did you mean 'headers'?)", "http://x", { heders = {} })
    raises("unknown option 'conect'", "http://x", { timeout = { conect = 1 } })
    raises("option 'timeout': number or table expected", "http://x", { timeout = "1" })
    raises("idle is negative", "http://x", { timeout = { idle = -1 } })
    raises("either body or json", "http://x", { body = "x", json = {} })
    raises("option 'method' belongs to rille.http.request", "http://x", { method = "POST" })
    raises("option 'url' belongs to rille.http.request", "http://x", { url = "http://y" })
    raises("options: table expected, got string", "http://x", "query")
  end)

  it("raise at the caller for what JSON cannot hold, and for no options at all", function()
    raises("option 'json': json: a.b: a function has no JSON", "http://x", { json = { a = { b = print } } })
    local ok, err = pcall(function() http.request() end)
    assert.is_false(ok)
    assert.matches("^spec/http_spec.lua:%d+: rille.http.request: option 'url' is missing", err)
  end)

  it("raise at the caller when all is in one table, too", function()
    raises("option 'url' is missing", {})
    raises("unknown option 'heders' (did you mean 'headers'?)", { url = "http://x", heders = {} })
    raises("option 'method' belongs to rille.http.request", { url = "http://x", method = "POST" })
    raises("URL expected, got table", { url = "http://x" }, {})
  end)

  it("raise for headers that would smuggle lines, without telling their value", function()
    raises("header 'A': its value holds a line break", "http://x", { headers = { A = "secret\r\nB: c" } })
    raises("header 'A': its value holds a line break", "http://x", { headers = { A = { "x", "y\nz" } } })
    raises("header 'A': its value holds a line break or a NUL", "http://x", { headers = { A = "x\0" } })
    raises("that is no header name", "http://x", { headers = { ["A\nB"] = "c" } })
    raises("that is no header name", "http://x", { headers = { ["A:"] = "c" } })
    raises("header 'A': string expected, got boolean", "http://x", { headers = { A = true } })
    local ok, err = pcall(function() http.get("http://x", { headers = { A = "secret\n" } }) end)
    assert.is_false(ok)
    assert.not_matches("secret", err)
  end)

  it("raise for what is no method", function()
    local ok, err = pcall(function() http.request { url = "http://x", method = "GET / HTTP/1.1\r\n" } end)
    assert.is_false(ok)
    assert.matches("is no HTTP method", err)
  end)
end)


describe("framing of responses", function()
  local body = ("line of text\n"):rep(50)
  local framings = {
    length = response(body),
    chunked = stream_head .. chunks(body, 37),
    ["one chunk"] = stream_head .. chunks(body, 100000),
    trailers = stream_head .. chunks(body, 100, true) .. "0\r\nX-Trailer: yes\r\n\r\n",
    close = raw_server.head(200, { "Connection: close" }) .. body,
    ["interim first"] = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" .. response(body),
  }

  for name, bytes in pairs(framings) do
    it("does not matter: " .. name, async(function()
      local server <close> = says(bytes, nil, name == "close")
      local reply = assert(http.get(server.url))
      assert.equal(200, reply.status)
      assert.equal(body, reply.body)
      assert.is_nil(reply.headers.link)
    end))

    it("does not matter where it is cut: " .. name, async(function()
      local server <close> = says(bytes, 7, name == "close")
      assert.equal(body, assert(http.get(server.url)).body)
    end))
  end

  it("knows responses without a body", async(function()
    local server <close> = says("HTTP/1.1 204 No Content\r\n\r\n")
    local reply = assert(http.get(server.url, { timeout = 1 }))
    assert.equal(204, reply.status)
    assert.equal("", reply.body)
  end))

  it("keeps bytes as they are", async(function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    local all = table.concat(bytes)
    local server <close> = says(response(all))
    assert.equal(all, assert(http.get(server.url)).body)
  end))
end)


describe("compressed bodies", function()
  -- gzip of "hello hello hello hello\n"
  local gzip = ("1f8b08000000000002ffcb48cdc9c957c84027b9000088590b18000000"):gsub("%x%x",
    function(hex) return string.char(tonumber(hex, 16)) end)

  it("are not asked for, but decoded", async(function()
    local server <close> = says(response(gzip, 200, { "Content-Encoding: gzip" }))
    local reply = assert(http.get(server.url))
    assert.is_nil(server.requests[1].headers["accept-encoding"])
    assert.equal("hello hello hello hello\n", reply.body)
  end))

  it("are capped by what they decode to", async(function()
    local server <close> = says(response(gzip, 200, { "Content-Encoding: gzip" }))
    local _, failure = http.get(server.url, { max_bytes = 10 })
    assert.equal("bad_response", failure.code)
    assert.matches("more than 10 bytes", failure.message)
  end))

  it("that are broken are a bad response", async(function()
    local server <close> = says(response("this is no gzip", 200, { "Content-Encoding: gzip" }))
    local _, failure = http.get(server.url)
    assert.equal("bad_response", failure.code)
    assert.matches("cannot be decompressed", failure.message)
  end))
end)


describe("a server that cannot be reached", function()
  it("is named, with the reason and what to do", async(function()
    local _, failure = http.get("http://127.0.0.1:9/v1/x?key=secret")
    assert.equal("connection", failure.code)
    assert.equal("could not connect to http://127.0.0.1:9/v1/x: connection refused; is the server running?",
      failure.message)
  end))

  it("shows no user and no password", async(function()
    local _, failure = http.get("http://user:word@127.0.0.1:9/")
    assert.not_matches("word", failure.message)
  end))

  it("has a name that nobody knows", async(function()
    local _, failure = http.get("http://no-such-host.invalid/x")
    assert.equal("connection", failure.code)
    assert.matches("could not reach http://no%-such%-host.invalid/x", failure.message)
  end))

  it("is no http address", async(function()
    for _, address in ipairs { "file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "http://[::1", "http://a b/",
      "gopher://127.0.0.1:1/", "", "//x" } do
      local reply, failure = http.get(address, { timeout = 1 })
      assert.is_nil(reply)
      assert.is_true(failure.code == "invalid_request" or failure.code == "connection", address)
    end
  end))

  it("speaks no TLS where https was asked for", async(function()
    local listener = uv.new_tcp()
    listener:bind("127.0.0.1", 0)
    local peer
    listener:listen(1, function()
      peer = uv.new_tcp()
      listener:accept(peer)
      peer:write(response("x", 400))
    end)
    local _, failure = http.get(("https://127.0.0.1:%d"):format(listener:getsockname().port))
    listener:close()
    peer:close()
    assert.equal("connection", failure.code)
    assert.matches("does the server speak https?", failure.message, 1, true)
  end))
end)


describe("a server that breaks off", function()
  local function fails(handler, code, message)
    local server <close> = raw_server.start(handler)
    local reply, failure = http.get(server.url, { timeout = 3 })
    assert.is_nil(reply)
    assert.equal(code, failure.code)
    assert.matches(message, failure.message)
    assert.matches(server.url, failure.message, 1, true)
  end

  it("without a word", async(function()
    fails(function(connection) connection:close() end, "connection", "closed the connection without a whole answer")
  end))

  it("with a reset before the answer", async(function()
    fails(function(connection) connection:reset() end, "connection", "broke after 0 bytes.*reset")
  end))

  it("in the head", async(function()
    fails(function(connection)
      connection:send("HTTP/1.1 200 OK\r\nContent-Le")
      connection:close()
    end, "connection", "without a whole answer")
  end))

  it("in a body of known length", async(function()
    fails(function(connection)
      connection:send(response("0123456789"):sub(1, -5))
      connection:close()
    end, "connection", "broke after 6 bytes")
  end))

  it("in a chunked body", async(function()
    fails(function(connection)
      connection:send(stream_head .. chunks("0123456789", 5, true))
      connection:close()
    end, "connection", "broke after 10 bytes")
  end))

  it("with a reset in the body", async(function()
    fails(function(connection)
      connection:send(stream_head .. chunks("0123456789", 5, true))
      core.sleep(0.02)
      connection:reset()
    end, "connection", "broke after 10 bytes")
  end))

  it("by not speaking HTTP", async(function()
    fails(function(connection)
      connection:send("SSH-2.0-OpenSSH_9.2\r\n")
      connection:close()
    end, "bad_response", "did not answer in HTTP")
  end))

  it("with nonsense for chunks", async(function()
    local server <close> = says(stream_head .. "zz\r\nhello\r\n")
    local _, failure = http.get(server.url, { timeout = 3 })
    assert.is_true(failure.code == "connection" or failure.code == "bad_response")
  end))

  it("at every offset of a response, with a failure or the whole body, never with half of it", async(function()
    for _, bytes in ipairs { response("0123456789"), stream_head .. chunks("0123456789", 4) } do
      for offset = 0, #bytes - 1, patience do
        local server <close> = raw_server.start(function(connection)
          if offset > 0 then connection:send(bytes:sub(1, offset)) end
          connection:close()
        end)
        local reply, failure = http.get(server.url, { timeout = 3 })
        if reply then
          assert.equal("0123456789", reply.body)
        else
          assert.is_true(failure.code == "connection" or failure.code == "bad_response")
        end
      end
    end
  end))
end)


describe("limits on time", function()
  --- The limit fires, says its name, and not much later than asked.
  local function expires(handler, timeout, message)
    local server <close> = raw_server.start(handler)
    local limit = type(timeout) == "table" and select(2, next(timeout)) or timeout
    local seconds, reply, failure = timed(http.get, server.url .. "/slow", { timeout = timeout })
    assert.is_nil(reply)
    assert.equal("timeout", failure.code)
    assert.matches(message, failure.message)
    assert.matches(server.url .. "/slow", failure.message, 1, true)
    assert.is_true(seconds >= limit * 0.95, "too early: " .. seconds)
    assert.is_true(seconds < limit * 1.1 + 0.3 * patience, "too late: " .. seconds)
  end

  it("first_byte: a server that says nothing", async(function()
    expires(function(connection) connection:hold() end, { first_byte = 0.15 }, "within 0.15 s %(first_byte timeout%)")
  end))

  it("first_byte: a head that drips for ever", async(function()
    expires(function(connection)
      connection:send("HTTP/1.1 200 OK\r\n")
      while connection:send("X: y\r\n") do core.sleep(0.02) end
    end, { first_byte = 0.15 }, "first_byte timeout")
  end))

  it("idle: a body that stops", async(function()
    expires(function(connection)
      connection:send(stream_head .. chunks("x", 1, true))
      connection:hold()
    end, { idle = 0.15 }, "sent nothing for 0.15 s %(idle timeout%)")
  end))

  it("total: a body that drips for ever", async(function()
    expires(function(connection)
      connection:send(stream_head)
      while connection:send("1\r\nx\r\n") do core.sleep(0.02) end
    end, 0.2, "longer than 0.2 s %(total timeout%)")
  end))

  it("total: over all hops of redirects", async(function()
    expires(function(connection)
      core.sleep(0.06)
      connection:send(response("", 302, { "Location: /slow" }))
    end, 0.15, "total timeout")
  end))

  it("connect: a server that is silent where TLS should begin", async(function()
    local server <close> = raw_server.start(function() end)
    local address = server.url:gsub("^http", "https") .. "/x"
    local seconds, reply, failure = timed(http.get, address, { timeout = { connect = 0.15 } })
    assert.is_nil(reply)
    assert.equal("timeout", failure.code)
    assert.matches("could not connect to https://.*/x within 0.15 s %(connect timeout%)", failure.message)
    assert.is_true(seconds < 0.2 + 0.3 * patience)
  end))

  it("idle is not broken by a steady drip", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head)
      connection:send_cut(chunks(("x"):rep(10), 1), 3, 0.02)
    end)
    assert.equal(("x"):rep(10), assert(http.get(server.url, { timeout = { idle = 0.15 } })).body)
  end))

  it("first_byte counts from the end of a long upload", async(function()
    local server <close> = raw_server.start(function(connection, request)
      connection:send(response(tostring(#request.body)))
    end)
    local body = ("x"):rep(4 << 20)
    assert.equal(tostring(#body), assert(http.post(server.url, { body = body, timeout = { first_byte = 0.5 } })).body)
  end))
end)


describe("limits on size", function()
  it("end an endless body at max_bytes", async(function()
    local sent = 0
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head)
      local piece = chunks(("x"):rep(10000), 10000, true)
      while connection:send(piece) do sent = sent + 10000 end
    end)
    local reply, failure = http.get(server.url, { max_bytes = 100000, timeout = 5 })
    assert.is_nil(reply)
    assert.equal("bad_response", failure.code)
    assert.matches("more than 100000 bytes of its body %(max_bytes%)", failure.message)
    assert.is_true(sent < 20e6)
  end))

  it("let a body of exactly max_bytes through", async(function()
    local server <close> = says(response(("x"):rep(1000)))
    assert.equal(1000, #assert(http.get(server.url, { max_bytes = 1000 })).body)
    local _, failure = http.get(server.url, { max_bytes = 999 })
    assert.equal("bad_response", failure.code)
  end))

  it("end a flood of header fields at 64 KiB", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send("HTTP/1.1 200 OK\r\n")
      while connection:send(("X-Flood: %s\r\n"):format(("y"):rep(1000))) do core.sleep(0) end
    end)
    local reply, failure = http.get(server.url, { timeout = 5 })
    assert.is_nil(reply)
    assert.equal("bad_response", failure.code)
    assert.matches("more than 65536 bytes of header fields", failure.message)
  end))

  it("end a header line without end", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send("HTTP/1.1 200 OK\r\nX: ")
      while connection:send(("y"):rep(10000)) do core.sleep(0) end
    end)
    local reply, failure = http.get(server.url, { timeout = 5 })
    assert.is_nil(reply)
    assert.equal("bad_response", failure.code)
    assert.matches("header field", failure.message)
  end))
end)


describe("a streamed reply", function()
  it("comes when its head is there, and is read in pieces", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head .. chunks("one", 10, true))
      core.sleep(0.05)
      connection:send(chunks("two", 10))
    end)
    local reply <close> = assert(http.get(server.url, { stream = true }))
    assert.equal(200, reply.status)
    assert.equal("one", reply:read())
    assert.equal("two", reply:read())
    assert.is_nil(reply:read())
    assert.is_nil(reply:read())
    assert.is_nil(reply.failure)
  end))

  it("is iterated", async(function()
    local server <close> = says(stream_head .. chunks(("x"):rep(5000), 100), 999)
    local bytes = {}
    for piece in assert(http.get(server.url, { stream = true })) do bytes[#bytes + 1] = piece end
    assert.equal(("x"):rep(5000), table.concat(bytes))
  end))

  it("tells a body that broke off", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head .. chunks("one", 10, true))
      connection:close()
    end)
    local reply <close> = assert(http.get(server.url, { stream = true }))
    assert.equal("one", reply:read())
    local bytes, failure = reply:read()
    assert.is_nil(bytes)
    assert.equal("connection", failure.code)
    assert.equal(failure, reply.failure)
  end))

  it("makes the server wait when nobody reads", async(function()
    local sent, total = 0, 8 << 20
    local server <close> = raw_server.start(function(connection)
      connection:send(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(total))
      local piece = ("x"):rep(1 << 16)
      while sent < total and connection:send(piece) do sent = sent + #piece end
    end)
    local reply <close> = assert(http.get(server.url, { stream = true, timeout = { idle = 0.1 } }))
    core.sleep(0.3) -- longer than idle: it is us who are slow, not the server
    assert.is_true(sent < total)
    local received = 0
    for piece in reply do received = received + #piece end
    assert.is_nil(reply.failure)
    assert.equal(total, received)
  end))

  it("ends the transfer when it is closed early", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head .. chunks("one", 10, true))
      connection:hold()
    end)
    do
      local reply <close> = assert(http.get(server.url, { stream = true }))
      assert.equal("one", reply:read())
    end
    core.sleep(0.02)
    assert.equal(0, server.open)
  end))

  it("ends the transfer when it is collected", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(stream_head .. chunks("one", 10, true))
      connection:hold()
    end)
    do
      local reply = assert(http.get(server.url, { stream = true }))
      assert.equal("one", reply:read())
    end
    collectgarbage()
    collectgarbage()
    core.sleep(0.02)
    assert.equal(0, server.open)
  end))
end)


describe("cancelling", function()
  it("a waiting task ends its transfer", async(function()
    local server <close> = raw_server.start(function(connection) connection:hold() end)
    local task = core.spawn(function() return http.get(server.url) end)
    core.sleep(0.03)
    assert.equal(1, server.open)
    task:cancel("enough")
    local _, failure = task:join()
    assert.equal("cancelled", failure.code)
    core.sleep(0.02)
    assert.equal(0, server.open)
  end))

  it("happens at any moment of a transfer", async(function()
    local server <close> = raw_server.start(function(connection)
      core.sleep(0.003)
      connection:send_cut(stream_head .. chunks(("x"):rep(100), 10), 20, 0.001)
    end)
    for i = 0, 40 do
      local task = core.spawn(function() return http.get(server.url) end)
      core.sleep(i * 0.0005)
      task:cancel()
      task:join()
    end
    core.sleep(0.05)
    assert.is_true(server.open <= 1)
  end))

  it("a handle by closing it wakes who waits for it", async(function()
    local server <close> = raw_server.start(function(connection) connection:hold() end)
    local handle = core.http { url = server.url }
    local task = core.spawn(function() return handle:head() end)
    core.sleep(0.02)
    handle:close()
    handle:close()
    local head, failure = task:join()
    assert.is_nil(head)
    assert.equal("cancelled", failure.code)
    assert.has_error(function() handle:read() end)
  end))
end)


describe("redirects", function()
  --- A server that answers by path.
  local function paths(table_of_answers)
    return raw_server.start(function(connection, request)
      connection:send(table_of_answers[request.target] or response("not here", 404))
    end)
  end

  local function redirect(status, location)
    return response("moved", status, { "Location: " .. location })
  end

  it("are followed for GET, relative to where they came from", async(function()
    local server <close> = paths {
      ["/a/b/c"] = redirect(302, "../d?x=1#frag"), ["/a/d?x=1"] = redirect(301, "e"),
      ["/a/e"] = redirect(308, "/f"), ["/f"] = response("here"),
    }
    local reply = assert(http.get(server.url .. "/a/b/c"))
    assert.equal("here", reply.body)
    assert.equal(server.url .. "/f", reply.url)
  end))

  it("are not followed when asked so", async(function()
    local server <close> = paths { ["/"] = redirect(302, "/x") }
    assert.equal(302, assert(http.get(server.url .. "/", { redirects = false })).status)
    assert.equal(302, assert(http.get(server.url .. "/", { redirects = 0 })).status)
  end))

  it("end after five, or as many as were allowed", async(function()
    local server <close> = raw_server.start(function(connection, request)
      connection:send(redirect(302, "/" .. (tonumber(request.target:sub(2)) + 1)))
    end)
    local reply, failure = http.get(server.url .. "/1")
    assert.is_nil(reply)
    assert.equal("bad_response", failure.code)
    assert.matches("more than 5 times", failure.message)
    assert.equal(6, #server.requests)
    http.get(server.url .. "/1", { redirects = 2 })
    assert.equal(9, #server.requests)
  end))

  it("turn POST into GET without a body, as browsers do", async(function()
    for _, status in ipairs { 301, 302, 303 } do
      local server <close> = paths { ["/"] = redirect(status, "/x"), ["/x"] = response("got") }
      local reply = assert(http.post(server.url .. "/", { body = "data", headers = { ["Content-Type"] = "a/b", X = "y" } }))
      assert.equal("got", reply.body)
      local second = server.requests[2]
      assert.equal("GET", second.method)
      assert.equal("", second.body)
      assert.is_nil(second.headers["content-type"])
      assert.equal("y", second.headers.x)
    end
  end))

  it("keep method and body for 307 and 308 on the same origin", async(function()
    for _, status in ipairs { 307, 308 } do
      local server <close> = paths { ["/"] = redirect(status, "/x"), ["/x"] = response("got") }
      assert.equal("got", assert(http.post(server.url .. "/", { body = "data" })).body)
      assert.equal("POST", server.requests[2].method)
      assert.equal("data", server.requests[2].body)
    end
  end))

  it("take no header of the caller to another origin", async(function()
    local other <close> = says(response("elsewhere"))
    local server <close> = paths { ["/"] = redirect(302, other.url .. "/x") }
    local reply = assert(http.get(server.url .. "/", {
      headers = { Authorization = "Bearer k", ["api-key"] = "k", ["X-Api-Key"] = "k", Cookie = "k", X = "k" },
    }))
    assert.equal("elsewhere", reply.body)
    assert.not_matches("k\n", table.concat(other.requests[1].lines, "\n") .. "\n")
    assert.is_nil(other.requests[1].headers.authorization)
  end))

  it("take no body to another origin", async(function()
    local other <close> = says(response("elsewhere"))
    local server <close> = paths { ["/"] = redirect(307, other.url .. "/x") }
    local reply = assert(http.post(server.url .. "/", { body = "data" }))
    assert.equal(307, reply.status)
    assert.equal(0, #other.requests)
  end))

  it("lead to no other kind of address", async(function()
    local server <close> = paths { ["/"] = redirect(302, "file:///etc/passwd") }
    local reply, failure = http.get(server.url .. "/")
    assert.is_nil(reply)
    assert.equal("invalid_request", failure.code)
  end))

  it("without a Location are replies", async(function()
    local server <close> = says(response("?", 302))
    assert.equal(302, assert(http.get(server.url)).status)
    local unchanged <close> = says("HTTP/1.1 304 Not Modified\r\nLocation: /x\r\n\r\n")
    assert.equal(304, assert(http.get(unchanged.url)).status)
  end))

  it("keep HEAD what it is", async(function()
    local server <close> = paths { ["/"] = redirect(303, "/x"), ["/x"] = "HTTP/1.1 200 OK\r\nX: y\r\n\r\n" }
    server.handler = function(connection, request)
      connection:send("HTTP/1.1 " .. (request.target == "/" and "303 x\r\nLocation: /x" or "200 OK") .. "\r\nX: y\r\n\r\n")
    end
    assert.equal(200, assert(http.head(server.url .. "/", { timeout = 1 })).status)
    assert.equal("HEAD", server.requests[2].method)
  end))
end)


describe("proxies", function()
  local none = { HTTPS_PROXY = false, https_proxy = false, ALL_PROXY = false, all_proxy = false, http_proxy = false,
    HTTP_PROXY = false, NO_PROXY = false, no_proxy = false }

  local function environment(variables)
    local all = {}
    for name, value in pairs(none) do all[name] = value end
    for name, value in pairs(variables) do all[name] = value end
    return all
  end

  it("come from the environment by scheme", function()
    local route = require "rille.http.route"
    local cases = {
      { { HTTPS_PROXY = "http://p:1" }, "https://example.org/", "http://p:1" },
      { { https_proxy = "http://p:1" }, "https://example.org/", "http://p:1" },
      { { ALL_PROXY = "http://p:2" }, "https://example.org/", "http://p:2" },
      { { http_proxy = "http://p:3" }, "http://example.org/", "http://p:3" },
      { { HTTP_PROXY = "http://p:3" }, "http://example.org/", nil },
      { { HTTPS_PROXY = "http://p:1" }, "http://example.org/", nil },
      { { ALL_PROXY = "http://p:1" }, "http://example.org/", nil },
      { { http_proxy = "http://p:3" }, "https://example.org/", nil },
      { { http_proxy = "http://p:3", ALL_PROXY = "http://p:3" }, "http://127.0.0.1:80/", nil },
      { { http_proxy = "http://p:3" }, "http://LOCALHOST/", nil },
      { { HTTPS_PROXY = "http://p:3" }, "https://[::1]:8/", nil },
      { { HTTPS_PROXY = "" }, "https://example.org/", nil },
    }
    for _, case in ipairs(cases) do
      with_environment(environment(case[1]), function() assert.equal(case[3], (route.proxy(case[2]))) end)
    end
    with_environment(environment { HTTPS_PROXY = "http://p:1", NO_PROXY = "a,b" }, function()
      assert.same({ "http://p:1", "a,b" }, { route.proxy("https://example.org") })
    end)
  end)

  it("get the request for a foreign host, with the whole URL", async(function()
    local proxy <close> = says(response("through the proxy"))
    with_environment(environment { http_proxy = proxy.url }, function()
      assert.equal("through the proxy", assert(http.get("http://example.invalid/x?y=1")).body)
    end)
    assert.equal("http://example.invalid/x?y=1", proxy.requests[1].target)
  end))

  it("are left out for hosts of NO_PROXY", async(function()
    local proxy <close> = says(response("through the proxy"))
    with_environment(environment { http_proxy = proxy.url, no_proxy = ".invalid" }, function()
      local _, failure = http.get("http://example.invalid/")
      assert.equal("connection", failure.code)
    end)
    assert.equal(0, #proxy.requests)
  end))

  it("open a tunnel for https, and say when they will not", async(function()
    local proxy <close> = says(response("no", 407))
    with_environment(environment { HTTPS_PROXY = proxy.url }, function()
      local _, failure = http.get("https://example.invalid/x")
      assert.equal("connection", failure.code)
      assert.matches("407", failure.message)
    end)
    assert.equal("CONNECT", proxy.requests[1].method)
    assert.equal("example.invalid:443", proxy.requests[1].target)
  end))

  it("of the environment do not concern core.http", async(function()
    local proxy <close> = says(response("through the proxy"))
    with_environment(environment { http_proxy = proxy.url, ALL_PROXY = proxy.url }, function()
      local handle <close> = core.http { url = "http://example.invalid/" }
      local head, failure = handle:head()
      assert.is_nil(head)
      assert.equal("connection", failure.code)
    end)
  end))
end)


describe("core.http", function()
  it("reads head, then body", async(function()
    local server <close> = says(response("hello", 201, { "A: b" }))
    local handle <close> = core.http { url = server.url, headers = { "X-A: 1" } }
    assert.same({ status = 201, headers = { a = "b", ["content-length"] = "5" }, url = server.url }, handle:head())
    assert.equal("hello", handle:body())
    assert.equal("", handle:body())
  end))

  it("reads piece by piece, and knows the end", async(function()
    local server <close> = says(response("hello"))
    local handle <close> = core.http { url = server.url }
    assert.equal("hello", handle:read())
    assert.is_nil(handle:read())
    assert.is_nil(handle:read())
  end))

  it("raises for options that make no request", function()
    for _, options in ipairs {
      {}, { url = 1 }, { url = "http://x", headers = { "no colon" } }, { url = "http://x", headers = { "A: b\nC: d" } },
      { url = "http://x", headers = "A: b" }, { url = "http://x\0y" }, { url = "http://x", method = "A B" },
      { url = "http://x", total = -1 }, { url = "http://x", nonsense = 1 }, { url = "http://x", headers = { 1 } },
    } do
      assert.has_error(function() core.http(options) end)
    end
  end)

  it("does not tell a header's value when it refuses it", function()
    local ok, err = pcall(core.http, { url = "http://x", headers = { "Authorization: Bearer secret\n" } })
    assert.is_false(ok)
    assert.matches("header 'Authorization' holds a line break", err)
    assert.not_matches("secret", err)
  end)

  it("gives bytes that came before a break, then the failure", async(function()
    local server <close> = raw_server.start(function(connection)
      connection:send(response("0123456789"):sub(1, -6))
      connection:close()
    end)
    local handle <close> = core.http { url = server.url }
    assert.equal("01234", handle:read())
    local bytes, failure = handle:read()
    assert.is_nil(bytes)
    assert.equal("connection", failure.code)
  end))
end)


describe("many requests at once", function()
  it("all get their own answer, over no more connections than needed", async(function()
    local server <close> = raw_server.start(function(connection, request)
      connection:send_cut(response(request.target), 30)
    end)
    local tasks = {}
    for round = 1, 3 do
      for i = 1, 100 do
        tasks[i] = core.spawn(function() return http.get(server.url .. "/" .. round .. "/" .. i) end)
      end
      for i = 1, 100 do
        local reply, failure = tasks[i]:join()
        assert.is_nil(failure)
        assert.equal("/" .. round .. "/" .. i, reply.body)
      end
    end
    assert.is_true(server.accepted <= 100)
  end))

  it("go on while other tasks run, and beyond one shard of transfers", async(function()
    local count <const> = 150
    local waiting = {}
    local server <close> = raw_server.start(function(connection)
      local op = core.op()
      waiting[#waiting + 1] = op
      if #waiting == count then
        for _, other in ipairs(waiting) do other:complete() end
      end
      op:wait()
      connection:send(response("together"))
    end)
    local tasks = {}
    for i = 1, count do tasks[i] = core.spawn(function() return http.get(server.url, { timeout = 60 }) end) end
    for i = 1, count do
      local reply, failure = tasks[i]:join()
      assert.is_nil(failure)
      assert.equal("together", reply.body)
    end
    assert.equal(count, server.accepted)
  end))

  it("fail side by side without harm to each other", async(function()
    local server <close> = raw_server.start(function(connection, request)
      if request.target == "/reset" then connection:reset() return end
      if request.target == "/close" then connection:close() return end
      if request.target == "/hold" then connection:hold() return end
      connection:send(response("fine"))
    end)
    local kinds = { "/reset", "/close", "/hold", "/fine", "/refused" }
    local tasks = {}
    for i = 1, 50 do
      local kind = kinds[i % #kinds + 1]
      local base = kind == "/refused" and "http://127.0.0.1:9" or server.url
      tasks[i] = { kind, core.spawn(function() return http.get(base .. kind, { timeout = { first_byte = 0.2 * patience } }) end) }
    end
    for _, pair in ipairs(tasks) do
      local reply, failure = pair[2]:join()
      if pair[1] == "/fine" then
        assert.equal("fine", assert(reply, failure).body)
      else
        assert.is_nil(reply)
        assert.equal(pair[1] == "/hold" and "timeout" or "connection", failure.code)
      end
    end
  end))
end)
