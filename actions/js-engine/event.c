// The event, parsed as far as a run reads it. A part of shim.c.

static char *skip_space(char *at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

// In which of eight bytes a byte is zero: its highest bit. Those above the first may be wrong.
static uint64_t zero_bytes(uint64_t eight) {
    return (eight - 0x0101010101010101) & ~eight & 0x8080808080808080;
}

// The first quote, backslash or end at or behind `at`. It reads eight bytes at a time, so up to seven behind the end.
static char *find_in_string(char *at) {
    for (;; at += 8) {
        uint64_t eight;
        memcpy(&eight, at, sizeof eight);
        uint64_t found = zero_bytes(eight) | zero_bytes(eight ^ 0x2222222222222222) | zero_bytes(eight ^ 0x5c5c5c5c5c5c5c5c);
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
}

// Behind a string, whose first quote is at `at`; NULL when it has no end.
static char *skip_string(char *at) {
    for (at = find_in_string(at + 1); *at != '"'; at = find_in_string(at)) {
        if (*at == '\\')
            at++;
        if (!*at)
            return NULL;
        at++;
    }
    return at + 1;
}

// Behind an object or array; NULL when it has no end. What is between the brackets is not looked at: it is parsed when
// it is read.
static char *skip_container(char *at) {
    int depth = 0;
    do {
        if (*at == '"') {
            at = skip_string(at);
            if (!at)
                return NULL;
            continue;
        }
        if (!*at)
            return NULL;
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at++;
    } while (depth);
    return at;
}

// A string, number or literal between the two. A zero may be written behind it for a moment.
static JSValue parse_scalar(char *value, char *end) {
    size_t length = end - value;
    if (*value == '"' && !memchr(value, '\\', length))
        return JS_NewStringLen(context, value + 1, length - 2);
    if (length == 4 && !memcmp(value, "true", 4))
        return JS_TRUE;
    if (length == 5 && !memcmp(value, "false", 5))
        return JS_FALSE;
    char next = *end;
    *end = 0;
    JSValue scalar = JS_ParseJSON(context, value, length, "postern:event");
    *end = next;
    return scalar;
}

// An object whose objects and arrays are parsed when they are read, and so are those within: most Actions read a few values.
// Answers `undefined` for what is no object with each name once and without escapes, and then `json` is as it was.
static JSValue unread_object(char *json) {
    char *at = skip_space(json);
    if (*at != '{')
        return JS_UNDEFINED;
    JSValue object = JS_NewObject(context);
    do {
        char *name = skip_space(at + 1);
        char *name_end = *name == '"' ? skip_string(name) : NULL;
        if (!name_end || memchr(name, '\\', name_end - name))
            break;
        at = skip_space(name_end);
        if (*at != ':')
            break;
        char *value = at = skip_space(at + 1);
        JSAtom atom = JS_NewAtomLen(context, name + 1, name_end - name - 2);
        JSProperty *known;
        bool fresh = atom != JS_ATOM_NULL && !find_own_property(&known, JS_VALUE_GET_OBJ(object), atom);
        if (fresh && (*at == '{' || *at == '[')) {
            struct unread *unread = js_malloc(context, sizeof *unread);
            at = skip_container(at);
            fresh = unread && at;
            if (fresh) {
                *unread = (struct unread){.json = value, .length = at - value};
                fresh = JS_DefineAutoInitProperty(context, object, atom, JS_AUTOINIT_ID_BYTECODE, unread,
                                                  JS_PROP_C_W_E) > 0;
            }
        } else if (fresh) {
            at = *at == '"' ? skip_string(at) : at + strcspn(at, ",}");
            JSValue scalar = at ? parse_scalar(value, at) : JS_EXCEPTION;
            fresh = !JS_IsException(scalar) &&
                    JS_DefinePropertyValue(context, object, atom, scalar, JS_PROP_C_W_E) > 0;
        }
        JS_FreeAtom(context, atom);
        if (!fresh)
            break;
        at = skip_space(at);
        if (*at == '}' && !*skip_space(at + 1))
            return object;
    } while (*at == ',');
    JS_FreeValue(context, JS_GetException(context));
    JS_FreeValue(context, object);
    return JS_UNDEFINED;
}

// JSON, with a zero behind it, as a value.
static JSValue parse_unread(char *json, size_t length) {
    JSValue value = unread_object(json);
    return JS_IsUndefined(value) ? JS_ParseJSON(context, json, length, "postern:event") : value;
}
