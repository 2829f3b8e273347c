/* reply_error.c -- beside the walk: the shapes of error JSON, which error_body.c finds. */
#include "reply_error.h"

#include "buf.h"
#include "err.h"
#include "json.h"
#include "tree.h"

#include <string.h>
#include <strings.h>

enum { LONGEST_TEXT = 500, LONGEST_MESSAGE = 64 << 20 };

/* What was found. The items belong to the payload. */
struct finding {
    struct rl_buf message; /* carried text */
    bool has_message;
    const cJSON *type;
    const cJSON *code;
    const cJSON *param;
};


static bool has_text(const cJSON *item)
{
    const char *text = rl_json_text(item);
    return text != NULL && text[0] != '\0';
}


/* A code as a number, or as text. */
static bool is_failed_base(const cJSON *base)
{
    const cJSON *code = rl_json_get(base, "status_code");
    int64_t status;
    return rl_json_integer(code, &status) ? status != 0
                                          : has_text(code) && strcmp(rl_json_text(code), "0") != 0;
}


/* The first choice that carries an error, or ended with one. */
static const cJSON *failed_choice(const cJSON *choices)
{
    static const char *const names[] = {"error", "finish_reason"};
    const cJSON *choice;
    cJSON_ArrayForEach(choice, choices)
    {
        cJSON *found[2];
        rl_tree_pick(choice, names, 2, found);
        const char *finish = rl_json_text(found[1]);
        if (cJSON_IsObject(found[0]) || has_text(found[0]) ||
            (finish != NULL && strcmp(finish, "error") == 0))
            return choice;
    }
    return NULL;
}


/* The members of a payload that may speak of an error. */
enum { ERROR, ERRORS, ERROR_MESSAGE, OBJECT, BASE, GROQ, CHOICES, SPEAKERS };

static const char *const speakers[SPEAKERS] = {"error",     "errors", "error_message", "object",
                                               "base_resp", "x_groq", "choices"};


/* Are these errors? Mostly a list, but some send a single one. */
static bool has_errors(const cJSON *item)
{
    return has_text(item) || ((cJSON_IsArray(item) || cJSON_IsObject(item)) && item->child != NULL);
}


static const cJSON *first_object(const cJSON *payload)
{
    const cJSON *item = payload;
    if (cJSON_IsArray(payload)) {
        for (item = payload->child; item != NULL && !cJSON_IsObject(item);)
            item = item->next;
    }
    return item;
}


bool rl_reply_is_error(const cJSON *payload, bool is_named)
{
    cJSON *said[SPEAKERS];
    rl_tree_pick(first_object(payload), speakers, SPEAKERS, said);
    const char *object = rl_json_text(said[OBJECT]);
    return is_named || cJSON_IsObject(said[ERROR]) || has_errors(said[ERROR]) ||
           has_errors(said[ERRORS]) || has_text(said[ERROR_MESSAGE]) ||
           (object != NULL && strcasecmp(object, "error") == 0) || is_failed_base(said[BASE]) ||
           has_text(rl_json_get(said[GROQ], "error")) || failed_choice(said[CHOICES]) != NULL;
}


static void say(struct finding *found, const char *carried)
{
    found->has_message = true;
    rl_buf_adds(&found->message, carried);
}


static void say_json(struct finding *found, const cJSON *item)
{
    found->has_message = true;
    rl_json_write(&found->message, item);
}


/* One step of a path: "body", 0, "content". */
static void say_step(struct finding *found, const cJSON *step)
{
    const char *text = rl_json_text(step);
    if (text != NULL)
        say(found, text);
    else
        say_json(found, step);
}


/* FastAPI's {loc, msg, type} as "body.field: msg". */
static void say_detail(struct finding *found, const cJSON *item)
{
    const cJSON *loc = rl_json_get(item, "loc");
    const cJSON *step;
    const cJSON *msg = rl_json_get(item, "msg");
    if (rl_json_text(msg) == NULL)
        msg = rl_json_get(item, "message");
    if (rl_json_text(item) != NULL || rl_json_text(msg) == NULL) {
        say_step(found, item);
        return;
    }
    cJSON_ArrayForEach(step, loc)
    {
        if (step != loc->child)
            say(found, ".");
        say_step(found, step);
    }
    if (cJSON_IsArray(loc) && loc->child != NULL)
        say(found, ": ");
    say(found, rl_json_text(msg));
}


