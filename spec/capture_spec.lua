local capture = require "rille.process.capture"

--- What the capture should say: the obvious way, with everything in memory.
local function expected(text, max_bytes)
  if #text <= max_bytes then return text, false end
  local head = text:sub(1, max_bytes - max_bytes // 2)
  local tail = max_bytes // 2 > 0 and text:sub(-(max_bytes // 2)) or ""
  return ("%s\n[… %d bytes cut …]\n%s"):format(head, #text - max_bytes, tail), true
end

local function alphabet(count)
  local letters = {}
  for i = 1, count do letters[i] = string.char(97 + i % 26) end
  return table.concat(letters)
end


describe("capture", function()
  it("keeps everything up to its limit", function()
    local kept = capture.new(10)
    kept:add("01234")
    kept:add("56789")
    assert.same({ "0123456789", false }, { kept:text() })
    assert.equal(10, kept.bytes)
  end)

  it("keeps head and tail of more", function()
    local kept = capture.new(10)
    kept:add("0123456789X")
    assert.same({ "01234\n[… 1 bytes cut …]\n6789X", true }, { kept:text() })
  end)

  it("is empty at first", function()
    assert.same({ "", false }, { capture.new(10):text() })
    assert.same({ "", false }, { capture.new(0):text() })
  end)

  it("can be read while it grows", function()
    local kept = capture.new(4)
    kept:add("ab")
    assert.equal("ab", (kept:text()))
    kept:add("cd")
    assert.equal("abcd", (kept:text()))
    kept:add("ef")
    assert.equal("ab\n[… 2 bytes cut …]\nef", (kept:text()))
    assert.equal("ab\n[… 2 bytes cut …]\nef", (kept:text()))
  end)

  for max_bytes = 0, 9 do
    it("with a limit of " .. max_bytes .. " says the same whatever the cuts", function()
      for length = 0, 40, 3 do
        local text = alphabet(length)
        for size = 1, 12 do
          local kept = capture.new(max_bytes)
          for from = 1, length, size do kept:add(text:sub(from, from + size - 1)) end
          assert.same({ expected(text, max_bytes) }, { kept:text() })
        end
      end
    end)
  end

  it("stays small", function()
    local kept, piece = capture.new(10000), ("x"):rep(1000)
    collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 20000 do kept:add(piece .. "y") end
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 100)
    assert.equal(20000 * 1001, kept.bytes)
  end)
end)
