--- program.lua -- runs the `rille` program for specs, away from the user's own keys and settings.
local process = require "rille.process"

local program = {}

--- The program that was built together with the core that this interpreter loaded.
program.path = (os.getenv "RILLE_BUILD" or "build") .. "/rille"

local no_settings <const> = {
  OPENAI_API_KEY = false, OPENAI_BASE_URL = false, OPENAI_MODEL = false, OPENAI_ORG_ID = false,
  OPENAI_PROJECT_ID = false, RILLE_MODEL = false, RILLE_PROVIDER = false, RILLE_LOG = false, RILLE_PATH = false,
  HTTP_PROXY = false, HTTPS_PROXY = false, http_proxy = false, https_proxy = false,
  XDG_CONFIG_HOME = "/nonexistent",
}

local function options_of(words, more)
  local options = { program.path, table.unpack(words) }
  options.env = {}
  for name, value in pairs(no_settings) do options.env[name] = value end
  for name, value in pairs(more and more.env or {}) do options.env[name] = value end
  return options
end

--- Runs the program to its end.
--- @param words string[]   the command line
--- @param more? {stdin?: string, env?: table, timeout?: number}
--- @return {code: integer, stdout: string, stderr: string}
function program.run(words, more)
  local options = options_of(words, more)
  options.stdin, options.timeout = more and more.stdin, more and more.timeout or 20
  return assert(process.run(options))
end

--- Starts the program with a pipe to its stdin.
--- @param words string[]
--- @param more? {env?: table}
--- @return rille.Process
function program.open(words, more)
  return assert(process.open(options_of(words, more)))
end

return program
