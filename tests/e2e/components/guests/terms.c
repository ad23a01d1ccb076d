// Sends the user to another site, and takes what that site says into the ID token.
#include <stdbool.h>
#include <string.h>

#include "post_login_continue.h"

typedef post_login_continue_string_t text_t;

static text_t text(const char *literal) {
    text_t text = {(uint8_t *)literal, strlen(literal)};
    return text;
}

static bool secret(text_t *value) {
    text_t name = text("SHARED");
    return postern_actions_secrets_get(&name, value);
}

bool exports_post_login_continue_on_execute_post_login(text_t *event, text_t *error) {
    if (!postern_actions_redirect_can_redirect())
        return true;
    text_t shared, payload = text("{\"terms\":3}"), token;
    if (!secret(&shared)) {
        post_login_continue_string_dup(error, "no secret");
        return false;
    }
    if (!postern_actions_redirect_encode_token(&shared, &payload, NULL, &token, error))
        return false;
    post_login_continue_tuple2_string_string_t parameter = {text("session_token"), token};
    post_login_continue_list_tuple2_string_string_t query = {&parameter, 1};
    text_t url = text("https://profile.example/form?keep=1");
    return postern_actions_redirect_send_user_to(&url, &query, error);
}

bool exports_post_login_continue_on_continue_post_login(text_t *event, text_t *error) {
    text_t shared, claims, name = text("terms"), reason = text("The terms were not accepted");
    if (!secret(&shared) || !postern_actions_redirect_validate_token(&shared, NULL, &claims, error))
        return postern_actions_access_deny(&reason, error);
    return postern_actions_id_token_set_custom_claim(&name, &claims, error);
}
