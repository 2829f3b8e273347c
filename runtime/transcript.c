/* transcript.c -- beside the walk: messages, encoded once and shared. See transcript.h. */
#include "transcript.h"

#include "err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 8 };

/* One block: the key, and behind it the text, if there is one. */
struct rl_wire_form {
    size_t refs;
    size_t key_size; /* bytes, with the NUL */
    bool neutral;    /* does the neutral text serve? */
    size_t len;
    const char *text;
    char key[];
};


/* ------------------------------------------------------------------ messages and forms */

/* With room for <more> bytes behind the role. */
static struct rl_message_text *new_message(const char *text, size_t len, const char *role,
                                           size_t more)
{
    size_t role_size = strlen(role) + 1;
    struct rl_message_text *message = NULL;
    if (len < SIZE_MAX / 4 && role_size < SIZE_MAX / 4 && more < SIZE_MAX / 4)
        message = malloc(sizeof(*message) + len + 1 + role_size + more);
    if (message == NULL)
        return NULL;
    message->refs = 1;
    message->is_result = strcmp(role, "tool") == 0;
    message->plain = NULL;
    message->plain_len = 0;
    message->bare = NULL;
    message->bare_len = 0;
    message->sheds_calls = false;
    message->len = len;
    memcpy(message->text, text, len);
    message->text[len] = '\0';
    message->role = memcpy(message->text + len + 1, role, role_size);
    return message;
}


struct rl_message_text *rl_message_text_new(const char *text, size_t len, const char *role)
{
    return new_message(text, len, role, 0);
}


struct rl_message_text *rl_message_text_new_plain(const char *text, size_t len, const char *role,
                                                  const char *plain, size_t plain_len)
{
    bool is_text = plain == text;
    struct rl_message_text *message = new_message(text, len, role, is_text ? 0 : plain_len);
    if (message == NULL)
        return NULL;
    message->plain_len = plain_len;
    message->plain = message->text;
    if (!is_text)
        message->plain = memcpy(message->text + len + 1 + strlen(role) + 1, plain, plain_len);
    message->bare = message->plain;
    message->bare_len = plain_len;
    return message;
}


struct rl_message_text *rl_message_text_new_bare(const char *text, size_t len, const char *role,
                                                 const char *bare, size_t bare_len)
{
    struct rl_message_text *message = rl_message_text_new_plain(text, len, role, bare, bare_len);
    if (message != NULL) {
        message->plain = NULL;
        message->plain_len = 0;
    }
    return message;
}


void rl_message_text_unref(struct rl_message_text *message)
{
    if (--message->refs == 0)
        free(message);
}


static struct rl_wire_form *new_form(const char *key, const char *text, size_t len)
{
    size_t key_size = strlen(key) + 1;
    struct rl_wire_form *form = NULL;
    if (text == NULL)
        len = 0;
    if (len < SIZE_MAX / 4 && key_size < SIZE_MAX / 4)
        form = malloc(sizeof(*form) + key_size + len);
    if (form == NULL)
        return NULL;
    form->refs = 1;
    form->key_size = key_size;
    form->neutral = text == NULL;
    form->len = len;
    memcpy(form->key, key, key_size);
    form->text = form->key + key_size;
    if (len > 0)
        memcpy(form->key + key_size, text, len);
    return form;
}


/* entry.form = form, which may be NULL */
static void set_form(struct rl_transcript_entry *entry, struct rl_wire_form *form)
{
    if (entry->form != NULL && --entry->form->refs == 0)
        free(entry->form);
    entry->form = form;
}


/* ------------------------------------------------------------------ the list */

/* Transcripts share a list: each sees as many entries as it counts. Whoever sees all of it may
 * append; for any other change it must be nobody else's. */
struct rl_entry_list {
    size_t refs;
    size_t used; /* entries; at least what each of the transcripts counts */
    size_t cap;
    struct rl_transcript_entry at[];
};


void rl_transcript_init(struct rl_transcript *transcript)
{
    *transcript = (struct rl_transcript){0};
}


static struct rl_transcript_entry *entry_of(const struct rl_transcript *transcript, size_t i)
{
    return &transcript->list->at[i];
}


static void drop_entries(struct rl_entry_list *list, size_t count)
{
    while (list->used > count) {
        struct rl_transcript_entry *entry = &list->at[--list->used];
        rl_message_text_unref(entry->message);
        set_form(entry, NULL);
    }
}


