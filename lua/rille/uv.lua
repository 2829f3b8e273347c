--- rille.uv -- beside the walk: luv itself, opened on the runtime's own loop.
---
--- Its callbacks run while the loop turns, outside any task: they must not wait. rille.await makes
--- awaits of them.
--- Source: https://docs.libuv.org and the luv manual.

return require("rille.core").uv()
