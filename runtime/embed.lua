--- embed.lua -- beside the walk: writes the Lua library as C arrays, so that the program needs no file.
--- lua embed.lua lua/rille/init.lua … > embedded.c

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

print('/* Made by runtime/embed.lua from lua/. */\n#include "lua_core.h"\n')
local rows = {}
for i, path in ipairs(arg) do
  local file <close> = assert(io.open(path, "rb"))
  local text = file:read("a")
  assert(load(text, "@" .. path, "t"))
  print(("static const unsigned char text_%d[] = {\n%s0};\n"):format(i, bytes_of(text)))
  rows[i] = ('    {"%s", text_%d, %d},'):format(module_name(path), i, #text)
end
print("const struct rl_module rl_embedded[] = {\n" .. table.concat(rows, "\n") .. "\n    {NULL, NULL, 0},\n};")
