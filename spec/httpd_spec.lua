--- httpd_spec.lua -- rille.httpd: a strict reader that is fed strings, and a server on loopback.
local connect = require "spec.support.raw_client"
local core = require "rille.core"
local httpd = require "rille.httpd"
local reader = require "rille.httpd.reader"

--- A reader over pieces of text; the end of the list is the end of the stream.
local function over(pieces, limits)
  local i = 0
  return reader.new(function()
    i = i + 1
    return pieces[i]
  end, limits)
end

local function whole(text, limits) return over({ text }, limits) end

local function refusal_of(text, limits)
  local request, refusal = whole(text, limits):request()
  assert.is_nil(request)
  return refusal and refusal.status
end

local get <const> = "GET /v1/models?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
local post <const> = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
local chunked <const> = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
  .. "3\r\nhel\r\n2;name=value\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"


describe("rille.httpd.reader", function()
  it("reads a request line and headers", function()
    local request = assert(whole(get):request())
    assert.equal("GET", request.method)
    assert.equal("/v1/models", request.path)
    assert.equal("x=1", request.query)
    assert.equal("/v1/models?x=1", request.target)
    assert.equal("1.1", request.version)
    assert.same({ host = "localhost" }, request.headers)
    assert.equal("", request.body)
  end)

  it("reads the same whatever the cuts", function()
    for _, text in ipairs { get, post, chunked } do
      local expected = assert(whole(text):request())
      for at = 1, #text - 1 do
        assert.same(expected, over({ text:sub(1, at), text:sub(at + 1) }):request())
      end
      local single = {}
      for byte in text:gmatch "." do single[#single + 1] = byte end
      assert.same(expected, over(single):request())
    end
  end)

  it("reads a body by its length and by chunks", function()
    assert.equal("hello", whole(post):request().body)
    assert.equal("hello", whole(chunked):request().body)
  end)

  it("reads requests that came together, one after the other", function()
    local requests = whole(post .. get .. chunked)
    assert.equal("hello", requests:request().body)
    assert.equal("GET", requests:request().method)
    assert.equal("hello", requests:request().body)
    assert.is_nil(requests:request())
  end)

  it("takes an empty line before a request", function()
    assert.equal("GET", whole("\r\n" .. get):request().method)
  end)

  it("says nothing when the peer is done", function()
    local request, refusal = over({}):request()
    assert.is_nil(request)
    assert.is_nil(refusal)
  end)

  it("joins repeated headers and drops white space around values", function()
    local request = whole("GET / HTTP/1.1\r\nHost: h\r\nA:  1\t\r\na:2 \r\n\r\n"):request()
    assert.equal("1, 2", request.headers.a)
  end)

  it("understands a target with scheme and host", function()
    assert.equal("/x", whole("GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n"):request().path)
  end)

  it("asks for the body of a peer that waits for it", function()
    local asked = 0
    local text = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"
    assert.equal("x", whole(text):request(function() asked = asked + 1 end).body)
    assert.equal(1, asked)
  end)

  local malformed <const> = {
    ["no version"] = "GET /\r\n\r\n",
    ["two spaces"] = "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
    ["a relative target"] = "GET x HTTP/1.1\r\nHost: h\r\n\r\n",
    ["a control character in the target"] = "GET /\1 HTTP/1.1\r\nHost: h\r\n\r\n",
    ["no Host"] = "GET / HTTP/1.1\r\n\r\n",
    ["two Hosts"] = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ["a space before the colon"] = "GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
    ["a folded header"] = "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
    ["a header without colon"] = "GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n",
    ["a NUL in a value"] = "GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n",
    ["a bare line feed"] = "GET / HTTP/1.1\nHost: h\r\n\r\n",
    ["two lengths"] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ["a length beside chunks"] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ["a negative length"] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    ["a length in hex"] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\nx",
    ["a chunk without size"] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ["a chunk longer than its size"] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "1\r\nxy\r\n0\r\n\r\n",
    ["chunks that end early"] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ["a huge chunk size"] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "ffffffffffffffff\r\n",
  }

  for what, text in pairs(malformed) do
    it("refuses " .. what, function() assert.equal(400, refusal_of(text)) end)
  end

  it("refuses what it does not implement", function()
    assert.equal(505, refusal_of "GET / HTTP/2.0\r\nHost: h\r\n\r\n")
    assert.equal(501, refusal_of "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n")
    assert.equal(417, refusal_of "POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n")
  end)

  it("keeps to its limits", function()
    local long = "GET / HTTP/1.1\r\nHost: h\r\nA: " .. ("x"):rep(200) .. "\r\n\r\n"
    assert.equal(431, refusal_of(long, { max_head = 100 }))
    assert.equal(431, refusal_of(("x"):rep(200), { max_head = 100 }))
    local many = "GET / HTTP/1.1\r\nHost: h\r\n" .. ("A: b\r\n"):rep(10) .. "\r\n"
    assert.equal(431, refusal_of(many, { max_headers = 5 }))
    assert.equal(413, refusal_of(post, { max_body = 4 }))
    assert.equal(413, refusal_of(chunked, { max_body = 4 }))
    assert.equal("hello", whole(post, { max_body = 5 }):request().body)
  end)

  it("says that head or body did not arrive", function()
    assert.equal(408, refusal_of "GET / HTT")
    assert.equal(408, refusal_of "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel")
  end)
end)


-- --------------------------------------------------------------------------- over the network

--- Serves a handler for the length of a test.
local function serving(handler, settings, body)
  return async(function()
    local server = assert(httpd.serve(handler, settings))
    local ok, problem = xpcall(body, debug.traceback, server)
    server:close()
    core.sleep(0.01)
    if not ok then error(problem, 0) end
  end)
end

local function echo(request)
  return { status = 200, headers = { "Content-Type: text/plain" }, body = request.body }
end

local function event_stream(more)
  return function()
    local response = { status = 200, headers = { "Content-Type: text/event-stream" },
      body = "data: 1\n\ndata: 2\n\n" }
    for name, value in pairs(more or {}) do response[name] = value end
    return response
  end
end

local close_get <const> = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


describe("rille.httpd.serve", function()
  it("answers with the length of the body", serving(echo, nil, function(server)
    local client = connect(server.port)
    local text = client.talk(post, "hello")
    assert.equal("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
      .. "Connection: keep-alive\r\n\r\nhello", text)
    client.close()
  end))

  it("keeps the connection for further requests", serving(echo, nil, function(server)
    local client = connect(server.port)
    client.talk(post, "hello")
    client.received = ""
    assert.truthy(client.talk(chunked, "hello"):find "200 OK")
    assert.equal(1, server.connections)
    client.close()
  end))

  it("closes when the peer asks for it, or speaks HTTP/1.0", serving(echo, nil, function(server)
    for _, text in ipairs { close_get, "GET / HTTP/1.0\r\n\r\n" } do
      local client = connect(server.port)
      assert.truthy(client.talk(text):find("Connection: close", 1, true))
      client.close()
    end
  end))

  it("sends an event stream in chunks", serving(event_stream(), nil, function(server)
    local client = connect(server.port)
    local text = client.talk(get, "0\r\n\r\n")
    assert.truthy(text:find("Transfer-Encoding: chunked\r\n", 1, true))
    assert.truthy(text:find("12\r\ndata: 1\n\ndata: 2\n\n\r\n0\r\n\r\n", 1, true))
    client.close()
  end))

  it("delimits a stream by closing for HTTP/1.0 and when told to", serving(event_stream { framing = "close" },
    nil, function(server)
      local client = connect(server.port)
      local text = client.talk(get)
      assert.is_nil(text:find "Transfer%-Encoding")
      assert.equal("data: 1\n\ndata: 2\n\n", text:match "\r\n\r\n(.*)$")
      client.close()
    end))

  it("cuts the body into separate writes with pauses between", serving(event_stream { cuts = { 9 }, pause = 0.05 },
    nil, function(server)
      local client = connect(server.port)
      local before = core.now()
      local text = client.talk(get, "0\r\n\r\n")
      assert.is_true(core.now() - before >= 0.045)
      assert.is_true(client.reads >= 2)
      assert.truthy(text:find("9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n", 1, true))
      client.close()
    end))

  it("waits before the response when it has a delay", serving(event_stream { delay = 0.05 }, nil, function(server)
    local client = connect(server.port)
    local before = core.now()
    client.talk(get, "0\r\n\r\n")
    assert.is_true(core.now() - before >= 0.045)
    client.close()
  end))

  it("breaks the connection when the response says so", serving(event_stream { abort = true }, nil, function(server)
    local client = connect(server.port)
    local text = client.talk(get)
    assert.is_nil(text:find("0\r\n\r\n", 1, true))
    client.close()
  end))

  it("answers a malformed request and closes", serving(echo, nil, function(server)
    local client = connect(server.port)
    assert.truthy(client.talk("nonsense\r\n\r\n"):find("^HTTP/1.1 400 Bad Request\r\n"))
    client.close()
  end))

  it("answers a body that is too big, though the peer is still sending", serving(echo,
    { limits = { max_body = 10 } }, function(server)
      local client = connect(server.port)
      local text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" .. ("x"):rep(100000)
      assert.truthy(client.talk(text, "too big"):find("^HTTP/1.1 413 "))
      client.close()
    end))

  it("says 100 Continue to a peer that waits for it", serving(echo, nil, function(server)
    local client = connect(server.port)
    client.talk("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "100 Continue")
    assert.truthy(client.talk("ok", "\r\n\r\nok"):find "200 OK")
    client.close()
  end))

  it("gives up on a head that does not arrive", serving(echo, { limits = { head = 0.05 } }, function(server)
    local client = connect(server.port)
    assert.truthy(client.talk("GET / HT"):find "408")
    client.close()
  end))

  it("closes a connection that stays idle", serving(echo, { limits = { idle = 0.05 } }, function(server)
    local client = connect(server.port)
    assert.equal("", client.talk "")
    client.close()
  end))

  it("turns an error of the handler into a 500", serving(function() error("oops", 0) end, nil, function(server)
    local client = connect(server.port)
    local text = client.talk(close_get)
    assert.truthy(text:find "500 Internal Server Error")
    assert.truthy(text:find "oops")
    client.close()
  end))

  it("lets handlers wait side by side", serving(function()
    core.sleep(0.1)
    return { status = 204 }
  end, nil, function(server)
    local clients, before = {}, core.now()
    for i = 1, 10 do
      clients[i] = connect(server.port)
      clients[i].tcp:write(close_get)
    end
    for _, client in ipairs(clients) do
      client.talk ""
      assert.truthy(client.received:find "204 No Content")
      client.close()
    end
    assert.is_true(core.now() - before < 0.8)
  end))

  it("survives a peer that goes away in the middle of a response", serving(
    event_stream { cuts = { 3, 6, 9 }, pause = 0.02 }, nil, function(server)
      local client = connect(server.port)
      client.tcp:write(get)
      core.sleep(0.02)
      client.close()
      core.sleep(0.1)
      local next_client = connect(server.port)
      assert.truthy(next_client.talk(get, "0\r\n\r\n"):find "200 OK")
      next_client.close()
    end))

  it("cancels handlers and closes connections on close", async(function()
    local server = assert(httpd.serve(function() core.sleep(60) end))
    local client = connect(server.port)
    client.tcp:write(get)
    core.sleep(0.02)
    server:close()
    server:close()
    client.talk ""
    assert.equal("", client.received)
    client.close()
  end))

  it("says which address is in use", serving(echo, nil, function(server)
    local second, problem = httpd.serve(echo, { port = server.port })
    assert.is_nil(second)
    assert.equal("connection", problem.code)
    assert.equal("EADDRINUSE", problem.detail)
    assert.equal(("127.0.0.1:%d: address already in use"):format(server.port), problem.message)
  end))

  it("raises for unknown options", function()
    assert.has_error(function() httpd.serve(echo, { prot = 1 }) end)
  end)
end)
