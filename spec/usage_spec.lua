local usage = require "rille.agent.usage"

local function never() error("not asked for") end

describe("rille.agent.usage", function()
  it("adds what servers send, nested members too", function()
    local sum = usage.new()
    usage.add(sum, { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15, prompt_tokens_details = { cached_tokens = 8 } })
    usage.add(sum, { prompt_tokens = 20, completion_tokens = 1, total_tokens = 21, prompt_tokens_details = { cached_tokens = 9 } })
    assert.same({ requests = 2, prompt_tokens = 30, completion_tokens = 6, total_tokens = 36,
      prompt_tokens_details = { cached_tokens = 17 } }, sum)
  end)

  it("counts a request that says nothing of its usage", function()
    local sum = usage.new()
    usage.add(sum, nil)
    usage.add(sum, "much")
    assert.equal(2, sum.requests)
    assert.equal(0, sum.total_tokens)
  end)

  it("keeps members that only some servers know", function()
    local sum = usage.new()
    usage.add(sum, { cost = 0.25, is_byok = false })
    usage.add(sum, { cost = 0.5 })
    assert.equal(0.75, sum.cost)
    assert.is_nil(sum.is_byok)
  end)

  it("does not change what it adds", function()
    local sum, used = usage.new(), { details = { a = 1 } }
    usage.add(sum, used)
    usage.add(sum, used)
    assert.same({ details = { a = 1 } }, used)
  end)

  it("ignores numbers that are none: negative, not a number, beyond all measure", function()
    local sum = usage.new()
    usage.add(sum, { prompt_tokens = -5, completion_tokens = 0 / 0, total_tokens = 1e308 })
    assert.same(usage.new().prompt_tokens, sum.prompt_tokens)
    assert.equal(0, sum.completion_tokens)
    assert.equal(0, sum.total_tokens)
  end)

  it("survives members whose kind changes", function()
    local sum = usage.new()
    usage.add(sum, { details = 3 })
    usage.add(sum, { details = { a = 1 } })
    usage.add(sum, { details = 4 })
    assert.equal(7, sum.details)
  end)

  it("takes a number for a table, and no table for a number", function()
    local sum = usage.new()
    usage.add(sum, { details = { a = 1 }, cost = 1 })
    usage.add(sum, { details = 5, cost = { a = 1 } })
    assert.equal(5, sum.details)
    assert.equal(1, sum.cost)
  end)

  it("keeps integers whole and adds fractions", function()
    local sum = usage.new()
    usage.add(sum, { total_tokens = (1 << 53) - 1, cost = 1 })
    usage.add(sum, { total_tokens = (1 << 53) - 1, cost = 0.5 })
    assert.equal("integer", math.type(sum.total_tokens))
    assert.equal((1 << 54) - 2, sum.total_tokens)
    assert.equal(1.5, sum.cost)
  end)

  it("comes to an end in what is no usage at all", function()
    local sum, endless, deep = usage.new(), { a = 1 }, {}
    endless.again = endless
    for _ = 1, 200 do deep = { deep } end
    usage.add(sum, { endless = endless, deep = deep, [1] = 2, [true] = 3 })
    assert.equal(1, sum.endless.again.again.a)
    assert.equal(2, sum[1])
  end)

  describe("tokens", function()
    it("are what the server counted", function()
      assert.equal(15, usage.tokens({ total_tokens = 15 }, never))
      assert.equal(7, usage.tokens({ prompt_tokens = 3, completion_tokens = 4 }, never))
    end)

    it("are guessed from bytes when it did not", function()
      local function bytes() return 401 end
      assert.equal(101, usage.tokens(nil, bytes))
      assert.equal(101, usage.tokens({ total_tokens = -1 }, bytes))
      assert.equal(101, usage.tokens({ total_tokens = 0, prompt_tokens = 0, completion_tokens = 0 }, bytes))
    end)
  end)
end)
