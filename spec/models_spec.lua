local config = require "rille.config"
local models = require "rille.models"
local raw_server = require "spec.support.raw_server"
local world = require "spec.support.world"

describe("rille.models", function()
  local restore

  before_each(function()
    restore = world.environment { OPENAI_API_KEY = "sk-test-key" }
    config.reset()
  end)

  after_each(function() restore() end)

  local function answered(status, body, headers)
    local server <close> = raw_server.start(function(connection)
      connection:send(
        ("HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"):format(
        status, headers or "", #body, body))
    end)
    local list, trouble = models.list { base_url = server.url .. "/v1",
      headers = { ["X-Team"] = "a" } }
    return list, trouble, server.requests[1]
  end

  it("returns the data list, as the server sent it", async(function()
    local list, trouble, request = answered(200,
      '{"object":"list","data":[{"id":"a","object":"model","owned_by":null},{"id":"b"}]}')
    assert.is_nil(trouble)
    assert.same({ { id = "a", object = "model" }, { id = "b" } }, list)
    assert.equal("GET", request.method)
    assert.equal("/v1/models", request.target or request.path)
    assert.equal("Bearer sk-test-key", request.headers.authorization)
    assert.equal("a", request.headers["x-team"])
  end))

  it("reads a bare list, and an empty one", async(function()
    assert.same({ { id = "a" } }, (answered(200, '[{"id":"a"}]')))
    assert.same({}, (answered(200, '{"data":[]}')))
  end))

  it("fails as completions do", async(function()
    local list, trouble = answered(401, '{"error":{"message":"bad key","code":"invalid_api_key"}}',
      "x-request-id: req_1\r\n")
    assert.is_nil(list)
    assert.equal("authentication", trouble.code)
    assert.equal("bad key", trouble.message)
    assert.equal(401, trouble.status)
    list, trouble = answered(404, '{"detail":"Not Found"}')
    assert.is_nil(list)
    assert.equal("not_found", trouble.code)
    assert.equal("Not Found", trouble.message)
    list, trouble = answered(307, "", "Location: http://127.0.0.1:1/x\r\n")
    assert.is_nil(list)
    assert.equal("bad_response", trouble.code)
  end))

  it("does not take anything else for a list", async(function()
    for _, body in ipairs({ "<html></html>", '"x"', '{"a":1}', "" }) do
      local list, trouble = answered(200, body)
      assert.is_nil(list)
      assert.equal("bad_response", trouble.code)
    end
  end))

  it("says when nobody is there", async(function()
    local list, trouble = models.list { base_url = "http://127.0.0.1:1/v1" }
    assert.is_nil(list)
    assert.equal("connection", trouble.code)
  end))

  it("raises for unknown options", function()
    local ok, message = pcall(models.list, { base = "x" })
    assert.is_false(ok)
    assert.truthy(tostring(message):find("base_url", 1, true))
  end)
end)
