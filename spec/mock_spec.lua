--- mock_spec.lua -- rille.mock: scripted models behind a port.
local connect = require "spec.support.raw_client"
local core = require "rille.core"
local crowd = require "spec.support.crowd"
local json = require "rille.json"
local mock = require "rille.mock"
local script = require "rille.script"
local uv = require "rille.uv"

--- Serves models for the length of a test.
local function serving(models, body)
  return async(function()
    local server = assert(mock.serve(type(models) == "function" and models() or models))
    local ok, problem = xpcall(body, debug.traceback, server)
    server:close()
    core.sleep(0.01)
    if not ok then error(problem, 0) end
  end)
end

local function http(method, path, body)
  body = body or ""
  return ("%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(
    method, path, #body, body)
end

--- Status and body of one exchange on a connection of its own.
local function exchange(server, method, path, body)
  local client = connect(server.port)
  local text = client.talk(http(method, path, body))
  client.close()
  local status, head, answer = text:match "^HTTP/1.1 (%d+) [^\r]*\r\n(.-)\r\n\r\n(.*)$"
  return tonumber(status), answer, head
end

local function complete(server, request)
  return exchange(server, "POST", "/v1/chat/completions", json.encode(request))
end

local function error_of(body) return assert(json.decode(body)).error end

local hello <const> = { model = "m", messages = { { role = "user", content = "hi" } } }


describe("rille.mock.serve", function()
  it("has a URL that ends in /v1", serving(script { "x" }, function(server)
    assert.equal(("http://127.0.0.1:%d/v1"):format(server.port), server.url)
    assert.equal("127.0.0.1", server.host)
  end))

  it("answers completions from the script", serving(function() return script { "Hello!" } end, function(server)
    local status, body = complete(server, hello)
    assert.equal(200, status)
    assert.equal("Hello!", assert(json.decode(body)).choices[1].message.content)
  end))

  it("serves the very bytes that the script answers in process", function()
    local request = { model = "m", stream = true, messages = {} }
    local expected = script({ "Grüße" }):respond(request).body
    serving(script { "Grüße" }, function(server)
      local _, body, head = complete(server, request)
      assert.truthy(head:find("Content-Type: text/event-stream", 1, true))
      local unframed = body:gsub("^%x+\r\n(.*)\r\n0\r\n\r\n$", "%1")
      assert.equal(expected, unframed)
    end)()
  end)

  it("records requests with their headers, bytes and decoded body", serving(script { "x" }, function(server)
    complete(server, hello)
    local request = server.requests[1]
    assert.equal("POST", request.method)
    assert.equal("/v1/chat/completions", request.path)
    assert.equal("h", request.headers.host)
    assert.equal(json.encode(hello), request.body)
    assert.same(hello, request.json)
  end))

  it("answers under any base path", serving(function() return script { "x", loop = true } end, function(server)
    for _, path in ipairs { "/chat/completions", "/api/v1/chat/completions",
      "/openai/deployments/d/chat/completions?api-version=1" } do
      assert.equal(200, (exchange(server, "POST", path, "{}")))
    end
  end))

  it("lists its models", serving({ two = script { "2" }, one = script { "1" } }, function(server)
    local status, body = exchange(server, "GET", "/v1/models")
    assert.equal(200, status)
    local list = assert(json.decode(body))
    assert.equal("list", list.object)
    assert.equal("one", list.data[1].id)
    assert.equal("two", list.data[2].id)
    assert.equal("model", list.data[1].object)
  end))

  it("lists the one model under its name", serving(script { "x", model = "parrot" }, function(server)
    local _, body = exchange(server, "GET", "/v1/models")
    assert.equal("parrot", assert(json.decode(body)).data[1].id)
  end))

  it("picks the script by the model's name", serving({ one = script { "1" }, two = script { "2" } }, function(server)
    local _, body = complete(server, { model = "two", messages = {} })
    assert.equal("2", assert(json.decode(body)).choices[1].message.content)
    local status, refusal = complete(server, { model = "tow", messages = {} })
    assert.equal(404, status)
    assert.equal("model_not_found", error_of(refusal).code)
    assert.truthy(error_of(refusal).message:find "did you mean 'two'")
  end))

  it("answers failures with their status and headers", serving(
    script { script.failure { status = 429, retry_after = 1 } }, function(server)
      local status, body, head = complete(server, hello)
      assert.equal(429, status)
      assert.equal("rate_limit_exceeded", error_of(body).code)
      assert.truthy(head:find("Retry-After: 1", 1, true))
    end))

  it("sends raw bytes as they are", serving(
    script { script.raw { status = 502, body = "<html>", headers = { "Content-Type: text/html", "X-A: b" } } },
    function(server)
      local status, body, head = complete(server, hello)
      assert.equal(502, status)
      assert.equal("<html>", body)
      assert.truthy(head:find("X-A: b", 1, true))
    end))

  it("explains bodies that are no JSON object", serving(script { "x" }, function(server)
    for _, body in ipairs { "{", "", "42", "null", "\xff" } do
      local status, answer = exchange(server, "POST", "/v1/chat/completions", body)
      assert.equal(400, status)
      assert.truthy(error_of(answer).message:find "JSON")
    end
    assert.equal(5, #server.requests)
  end))

  it("explains wrong paths and methods", serving(script { "x" }, function(server)
    local status, body = exchange(server, "GET", "/v1/nothing")
    assert.equal(404, status)
    assert.truthy(error_of(body).message:find("/v1/nothing", 1, true))
    status, body = exchange(server, "GET", "/v1/chat/completions")
    assert.equal(405, status)
    assert.truthy(error_of(body).message:find "use POST")
  end))

  it("lets function steps wait", serving(script {
    function()
      core.sleep(0.03)
      return "slow"
    end,
  }, function(server)
    local _, body = complete(server, hello)
    assert.equal("slow", assert(json.decode(body)).choices[1].message.content)
  end))

  it("paces a stream as the script says", serving(script { "abcdefgh", pause = 0.02 }, function(server)
    local before = core.now()
    local client = connect(server.port)
    client.talk(http("POST", "/v1/chat/completions", '{"stream":true}'))
    client.close()
    assert.is_true(core.now() - before >= 0.06)
    assert.is_true(client.reads >= 4)
  end))

  it("serves models of other makes", serving({
    respond = function(_, request) return { status = 201, body = request.model, headers = {} } end,
  }, function(server)
    local status, body = complete(server, hello)
    assert.equal(201, status)
    assert.equal("m", body)
  end))

  it("says which port is in use", serving(script { "x" }, function(server)
    local second, problem = mock.serve(script { "x" }, { port = server.port })
    assert.is_nil(second)
    assert.truthy(tostring(problem):find(("127.0.0.1:%d: address already in use"):format(server.port), 1, true))
  end))

  it("closes itself when it leaves scope", async(function()
    local port
    do
      local server <close> = assert(mock.serve(script { "x" }))
      port = server.port
    end
    core.sleep(0.01)
    local tcp, failed = uv.new_tcp(), core.op()
    tcp:connect("127.0.0.1", port, function(trouble) failed:complete(trouble) end)
    assert.equal("ECONNREFUSED", failed:wait(2))
    tcp:close()
  end))

  it("raises for what is no script", function()
    assert.has_error(function() mock.serve() end)
    assert.has_error(function() mock.serve {} end)
    assert.has_error(function() mock.serve { one = "text" } end)
    assert.has_error(function() mock.serve(script { "x" }, { prot = 1 }) end)
  end)
end)


describe("rille.mock under load", function()
  it("holds many connections at once", serving(script { "x", loop = true, pause = 0.01 }, function(server)
    local count, clients = crowd(1000), {}
    local text = http("POST", "/v1/chat/completions", '{"stream":true}')
    for i = 1, count do
      clients[i] = connect(server.port)
      clients[i].tcp:write(text)
    end
    for _, client in ipairs(clients) do
      local received = client.talk("", "0\r\n\r\n")
      assert.truthy(received:find "%[DONE%]")
      client.close()
    end
    assert.equal(count, #server.requests)
  end))
end)
