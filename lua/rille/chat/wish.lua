--- rille.chat.wish -- walk 2: what is asked, but for the messages: often the same for thousands of requests.
---
--- Its owner (an agent, or one call) keeps a wish as long as it `serves`; the wish keeps the first of its targets as
--- long as all that it was made of stays as it was: the configuration, the variables of the environment that were read,
--- what was learned about servers, and the key; a function that gives it is asked each time. Invariant: what comes out
--- is what would be made anew; a wish that outlives a request holds copies, so that nobody changes it from outside.

local config = require "rille.config"
local core = require "rille.core"
local heal = require "rille.heal"
local target = require "rille.chat.target"

---@class rille.Wish
---@field request rille.ChatRequest   without messages, with all defaults
---@field _asked? table               a copy of what was asked, for `serves`; nil: it serves nobody else
---@field _tools? table[]
---@field _models any[]               names and scripts: the first, and whom to ask when it is in trouble; false: the default
---@field _target? rille.Target       the first one, while it can be kept
---@field _notes? rille.ConfigNotes   what it was made of
---@field _changes? integer           heal.changes at that time
local Wish = {}
Wish.__index = Wish

local wish = {}

--- Wishes of one owner. Often they differ in little: the first request of a run is made to call a tool, the next not.
local MOST_KEPT <const> = 4

--- Seconds; `total` is unlimited.
wish.TIMEOUT = { connect = 10, first_byte = 600, idle = 120 }
--- Attempts after the first.
wish.RETRIES = 2


local function timeouts(given)
  if type(given) == "number" then given = { total = given } end
  local made = {}
  for name, value in pairs(wish.TIMEOUT) do made[name] = value end
  for name, value in pairs(given or {}) do made[name] = value or nil end
  return made
end


--- A model that is a list of models, and no script.
local function is_list(model)
  return type(model) == "table" and not target.is_script(model)
end


--- Scripts and tools are objects: a list of them is the same when it holds the same ones.
local function same_list(a, b)
  if a == b then return true end
  if not is_list(a) or not is_list(b) or #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end


--- For one request.
---@param request rille.ChatRequest   may hold messages
---@return rille.Wish
function wish.new(request)
  local complete, model = {}, request.model
  for name, value in pairs(request) do complete[name] = value end
  complete.timeout = timeouts(request.timeout)
  complete.retries = request.retries or wish.RETRIES
  if not is_list(model) or #model == 0 then model = { model or false } end
  return setmetatable({ request = complete, _models = model }, Wish)
end


--- For as many requests as it serves.
---@param model any        as in rille.ChatRequest
---@param tools? table[]   never changed
---@param asked table      the other members; tools that may change, too
---@return rille.Wish
function wish.keep(model, tools, asked)
  local data, request = core.snapshot(asked), {}
  for name, value in pairs(data or asked) do request[name] = value end
  request.model = is_list(model) and table.move(model, 1, #model, 1, {}) or model
  request.tools = tools or request.tools
  local self = wish.new(request)
  self._asked, self._tools = data, tools
  return self
end


--- The wish that says this, if it is one of the few that its owner keeps, the latest first.
---@param kept rille.Wish[]
---@param model any
---@param tools? table[]
---@param asked table
---@return rille.Wish?
function wish.find(kept, model, tools, asked)
  for i = 1, #kept do
    local one = kept[i]
    if one:serves(model, tools, asked) then
      if i > 1 then table.insert(kept, 1, table.remove(kept, i)) end
      return one
    end
  end
end


--- Where those are looked for that another owner keeps: agents are often alike but for their instructions.
local function name_of(model, tools, asked)
  return ("%s %s %d %p"):format(model, asked.base_url or asked.provider, tools and #tools or 0, tools and tools[1])
end


local shared = setmetatable({}, { __mode = "v" }) ---@type table<string, rille.Wish>   the latest of that name


local function shared_wish(model, tools, asked)
  local name = name_of(model, tools, asked)
  local one = shared[name]
  if not one or not one:serves(model, tools, asked) then
    one = wish.keep(model, tools, asked)
    shared[name] = one
  end
  return one
end


--- The same, or another owner's, or a new one: it takes the place of the one that was not asked for longest.
---@param kept rille.Wish[]
---@param model any
---@param tools? table[]
---@param asked table
---@return rille.Wish
function wish.of(kept, model, tools, asked)
  local one = wish.find(kept, model, tools, asked)
  if one then return one end
  one = shared_wish(model, tools, asked)
  kept[MOST_KEPT] = nil
  table.insert(kept, 1, one)
  return one
end


--- Does it still say what is asked now?
---@param model any
---@param tools? table[]
---@param asked table
---@return boolean
function Wish:serves(model, tools, asked)
  local mine = self.request.model
  return self._asked ~= nil and (mine == model or same_list(mine, model))
    and (self._tools == tools or same_list(self._tools, tools)) and core.same(self._asked, asked)
end


--- Makes the first target, and notes what it is made of. A function that gives the key may have waited, and notes are
--- right only where nobody does: then it is made once more, with what the function gave.
local function first_target(self, asked)
  local notes <close> = config.take_notes()
  local changes = heal.changes
  local made, trouble = target.new(self.request, self._models[1] or nil, false, asked)
  local ask = made and made.profile.ask_key
  if ask and not (asked and asked.ask == ask) then
    return first_target(self, { ask = ask, key = made.profile.asked_key })
  end
  self._target, self._notes, self._changes = made, notes, changes
  return made, trouble
end


--- Would the target that is kept be made the same way now, but for its key and what its script is called?
local function holds(self)
  return self._target and self._changes == heal.changes and self._notes:hold()
end


--- The first target, when a function is to be asked for its key, or a script for its name, or there is none yet.
---@async
local function ask_target(self)
  local ask = self._target and self._target.profile.ask_key
  local asked = ask and { ask = ask, key = (ask()) } or nil
  local kept = self._target   -- another request may have made it anew while the function waited
  if holds(self) and (not asked or asked.key == kept.profile.asked_key)
    and (not kept.script or kept.profile.model == target.script_name(kept.script)) then
    return kept
  end
  return first_target(self, asked)
end


--- Whom to ask.
---@async
---@param number integer   1 for the model to ask, 2 for the one to fall back to …
---@return rille.Target? target   nil without a failure: the list ends before
---@return rille.Failure? failure
function Wish:target(number)
  if number == 1 then
    local kept = self._target
    if kept and not kept.asks and holds(self) then return kept end
    return ask_target(self)
  end
  local model = self._models[number]
  if model == nil then return nil end
  return target.new(self.request, model, true)
end


return wish
