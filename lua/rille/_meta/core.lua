---@meta rille.core
--- The C side as Lua sees it: what `require "rille.core"` returns. Everything here is internal to the
--- library; scripts use `require "rille"`. Functions marked @async park the running task, or turn the loop
--- until done when called outside one. Trouble is `nil, failure`; a wrong argument raises.

---@class rille.core
local core = {}

--- Version of the program and library, e.g. "0.1.0".
core.version = ""

-- ---------------------------------------------------------------- tasks (lua_task.c)

---@class rille.Task
local Task = {}

--- Starts `fn(...)` as a task of its own; it first runs on the next turn of the loop. It becomes a child of the running
--- task: cancelling that one cancels this one too. It does not end with it.
---@param fn fun(...):...
---@return rille.Task
function core.spawn(fn, ...) end

--- The same for a task that works for something, it and whatever it leads to, with a deadline from the start: see
--- Task:errand and Task:deadline.
---@param errand any
---@param seconds number
---@param failure rille.Failure
---@param fn fun(...):...
---@return rille.Task
function core.spawn_for(errand, seconds, failure, fn, ...) end

--- The task that runs now, or nil (main thread, or a coroutine of the script's own).
---@return rille.Task?
function core.running() end

--- Waits for the end of a task. Returns what its function returned; `nil, failure` when it raised (the failure
--- that was raised, or code "internal" with the traceback in `failure.traceback`), was cancelled (code "cancelled"), or when
--- `seconds` passed first (code "timeout"; the task goes on).
---@async
---@param seconds? number
---@return any ...
function Task:join(seconds) end

--- Cancels the task and the tasks it spawned: what they wait for is abandoned and the failure is raised there. After
--- 2 seconds of cleaning up the coroutine is closed; what is to be closed in it cannot wait then. What it spawned while it
--- cleaned up is cancelled when it ends. Returns at once; join to wait. Idempotent.
---@param reason? string|rille.Failure  a failure is raised as it is; a text makes code "cancelled" with that message
function Task:cancel(reason) end

--- Ends the task, and what it spawns from now on, at a deadline even if it never waits (`while true do end`): `failure` is
--- raised in whatever runs. Caught, it has 2 seconds to clean up, half a second of computing at a time; whoever computes
--- longer meets the failure again, and half a second later at every instruction.
---@param seconds? number          from now; nil: no deadline
---@param failure rille.Failure    what is raised, and what join returns
---@return boolean enforced        false when the host allows no interrupts: then only waits end in time
function Task:deadline(seconds, failure) end

--- Waits for the end of a task, and lets one that has not begun begin at once: what ends without waiting costs no turn of
--- the loop.
---@async
---@return boolean|nil ok    true: it returned; false: it raised; nil: it was cancelled
---@return any ...           what it returned; the failure; or why it was cancelled
function Task:outcome() end

--- What its function returned, if it came to that: a task may be cancelled in that very moment.
---@return boolean has_returned
---@return any ...
function Task:returned() end

---@return boolean
function Task:has_begun() end

---@return boolean    when its deadline is over, too
function Task:is_cancelled() end

--- What a task works for (core.spawn_for), or the nearest one of those that led to it.
---@return any? errand
function Task:errand() end

---@return "running"|"ready"|"waiting"|"done"|"failed"|"cancelled"
function Task:status() end

--- The task that spawned this one; nil when there was none, or when either has ended.
---@return rille.Task?
function Task:parent() end


---@async
---@param seconds number
---@return true
function core.sleep(seconds) end

--- Monotonic clock, in seconds.
---@return number
function core.now() end

---@class rille.Op  one thing to wait for: how callbacks of luv become awaits
local Op = {}

---@return rille.Op
function core.op() end

--- Completes the operation; the values are what `wait` returns. Only the first call counts.
function Op:complete(...) end

--- Makes it one that has not been completed, whose values are forgotten.
function Op:reset() end

--- Waits for `complete` and returns its values; at once when it already happened (again and again). After `seconds`:
--- `nil, failure` (code "timeout"). One waiter at a time.
---@async
---@param seconds? number
---@return any ...
function Op:wait(seconds) end

--- Waits until every task that the calling one has spawned, or inherited from those, has ended.
---@async
function core.childless() end

--- Turns the loop until no task is left and nothing keeps the loop alive (the end of a script).
function core.run() end

--- What is alive: for specs and `rille doctor`.
---@return {tasks: integer, transfers: integer, handles: integer, registry: integer}
function core.counts() end

--- luv, opened on the runtime's own loop when it is first asked for.
---@return table
function core.uv() end

--- Calls `callback` at the next SIGINT, unless the handle is closed before; it must not wait. It does not keep the loop
--- alive. The one after it ends the process, also while Lua code spins and the loop does not turn.
---@param callback fun()
---@return {close: fun(self)} handle
function core.on_sigint(callback) end

-- ---------------------------------------------------------------- failures (lua_core.c)

--- The metatable of every failure, also of those that C makes; failure.lua fills it.
---@type table
core.failure_metatable = {}

-- ---------------------------------------------------------------- JSON (lua_json.c)

--- Stands for JSON null in both directions.
core.null = nil ---@type lightuserdata
--- Metatables that say what an (empty) table is; `__jsontype` is "array" or "object". A table whose metatable has
--- `__jsonorder` (list of keys) is written in that order, the other keys after it, sorted.
core.array_metatable = {} ---@type table
core.object_metatable = {} ---@type table

--- Encodes a value. Keys sorted; integers exact; integral floats without ".0"; empty tables `{}` unless marked as
--- array; non-empty sequences as arrays; invalid UTF-8 as U+FFFD. Raises, with the path, for what JSON cannot hold.
---@param value any
---@return string
function core.json_encode(value) end

--- Decodes one JSON text. Arrays get array_metatable; null becomes core.null, or nil with `options.nulls == false`.
---@param text string
---@param options? {nulls?: boolean, unique_keys?: boolean}
---@return any value
---@return rille.Failure? failure
function core.json_decode(text, options) end

-- ---------------------------------------------------------------- transcript (lua_transcript.c)

---@class rille.Transcript  public methods: docs in transcript.lua
local Transcript = {}

---@param messages? table[]
---@return rille.Transcript
function core.transcript(messages) end

function Transcript:append(message) end      -- returns the transcript
--- Appends a list of messages, all of them or none, and before them, if it is given, a message of a model as it is kept: with
--- `content` null where it is absent, since servers want to see it.
function Transcript:append_all(list, message) end
function Transcript:replace(i, message) end
function Transcript:truncate(n) end
function Transcript:clone() end
function Transcript:messages() end           -- list of decoded copies
function Transcript:encode() end             -- JSON text
--- The first index at or after `from` whose message needs a wire form for profile `key` and has none yet; nil when there
--- is none. Where `plain_serves`, plain messages (runtime/lua_plain.h) need none.
function Transcript:unwired(key, from, plain_serves) end
--- Keeps the wire form of message i for profile `key`: JSON text, or nil when the neutral bytes serve. One key per message is
--- kept; a new key replaces the old one.
function Transcript:set_wire(i, key, json) end
--- The JSON array of all wire forms for `key` (nil: the neutral bytes).
function Transcript:wire(key) end

-- ---------------------------------------------------------------- HTTP (lua_http.c)

---@class rille.core.http_options
---@field url string
---@field method? string                 default "GET"
---@field headers? string[]              whole lines "Name: value"
---@field body? string
---@field connect? number                seconds; likewise first_byte, idle, total; nil: no limit
---@field first_byte? number
---@field idle? number                   between received bytes
---@field total? number
---@field max_bytes? integer             of the decoded body; default 64 MiB
---@field stream? boolean                the body is read in pieces: speak HTTP/1.1, where the server can be made to wait
---@field proxy? string
---@field no_proxy? string
---@field ca_file? string

---@class rille.core.Http
local Http = {}

---@param options rille.core.http_options
---@return rille.core.Http  the transfer, started; closing or collecting it cancels it
function core.http(options) end

--- Waits for the response head. Header names are lower-case; repeated ones are joined with ", ".
---@async
---@return {status: integer, headers: table<string,string>, url: string}? head
---@return rille.Failure? failure
function Http:head() end

--- The next bytes of the body; nil at its end.
---@async
---@return string? bytes
---@return rille.Failure? failure
function Http:read() end

--- The rest of the body at once.
---@async
---@return string? body
---@return rille.Failure? failure
function Http:body() end

function Http:close() end

-- ---------------------------------------------------------------- chat (lua_chat.c)

---@class rille.core.plan_options: rille.core.http_options
---@field head? string                   the request body is head .. messages .. tail when there are messages, else `body`
---@field key? string                    profile key of the messages' wire forms
---@field plain_serves? boolean           see Transcript:unwired
---@field rules? rille.FormRules          by which forms of ordinary messages are made; kept, never changed
---@field tail? string
---@field stream boolean                 was a stream asked for? (the answer is believed whatever it is)
---@field n? integer                     choices asked for, default 1
---@field cumulative? boolean            every delta's content is the whole text so far
---@field idle? number                   seconds between data events

---@class rille.core.chat_options: rille.core.plan_options
---@field messages? rille.Transcript
---@field opening? string                JSON of a message that stands before the transcript's
---@field want? "deltas"|"chunks"        what `next` yields; nil: nothing, and no Lua runs per token
---@field canned? {status?: integer, headers?: string[], body: string, cuts?: integer[]}  no network: these are the response's bytes

---@class rille.core.ChatPlan            what many requests have in common; never changed
local ChatPlan = {}

---@param options rille.core.plan_options   read now
---@return rille.core.ChatPlan
function core.chat_plan(options) end

---@class rille.core.Chat
local Chat = {}

---@param plan rille.core.ChatPlan|rille.core.chat_options   options: a single request, nothing follows
---@param messages? rille.Transcript
---@param opening? string
---@param want? "deltas"|"chunks"
---@param total? number                  seconds; instead of the plan's
---@return rille.core.Chat? chat          nil: a message lacks the wire form that the plan's key names, and the rules
---  make none
function core.chat(plan, messages, opening, want, total) end

--- The next part of the reply; nil at the end (then call `finish`).
---@async
---@return "text"|"reasoning"|"refusal"|"chunk"|nil kind
---@return string|table delta            neighbouring deltas that waited together come joined; a chunk as received, nulls as nil
---@return integer choice                0-based index of the choice
function Chat:next() end

--- Waits for the end.
---@async
---@param few? boolean|table             true: of a success tell no bytes, delivered, done and complete, and of its headers only
---  those that begin with "x-ratelimit-", nil for none. A table, without a metatable, gets of a success what a turn keeps:
---  message, finish_reason (the effective one) and reasoning (nil for "") of the first choice, usage, model, id
---@return table? completion             the accumulated response (wire contract 2.4); nulls as nil. nil on failure; the table
---@return rille.core.ChatInfo? info     also on failure; beside the table only the headers, and nil without those
---@return table? error                  canonical {kind, message, type, code, param, status, retryable, partial = completion?}
function Chat:finish(few) end

--- Ends the transfer now. Close the chat after it.
---@return table? completion             what had arrived of the response, nulls as nil; nil: nothing
function Chat:abort() end

function Chat:close() end

---@class rille.core.ChatInfo
---@field status? integer
---@field headers table<string,string>
---@field request_id? string
---@field delivered boolean              was any delta or chunk handed to Lua?
---@field done boolean                   was [DONE] seen?
---@field complete boolean
---@field bytes integer                  received
---@field effective string[]             effective finish reason per entry of completion.choices
---@field reasoning string[]             reasoning text per entry ("" when none)

--- `rille decode`: the exact bytes of a response to the canonical form of the wire fixtures (nulls kept). The bytes are
--- believed whatever `stream` and the content type say. With `want`, a second value: what a reader would have been told.
---@param body string
---@param options? {status?: integer, headers?: string[]|table<string,string>, stream?: boolean, n?: integer, cuts?: integer[], max_bytes?: integer, want?: "deltas"|"chunks", cumulative?: boolean}  cuts: ascending offsets where a new slice begins
---@return table canonical
---@return table[]? seen                 deltas {kind=, text=, choice=}, or chunks
function core.decode(body, options) end

--- How long the server asks to wait, from retry-after-ms or retry-after (seconds or a date).
---@param headers string[]|table<string,string>   lines, or values by lower-case name
---@param now number                     wall clock, seconds since 1970; used when the server sent no `date`
---@return number? seconds               nil: nothing usable
function core.retry_after(headers, now) end

--- The SSE parser alone, for specs.
---@param max_bytes? integer
---@return {feed: fun(self, bytes: string): table[], finish: fun(self): table[]}  events {type=, data=}; nil, failure when one is too big
function core.sse(max_bytes) end

-- ---------------------------------------------------------------- small things

--- Are these variables of the environment as they are noted here? An empty one counts as unset, which is `false`.
---@param noted table<string, string|false>
---@return boolean
function core.environment_says(noted) end

--- Does a value, as it was decoded, fit a shape of rille.schema.shape, and is it what decoding its JSON would give? No may
--- mean that this cannot be said here.
---@param value any
---@param shape table
---@return boolean
function core.fits(value, shape) end

--- The calls of a message, frozen, when there is nothing to put right in any of them and their arguments fit the shapes of
--- their tools; nil otherwise, and nothing is changed.
---@param tool_calls any
---@param tools table<string, rille.Tool>    by name; `_shape` is looked at
---@param completes? boolean      put in defaults, take out nulls that stand for absent members, as far as the shapes say it
---@return rille.CallRecord[]?
function core.read_calls(tool_calls, tools, completes) end

--- A copy of data, for core.same: tables copied, with their marks of json.array and json.object, the rest as it is. nil
--- for what holds a table with another metatable, whose state may be elsewhere, or is nested more than 128 deep.
---@generic T
---@param value T
---@return T? copy
function core.snapshot(value) end

--- Do two values say the same? Tables by what they hold and by their metatables, the rest by itself; 1 and 1.0 are not
--- the same. No metamethod is called. Tables nested more than 128 deep, or in themselves, are never the same.
---@param a any
---@param b any
---@return boolean
function core.same(a, b) end

--- Does a table hold these values under these names, whatever else it holds?
---@param holder table
---@param names string[]
---@param values any[]    in the order of the names, nil where there is to be none
---@return boolean
function core.same_members(holder, names, values) end


-- ---------------------------------------------------------------- usage (lua_usage.c)

--- Adds the numbers of `used` to those of `sum`, in nested tables too. Only numbers from 0 up to 2^53 count, and only
--- where `sum` has a number or nothing; a table is made where `sum` has nothing.
---@param sum table
---@param used any    what is no table says nothing
function core.add_counts(sum, used) end

--- A compiled regular expression (PCRE2, UTF-8): what JSON Schema's `pattern` needs. Matching is bounded: `find`
--- gives nil and a failure when a pattern costs too much.
---@param pattern string
---@return {find: fun(self, subject: string): boolean?, rille.Failure?}? regex
---@return rille.Failure? failure
function core.regex(pattern) end

---@param bytes string
---@return string
function core.base64(bytes) end

--- The bytes of base64 text, or of a list of pieces: padded one by one or not at all, cut anywhere, with white
--- space, in either alphabet.
---@param text string|string[]
---@return string? bytes
---@return rille.Failure? failure   "bad_response": not base64
function core.base64_decode(text) end

-- ---------------------------------------------------------------- a host's C code (lua_embed.c)

--- Runs a C tool of the host and waits for its answer.
---@async
---@param tool lightuserdata
---@param arguments string   JSON
---@return string? content
---@return rille.Failure? failure
function core.host_call(tool, arguments) end

--- Hands an event to the host's C code.
---@param run lightuserdata
---@param event string       JSON
---@param ended? boolean     true with the last one
---@param text? string       of the final reply; nil when the run failed
function core.host_event(run, event, ended, text) end

return core
