/* transcript.h -- beside the walk: the ordered messages of one conversation, each encoded once.
 *
 * A message is immutable JSON text and shared by every transcript that holds it, and so is the list
 * of them until one changes what another one sees: cloning costs nothing, and a request is joined
 * from bytes that stand already. Beside each message a transcript
 * keeps the form that one server wants ("wire form") under the name of that server's profile
 * ("key"); another key replaces it. A form may depend on the messages around it (servers want some
 * merged), which is why it belongs to the place in the transcript and not to the message.
 */
#ifndef RL_TRANSCRIPT_H
#define RL_TRANSCRIPT_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

struct rl_wire_form;
struct rl_entry_list;

struct rl_message_text {
    size_t refs;
    const char *role;  /* NUL-terminated plain bytes */
    bool is_result;    /* role "tool" */
    size_t len;        /* of the text */
    const char *plain; /* where most servers take it as it is: the text, or the one that stands
                        * behind it, without an empty list of annotations; else NULL */
    size_t plain_len;
    const char *bare; /* what most servers read of it: plain, or without what came beside it; else
                       * NULL */
    size_t bare_len;
    bool sheds_calls; /* are calls in it without what came beside them? */
    char text[];      /* JSON, NUL-terminated; the role stands behind it */
};

struct rl_transcript_entry {
    struct rl_message_text *message;
    struct rl_wire_form *form; /* for one key, or NULL */
};

/* Caller's storage, rl_transcript_init to _free. Most conversations are plain from their first
 * message to their last: how far that is known is noted, so that a request need not look at all
 * that was said. */
struct rl_transcript {
    struct rl_entry_list *list;
    size_t count;
    size_t plain;       /* this many at the beginning are plain and have no form */
    size_t plain_bytes; /* of these forms, joined with commas */
};

/* A message with one reference; NULL without memory. <text> is the JSON of an object with <role>.
 */
struct rl_message_text *rl_message_text_new(const char *text, size_t len, const char *role);

/* The same for a message that most servers take as it is, or as <plain> says it. */
struct rl_message_text *rl_message_text_new_plain(const char *text, size_t len, const char *role,
                                                  const char *plain, size_t plain_len);

/* The same for one of which most servers read <bare> only. */
struct rl_message_text *rl_message_text_new_bare(const char *text, size_t len, const char *role,
                                                 const char *bare, size_t bare_len);
void rl_message_text_unref(struct rl_message_text *message);

void rl_transcript_init(struct rl_transcript *transcript);
void rl_transcript_free(struct rl_transcript *transcript);

/* Appends a message and takes over the caller's reference, also on failure. <message> NULL, as a
 * failed _new gives it, is RL_ENOMEM. Returns 0 or RL_ENOMEM. */
int rl_transcript_append(struct rl_transcript *transcript, struct rl_message_text *message);

/* Message number <i> (from 0, below count). */
const struct rl_message_text *rl_transcript_message(const struct rl_transcript *transcript,
                                                    size_t i);

/* Puts <message> in the place of number <i>; takes over the reference, also on failure. The results
 * beside it, whose forms may have counted on what it was, get theirs anew. <message> NULL is
 * RL_ENOMEM. Returns 0 or RL_ENOMEM. */
int rl_transcript_replace(struct rl_transcript *transcript, size_t i,
                          struct rl_message_text *message);

/* Keeps the first <count> messages. The wire form of the last one is made anew. Returns 0, or
 * RL_ENOMEM: the messages are gone all the same, and the form is not. */
int rl_transcript_truncate(struct rl_transcript *transcript, size_t count);

/* Makes the empty <to> hold what <from> holds, forms included. */
void rl_transcript_clone(struct rl_transcript *to, const struct rl_transcript *from);

/* Keeps <text> as the wire form of message <i> for <key>: the JSON of one message, of several
 * joined with commas, or "" for none (it went into another one's form). NULL, or the same bytes:
 * the neutral text serves. Returns 0 or RL_ENOMEM. */
int rl_transcript_set_wire(struct rl_transcript *transcript, size_t i, const char *key,
                           const char *text, size_t len);

/* Looks how far the transcript is plain: sets transcript.plain and plain_bytes. */
void rl_transcript_measure(struct rl_transcript *transcript);

/* The number of the first message from <from> on that needs a wire form for <key> and has none, or
 * count. Where <plain_serves>, plain messages need none; but a result does whose turn has an
 * earlier one that is not plain: what that says elsewhere may stand behind the last of them. */
size_t rl_transcript_unwired(const struct rl_transcript *transcript, const char *key, size_t from,
                             bool plain_serves);

/* The form of message <i> for <key> of <key_size> bytes, with its NUL; 0 for none: the neutral
 * text. <len> gets its length, 0 for a message that has none of its own. */
const char *rl_transcript_form(const struct rl_transcript *transcript, size_t i, const char *key,
                               size_t key_size, size_t *len);

/* Appends the messages' forms for <key> (the neutral text where there is none, and for NULL),
 * joined with commas and WITHOUT the brackets of the array. Returns the buffer's status. */
int rl_transcript_add_wire(const struct rl_transcript *transcript, const char *key,
                           struct rl_buf *out);

/* The bytes that rl_transcript_add_wire appends. */
size_t rl_transcript_wire_size(const struct rl_transcript *transcript, const char *key);

#endif