static void say_details(struct finding *found, const cJSON *details)
{
    if (!cJSON_IsArray(details)) {
        say_detail(found, details);
        return;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, details)
    {
        if (item != details->child)
            say(found, "; ");
        say_detail(found, item);
    }
}


static bool is_details(const cJSON *item)
{
    return has_text(item) || cJSON_IsObject(item) || (cJSON_IsArray(item) && item->child != NULL);
}


/* A message that is no plain text: an object or array with details, or some other object. */
static void say_structured(struct finding *found, const cJSON *message)
{
    static const char *const names[] = {"detail", "message", "msg", "error"};
    if (cJSON_IsArray(message)) {
        say_details(found, message);
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const cJSON *inner = rl_json_get(message, names[i]);
        if (is_details(inner)) {
            say_details(found, inner);
            return;
        }
    }
    say_json(found, message);
}


/* Mistral's proxy wraps the details as JSON text. False when <text> is none. */
static bool say_wrapped(struct finding *found, const char *text)
{
    const char *start = text + strspn(text, " \t\r\n");
    if (*start != '{' && *start != '[')
        return false;
    struct rl_err err = {0};
    cJSON *inner = rl_json_parse(start, strlen(start), NULL, 0, &err);
    if (err.code == RL_ENOMEM)
        found->message.status = RL_ENOMEM;
    bool has_details = is_details(rl_json_get(inner, "detail")) ||
                       (cJSON_IsArray(inner) && rl_json_get(inner->child, "msg") != NULL);
    if (has_details)
        say_structured(found, inner);
    rl_tree_free(inner);
    return has_details;
}


static void say_message(struct finding *found, const cJSON *message)
{
    const char *text = rl_json_text(message);
    if (text != NULL && !say_wrapped(found, text))
        say(found, text);
    else if (cJSON_IsObject(message) || cJSON_IsArray(message))
        say_structured(found, message);
}


/* OpenRouter keeps what the upstream said in metadata.raw. */
static void say_raw(struct finding *found, const cJSON *raw)
{
    if (!has_text(raw) && !cJSON_IsObject(raw) && !cJSON_IsArray(raw))
        return;
    if (found->has_message)
        say(found, ": ");
    say_step(found, raw);
}


/* The members message, type, code and param of <error>, whatever they look like. */
static void read_error(struct finding *found, const cJSON *error)
{
    static const char *const names[] = {"message", "msg", "detail", "error"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !found->has_message; i++)
        say_message(found, rl_json_get(error, names[i]));
    say_raw(found, rl_json_get(rl_json_get(error, "metadata"), "raw"));
    found->type = rl_json_get(error, "type");
    found->code = rl_json_get(error, "code");
    found->param = rl_json_get(error, "param");
}


static void read_named(struct finding *found, const cJSON *object, const char *message,
                       const char *type, const char *code)
{
    say_message(found, rl_json_get(object, message));
    found->type = rl_json_get(object, type);
    found->code = rl_json_get(object, code);
    found->param = rl_json_get(object, "param");
}


/* The first of several errors, or the only one. */
static void read_first_of(struct finding *found, const cJSON *errors)
{
    const cJSON *first = cJSON_IsArray(errors) ? errors->child : errors;
    if (cJSON_IsObject(first))
        read_error(found, first);
    else
        say_message(found, first);
}


static void read_choice(struct finding *found, const cJSON *choice)
{
    const cJSON *error = rl_json_get(choice, "error");
    if (cJSON_IsObject(error))
        read_error(found, error);
    else
        say_message(found, error);
}


