--- lessons_spec.lua -- docs/lessons.md tells the truth: each row names specs that exist, and one of them carries its numbers.
local function read(path)
  local file = assert(io.open(path, "rb"), path .. " is missing")
  local text = file:read "a"
  file:close()
  return text
end

--- Rows of the tables: report, behaviour, spec files.
local function rows()
  local list = {}
  for line in read "docs/lessons.md":gmatch "[^\n]+" do
    local report, behaviour, specs = line:match "^| (.-) | (.-) | (.-) |$"
    if report and report ~= "report" then list[#list + 1] = { report = report, behaviour = behaviour, specs = specs } end
  end
  return list
end

--- The names of all tests about lessons.
local function names()
  local texts = {}
  for _, group in ipairs { "calls", "limits", "stops", "agents" } do
    texts[#texts + 1] = read(("spec/lessons_%s_spec.lua"):format(group))
  end
  return table.concat(texts)
end

describe("docs/lessons.md", function()
  it("names specs that exist", function()
    for _, row in ipairs(rows()) do
      for name in row.specs:gmatch "[%w_]+" do read(("spec/%s_spec.lua"):format(name)) end
    end
  end)

  it("has a spec for every number in it", function()
    local text, missing = names(), {}
    for _, row in ipairs(rows()) do
      for number in row.report:gmatch "#%d+" do
        if not text:find(number, 1, true) then missing[#missing + 1] = number end
      end
    end
    assert.same({}, missing)
  end)

  it("has a row for every number in a spec's name", function()
    local document, missing = read "docs/lessons.md", {}
    for name in names():gmatch 'it%("([^"]+)"' do
      for number in name:gmatch "#%d+" do
        if not document:find(number, 1, true) then missing[#missing + 1] = number end
      end
    end
    assert.same({}, missing)
  end)

  it("is not empty", function()
    assert.is_true(#rows() > 40)
  end)
end)
