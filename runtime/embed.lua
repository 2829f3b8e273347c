--- embed.lua -- beside the walk: writes the Lua library as C arrays, so that the program needs no file.
--- lua embed.lua lua/rille/init.lua … > embedded.c
---
--- Each module is there twice: compiled, which loads seven times as fast, and as text for a Lua that does
--- not take the chunks of this one (other sizes of numbers). The texts stand behind all the chunks, so
--- that they are not paged in with them.

--- "lua/rille/cli/ask.lua" -> "rille.cli.ask"; "…/init.lua" names its directory.
local function module_name(path)
  local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
  return name
end

local function bytes_of(text)
  local numbers = {}
  for i = 1, #text do
    numbers[i] = text:byte(i) .. (i % 24 == 0 and ",\n" or ",")
  end
  return table.concat(numbers)
end

local function print_array(name, bytes)
  print(("static const unsigned char %s[] = {\n%s0};\n"):format(name, bytes_of(bytes)))
end

-- ---------------------------------------------------------------- compiled chunks

local HEADER <const> = #"\27Lua" + 2 + #"\x19\x93\r\n\x1a\n" + 3 + string.packsize "jn" + 1
local INSTRUCTION <const>, UPVALUE <const>, LINE <const> = 4, 3, 1   -- bytes of one in a chunk
local NUMBERS <const> = { [0x03] = string.packsize "j", [0x13] = string.packsize "n" }
local TEXTS <const> = { [0x04] = true, [0x14] = true }
local NOTHING <const> = "\x80"   -- the count 0

--- A compiled chunk without the names of its local variables: they are a third of what it takes to load one, and only messages
--- about faults of the library itself could show them. Lines, the names of functions and of upvalues stay.
--- Source: ldump.c of Lua 5.4, followed field by field.
local function drop_locals(code)
  local at, from, kept = HEADER + 1, 1, {}

  local function skip(bytes) at = at + bytes end

  --- Seven bits a byte, the last byte marked.
  local function count()
    local value, byte = 0, 0
    while byte < 0x80 do
      byte = code:byte(at)
      value = value << 7 | byte & 0x7f
      skip(1)
    end
    return value
  end

  local function skip_text() skip(math.max(count() - 1, 0)) end

  local function skip_list(size)
    local bytes = count() * size
    skip(bytes)
  end

  local function skip_constant()
    local kind = code:byte(at)
    skip(1)
    if TEXTS[kind] then skip_text() else skip(NUMBERS[kind] or 0) end
  end

  local function skip_numbers() count() count() end

  local function skip_local() skip_text() skip_numbers() end

  local function each(skip_one)
    for _ = 1, count() do skip_one() end
  end

  local function read_function()
    skip_text()      -- the source
    skip_numbers()   -- its lines
    skip(3)          -- parameters, "...", stack
    skip_list(INSTRUCTION)
    each(skip_constant)
    skip_list(UPVALUE)
    each(read_function)
    skip_list(LINE)
    each(skip_numbers)   -- lines again, where they are far apart
    kept[#kept + 1] = code:sub(from, at - 1) .. NOTHING
    each(skip_local)
    from = at
    each(skip_text)      -- the names of upvalues
  end

  read_function()
  assert(at == #code + 1, "something else stands in this chunk")
  return table.concat(kept) .. code:sub(from)
end


--- The same, where this Lua's chunks are as they are read here and the shorter one is as good; else all of the chunk.
local function shorten(code)
  local ok, short = pcall(drop_locals, code)
  local made = ok and load(short, "=", "b")
  local is_same = made and string.dump(made) == short and string.dump(made, true) == string.dump(load(code, "=", "b"), true)
  return is_same and short or code
end


-- ---------------------------------------------------------------- the file

print('/* Made by runtime/embed.lua from lua/. */\n#include "lua_core.h"\n')
local rows, texts = {}, {}
for i, path in ipairs(arg) do
  local file <close> = assert(io.open(path, "rb"))
  local text, name = file:read("a"), module_name(path)
  local where = name:gsub("%.", "/") .. ".lua"
  local code = shorten(string.dump(assert(load(text, "@" .. where, "t"))))
  print_array("code_" .. i, code)
  texts[i] = text
  rows[i] = ('    {"%s", "@%s", code_%d, %d, text_%d, %d},'):format(name, where, i, #code, i, #text)
end
for i, text in ipairs(texts) do print_array("text_" .. i, text) end
table.sort(rows)
print("const struct rl_module rl_embedded[] = {\n" .. table.concat(rows, "\n") .. "\n};")
print(("const size_t rl_embedded_count = %d;"):format(#rows))
