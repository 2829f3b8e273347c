--- embed.lua -- beside the walk: writes the Lua library as C arrays, so that the program needs no file.
--- lua embed.lua lua/rille/init.lua … > embedded.c
---
--- Each module is there twice: compiled (debug information kept), which loads five times as fast, and
--- as text for a Lua that does not take the chunks of this one (other sizes of numbers).

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

print('/* Made by runtime/embed.lua from lua/. */\n#include "lua_core.h"\n')
local rows = {}
for i, path in ipairs(arg) do
  local file <close> = assert(io.open(path, "rb"))
  local text, name = file:read("a"), module_name(path)
  local where = name:gsub("%.", "/") .. ".lua"
  local code = string.dump(assert(load(text, "@" .. where, "t")))
  print_array("code_" .. i, code)
  print_array("text_" .. i, text)
  rows[i] = ('    {"%s", "@%s", code_%d, %d, text_%d, %d},'):format(name, where, i, #code, i, #text)
end
print("const struct rl_module rl_embedded[] = {\n" .. table.concat(rows, "\n") .. "\n    {0},\n};")
