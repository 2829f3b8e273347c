/* json.h -- beside the walk: JSON as it arrives from strangers, and JSON as we send it.
 *
 * Nothing from outside reaches cJSON unguarded. One linear pass first checks depth, node count,
 * size and syntax, replaces invalid UTF-8 by U+FFFD, and rewrites the three things that cJSON
 * cannot carry, so that a cJSON string of ours ("carried text") is modified UTF-8:
 *   - a NUL in a string             -> the two bytes C0 80
 *   - a lone surrogate (half a pair) -> its three-byte form ED A0..BF 80..BF
 *   - an integer beyond 2^53, a number of more than 60 characters, an exponent of three digits
 *                                   -> a string: the byte C1, then the number as it was written
 * None of these bytes can stand in valid UTF-8, so nothing else is ever mistaken for them.
 * Source: RFC 8259; the traps of cJSON 1.7.15 (numbers as doubles, C strings, unbounded trees).
 */
#ifndef RL_JSON_H
#define RL_JSON_H

#include "buf.h"
#include "err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rl_json_limits {
    size_t max_bytes;   /* of the whole text */
    unsigned max_depth; /* nested arrays and objects */
    size_t max_nodes;   /* values, keys not counted */
};

enum {
    RL_JSON_UNIQUE_KEYS = 1, /* duplicate keys in one object are an error (tool arguments) */
    RL_JSON_ONE_BLOCK = 2,   /* the tree and its texts lie in one block that begins with the root */
    RL_JSON_PASSING = 4      /* and who keeps an item copies it: the block goes soon */
};

/* 64 MiB, depth 128, 1,000,000 nodes. */
extern const struct rl_json_limits rl_json_default_limits;

/* Parses exactly one JSON text (white space around it is fine). <limits> NULL means the defaults.
 * Returns a tree that the caller frees with cJSON_Delete, or NULL and <err> with the byte offset:
 * RL_ESYNTAX, RL_ETOOBIG or RL_ENOMEM. With RL_JSON_ONE_BLOCK cJSON_free of the root frees it all;
 * items may be moved into other trees before, under the rules of tree.h. */
cJSON *rl_json_parse(const char *text, size_t len, const struct rl_json_limits *limits,
                     unsigned flags, struct rl_err *err);

/* Is <text> one complete JSON value? The guard pass alone, no tree. */
bool rl_json_is_complete(const char *text, size_t len);

/* Is it one that rl_json_parse takes, too, with its own limits? */
bool rl_json_is_readable(const char *text, size_t len);

/* Is <text> the beginning of a JSON value whose end is missing? */
bool rl_json_is_cut(const char *text, size_t len);

/* The length of the first complete JSON value in <text>, white space before it included; 0 when
 * there is none. For texts that glue several values together. */
size_t rl_json_first(const char *text, size_t len);

/* The member <key> of <object>, compared case-sensitively; NULL when absent or not an object. */
cJSON *rl_json_get(const cJSON *object, const char *key);

/* The carried text of a string item; NULL when <item> is NULL or no string (a carried number is
 * none). */
const char *rl_json_text(const cJSON *item);

/* Is <item> a number (carried ones included)? */
bool rl_json_is_number(const cJSON *item);

/* Reads <item> as an exact integer (1.0 counts); false when it is none or does not fit. */
bool rl_json_integer(const cJSON *item, int64_t *value);

/* Reads <item> as a double, the nearest one; false when it is no number. */
bool rl_json_double(const cJSON *item, double *value);

/* Appends the plain bytes of carried text: NUL is NUL again, halves of a pair that meet are joined,
 * lone ones become U+FFFD. */
int rl_json_plain(struct rl_buf *out, const char *carried, size_t len);

/* Appends carried text for plain bytes (NUL, invalid UTF-8 -> U+FFFD). */
int rl_json_carry(struct rl_buf *out, const char *bytes, size_t len);

/* A new string item that holds <bytes> as carried text; NULL without memory. */
cJSON *rl_json_new_string(const char *bytes, size_t len);

/* A new number item for an exact integer; beyond 2^53 a carried one. NULL without memory. */
cJSON *rl_json_new_integer(int64_t value);

/* Append JSON. Strings are escaped, invalid UTF-8 becomes U+FFFD; doubles print the shortest text
 * that reads back to the same bits, integral ones without ".0" up to 2^53; NaN and Inf print null
 * (callers refuse them earlier). Members keep the tree's order. Each returns the buffer's status.
 */
int rl_json_write_string(struct rl_buf *out, const char *bytes, size_t len);
int rl_json_write_double(struct rl_buf *out, double value);
int rl_json_write_integer(struct rl_buf *out, int64_t value);
int rl_json_write(struct rl_buf *out, const cJSON *tree);

#endif
