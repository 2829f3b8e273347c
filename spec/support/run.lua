--- run.lua -- runs busted under this very interpreter: lua run.lua [busted's arguments].
require "busted.runner" { standalone = false }
