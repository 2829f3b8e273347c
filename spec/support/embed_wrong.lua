--- embed_wrong.lua -- an agent with a slip of the pen, in a tail call, as files are written.
return require("rille").agent { modle = "m" }
