/* base64.h -- beside the walk: bytes as text, for images, audio and files.
 *
 * Decoding takes pieces as servers send them: each one padded or not, cut anywhere, with white
 * space, in either alphabet. Padding ends a group; the next piece begins a new one. Source: RFC
 * 4648, sections 4 and 5.
 */
#ifndef RL_BASE64_H
#define RL_BASE64_H

#include "buf.h"

#include <stddef.h>
#include <stdint.h>

struct rl_base64 {
    uint32_t bits; /* of the unfinished group of four */
    unsigned held; /* characters in it, 0 to 3 */
};

/* Appends the padded text for <len> bytes. Returns the buffer's status. */
int rl_base64_encode(struct rl_buf *out, const void *bytes, size_t len);

/* Prepares for the first piece. */
void rl_base64_init(struct rl_base64 *decoder);

/* Appends the bytes of one piece. Returns 0, RL_ESYNTAX at a character that is none of base64, or
 * the buffer's failure. What was decoded before stays. */
int rl_base64_decode(struct rl_base64 *decoder, struct rl_buf *out, const char *text, size_t len);

/* After the last piece: the bytes of a group without padding. RL_ESYNTAX when one character is left
 * over. */
int rl_base64_finish(struct rl_base64 *decoder, struct rl_buf *out);

#endif
