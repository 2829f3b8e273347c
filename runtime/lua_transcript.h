/* lua_transcript.h -- beside the walk: transcripts for the seams that send them. */
#ifndef RL_LUA_TRANSCRIPT_H
#define RL_LUA_TRANSCRIPT_H

#include "transcript.h"

#include <lua.h>

/* The transcript at <arg>; raises when the argument is none. It lives as long as its userdata, so
 * keep that on the stack; messages may be appended at any time by other tasks. */
struct rl_transcript *rl_check_transcript(lua_State *L, int arg);

#endif
