// Calls every function that asks for something, once, and prints what is refused.
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "post_login_continue.h"

typedef post_login_continue_string_t text_t;

static text_t text(const char *literal) {
    text_t text = {(uint8_t *)literal, strlen(literal)};
    return text;
}

static void print(text_t line) { postern_actions_log_print(POSTERN_ACTIONS_LOG_LEVEL_INFO, &line); }

// Prints why a command was refused, when it was.
static void said(bool accepted, text_t *why) {
    if (!accepted)
        print(*why);
}


typedef postern_actions_authentication_factor_t factor_t;

static void decide(bool continues) {
    text_t why;
#define DO(call) said(call, &why)
    text_t key = text("key"), value = text("value"), json = text("{\"a\":[1,null]}"), none = text("null");
    text_t scope = text("read:x"), number = text("7");
    DO(postern_actions_session_set_expires_at(1780001800000.5, &why));
    DO(postern_actions_session_set_idle_expires_at(1780000900000.0, &why));
    DO(postern_actions_session_set_cookie_mode(POSTERN_ACTIONS_SESSION_COOKIE_MODE_NON_PERSISTENT, &why));
    DO(postern_actions_session_set_metadata(&key, &value, &why));
    DO(postern_actions_session_set_metadata(&key, NULL, &why));
    DO(postern_actions_session_delete_metadata(&key, &why));
    DO(postern_actions_session_evict_metadata(&why));
    DO(postern_actions_id_token_set_custom_claim(&key, &json, &why));
    DO(postern_actions_access_token_set_custom_claim(&key, &json, &why));
    DO(postern_actions_access_token_add_scope(&scope, &why));
    DO(postern_actions_access_token_remove_scope(&scope, &why));
    DO(postern_actions_refresh_token_set_expires_at(1780001800000.0, &why));
    DO(postern_actions_refresh_token_set_idle_expires_at(1780000900000.0, &why));
    DO(postern_actions_refresh_token_set_metadata(&key, &value, &why));
    DO(postern_actions_refresh_token_delete_metadata(&key, &why));
    DO(postern_actions_refresh_token_evict_metadata(&why));
    DO(postern_actions_user_set_user_metadata(&key, &json, &why));
    DO(postern_actions_user_set_app_metadata(&key, &none, &why));
    DO(postern_actions_transaction_set_metadata(&key, &number, &why));
    factor_t otp = {POSTERN_ACTIONS_AUTHENTICATION_FACTOR_TYPE_OTP, {false, 0}, {false, false}};
    factor_t phone = {POSTERN_ACTIONS_AUTHENTICATION_FACTOR_TYPE_PHONE,
                      {true, POSTERN_ACTIONS_AUTHENTICATION_PHONE_METHOD_SMS},
                      {false, false}};
    factor_t push = {POSTERN_ACTIONS_AUTHENTICATION_FACTOR_TYPE_PUSH_NOTIFICATION, {false, 0}, {true, true}};
    factor_t both[] = {phone, push};
    postern_actions_authentication_list_factor_t list = {both, 2}, empty = {NULL, 0};
    DO(postern_actions_authentication_challenge_with(&otp, &list, &why));
    DO(postern_actions_authentication_challenge_with_any(&list, &why));
    DO(postern_actions_authentication_enroll_with(&otp, &empty, &why));
    DO(postern_actions_authentication_enroll_with_any(&list, &why));
    DO(postern_actions_authentication_enable_multifactor(
        POSTERN_ACTIONS_AUTHENTICATION_MULTIFACTOR_PROVIDER_GOOGLE_AUTHENTICATOR, true, &why));
    text_t provider = text("https://method.example/x");
    if (continues)
        DO(postern_actions_authentication_record_method(&provider, &why));
    text_t user = text("auth0|2");
    DO(postern_actions_authentication_set_primary_user(&user, &why));
    text_t url = text("https://site.example/a?b=1&c=2&b=3");
    post_login_continue_tuple2_string_string_t pairs[] = {{text("b"), text("x y")}, {text("d"), text("&")}};
    post_login_continue_list_tuple2_string_string_t query = {pairs, 2};
    DO(postern_actions_redirect_send_user_to(&url, &query, &why));
    text_t form = text("ap_1"), fields = text("{\"f\":1}"), vars = text("{}");
    DO(postern_actions_prompt_render(&form, &fields, &vars, &why));
    text_t code = text("code"), message = text("message");
    DO(postern_actions_validation_error(&code, &message, &why));
    DO(postern_actions_refresh_token_revoke(&message, &why));
    DO(postern_actions_session_revoke(&message, true, &why));
    DO(postern_actions_access_deny(&message, &why));
}

// What the host refuses: each prints a line.
static void refused(void) {
    text_t why;
    text_t empty = text(""), scope = text("scope"), dotted = text("a.b"), blocked = text("blocked"), one = text("1");
    text_t bad = text("{"), relative = text("/x"), list = text("[]"), key = text("k");
    double infinite = 1.0 / 0.0;
    DO(postern_actions_session_set_expires_at(infinite, &why));
    DO(postern_actions_refresh_token_set_idle_expires_at(-infinite, &why));
    DO(postern_actions_id_token_set_custom_claim(&scope, &one, &why));
    DO(postern_actions_id_token_set_custom_claim(&key, &bad, &why));
    DO(postern_actions_user_set_user_metadata(&dotted, &one, &why));
    DO(postern_actions_user_set_app_metadata(&blocked, &one, &why));
    DO(postern_actions_session_set_metadata(&empty, &one, &why));
    DO(postern_actions_access_token_add_scope(&empty, &why));
    DO(postern_actions_transaction_set_metadata(&key, &list, &why));
    DO(postern_actions_authentication_record_method(&key, &why));
    postern_actions_authentication_list_factor_t none = {NULL, 0};
    DO(postern_actions_authentication_challenge_with_any(&none, &why));
    post_login_continue_list_tuple2_string_string_t query = {NULL, 0};
    DO(postern_actions_redirect_send_user_to(&relative, &query, &why));
    DO(postern_actions_prompt_render(&key, &list, &list, &why));
}

bool exports_post_login_continue_on_execute_post_login(text_t *event, text_t *error) {
    bool refuses = event->len > 2;
    if (refuses)
        refused();
    else
        decide(false);
    return true;
}

bool exports_post_login_continue_on_continue_post_login(text_t *event, text_t *error) {
    decide(true);
    return true;
}
