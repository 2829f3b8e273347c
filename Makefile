# rille -- Lua-scriptable agent runtime. `make help` lists the targets.
PREFIX  ?= /usr/local
B       ?= build
CFLAGS  ?= -O2 -g
CC      ?= cc

# Distributions name these two differently; the first that exists is taken.
pick     = $(firstword $(foreach p,$(1),$(shell pkg-config --exists $(p) 2>/dev/null && echo $(p))))
LUA_PC  := $(call pick,lua5.4 lua-5.4 lua54 lua)
LUV_PC  := $(call pick,lua5.4-luv libluv luv)
PKGS     = $(LUV_PC) libcurl libuv libcjson libpcre2-8
LUA     ?= $(firstword $(shell command -v lua5.4 lua54 lua-5.4 lua 2>/dev/null))

WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wwrite-strings -Wvla
ALL_C    = -std=c11 -D_POSIX_C_SOURCE=200809L -fPIC -fvisibility=hidden -pthread -MMD -MP $(WARN) $(WERROR) \
           $(subst -I,-isystem ,$(shell pkg-config --cflags $(LUA_PC) $(PKGS)))
LIBS     = $(shell pkg-config --libs $(PKGS)) -lm -pthread
LUA_LIB  = $(shell pkg-config --libs $(LUA_PC))

# The program takes these from archives where they stand in the compiler's own directories: every library that the dynamic
# linker need not find, map and search is 2 to 3 % of the time that an empty script takes. C modules find Lua in it (-E), and
# nothing else: theirs may be another PCRE2. Whoever names directories means what stands there; `make INNER=` takes no archive.
INNER    = $(filter-out -lm -ldl -lrt -lpthread -pthread -luv,$(shell pkg-config --libs $(LUV_PC) libcjson libpcre2-8 $(LUA_PC)))
NAMED    = $(filter -L%,$(CFLAGS) $(LDFLAGS) $(LIBS) $(LUA_LIB))
ARCHIVE  = $(filter /%,$(if $(NAMED),,$(shell $(CC) -print-file-name=$(lib:-l%=lib%.a))))
HIDDEN   = $(addprefix -Wl$(COMMA)--exclude-libs$(COMMA),$(filter libcjson.a libpcre2-8.a,$(notdir $(PROGRAM_LIBS))))
PROGRAM_LIBS = $(foreach lib,$(LIBS) $(LUA_LIB),$(or $(if $(filter $(lib),$(INNER)),$(ARCHIVE)),$(lib)))
COMMA   := ,
UNDEFINED := $(if $(filter Darwin,$(shell uname -s)),-undefined dynamic_lookup)

