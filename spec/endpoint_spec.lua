local endpoint = require "rille.endpoint"
local world = require "spec.support.world"

local PROFILE <const> = { base_url = "http://h/v1", api_key = "k", model = "m" }


describe("rille.endpoint", function()
  local clock, state

  before_each(function()
    clock = world.clock()
    endpoint.reset()
    state = endpoint.of(PROFILE)
  end)

  after_each(function()
    clock.restore()
    endpoint.reset()
  end)

  --- One request from start to end.
  local function request(headers, status)
    state:begin()
    state:finish(headers or {}, status or 200)
  end

  --- What a server announces.
  local function announced(remaining, reset, limit, what)
    what = what or "requests"
    return {
      ["x-ratelimit-remaining-" .. what] = remaining, ["x-ratelimit-reset-" .. what] = reset,
      ["x-ratelimit-limit-" .. what] = limit,
    }
  end

  describe("of", function()
    it("is one state for a server, key and model", function()
      assert.equal(state, endpoint.of { base_url = "http://h/v1", api_key = "k", model = "m" })
      assert.not_equal(state, endpoint.of { base_url = "http://h/v2", api_key = "k", model = "m" })
      assert.not_equal(state, endpoint.of { base_url = "http://h/v1", api_key = "l", model = "m" })
      assert.not_equal(state, endpoint.of { base_url = "http://h/v1", api_key = "k", model = "n" })
      assert.not_equal(state, endpoint.of { base_url = "http://h/v1", model = "m" })
    end)

    it("lets those go that nobody asks any more, and none of which there is something to remember", function()
      local weak = setmetatable({}, { __mode = "v" })
      local function of(i) return endpoint.of { base_url = "http://h/v1", api_key = "key " .. i, model = "m" } end
      for _, name in ipairs { "busy", "limited", "refused" } do
        weak[name] = of(name)
        weak[name]:begin()
      end
      weak.limited:finish(announced("0", "9h", "9"), 200)
      weak.refused:finish({ ["retry-after"] = "30000" }, 429)
      for i = 1, 5000 do
        weak[i] = of(i)
        weak[i]:begin()
        weak[i]:finish({}, 200)
        clock.now = clock.now + 1
      end
      collectgarbage()
      local left = 0
      for _ in pairs(weak) do left = left + 1 end
      assert.is_true(left < 2100, left .. " are kept")
      for _, name in ipairs { "busy", "limited", "refused" } do assert.equal(weak[name], of(name)) end
      assert.equal(weak[5000], of(5000))
    end)

    it("is one state as long as somebody holds it", function()
      for i = 1, 3000 do
        clock.now = clock.now + 1
        endpoint.of { base_url = "http://other/v1", api_key = "key " .. i, model = "m" }
      end
      assert.equal(state, endpoint.of(PROFILE))
    end)

    it("is nobody's for a scripted model", function()
      assert.not_equal(endpoint.new(), endpoint.new())
    end)
  end)

  -- ------------------------------------------------------------------ announced limits
  describe("delay", function()
    it("is none while nothing was announced", function()
      assert.equal(0, state:delay())
      request()
      assert.equal(0, state:delay())
    end)

    it("is the wait that a 429 or a 503 asked for", function()
      request({ ["retry-after"] = "7" }, 429)
      assert.equal(7, state:delay())
      clock.now = clock.now + 5
      assert.equal(2, state:delay())
      clock.now = clock.now + 5
      assert.equal(0, state:delay())
      request({ ["retry-after-ms"] = "1500" }, 503)
      assert.equal(1.5, state:delay())
    end)

    it("is not what any other answer says", function()
      request({ ["retry-after"] = "7" }, 200)
      request({ ["retry-after"] = "7" }, 500)
      assert.equal(0, state:delay())
    end)

    it("is the longest of several", function()
      request({ ["retry-after"] = "9" }, 429)
      request({ ["retry-after"] = "3" }, 429)
      assert.equal(9, state:delay())
    end)

    it("is none beyond a minute: the server may say it again", function()
      request({ ["retry-after"] = "3600" }, 429)
      assert.equal(0, state:delay())
      clock.now = clock.now + 3545
      assert.equal(55, state:delay())
    end)

    it("comes when the announced requests are used up", function()
      request(announced("2", "20s", "10"))
      state:begin()
      assert.equal(0, state:delay())
      state:begin()
      assert.equal(20, state:delay())
      clock.now = clock.now + 20
      assert.equal(0, state:delay())
    end)

    it("counts on the whole limit after the reset", function()
      request(announced("0", "10s", "2"))
      clock.now = clock.now + 10
      assert.equal(0, state:delay())
      state:begin()
      assert.equal(0, state:delay())
      state:begin()
      assert.equal(10, state:delay())
    end)

    it("forgets a limit without a number at its reset", function()
      request(announced("0", "10s"))
      assert.equal(10, state:delay())
      clock.now = clock.now + 10
      for _ = 1, 50 do
        assert.equal(0, state:delay())
        state:begin()
      end
    end)

    it("does not believe that requests under way are back", function()
      request(announced("3", "20s", "10"))
      for _ = 1, 3 do state:begin() end
      state:finish(announced("2", "19s", "10"), 200)
      assert.equal(19, state:delay())
    end)

    it("believes a server that counts faster than we do", function()
      request(announced("5", "20s", "10"))
      request(announced("0", "20s", "10"))
      assert.equal(20, state:delay())
    end)

    it("comes when the announced tokens are used up", function()
      request(announced("0", "800ms", "30000", "tokens"))
      assert.near(0.8, state:delay(), 1e-9)
      request(announced("100", "799ms", "30000", "tokens"))
      assert.equal(0, state:delay())
    end)

    it("reads every way of writing a reset", function()
      for text, seconds in pairs({ ["6s"] = 6, ["1.5s"] = 1.5, ["800ms"] = 0.8, ["12"] = 12, ["1m0s"] = 60 }) do
        endpoint.reset()
        state = endpoint.of(PROFILE)
        request(announced("0", text))
        assert.near(seconds, state:delay(), 1e-9)
      end
    end)

    it("ignores what it cannot read", function()
      for _, case in ipairs({ { "x", "5s" }, { "0", "soon" }, { "0", nil }, { nil, "5s" }, { "", "" } }) do
        request(announced(case[1], case[2]))
        assert.equal(0, state:delay())
      end
    end)
  end)

  -- ------------------------------------------------------------------ the retry budget
  describe("spend_retry", function()
    --- How many retries are granted now.
    local function granted()
      local count = 0
      while count < 10000 and state:spend_retry() do count = count + 1 end
      return count
    end

    it("grants everything to who is alone", function()
      state:begin()
      assert.equal(10000, granted())
    end)

    it("grants three and one for ten requests where many ask", function()
      for _ = 1, 50 do state:begin() end
      assert.equal(8, granted())
      assert.equal(0, granted())
    end)

    it("grants more as the requests and the retries of before fade away", function()
      for _ = 1, 50 do state:begin() end
      assert.equal(8, granted())
      clock.now = clock.now + 10
      assert.equal(0, granted())
      clock.now = clock.now + 5
      assert.equal(1, granted())
      clock.now = clock.now + 20
      assert.equal(3, granted())
    end)

    it("keeps steady trouble to a tenth and three in any ten seconds", function()
      local times = {}
      for _ = 1, 1000 do
        clock.now = clock.now + 0.1
        for _ = 1, 10 do state:begin() end
        for _ = 1, granted() do times[#times + 1] = clock.now end
      end
      local first = 1
      for last = 1, #times do
        while times[last] - times[first] >= 10 do first = first + 1 end
        assert.is_true(last - first + 1 <= 0.11 * 1000 + 3, last - first + 1)
      end
      assert.is_true(#times >= 900, #times)
    end)

    it("counts no retry as a request", function()
      for _ = 1, 50 do state:begin() end
      for _ = 1, 50 do state:begin(true) end
      assert.equal(8, granted())
    end)

    it("takes who was in a crowd a moment ago for a part of it", function()
      state:begin()
      state:begin()
      state:finish({}, 503)
      assert.equal(3, granted())
      clock.now = clock.now + 9.9
      assert.is_true(granted() <= 3)
      clock.now = clock.now + 0.2
      assert.equal(10000, granted())
    end)

    it("counts the end of every request", function()
      for _ = 1, 5 do request({}, 503) end
      clock.now = clock.now + 20
      state:begin()
      assert.equal(10000, granted())
    end)

    it("holds ten thousand to a tenth and three", function()
      for _ = 1, 10000 do state:begin() end
      assert.equal(1003, granted())
    end)
  end)
end)
