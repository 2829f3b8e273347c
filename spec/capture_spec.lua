local capture = require "rille.process.capture"

--- What the capture should say: the obvious way, with everything in memory.
local function expected(text, max_bytes)
  if #text <= max_bytes then return text, false end
  if max_bytes < 80 then return text:sub(1, max_bytes), true end
  local room = max_bytes - #("\n[… %d bytes cut …]\n"):format(#text)
  return ("%s\n[… %d bytes cut …]\n%s"):format(text:sub(1, room - room // 2), #text - room, text:sub(-(room // 2))), true
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

  it("keeps head and tail of more, and is never longer than its limit", function()
    local kept = capture.new(80)
    kept:add(("0123456789"):rep(10))
    assert.same({ "0123456789012345678901234567\n[… 45 bytes cut …]\n345678901234567890123456789", true }, { kept:text() })
    assert.is_true(#kept:text() <= 80)
  end)

  it("keeps the head where a note would not leave much", function()
    local kept = capture.new(10)
    kept:add("0123456789X")
    assert.same({ "0123456789", true }, { kept:text() })
  end)

  it("is empty at first", function()
    assert.same({ "", false }, { capture.new(10):text() })
    assert.same({ "", false }, { capture.new(0):text() })
  end)

  it("can be read while it grows", function()
    local kept, text = capture.new(100), alphabet(110)
    for from = 1, 110, 10 do
      kept:add(text:sub(from, from + 9))
      for _ = 1, 2 do assert.same({ expected(text:sub(1, from + 9), 100) }, { kept:text() }) end
    end
  end)

  for _, max_bytes in ipairs { 0, 1, 2, 9, 10, 79, 80, 81, 99, 100, 101, 150 } do
    it("with a limit of " .. max_bytes .. " says the same whatever the cuts", function()
      for length = 0, 3 * max_bytes + 6, max_bytes // 9 + 3 do
        local text = alphabet(length)
        for size = 1, max_bytes + 12, max_bytes // 9 + 1 do
          local kept = capture.new(max_bytes)
          for from = 1, length, size do kept:add(text:sub(from, from + size - 1)) end
          assert.same({ expected(text, max_bytes) }, { kept:text() })
          assert.is_true(#kept:text() <= max_bytes)
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
