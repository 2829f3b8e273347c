---@meta _
--- rille -- beside the walk: the public names for an editor. lua/rille/init.lua loads a module when
--- its name is first used, which no language server can follow; here the same names are plain
--- fields, so that LuaLS shows each with the types and comments of its module.
---
--- Invariant: the names and values of lua/rille/init.lua; spec/docs_spec.lua compares them.
--- Source: https://luals.github.io/wiki/definition-files

--- A call that somebody is asked about.
---@class rille.AskedCall
---@field id string
---@field name string
---@field arguments table|string    text of a custom tool
---@field reason? string            why the tool's policy asks

--- What the types of events carry beside type, path and time; docs/agents.md says which.
---@class rille.Event
---@field delta? string            text, reasoning, refusal
---@field message? rille.Message   message
---@field number? integer          request, turn
---@field model? string            request; fallback: that is asked next
---@field messages? integer        request: how many
---@field call? rille.AskedCall    tool_call, tool_progress, tool_result, approval
---@field value? any               tool_progress
---@field content? string|table[]  tool_result
---@field ok? boolean              tool_result
---@field seconds? number          tool_result
---@field attempt? integer         retry
---@field delay? number            retry: seconds
---@field failure? rille.Failure   retry, fallback, failed
---@field from? string             handoff
---@field to? string               handoff
---@field usage? table             turn
---@field reply? rille.Reply       done
---@field id? integer              approval
---@field shown? string            approval: the call on one line, safe for a terminal
---@field reason? string           approval: why the tool's policy asks
---@field approve? fun(self: rille.Event, changed?: table|string): true?, rille.Failure?    approval
---@field deny? fun(self: rille.Event, reason?: string): true?, rille.Failure?              approval
---@field defer? fun(self: rille.Event)                                                     approval

--- What a function of instructions is given.
---@class rille.RunContext
---@field value any
---@field agent rille.Agent
---@field transcript rille.Transcript

--- What `prepare` is given: the turn that comes.
---@class rille.NextTurn: rille.RunContext
---@field number integer
---@field last? rille.Turn              the turn before
---@field left rille.LimitOptions       of each limit that is set

--- What `prepare` returns.
---@class rille.Wanted
---@field tools? table
---@field tool_choice? string|table
---@field model? string|table
---@field params? table<string, any>

--- Each returns `false, reason` to stop the run.
---@class rille.Guards
---@field input? fun(prompt: string|table, run: rille.Run): boolean?, string?
---@field output? fun(reply: rille.Reply, run: rille.Run): boolean?, string?

--- What `rille.agent` takes; docs/agents.md tells more.
---@class rille.AgentOptions
---@field name? string                 default "assistant"
---@field description? string          for agents that call this one
---@field model? string|table          "model", "provider:model", a script, or a list of them to fall back to
---@field provider? string|table
---@field base_url? string
---@field api_key? string|boolean|fun(): string?
---@field headers? table<string, string>
---@field query? table<string, string>
---@field insecure? boolean            true: the key may be sent without TLS
---@field timeout? number|table        seconds; {connect=, first_byte=, idle=, total=}
---@field retries? integer             default 2
---@field extra? table                 merged into the body last
---@field instructions? string|fun(context: rille.RunContext): string
---@field tools? table                 tools, or lists of them
---@field output? table|string         the schema that the reply must fit
---@field limits? rille.LimitOptions
---@field params? table<string, any>   any other request parameter
---@field stop_when? fun(turn: rille.Turn): boolean?
---@field prepare? fun(turn: rille.NextTurn): rille.Wanted?    what is different in the next request
---@field guard? rille.Guards
---@field on? table<string, fun(event: rille.Event)>        by event type
---@field approve? fun(call: rille.AskedCall, context: rille.Context): boolean, string?

--- What one run takes beside its prompt.
---@class rille.RunOptions
---@field transcript? rille.Transcript  continued and appended to
---@field value? any                    context.value
---@field limits? rille.LimitOptions
---@field model? string|table
---@field tools? table
---@field params? table<string, any>
---@field on? table<string, fun(event: rille.Event)>
---@field approve? fun(call: rille.AskedCall, context: rille.Context): boolean, string?

---@class rille
---@field version string    of the program and library, e.g. "0.1.0"
local rille = {}

---@type fun(given: rille.AgentOptions): rille.Agent
rille.agent = require("rille.agent").new
rille.all = require("rille.task").all
rille.chat = { completions = require "rille.completions" }
rille.failure = require "rille.failure"
rille.fs = require "rille.fs"
rille.http = require "rille.http"
rille.json = require "rille.json"
rille.log = require "rille.log"
rille.map = require("rille.task").map
rille.mock = require "rille.mock"
rille.models = require("rille.models").list
rille.now = require("rille.task").now
rille.parts = require("rille.tool").parts
rille.process = require "rille.process"
rille.race = require("rille.task").race
rille.script = require "rille.script"
rille.sleep = require("rille.task").sleep
rille.spawn = require("rille.task").spawn
rille.timeout = require("rille.task").timeout
rille.tool = require("rille.tool").new
rille.transcript = require "rille.transcript"
rille.uv = require "rille.uv"

return rille
