--- rille.cli.doctor -- beside the walk: `rille doctor`, what a server gets right, as a table.
---
--- The table is the answer and goes to stdout, one row as soon as it is known.
--- Invariant: a file is written only when asked for, and an existing one is never changed.

local config = require "rille.config"
local doctor = require "rille.doctor"
local json = require "rille.json"
local printable = require "rille.printable"
local status = require "rille.cli.status"
local terminal = require "rille.cli.terminal"

local command = {
  usage = "rille doctor [flags]",
  summary = "examines the server with small requests; says what to set for it",
  flags = {
    { "model", short = "m", value = "NAME", help = "model to ask (default: the configured one)" },
    { "base-url", value = "URL", help = "server, e.g. http://localhost:11434/v1" },
    { "provider", value = "NAME", help = "profile of the server" },
    { "json", help = "the whole diagnosis as one JSON object" },
    { "write", value = "FILE", help = "write the profile that the findings ask for to a new file" },
    { "name", value = "NAME", help = "name of that profile (default: the provider's)" },
  },
}


local function mark(ok)
  if ok == nil then return "?" end
  return ok and "yes" or "no"
end


local function row(finding)
  local note = finding.note and "  " .. printable.line(finding.note) or ""
  return ("%-44s %-4s%s"):format(finding.question, mark(finding.ok), note):gsub("%s+$", "") .. "\n"
end


--- What follows from the findings, in a line or in lines to copy.
local function advice(diagnosis, name)
  if next(diagnosis.flags) == nil then return "nothing to set\n" end
  if not diagnosis.changed then
    return ("the profile '%s' already says all of this\n"):format(diagnosis.provider)
  end
  local path, settings = config.path() or "config.lua", config.get()
  local known = settings and settings.providers[name or diagnosis.provider]
  if known then
    return ("\nto set for the provider '%s' in %s:\n\n%s\n"):format(name or diagnosis.provider, path,
      doctor.flags_source(diagnosis, known.flags))
  end
  return ("\nto set in %s:\n\n%s"):format(path, doctor.source(diagnosis, name))
end


--- Writes a new file; nil and a message when there is one.
local function write_new(path, text)
  local existing = io.open(path, "rb")
  if existing then
    existing:close()
    return status.misused(("--write: %s exists; it is not changed"):format(path))
  end
  local handle, message = io.open(path, "wb")
  if not handle then return status.misused("--write: cannot open " .. message) end
  local written
  written, message = handle:write(text)
  handle:close()
  if not written then return status.misused("--write: " .. message) end
  return true
end


local function show(diagnosis, values)
  if values.json then
    terminal.answer(json.encode(diagnosis) .. "\n")
  else
    terminal.answer(advice(diagnosis, values.name))
  end
  if not values.write then return status.answered end
  local ok, problem = write_new(values.write, doctor.source(diagnosis, values.name))
  if not ok then return nil, problem end
  return status.answered
end


---@async
---@param values table<string, any>
---@param operands string[]
---@return integer? status
---@return rille.Failure? failure
function command.run(values, operands)
  if operands[1] then return status.misused("doctor takes flags only") end
  local diagnosis, problem = doctor.examine {
    model = values.model, provider = values.provider, base_url = values["base-url"],
    on_finding = function(finding)
      if not values.json then terminal.answer(row(finding)) end
    end,
  }
  if not diagnosis then return nil, problem end
  return show(diagnosis, values)
end


return command
