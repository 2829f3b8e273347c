/* buf.h -- beside the walk: a growing byte buffer with a ceiling.
 *
 * The ceiling is stated at birth, so that no peer decides how much memory we take. The first
 * failure sticks: later additions do nothing and return the same code, so a writer may add
 * a hundred pieces and look once. The bytes are always followed by a NUL that does not count.
 */
#ifndef RL_BUF_H
#define RL_BUF_H

#include <stddef.h>

struct rl_buf {
    char *data; /* NUL-terminated bytes, or NULL while nothing was added */
    size_t len; /* bytes, without the NUL */
    size_t cap; /* bytes allocated */
    size_t max; /* ceiling for len */
    int status; /* RL_OK, RL_ENOMEM or RL_ETOOBIG; sticks until rl_buf_clear */
};

/* Prepares an empty buffer that holds at most <max> bytes. Allocates nothing. */
void rl_buf_init(struct rl_buf *buf, size_t max);

/* Releases the bytes; the buffer is then empty and usable with the same ceiling. */
void rl_buf_free(struct rl_buf *buf);

/* Forgets bytes and failure, keeps the memory. */
void rl_buf_clear(struct rl_buf *buf);

/* Makes room for <more> further bytes. Returns 0, RL_ENOMEM or RL_ETOOBIG. */
int rl_buf_reserve(struct rl_buf *buf, size_t more);

/* Gives back the room behind the bytes, if that works. */
void rl_buf_trim(struct rl_buf *buf);

/* Append; each returns 0 or the sticking failure. */
int rl_buf_add(struct rl_buf *buf, const void *bytes, size_t len);
int rl_buf_adds(struct rl_buf *buf, const char *text);
int rl_buf_addc(struct rl_buf *buf, char byte);
int rl_buf_addf(struct rl_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first <len> bytes (at most all). */
void rl_buf_consume(struct rl_buf *buf, size_t len);

/* Hands the malloc'd, NUL-terminated bytes to the caller, who frees them; NULL after a failure or
 * when memory for the empty string is missing. <len> may be NULL. The buffer is then empty. */
char *rl_buf_take(struct rl_buf *buf, size_t *len);

#endif