void rl_transcript_free(struct rl_transcript *transcript)
{
    struct rl_entry_list *list = transcript->list;
    if (list != NULL && --list->refs == 0) {
        drop_entries(list, 0);
        free(list);
    }
    rl_transcript_init(transcript);
}


/* A list of these entries, with room for more. */
static struct rl_entry_list *copy_list(const struct rl_entry_list *from, size_t count, size_t cap)
{
    struct rl_entry_list *list = malloc(sizeof(*list) + cap * sizeof(*list->at));
    if (list == NULL)
        return NULL;
    *list = (struct rl_entry_list){.refs = 1, .used = count, .cap = cap};
    for (size_t i = 0; i < count; i++) {
        list->at[i] = from->at[i];
        list->at[i].message->refs++;
        if (list->at[i].form != NULL)
            list->at[i].form->refs++;
    }
    return list;
}


static size_t grown(size_t cap, size_t count)
{
    cap = cap != 0 ? cap : FIRST_CAPACITY;
    while (cap < count)
        cap += cap / 2;
    return cap;
}


/* Makes the list this transcript's own, with room for <count> entries. */
static int own(struct rl_transcript *transcript, size_t count)
{
    struct rl_entry_list *list = transcript->list;
    size_t cap = grown(list != NULL ? list->cap : 0, count);
    if (list == NULL || list->refs > 1) {
        struct rl_entry_list *copy = copy_list(list, transcript->count, cap);
        if (copy == NULL)
            return RL_ENOMEM;
        if (list != NULL)
            list->refs--;
        transcript->list = copy;
        return RL_OK;
    }
    drop_entries(list, transcript->count);
    if (cap == list->cap)
        return RL_OK;
    list = realloc(list, sizeof(*list) + cap * sizeof(*list->at));
    if (list == NULL)
        return RL_ENOMEM;
    list->cap = cap;
    transcript->list = list;
    return RL_OK;
}


/* From message <i> on it is not known any more what is plain. */
static void forget_plain(struct rl_transcript *transcript, size_t i)
{
    if (i < transcript->plain)
        transcript->plain = transcript->plain_bytes = 0;
}


int rl_transcript_append(struct rl_transcript *transcript, struct rl_message_text *message)
{
    struct rl_entry_list *list = transcript->list;
    if (message == NULL)
        return RL_ENOMEM;
    bool fits = list != NULL && list->used == transcript->count && list->used < list->cap;
    if (!fits && own(transcript, transcript->count + 1) != RL_OK) {
        rl_message_text_unref(message);
        return RL_ENOMEM;
    }
    list = transcript->list;
    list->at[list->used++] = (struct rl_transcript_entry){message, NULL};
    transcript->count++;
    return RL_OK;
}


const struct rl_message_text *rl_transcript_message(const struct rl_transcript *transcript,
                                                    size_t i)
{
    return entry_of(transcript, i)->message;
}


static bool is_result(const struct rl_transcript *transcript, size_t i)
{
    return entry_of(transcript, i)->message->is_result;
}


/* The first of the results that stand right before message <i>; <i> when there is none. */
static size_t results_before(const struct rl_transcript *transcript, size_t i)
{
    while (i > 0 && is_result(transcript, i - 1))
        i--;
    return i;
}


int rl_transcript_replace(struct rl_transcript *transcript, size_t i,
                          struct rl_message_text *message)
{
    if (message == NULL || own(transcript, transcript->count) != RL_OK) {
        if (message != NULL)
            rl_message_text_unref(message);
        return RL_ENOMEM;
    }
    forget_plain(transcript, i);
    rl_message_text_unref(entry_of(transcript, i)->message);
    entry_of(transcript, i)->message = message;
    for (size_t n = results_before(transcript, i); n <= i; n++)
        set_form(entry_of(transcript, n), NULL);
    for (size_t n = i + 1; n < transcript->count && is_result(transcript, n); n++)
        set_form(entry_of(transcript, n), NULL);
    return RL_OK;
}


int rl_transcript_truncate(struct rl_transcript *transcript, size_t count)
{
    if (count >= transcript->count)
        return RL_OK;
    transcript->count = count;
    forget_plain(transcript, count);
    if (count == 0) {
        rl_transcript_free(transcript);
        return RL_OK;
    }
    if (own(transcript, count) != RL_OK)
        return RL_ENOMEM;
    set_form(entry_of(transcript, count - 1), NULL);
    return RL_OK;
}


