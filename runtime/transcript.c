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
    bool neutral; /* does the neutral text serve? */
    size_t len;
    const char *text;
    char key[];
};


/* ------------------------------------------------------------------ messages and forms */

struct rl_message_text *rl_message_text_new(const char *text, size_t len, const char *role)
{
    size_t role_size = strlen(role) + 1;
    struct rl_message_text *message = NULL;
    if (len < SIZE_MAX / 4 && role_size < SIZE_MAX / 4)
        message = malloc(sizeof(*message) + len + 1 + role_size);
    if (message == NULL)
        return NULL;
    message->refs = 1;
    message->len = len;
    memcpy(message->text, text, len);
    message->text[len] = '\0';
    message->role = memcpy(message->text + len + 1, role, role_size);
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

void rl_transcript_init(struct rl_transcript *transcript)
{
    *transcript = (struct rl_transcript){0};
}


void rl_transcript_free(struct rl_transcript *transcript)
{
    rl_transcript_truncate(transcript, 0);
    free(transcript->entries);
    rl_transcript_init(transcript);
}


static int reserve(struct rl_transcript *transcript, size_t count)
{
    size_t cap = transcript->cap != 0 ? transcript->cap : FIRST_CAPACITY;
    while (cap < count)
        cap += cap / 2;
    if (cap == transcript->cap)
        return RL_OK;
    struct rl_transcript_entry *entries = realloc(transcript->entries, cap * sizeof(*entries));
    if (entries == NULL)
        return RL_ENOMEM;
    transcript->entries = entries;
    transcript->cap = cap;
    return RL_OK;
}


int rl_transcript_append(struct rl_transcript *transcript, struct rl_message_text *message)
{
    if (message == NULL)
        return RL_ENOMEM;
    if (reserve(transcript, transcript->count + 1) != RL_OK) {
        rl_message_text_unref(message);
        return RL_ENOMEM;
    }
    transcript->entries[transcript->count++] = (struct rl_transcript_entry){message, NULL};
    return RL_OK;
}


void rl_transcript_replace(struct rl_transcript *transcript, size_t i,
                           struct rl_message_text *message)
{
    struct rl_transcript_entry *entry = &transcript->entries[i];
    rl_message_text_unref(entry->message);
    entry->message = message;
    set_form(entry, NULL);
}


void rl_transcript_truncate(struct rl_transcript *transcript, size_t count)
{
    if (count >= transcript->count)
        return;
    while (transcript->count > count) {
        struct rl_transcript_entry *entry = &transcript->entries[--transcript->count];
        rl_message_text_unref(entry->message);
        set_form(entry, NULL);
    }
    if (count > 0)
        set_form(&transcript->entries[count - 1], NULL);
}


int rl_transcript_clone(struct rl_transcript *to, const struct rl_transcript *from)
{
    if (reserve(to, from->count) != RL_OK)
        return RL_ENOMEM;
    for (size_t i = 0; i < from->count; i++) {
        to->entries[i] = from->entries[i];
        to->entries[i].message->refs++;
        if (to->entries[i].form != NULL)
            to->entries[i].form->refs++;
    }
    to->count = from->count;
    return RL_OK;
}


/* ------------------------------------------------------------------ the wire */

int rl_transcript_set_wire(struct rl_transcript *transcript, size_t i, const char *key,
                           const char *text, size_t len)
{
    struct rl_wire_form *form = new_form(key, text, len);
    if (form == NULL)
        return RL_ENOMEM;
    set_form(&transcript->entries[i], form);
    return RL_OK;
}


static bool is_wired(const struct rl_transcript_entry *entry, const char *key)
{
    return entry->form != NULL && strcmp(entry->form->key, key) == 0;
}


size_t rl_transcript_unwired(const struct rl_transcript *transcript, const char *key, size_t from)
{
    while (from < transcript->count && is_wired(&transcript->entries[from], key))
        from++;
    return from < transcript->count ? from : transcript->count;
}


/* The form of the message for <key>. */
static const char *form_for(const struct rl_transcript_entry *entry, const char *key, size_t *len)
{
    if (key != NULL && is_wired(entry, key) && !entry->form->neutral) {
        *len = entry->form->len;
        return entry->form->text;
    }
    *len = entry->message->len;
    return entry->message->text;
}


size_t rl_transcript_wire_size(const struct rl_transcript *transcript, const char *key)
{
    size_t size = 0;
    for (size_t i = 0; i < transcript->count; i++) {
        size_t len;
        form_for(&transcript->entries[i], key, &len);
        size += len > 0 && size > 0 ? len + 1 : len;
    }
    return size;
}


int rl_transcript_add_wire(const struct rl_transcript *transcript, const char *key,
                           struct rl_buf *out)
{
    bool first = true;
    rl_buf_reserve(out, rl_transcript_wire_size(transcript, key));
    for (size_t i = 0; i < transcript->count && out->status == RL_OK; i++) {
        size_t len;
        const char *text = form_for(&transcript->entries[i], key, &len);
        if (len == 0)
            continue;
        if (!first)
            rl_buf_addc(out, ',');
        rl_buf_add(out, text, len);
        first = false;
    }
    return out->status;
}
