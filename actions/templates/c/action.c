// Limits a browser session that a native app handed over (Native to Web SSO): 30 minutes in all, 15 without activity.
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/post_login.h"

// Steps over one JSON string that starts at `at`, which holds its first quote. Answers the index after the last quote.
static size_t skip_string(const char *json, size_t length, size_t at) {
    for (at++; at < length && json[at] != '"'; at++)
        if (json[at] == '\\')
            at++;
    return at + 1;
}

// Whether the document has this property at its top level, with a value other than null.
static bool has_property(const char *json, size_t length, const char *name) {
    size_t name_length = strlen(name);
    int depth = 0;
    for (size_t at = 0; at < length;) {
        char c = json[at];
        if (c == '"') {
            size_t end = skip_string(json, length, at);
            bool same = depth == 1 && end - at == name_length + 2 && !memcmp(json + at + 1, name, name_length);
            at = end;
            while (at < length && (json[at] == ' ' || json[at] == '\n' || json[at] == '\t' || json[at] == '\r'))
                at++;
            if (!same || at >= length || json[at] != ':')
                continue;
            for (at++; at < length && (json[at] == ' ' || json[at] == '\n' || json[at] == '\t'); at++) {
            }
            return at < length && json[at] != 'n';
        }
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        at++;
    }
    return false;
}

bool exports_post_login_on_execute_post_login(post_login_string_t *event, post_login_string_t *error) {
    bool transferred = has_property((const char *)event->ptr, event->len, "session_transfer_token");
    post_login_string_free(event);
    if (!transferred)
        return true;
    double now = (double)postern_actions_clock_now();
    // On refusal `error` holds the host's text: the login fails with it.
    return postern_actions_session_set_expires_at(now + 30 * 60 * 1000, error) &&
           postern_actions_session_set_idle_expires_at(now + 15 * 60 * 1000, error);
}
