/* lua_plain.h -- beside the walk: messages of the ordinary shape, which most servers take as they
 * are.
 */
#ifndef RL_LUA_PLAIN_H
#define RL_LUA_PLAIN_H

#include "buf.h"

#include <lua.h>
#include <stdbool.h>

enum {
    RL_PLAIN_ID = 40
}; /* bytes of a call's id, at most: the least that a counting server takes */

/* What was left out of a message. */
struct rl_plain {
    bool annotated; /* an empty list of annotations, as OpenAI's answers have: still a plain one */
    bool sheds;     /* other members: the rest is bare (transcript.h) */
    bool sheds_calls; /* members of its calls: likewise */
};

/* Is the table at <index> a plain message? Then its JSON is put into the empty <out>, the same
 * bytes that rl_lua_encode_json makes of it; else <out> stays empty, as it does without memory. A
 * plain message is nothing but a user or system message with a text, the text of a result, with the
 * id of its call, an assistant message with a text, or with calls of functions and a text or null;
 * arguments are the text of a JSON object, ids are short, and no table orders its members itself.
 * rille.rewrite says which profiles send it as it is. With <kept> calls without content have null
 * there. An answer may hold more than a plain one: that is left out, as those profiles would, and
 * <found> tells what it was. Leaves the stack as it was. */
bool rl_lua_encode_plain(lua_State *L, int index, bool kept, struct rl_buf *out,
                         struct rl_plain *found);

#endif
