--- rille.schema.order: decoded JSON that remembers its order.
local effort = require "spec.support.effort"
local json = require "rille.json"
local order = require "rille.schema.order"


describe("rille.schema.order.decode", function()
  local texts = {
    "{}", "[]", "1", "null", "true", '"text"', '{"b":1,"a":2}', '{"b":{"d":1,"c":2},"a":[{"z":1,"y":2},[],{}]}',
    '["a",{"b":[1,{"c":null,"a":false}]}]', '{"a b":1,"":2,"0":3}', '{"x":-1.5,"w":[true,false,null]}',
    '{"one":"}","two":"]","three":","}', [[{"b\"":1,"a\\":2,"c\\\"":3}]], '{"ü":1,"ä":2}',
    '{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}},"required":["z"]}',
  }
  it("writes again what it read", function()
    for _, text in ipairs(texts) do assert.equal(text, json.encode((order.decode(text)))) end
  end)

  it("reads white space anywhere", function()
    local text = ' \n{ "b" : 1 ,\t"a" : [ 1 , { "d" : 2 , "c" : { } } , [ ] ] } \r\n'
    assert.equal('{"b":1,"a":[1,{"d":2,"c":{}},[]]}', json.encode((order.decode(text))))
  end)

  it("reads escaped names", function()
    local decoded = order.decode [[{"\u0062":1,"\n":2,"a":3}]]
    assert.equal([[{"b":1,"\n":2,"a":3}]], json.encode(decoded))
    assert.equal(1, decoded.b)
  end)

  it("marks empty objects as such", function()
    assert.equal("object", getmetatable(order.decode("{}")).__jsontype)
  end)

  it("takes the last of several members of one name", function()
    local decoded = order.decode '{"a":1,"b":2,"a":3}'
    assert.equal(3, decoded.a)
    assert.same({ a = 3, b = 2 }, json.decode(json.encode(decoded)))
  end)

  it("gives nil and the failure for what is no JSON", function()
    for _, text in ipairs { "", "{", '{"a":}', "[1,]", "nul", "{}{}", "\xff" } do
      local decoded, failure = order.decode(text)
      assert.is_nil(decoded)
      assert.equal("bad_response", failure.code)
    end
  end)

  it("reads every cut of a text, or says that it is none", function()
    local text = '{"b":[{"d":"x\\"y","c":-1e5}],"a":{"k":null}}'
    for stop = 1, #text do
      local decoded = order.decode(text:sub(1, stop))
      assert.equal(stop == #text, decoded ~= nil)
    end
  end)

  it("reads a long text in good time", function()
    local members = {}
    for i = 1, effort.some(5000) do members[i] = ('"n%d":{"b":[1,2,3],"a":"text %d"}'):format(5000 - i, i) end
    local text = "{" .. table.concat(members, ",") .. "}"
    local before = os.clock()
    assert.equal(text, json.encode((order.decode(text))))
    assert.is_true(os.clock() - before < effort.within(2))
  end)
end)
