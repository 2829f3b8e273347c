/* lua_plain.h -- beside the walk: messages of the ordinary shape, which most servers take as they
 * are. */
#ifndef RL_LUA_PLAIN_H
#define RL_LUA_PLAIN_H

#include <lua.h>
#include <stdbool.h>

enum {
    RL_PLAIN_ID = 40
}; /* bytes of a call's id, at most: the least that a server who counts takes */

/* Is the table at <index> a plain message? Nothing but
 *   a user or system message with a text,
 *   the text of a result, with the id of its call,
 *   an assistant message with a text, or with calls of functions and a text or null;
 * arguments are the text of a JSON object, ids are short, and no table orders its members itself.
 * rille.rewrite says which profiles send it as it is. Leaves the stack as it was. */
bool rl_lua_is_plain(lua_State *L, int index);

#endif
