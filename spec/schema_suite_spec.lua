--- The public JSON-Schema-Test-Suite, draft 2020-12, read where it stands: $RILLE_SHARED/json-schema-tests, by default beside
--- the project. Skipped where it is not there.
---
--- In scope is every file but those named in `out_of_scope`, with the reason; single groups and tests that need
--- the same are named in `left_out`. A file that the suite gains is in scope until somebody says why not.
local core = require "rille.core"
local entries = require "spec.support.entries"
local options = require "rille.options"
local schema = require "rille.schema"

local root = (os.getenv "RILLE_SHARED" or "../shared") .. "/json-schema-tests"

local out_of_scope = {
  ["refRemote.json"] = "schemas from the network: nothing is ever fetched",
  ["vocabulary.json"] = "meta-schemas from the network that switch keywords off",
  ["format/idn-hostname.json"] = "needs the Unicode tables of IDNA 2008; the format is an annotation",
}

local left_out = {
  ["dynamicRef.json"] = {
    ["strict-tree schema, guards against misspelled properties"] = "remote schema",
    ["tests for implementation dynamic anchor and reference link"] = "remote schema",
    ["$ref and $dynamicAnchor are independent of order - $defs first"] = "remote schema",
    ["$ref and $dynamicAnchor are independent of order - $ref first"] = "remote schema",
    ["$ref to $dynamicRef finds detached $dynamicAnchor"] = "remote schema",
  },
}

--- Hosts with A-labels: valid as ASCII, and what they encode is not decoded.
local function is_a_label(file, data)
  return file == "format/hostname.json" and type(data) == "string" and data:lower():find("^xn%-%-") ~= nil
end


local function read_json(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return assert(core.json_decode(text))
end


--- Marks objects as such: what JSON wrote as {} is no array, here where it matters.
local function marked(v)
  if type(v) ~= "table" then return v end
  for key, item in pairs(v) do v[key] = marked(item) end
  if not getmetatable(v) then setmetatable(v, core.object_metatable) end
  return v
end


local function files_in(folder)
  local names = {}
  for name, kind in entries(root .. "/" .. folder) do
    if kind ~= "directory" and name:find "%.json$" then names[#names + 1] = folder .. name end
  end
  table.sort(names)
  return names
end


local function run_group(file, group)
  local formats = file:find("^format/") ~= nil
  local compiled = schema.compile(marked(group.schema), { formats = formats })
  for _, test in ipairs(group.tests) do
    if not is_a_label(file, test.data) then
      local _, errors = compiled:validate(marked(test.data))
      local found = errors == nil
      if found ~= test.valid then
        error(("%s, %s: should be %s: %s\n%s"):format(group.description, test.description, test.valid and "valid" or "invalid",
          core.json_encode(test.data), errors and schema.explain(errors) or ""), 0)
      end
    end
  end
end


describe("rille.schema against the JSON-Schema-Test-Suite", function()
  local files = files_in ""
  for _, name in ipairs(files_in "format/") do files[#files + 1] = name end
  if #files == 0 then
    pending("no suite at " .. root)
    return
  end

  for _, file in ipairs(files) do
    if not out_of_scope[file] then
      it("passes " .. file, function()
        for _, group in ipairs(read_json(root .. "/" .. file)) do
          if not (left_out[file] or {})[group.description] then run_group(file, group) end
        end
      end)
    end
  end

  it("leaves out nothing that the suite does not have", function()
    local known = {}
    for _, file in ipairs(files) do known[file] = true end
    for _, file in ipairs(options.names(out_of_scope)) do assert.is_true(known[file], file) end
    for file, groups in pairs(left_out) do
      local descriptions = {}
      for _, group in ipairs(read_json(root .. "/" .. file)) do descriptions[group.description] = true end
      for description in pairs(groups) do assert.is_true(descriptions[description], description) end
    end
  end)
end)