void rl_transcript_clone(struct rl_transcript *to, const struct rl_transcript *from)
{
    *to = *from;
    if (to->list != NULL)
        to->list->refs++;
}


/* ------------------------------------------------------------------ the wire */

int rl_transcript_set_wire(struct rl_transcript *transcript, size_t i, const char *key,
                           const char *text, size_t len)
{
    const struct rl_message_text *message = entry_of(transcript, i)->message;
    if (text != NULL && len == message->len && memcmp(text, message->text, len) == 0)
        text = NULL; /* most servers take most messages as they are: kept once */
    struct rl_wire_form *form = new_form(key, text, len);
    if (form == NULL || own(transcript, transcript->count) != RL_OK) {
        free(form);
        return RL_ENOMEM;
    }
    forget_plain(transcript, i);
    set_form(entry_of(transcript, i), form);
    return RL_OK;
}


void rl_transcript_measure(struct rl_transcript *transcript)
{
    size_t i = transcript->plain;
    for (; i < transcript->count; i++) {
        const struct rl_transcript_entry *entry = entry_of(transcript, i);
        if (entry->message->plain == NULL || entry->form != NULL)
            break;
        transcript->plain_bytes += entry->message->plain_len + (i > 0);
    }
    transcript->plain = i;
}


/* A key, measured once for all messages. */
struct wanted {
    const char *key;
    size_t size; /* bytes, with the NUL; 0: no key */
};


static struct wanted wanted(const char *key)
{
    return (struct wanted){key, key != NULL ? strlen(key) + 1 : 0};
}


static bool is_wired(const struct rl_transcript_entry *entry, struct wanted wanted)
{
    return entry->form != NULL && entry->form->key_size == wanted.size &&
           memcmp(entry->form->key, wanted.key, wanted.size) == 0;
}


size_t rl_transcript_unwired(const struct rl_transcript *transcript, const char *key, size_t from,
                             bool plain_serves)
{
    struct wanted form = wanted(key);
    bool plain_turn = true; /* are the results of this turn plain so far? */
    if (plain_serves && from < transcript->plain)
        from = transcript->plain;
    size_t i = from < transcript->count ? results_before(transcript, from) : transcript->count;
    for (; i < transcript->count; i++) {
        const struct rl_transcript_entry *entry = entry_of(transcript, i);
        bool starts = !is_result(transcript, i);
        bool plain = entry->message->plain != NULL && (plain_turn || starts);
        plain_turn = plain || starts;
        if (i >= from && !(plain_serves && plain) && !is_wired(entry, form))
            return i;
    }
    return transcript->count;
}


/* The form of the message for a key. */
static const char *form_for(const struct rl_transcript_entry *entry, struct wanted wanted,
                            size_t *len)
{
    const struct rl_message_text *message = entry->message;
    bool wired = is_wired(entry, wanted);
    if (wired && !entry->form->neutral) {
        *len = entry->form->len;
        return entry->form->text;
    }
    bool plain = !wired && wanted.size > 0 && message->plain != NULL;
    *len = plain ? message->plain_len : message->len;
    return plain ? message->plain : message->text;
}


const char *rl_transcript_form(const struct rl_transcript *transcript, size_t i, const char *key,
                               size_t key_size, size_t *len)
{
    return form_for(entry_of(transcript, i), (struct wanted){key, key_size}, len);
}


size_t rl_transcript_wire_size(const struct rl_transcript *transcript, const char *key)
{
    struct wanted form = wanted(key);
    size_t size = key != NULL ? transcript->plain_bytes : 0;
    for (size_t i = key != NULL ? transcript->plain : 0; i < transcript->count; i++) {
        size_t len;
        form_for(entry_of(transcript, i), form, &len);
        size += len > 0 && size > 0 ? len + 1 : len;
    }
    return size;
}


int rl_transcript_add_wire(const struct rl_transcript *transcript, const char *key,
                           struct rl_buf *out)
{
    struct wanted form = wanted(key);
    size_t start = out->len;
    for (size_t i = 0; i < transcript->count && out->status == RL_OK; i++) {
        size_t len;
        const char *text = form_for(entry_of(transcript, i), form, &len);
        if (len == 0)
            continue;
        if (out->len > start)
            rl_buf_addc(out, ',');
        rl_buf_add(out, text, len);
    }
    return out->status;
}
