local raw_server = require "spec.support.raw_server"
local toolbox = require "spec.support.toolbox"

local make = toolbox.load "fetch_url"
local response = raw_server.response

--- A server that answers by path: a body, or a whole response.
local function serve(pages)
  return raw_server.start(function(connection, request)
    local page = pages[request.target or request.path]
    connection:send(page or response("nothing here", 404, { "Content-Type: text/plain" }))
  end)
end


local function text(body, kind)
  return response(body, 200, { "Content-Type: " .. (kind or "text/plain") })
end


local function redirect(location)
  return response("", 302, { "Location: " .. location })
end


describe("tools/fetch_url", function()
  local tool = make { allow_private = true, timeout = 5 }

  it("returns status, type and text", async(function()
    local server <close> = serve { ["/a"] = text "hello" }
    assert.equal("status 200, text/plain\n\nhello", toolbox.call(tool, { url = server.url .. "/a" }))
    assert.equal("status 404, text/plain\n\nnothing here", toolbox.call(tool, { url = server.url .. "/b" }))
  end))

  it("takes the markup of a page away", async(function()
    local page = "<html><head><title>T</title><style>p { x }</style><script>var a = '<p>';</script></head>"
      .. "<body><h1>Head</h1><!-- no --><p>One &amp; <b>two</b> &lt;3 &#228;&#x1F600;</p><ul><li>a<li>b</ul></body></html>"
    local server <close> = serve { ["/a"] = text(page, "text/html; charset=utf-8") }
    local found = toolbox.call(tool, { url = server.url .. "/a" })
    assert.equal("status 200, text/html; charset=utf-8\n\nT\nHead\nOne & two <3 ä😀\na\nb", found)
  end))

  it("leaves the markup where told", async(function()
    local server <close> = serve { ["/a"] = text("<p>a</p>", "text/html") }
    local raw = make { allow_private = true, html = "raw" }
    assert.equal("status 200, text/html\n\n<p>a</p>", toolbox.call(raw, { url = server.url .. "/a" }))
  end))

  it("follows redirects", async(function()
    local server <close> = serve { ["/a"] = redirect "/b", ["/b"] = redirect "c?d=1#e", ["/c?d=1"] = text "there" }
    assert.equal("status 200, text/plain\n\nthere", toolbox.call(tool, { url = server.url .. "/a" }))
  end))

  it("does not follow redirects without end", async(function()
    local server <close> = serve { ["/a"] = redirect "/a" }
    local result, reason = toolbox.call(tool, { url = server.url .. "/a" })
    assert.is_nil(result)
    assert.equal("too many redirects", reason)
    assert.equal(6, #server.requests)
  end))

  it("looks at where a redirect leads", async(function()
    local server <close> = serve { ["/a"] = redirect "file:///etc/passwd", ["/b"] = redirect "http://u:p@127.0.0.1/" }
    for _, path in ipairs { "/a", "/b" } do
      local result, reason = toolbox.call(tool, { url = server.url .. path })
      assert.is_nil(result)
      assert.is_string(reason)
    end
  end))

  it("sends its headers to the first address only", async(function()
    local other <close> = serve { ["/x"] = text "other" }
    local server <close> = serve { ["/a"] = redirect(other.url .. "/x"), ["/b"] = redirect "/c", ["/c"] = text "same" }
    local secret = make { allow_private = true, headers = { ["X-Secret"] = "s" } }
    toolbox.call(secret, { url = server.url .. "/a" })
    toolbox.call(secret, { url = server.url .. "/b" })
    assert.is_nil(other.requests[1].headers["x-secret"])
    for _, request in ipairs(server.requests) do assert.equal("s", request.headers["x-secret"]) end
  end))

  it("refuses addresses of this machine and of private networks", async(function()
    local server <close> = serve { ["/a"] = text "inside" }
    local public = make { timeout = 5 }
    local port = server.port
    for _, host in ipairs { "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]" } do
      local result, reason = toolbox.call(public, { url = ("http://%s:%d/a"):format(host, port) })
      assert.is_nil(result, host)
      assert.is_truthy(reason)
    end
    assert.equal(0, #server.requests)
  end))

  it("refuses what is no text and what is too large", async(function()
    local server <close> = serve { ["/bin"] = text("a\0b", "image/png"), ["/big"] = text(("x"):rep(2000)) }
    local small = make { allow_private = true, max_bytes = 1000 }
    local result, reason = toolbox.call(small, { url = server.url .. "/bin" })
    assert.is_nil(result)
    assert.matches("is not text %(image/png, 3 bytes%)", reason)
    result, reason = toolbox.call(small, { url = server.url .. "/big" })
    assert.is_nil(result)
    assert.is_string(reason.code)
  end))

  it("says that a server is not there", async(function()
    local server = serve {}
    server:close()
    local result, reason = toolbox.call(tool, { url = server.url .. "/a" })
    assert.is_nil(result)
    assert.equal("connection", reason.code)
  end))

  it("takes http and https URLs only", function()
    assert.is_true(toolbox.takes(tool, { url = "https://example.org/a?b#c" }))
    for _, url in ipairs { "", "example.org", "ftp://example.org", "file:///etc/passwd", "http://a b", "http://a/\\b" } do
      assert.is_false(toolbox.takes(tool, { url = url }), url)
    end
  end)
end)
