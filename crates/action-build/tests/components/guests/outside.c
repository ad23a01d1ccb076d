// Asks for everything that is outside of the sandbox. The event says what: a letter for each, in this order.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "post_login.h"

typedef post_login_string_t text_t;

static text_t text(const char *literal) {
    text_t text = {(uint8_t *)literal, strlen(literal)};
    return text;
}

static void print(const char *about, text_t value) {
    static char line[512];
    size_t length = strlen(about);
    memcpy(line, about, length);
    memcpy(line + length, value.ptr, value.len < 400 ? value.len : 400);
    text_t all = {(uint8_t *)line, length + (value.len < 400 ? value.len : 400)};
    postern_actions_log_print(POSTERN_ACTIONS_LOG_LEVEL_INFO, &all);
}

static void print_number(const char *about, long long value) {
    char digits[24];
    int at = sizeof digits;
    bool negative = value < 0;
    if (negative)
        value = -value;
    do
        digits[--at] = '0' + value % 10;
    while (value /= 10);
    if (negative)
        digits[--at] = '-';
    print(about, (text_t){(uint8_t *)digits + at, sizeof digits - at});
}

static postern_actions_http_request_t request(const char *url, long timeout) {
    postern_actions_http_request_t request = {0};
    request.method = text("POST");
    request.url = text(url);
    request.redirect = POSTERN_ACTIONS_HTTP_REDIRECT_MODE_MANUAL;
    static post_login_tuple2_string_string_t headers[1];
    headers[0] = (post_login_tuple2_string_string_t){text("x-a"), text("1")};
    request.headers.ptr = headers;
    request.headers.len = 1;
    request.body.is_some = true;
    request.body.val.ptr = (uint8_t *)"\x00\xff";
    request.body.val.len = 2;
    if (timeout) {
        request.timeout_ms.is_some = true;
        request.timeout_ms.val = timeout;
    }
    return request;
}

static void shown(postern_actions_http_response_t *response) {
    print_number("status ", response->status);
    print("url ", response->url);
    print("body ", (text_t){response->body.ptr, response->body.len});
    for (size_t i = 0; i < response->headers.len; i++)
        print("header ", response->headers.ptr[i].f1);
}

static void one(void) {
    postern_actions_http_request_t asked = request("https://one.example/", 0);
    postern_actions_http_response_t response;
    text_t why;
    if (postern_actions_http_send(&asked, &response, &why))
        shown(&response);
    else
        print("failed ", why);
}

static void many(void) {
    postern_actions_http_request_t asked[] = {request("https://slow.example/", 0), request("https://never.example/", 30),
                                              request("https://fails.example/", 0), request("https://one.example/", 0)};
    postern_actions_http_list_request_t requests = {asked, 4};
    postern_actions_http_list_result_response_string_t answers;
    postern_actions_http_send_all(&requests, &answers);
    for (size_t i = 0; i < answers.len; i++) {
        if (answers.ptr[i].is_err)
            print("failed ", answers.ptr[i].val.err);
        else
            shown(&answers.ptr[i].val.ok);
    }
}

static void kept(void) {
    text_t key = text("k"), value = text("v"), why;
    postern_actions_cache_entry_t entry;
    int64_t ttl = 5000;
    if (postern_actions_cache_set(&key, &value, &ttl, NULL, &entry, &why))
        print_number("kept until ", entry.expires_at);
    else
        print("not kept ", why);
    if (postern_actions_cache_get(&key, &entry))
        print("found ", entry.value);
    else
        print("nothing ", key);
    if (!postern_actions_cache_delete(&value, &why))
        print("not deleted ", why);
}

static void looked_up(void) {
    text_t why;
    uint32_t take = 2;
    postern_actions_groups_page_t groups;
    if (postern_actions_groups_of_user(&take, NULL, &groups, &why)) {
        for (size_t i = 0; i < groups.groups.len; i++)
            print("group ", groups.groups.ptr[i].name);
        if (groups.next.is_some)
            print("next ", groups.next.val);
    } else
        print("failed ", why);
    text_t names[] = {text("staff"), text("guests")};
    post_login_list_string_t list = {names, 2};
    postern_actions_groups_list_membership_t members;
    if (postern_actions_groups_memberships(&list, &members, &why)) {
        for (size_t i = 0; i < members.len; i++)
            print(members.ptr[i].is_member ? "in " : "not in ", members.ptr[i].group);
    } else
        print("failed ", why);
    postern_actions_roles_list_role_t roles;
    if (postern_actions_roles_effective_by_names(&list, &roles, &why)) {
        for (size_t i = 0; i < roles.len; i++)
            print("role ", roles.ptr[i].name);
    } else
        print("failed ", why);
}

static void tokens(void) {
    text_t secret = text("s3cret"), payload = text("{\"terms\":3,\"state\":\"st\"}"), token, claims, why;
    if (postern_actions_redirect_encode_token(&secret, &payload, NULL, &token, &why))
        print("token ", token);
    else
        print("no token ", why);
    if (postern_actions_redirect_validate_token(&secret, NULL, &claims, &why))
        print("claims ", claims);
    else
        print("invalid ", why);
    print_number("can redirect ", postern_actions_redirect_can_redirect());
}

static void small(void) {
    text_t name = text("SHARED"), value;
    if (postern_actions_secrets_get(&name, &value))
        print("secret ", value);
    print_number("random ", postern_actions_random_get_u64() != postern_actions_random_get_u64());
}

bool exports_post_login_on_execute_post_login(text_t *event, text_t *error) {
    print_number("at ", postern_actions_clock_now());
    // The text after `"ask":"`.
    for (size_t at = 0; at + 7 < event->len; at++) {
        if (memcmp(event->ptr + at, "\"ask\":\"", 7))
            continue;
        for (at += 7; at < event->len && event->ptr[at] != '"'; at++) {
            switch (event->ptr[at]) {
            case '1': one(); break;
            case 'n': many(); break;
            case 'c': kept(); break;
            case 'l': looked_up(); break;
            case 't': tokens(); break;
            case 's': small(); break;
            case 'f': for (;;) one();
            case 'x': __builtin_trap();
            }
        }
    }
    print_number("at ", postern_actions_clock_now());
    text_t reason = text("done");
    return postern_actions_access_deny(&reason, error);
}
