// Asks the service of the secret URL twice at once, and puts both answers into the ID token.
#include <stdbool.h>
#include <string.h>

#include "post_login.h"

typedef post_login_string_t text_t;

static text_t text(const char *literal) {
    text_t text = {(uint8_t *)literal, strlen(literal)};
    return text;
}

static postern_actions_http_request_t asks(text_t url, const char *body) {
    postern_actions_http_request_t request = {0};
    request.method = text("POST");
    request.url = url;
    request.redirect = POSTERN_ACTIONS_HTTP_REDIRECT_MODE_FOLLOW;
    request.body.is_some = true;
    request.body.val.ptr = (uint8_t *)body;
    request.body.val.len = strlen(body);
    return request;
}

bool exports_post_login_on_execute_post_login(text_t *event, text_t *error) {
    text_t name = text("URL"), url;
    if (!postern_actions_secrets_get(&name, &url)) {
        post_login_string_dup(error, "no secret");
        return false;
    }
    postern_actions_http_request_t both[] = {asks(url, "one"), asks(url, "two")};
    postern_actions_http_list_request_t requests = {both, 2};
    postern_actions_http_list_result_response_string_t answers;
    postern_actions_http_send_all(&requests, &answers);
    // A JSON string of both bodies.
    static char claim[256];
    size_t length = 0;
    claim[length++] = '"';
    for (size_t i = 0; i < answers.len; i++) {
        if (answers.ptr[i].is_err) {
            *error = answers.ptr[i].val.err;
            return false;
        }
        postern_actions_http_response_t *answer = &answers.ptr[i].val.ok;
        memcpy(claim + length, answer->body.ptr, answer->body.len);
        length += answer->body.len;
        claim[length++] = ';';
    }
    claim[length++] = '"';
    text_t key = text("answers"), value = {(uint8_t *)claim, length};
    return postern_actions_id_token_set_custom_claim(&key, &value, error);
}
