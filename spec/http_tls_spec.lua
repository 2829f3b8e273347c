--- http_tls_spec.lua -- https against a real TLS server (openssl s_server); skipped where openssl is not installed.
local core = require "rille.core"
local http = require "rille.http"
local temporary = require "spec.support.temporary"
local uv = core.uv()


local function has_openssl()
  local pipe = io.popen "openssl version 2>/dev/null"
  local text = pipe and pipe:read("a") or ""
  if pipe then pipe:close() end
  return text:find "^OpenSSL" ~= nil
end


--- A key and a certificate for `name`, signed by itself.
local function certificate(directory, name)
  local key, cert = directory.path .. "/" .. name .. ".key", directory.path .. "/" .. name .. ".pem"
  local command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    .. " -subj /CN=%s -addext subjectAltName=DNS:%s -keyout %s -out %s 2>/dev/null"
  assert(os.execute(command:format(name, name, key, cert)))
  return key, cert
end


--- Starts a TLS server that answers every request with a page about itself. Use it with <close>.
local function serve(key, cert, ...)
  local output = uv.new_pipe()
  local listening, exited = core.op(), core.op()
  local text = ""
  local process = uv.spawn("openssl", {
    args = { "s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", cert, "-www", ... },
    stdio = { nil, output, nil },
  }, function() exited:complete() end)
  output:read_start(function(_, bytes)
    text = text .. (bytes or "")
    if not bytes or text:find "ACCEPT %S+:%d+\n" then listening:complete(true) end
  end)
  assert(listening:wait(10))
  local port = assert(text:match "ACCEPT %S+:(%d+)\n", text)
  return setmetatable({ url = "https://localhost:" .. port }, {
    __close = function()
      process:kill "sigkill"
      exited:wait(10)
      process:close()
      output:close()
    end,
  })
end


local function with_certificates(path, fn)
  local before = os.getenv "SSL_CERT_FILE"
  uv.os_setenv("SSL_CERT_FILE", path)
  local ok, err = pcall(fn)
  if before then uv.os_setenv("SSL_CERT_FILE", before) else uv.os_unsetenv "SSL_CERT_FILE" end
  if not ok then error(err, 0) end
end


describe("https", function()
  if not has_openssl() then
    pending "openssl is not installed"
    return
  end

  it("trusts what SSL_CERT_FILE names, and nothing else", async(function()
    local directory <close> = temporary.directory()
    local key, cert = certificate(directory, "localhost")
    local server <close> = serve(key, cert)
    local reply, failure = http.get(server.url .. "/x?key=secret")
    assert.is_nil(reply)
    assert.equal("connection", failure.code)
    assert.matches("the certificate of https://localhost:%d+/x is not trusted: .*SSL_CERT_FILE", failure.message)
    assert.not_matches("secret", failure.message)
    with_certificates(cert, function()
      assert.equal(200, assert(http.get(server.url)).status)
    end)
    assert.is_nil((http.get(server.url)))
  end))

  it("wants a certificate for the very host", async(function()
    local directory <close> = temporary.directory()
    local key, cert = certificate(directory, "elsewhere.example")
    local server <close> = serve(key, cert)
    with_certificates(cert, function()
      local reply, failure = http.get(server.url)
      assert.is_nil(reply)
      assert.equal("connection", failure.code)
      assert.matches("is not trusted: .*host name", failure.message)
    end)
  end))

  it("takes ca_file for chats, too, and does not mix trust between transfers", async(function()
    local directory <close> = temporary.directory()
    local key, cert = certificate(directory, "localhost")
    local server <close> = serve(key, cert)
    for _ = 1, 3 do
      local trusted <close> = core.chat { url = server.url, method = "GET", ca_file = cert, total = 5 }
      local _, info, trouble = trusted:finish()
      assert.equal(200, info.status)
      assert.equal("bad_body", trouble.kind) -- the page is no reply
      local strict <close> = core.chat { url = server.url, method = "GET", total = 5 }
      local _, _, refused = strict:finish()
      assert.equal("connection", refused.kind)
      assert.matches("is not trusted", refused.message)
    end
  end))

  it("says which file of certificates cannot be read", async(function()
    with_certificates("/nonexistent/ca.pem", function()
      local reply, failure = http.get "https://localhost:9/"
      assert.is_nil(reply)
      assert.is_true(failure.code == "invalid_request" or failure.code == "connection")
    end)
  end))

  it("refuses TLS before 1.2", async(function()
    local directory <close> = temporary.directory()
    local key, cert = certificate(directory, "localhost")
    local server <close> = serve(key, cert, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    with_certificates(cert, function()
      local reply, failure = http.get(server.url)
      assert.is_nil(reply)
      assert.equal("connection", failure.code)
    end)
  end))

  it("is never left for http by a broken handshake", async(function()
    local directory <close> = temporary.directory()
    local key, cert = certificate(directory, "localhost")
    local server <close> = serve(key, cert)
    local reply, failure = http.get((server.url:gsub("^https", "http")), { timeout = 5 })
    assert.is_true(reply == nil or reply.status >= 400)
    assert.is_true(reply ~= nil or failure.code == "connection" or failure.code == "bad_response")
  end))
end)
