--- raw_client.lua -- a TCP client for specs: sends text, collects what comes back.
local core = require "rille.core"
local uv = require "rille.uv"

--- Connects to a port on loopback.
--- @param port integer
--- @return table client   received (text so far), reads (their number), ended; talk(text, enough), close()
local function connect(port)
  local client = { tcp = uv.new_tcp(), received = "", reads = 0, done = core.op() }
  local connected = core.op()
  client.tcp:connect("127.0.0.1", port, function(trouble) connected:complete(trouble) end)
  assert(connected:wait(2) == nil)
  client.tcp:nodelay(true)
  client.tcp:read_start(function(trouble, bytes)
    client.received = client.received .. (bytes or "")
    client.reads = client.reads + 1
    client.reset = trouble
    client.ended = not bytes
    if client.ended or client.has_enough() then client.done:complete() end
  end)

  function client.has_enough()
    return client.enough and client.received:find(client.enough, 1, true)
  end

  --- Sends, then waits until `enough` was read or the server closed.
  function client.talk(text, enough)
    client.enough, client.done = enough, core.op()
    if text ~= "" then client.tcp:write(text) end
    if not (client.ended or client.has_enough()) then client.done:wait(3) end
    return client.received
  end

  function client.close()
    if not client.tcp:is_closing() then client.tcp:close() end
  end

  return client
end

return connect
