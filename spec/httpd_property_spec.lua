--- httpd_property_spec.lua -- the strict reader against bytes that nobody would send on purpose.
local reader = require "rille.httpd.reader"

--- A reader over text that arrives in random pieces.
local function over(text)
  local from = 1
  return reader.new(function()
    if from > #text then return nil end
    local piece = text:sub(from, from + math.random(0, 20))
    from = from + #piece
    return piece
  end, { max_head = 2000, max_body = 2000, max_headers = 20 })
end

--- What a reader makes of a text: requests and the refusal that ended it.
local function read_all(text)
  local requests, list = over(text), {}
  while true do
    local request, refusal = requests:request()
    if not request then return list, refusal end
    list[#list + 1] = request
    assert.is_true(#list <= #text)
  end
end

local seeds <const> = {
  "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
  "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 13\r\n\r\n{\"model\":\"m\"}",
  "POST /p?q=1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
  "GET / HTTP/1.0\r\nConnection: keep-alive\r\nA: 1\r\nA: 2\r\n\r\n",
}

local noise <const> = { "\r", "\n", "\r\n", "\0", ":", " ", "\t", "0", "9", "f", "x", "\255", "\r\n\r\n",
  "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "HTTP/1.1", "-1", "99999999999999999999" }

--- A seed with a few bytes replaced, taken out or put in.
local function mutated()
  local text = seeds[math.random(#seeds)]
  for _ = 1, math.random(1, 4) do
    local at, length = math.random(0, #text), math.random(0, 3)
    local piece = math.random() < 0.7 and noise[math.random(#noise)] or ""
    text = text:sub(1, at) .. piece .. text:sub(at + length + 1)
  end
  return text
end


describe("rille.httpd.reader", function()
  it("gives requests or one refusal for any bytes, and never raises", function()
    math.randomseed(1)
    for _ = 1, 5000 do
      local text = mutated()
      local list, refusal = read_all(text)
      for _, request in ipairs(list) do
        assert.truthy(request.method:find "^%S+$")
        assert.equal("/", request.path:sub(1, 1))
        assert.is_true(#request.body <= 2000)
      end
      if refusal then
        assert.is_true(refusal.status >= 400 and refusal.status <= 505)
        assert.truthy(#refusal.reason > 0)
      end
    end
  end)

  it("gives the same for the same bytes, whatever the pieces", function()
    math.randomseed(2)
    for _ = 1, 500 do
      local text = mutated()
      local list, refusal = read_all(text)
      local again, refused = read_all(text)
      assert.same(list, again)
      assert.same(refusal, refused)
    end
  end)

  it("reads any sequence of good requests", function()
    math.randomseed(3)
    for _ = 1, 100 do
      local texts = {}
      for i = 1, math.random(1, 8) do texts[i] = seeds[math.random(#seeds)] end
      local list, refusal = read_all(table.concat(texts))
      assert.equal(#texts, #list)
      assert.is_nil(refusal)
    end
  end)

  it("never takes two lengths for one body", function()
    for _, lines in ipairs {
      "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Content-Length: 5, 6\r\n", "Content-Length: +5\r\n",
      "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, chunked\r\n", "Content-Length: \r\n",
    } do
      local list, refusal = read_all("POST / HTTP/1.1\r\nHost: h\r\n" .. lines .. "\r\nhello")
      assert.same({}, list)
      assert.is_true(refusal.status == 400 or refusal.status == 501, lines)
    end
  end)

  it("takes the same length said twice for one", function()
    local list = read_all "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"
    assert.equal("ok", list[1].body)
  end)
end)