static void read_payload(struct finding *found, const cJSON *payload)
{
    cJSON *said[SPEAKERS];
    rl_tree_pick(payload, speakers, SPEAKERS, said);
    const cJSON *choice = failed_choice(said[CHOICES]);
    if (cJSON_IsObject(said[ERROR])) {
        read_error(found, said[ERROR]);
        if (rl_json_text(found->type) == NULL)
            found->type = rl_json_get(said[ERROR], "status"); /* Gemini */
    } else if (has_text(said[ERROR])) {
        read_named(found, payload, "error", "type", "code");
    } else if (has_errors(said[ERRORS])) {
        read_first_of(found, said[ERRORS]);
    } else if (is_failed_base(said[BASE])) {
        read_named(found, said[BASE], "status_msg", "", "status_code");
    } else if (has_text(said[ERROR_MESSAGE])) {
        read_named(found, payload, "error_message", "error_type", "code");
    } else if (has_text(rl_json_get(said[GROQ], "error"))) {
        read_named(found, said[GROQ], "error", "", "");
    } else if (choice != NULL) {
        read_choice(found, choice);
    } else {
        read_error(found, payload);
    }
    if (!found->has_message) /* it may stand beside the error */
        say_message(found, rl_json_get(payload, "message"));
    if (!found->has_message)
        say_message(found, said[ERRORS]);
}


/* A copy of a string; a number as its text; null for anything else. */
static cJSON *as_text(const cJSON *item)
{
    if (rl_json_text(item) != NULL)
        return cJSON_CreateString(rl_json_text(item));
    if (!rl_json_is_number(item))
        return cJSON_CreateNull();
    struct rl_buf text;
    rl_buf_init(&text, LONGEST_TEXT);
    cJSON *copy = rl_json_write(&text, item) == 0 ? cJSON_CreateString(text.data) : NULL;
    rl_buf_free(&text);
    return copy;
}


static cJSON *message_of(struct finding *found)
{
    if (!found->has_message)
        return cJSON_CreateNull();
    if (found->message.status == RL_ENOMEM)
        return NULL;
    return cJSON_CreateString(found->message.data != NULL ? found->message.data : "");
}


static cJSON *only_text(const cJSON *item)
{
    const char *text = rl_json_text(item);
    return text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull();
}


/* Takes <detail>, which may be NULL. */
static cJSON *make(const char *kind, struct finding *found, cJSON *detail)
{
    cJSON *error = cJSON_CreateObject();
    bool ok = error != NULL && rl_tree_put(error, "kind", cJSON_CreateString(kind)) &&
              rl_tree_put(error, "message", message_of(found)) &&
              rl_tree_put(error, "type", only_text(found->type)) &&
              rl_tree_put(error, "code", as_text(found->code)) &&
              rl_tree_put(error, "param", only_text(found->param));
    if (!ok) {
        rl_tree_free(detail);
    } else {
        ok = rl_tree_put(error, "detail", detail != NULL ? detail : cJSON_CreateNull());
    }
    if (ok)
        return error;
    rl_tree_free(error);
    return NULL;
}


cJSON *rl_reply_error_json(const char *kind, cJSON *payload)
{
    if (payload == NULL)
        return NULL;
    struct finding found = {0};
    rl_buf_init(&found.message, LONGEST_MESSAGE);
    const cJSON *object = first_object(payload);
    if (cJSON_IsObject(object))
        read_payload(&found, object);
    else
        say_message(&found, payload);
    cJSON *error = make(kind, &found, payload);
    rl_buf_free(&found.message);
    return error;
}


/* The bytes of the first <most> characters of <text>. */
static size_t cut(const char *text, size_t len, size_t most)
{
    size_t characters = 0;
    for (size_t i = 0; i < len; i++) {
        bool continues = ((unsigned char)text[i] & 0xC0) == 0x80;
        if (!continues && characters++ == most)
            return i;
    }
    return len;
}


cJSON *rl_reply_error_text(const char *kind, const char *bytes, size_t len)
{
    struct finding found = {.has_message = len > 0};
    rl_buf_init(&found.message, LONGEST_MESSAGE);
    if (len > 0)
        rl_json_carry(&found.message, bytes, cut(bytes, len, LONGEST_TEXT));
    cJSON *error = make(kind, &found, NULL);
    rl_buf_free(&found.message);
    return error;
}


bool rl_reply_error_hint(cJSON *error, const char *hint)
{
    return rl_tree_put(error, "hint", cJSON_CreateString(hint));
}