SRC     := $(sort $(wildcard runtime/*.c))
MODULES := $(sort $(shell find lua -name '*.lua' -not -path '*/_meta/*'))
OBJ     := $(SRC:runtime/%.c=$B/obj/%.o) $B/obj/embedded.o
LIB     := $(filter-out $B/obj/main.o,$(OBJ))

# A stock interpreter that finds the module just built.
STOCK    = LUA_PATH='lua/?.lua;lua/?/init.lua;./?.lua;;' LUA_CPATH='$B/lua/?.so;;' RILLE_BUILD='$B' $(LUA)
BUSTED   = $(STOCK) spec/support/run.lua
SPEC    ?= spec

.PHONY: all deps demo test spec check asan gc fuzz bench walk install clean help host-libs
.DEFAULT_GOAL := all

all: $B/rille $B/librille.a $B/librille.so $B/lua/rille/core.so  ## build the program, the library and the Lua module

$B/obj/%.o: runtime/%.c | $B/obj
	$(CC) $(ALL_C) $(CFLAGS) -c $< -o $@

$B/obj/embedded.o: $B/embedded.c
	$(CC) $(ALL_C) $(CFLAGS) -Iruntime -c $< -o $@

$B/embedded.c: runtime/embed.lua $(MODULES) | $B/obj
	$(LUA) $< $(MODULES) > $@.new && mv $@.new $@

$B/rille: $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -Wl,-E $(HIDDEN) -o $@ $^ $(PROGRAM_LIBS)

$B/librille.a: $(LIB)
	rm -f $@ && $(AR) rcs $@ $^

$B/librille.so: $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $^ $(LIBS) $(LUA_LIB)

# Lua's own symbols come from the interpreter that loads it; rille.so lets `require "rille"` find it alone.
$B/lua/rille/core.so: $(LIB) | $B/lua/rille
	$(CC) $(CFLAGS) $(LDFLAGS) -shared $(UNDEFINED) -o $@ $^ $(LIBS)
	ln -sf rille/core.so $B/lua/rille.so

$B/obj $B/lua/rille:
	mkdir -p $@

deps:  ## install what is missing (apt, dnf, pacman, apk or brew)
	@sh .ci/deps

demo: deps  ## install, build, and run the weather agent
	@$(MAKE) --no-print-directory -s all
	@$B/rille examples/demo.lua

test: deps  ## install, build, run every spec
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory spec

spec: all  ## run the specs of $(SPEC) without installing anything
	@$(RUN) $(BUSTED) $(SPEC)

check: deps  ## formatting, lint, warnings as errors
	@$(MAKE) --no-print-directory -s B=build/check WERROR=-Werror build/check/librille.a
	clang-format --dry-run -Werror runtime/*.[ch] $(wildcard examples/embed/*.c bench/*.c spec/fuzz/*.c)
	luacheck -q lua tools examples spec bench runtime

SANITIZE   := -fsanitize=address,undefined -fno-sanitize-recover=undefined
ASAN_FLAGS := -O1 -g -fno-omit-frame-pointer $(SANITIZE)
asan: deps  ## every spec under the address and undefined behaviour sanitizers
	@$(MAKE) --no-print-directory -s B=build/asan CFLAGS='$(ASAN_FLAGS)' all
	@$(MAKE) --no-print-directory -s B=build/asan CFLAGS='$(ASAN_FLAGS)' spec RUN='\
	  LD_PRELOAD="$(shell $(CC) -print-file-name=libasan.so) $(shell $(CC) -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=1 \
	  UBSAN_OPTIONS=print_stacktrace=1 RILLE_HOST_FLAGS="$(SANITIZE)" RILLE_PROPERTY_RUNS=500'

gc: deps  ## every spec with an aggressive collector
	@$(MAKE) --no-print-directory -s all
	@RILLE_GC=aggressive $(STOCK) spec/support/each.lua $(SPEC)

fuzz: deps  ## feed the parsers random bytes for a while (libFuzzer)
	@$(MAKE) --no-print-directory -f spec/fuzz/Makefile

bench: all  ## the program against its floor and its peers, one table
	@$(MAKE) --no-print-directory -f bench/Makefile B=$B

host-libs:  # what a C host links besides librille.a
	@echo $(LIBS) $(LUA_LIB)

walk:  ## print the data flow, file by file
	@awk -f .ci/walk.awk $$(find runtime lua tools -name '*.c' -o -name '*.lua' | sort) | sort -s -n -k1,1

install: all  ## copy program, library, header, Lua modules and tools below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/lua/5.4/rille $(DESTDIR)$(PREFIX)/include \
	  $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/rille/tools
	install $B/rille $(DESTDIR)$(PREFIX)/bin
	install -m 644 $B/librille.a $B/librille.so $(DESTDIR)$(PREFIX)/lib
	install -m 644 $B/lua/rille/core.so $(DESTDIR)$(PREFIX)/lib/lua/5.4/rille
	ln -sf rille/core.so $(DESTDIR)$(PREFIX)/lib/lua/5.4/rille.so
	install -m 644 runtime/rille.h $(DESTDIR)$(PREFIX)/include
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBS@|$(LIBS) $(LUA_LIB)|' \
	  -e "s|@VERSION@|$$(sed -n 's/^#define RILLE_VERSION "\(.*\)"/\1/p' runtime/lua_core.h)|" \
	  .ci/rille.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/rille.pc
	install -m 644 tools/*.lua $(DESTDIR)$(PREFIX)/share/rille/tools
	cp -R lua $(DESTDIR)$(PREFIX)/share/rille

clean:  ## remove what was built
	rm -rf build

help:  ## this list
	@sed -nE 's/^([a-z]+):.*  ## (.*)/\1\t\2/p' Makefile | awk -F'\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'

-include $(OBJ:.o=.d)
