std = "lua54"
max_line_length = 140
ignore = { "211/_.+" } -- a variable that is there to be closed
files["spec"] = { std = "+busted", read_globals = { "async" } }
exclude_files = { "lua/rille/_meta/**" }
