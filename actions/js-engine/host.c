// What the prelude finds in `host`. A part of shim.c.

// An error that the script cannot catch, with the script's position in its trace.
static JSValue over_limit(JSContext *ctx) {
    JS_ThrowInternalError(ctx, "limit reached");
    JSValue error = JS_GetException(ctx);
    JS_SetUncatchableError(ctx, error);
    return JS_Throw(ctx, error);
}

static JSValue post_command(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    static char error[512];
    size_t length;
    const char *json = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!json)
        return JS_EXCEPTION;
    int32_t answer = host_command(json, (uint32_t)length, error, sizeof error - 1);
    JS_FreeCString(ctx, json);
    if (answer == OVER_LIMIT)
        return over_limit(ctx);
    if (answer > 0) {
        error[answer] = 0;
        return JS_ThrowTypeError(ctx, "%s", error);
    }
    return JS_UNDEFINED;
}

static JSValue post_print(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    int32_t level = 0;
    size_t length;
    if (JS_ToInt32(ctx, &level, argv[0]))
        return JS_EXCEPTION;
    const char *text = JS_ToCStringLen(ctx, &length, argv[1]);
    if (!text)
        return JS_EXCEPTION;
    int32_t answer = host_console((uint32_t)level, text, (uint32_t)length);
    JS_FreeCString(ctx, text);
    return answer == OVER_LIMIT ? over_limit(ctx) : JS_UNDEFINED;
}

// call(name, ...inputs): a pure function of the host. Each input is a string, a number, a Uint8Array or undefined.
#define MAX_INPUTS 8
static JSValue post_call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    struct input inputs[MAX_INPUTS] = {0};
    const char *texts[MAX_INPUTS + 1] = {0};
    JSValue result = JS_EXCEPTION;
    size_t length, name_length;
    int count = argc - 1 < MAX_INPUTS ? argc - 1 : MAX_INPUTS, at = 0;
    const char *name = texts[MAX_INPUTS] = JS_ToCStringLen(ctx, &name_length, argv[0]);
    for (; name && at < count; at++) {
        JSValueConst value = argv[at + 1];
        if (JS_IsObject(value))
            inputs[at].at = JS_GetUint8Array(ctx, &length, value);
        else if (!JS_IsUndefined(value))
            inputs[at].at = (const uint8_t *)(texts[at] = JS_ToCStringLen(ctx, &length, value));
        else
            continue;
        if (!inputs[at].at && (!JS_IsObject(value) || length || JS_HasException(ctx)))
            break;
        inputs[at].length = (uint32_t)length;
        if (!inputs[at].at)
            inputs[at].at = (const uint8_t *)"";
    }
    if (name && at == count) {
        uint64_t answer = host_call(name, (uint32_t)name_length, inputs, (uint32_t)count);
        length = (uint32_t)answer;
        char *bytes = js_malloc(ctx, length + 1);
        if (bytes) {
            host_answer((uint8_t *)bytes);
            bytes[length] = 0;
            switch ((enum answer_kind)(answer >> 32)) {
            case ANSWER_TEXT:
                result = JS_NewStringLen(ctx, bytes, length);
                break;
            case ANSWER_BYTES:
                result = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)bytes, length);
                break;
            default:
                result = JS_ThrowTypeError(ctx, "%s", bytes);
            }
            js_free(ctx, bytes);
        }
    }
    for (int i = 0; i <= MAX_INPUTS; i++) {
        if (texts[i])
            JS_FreeCString(ctx, texts[i]);
    }
    return result;
}

// part(file): the function that makes parts of the prelude.
static JSValue post_part(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    size_t length;
    const char *file = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!file)
        return JS_EXCEPTION;
    uint32_t size = host_part(file, (uint32_t)length);
    JS_FreeCString(ctx, file);
    uint8_t *compiled = js_malloc(ctx, size);
    if (!compiled)
        return JS_EXCEPTION;
    host_answer(compiled);
    JSValue code = JS_ReadObject(ctx, compiled, size, JS_READ_OBJ_BYTECODE);
    js_free(ctx, compiled);
    return JS_IsException(code) ? code : JS_EvalFunction(ctx, code);
}

// random(bytes): fills a Uint8Array.
static JSValue post_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    size_t length;
    uint8_t *bytes = JS_GetUint8Array(ctx, &length, argv[0]);
    if (JS_HasException(ctx))
        return JS_EXCEPTION;
    if (length)
        host_random_bytes(bytes, (uint32_t)length);
    return JS_DupValue(ctx, argv[0]);
}

// A property that nobody has read yet: its JSON, which may be written over behind its end, or the function that makes it.
struct unread {
    char *json;
    size_t length;
    JSValue make;
    JSAtom name;
};

static JSValue parse_unread(char *json, size_t length);

// Called by the engine when the property is read for the first time, in whatever way.
JSValue read_unread(JSContext *ctx, void *opaque) {
    struct unread *unread = opaque;
    if (!unread->json) {
        JSValue name = JS_AtomToString(ctx, unread->name);
        JSValue value = JS_Call(ctx, unread->make, JS_UNDEFINED, 1, &name);
        JS_FreeValue(ctx, name);
        return value;
    }
    unread->json[unread->length] = 0;
    return parse_unread(unread->json, unread->length);
}

// lazy(object, name, make): a property whose value is make(name), called when it is first read.
static JSValue post_lazy(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    JSAtom name = JS_ValueToAtom(ctx, argv[1]);
    // Never freed, as the prelude's functions are not.
    struct unread *unread = js_malloc(ctx, sizeof *unread);
    if (!unread || name == JS_ATOM_NULL)
        return JS_EXCEPTION;
    *unread = (struct unread){.make = JS_DupValue(ctx, argv[2]), .name = name};
    int made = JS_DefineAutoInitProperty(ctx, argv[0], name, JS_AUTOINIT_ID_BYTECODE, unread,
                                         JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    return made < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

// isHeaderValue(text): whether it may stand in a header, which is Latin-1 without line ends and zeros.
static JSValue post_is_header_value(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!text)
        return JS_EXCEPTION;
    bool fits = true;
    // In UTF-8, what is beyond Latin-1 begins with more than 0xc3.
    for (size_t at = 0; fits && at < length; at++)
        fits = text[at] && text[at] != '\r' && text[at] != '\n' && (unsigned char)text[at] <= 0xc3;
    JS_FreeCString(ctx, text);
    return JS_NewBool(ctx, fits);
}

// Writes a text as a JSON string at `to`, which has room for six bytes of each, and answers where it ends.
static char *write_quoted(char *to, const char *text, size_t length) {
    *to++ = '"';
    for (size_t at = 0; at < length; at++) {
        unsigned char c = text[at];
        if (c < 32)
            to += sprintf(to, "\\u%04x", c);
        else {
            if (c == '"' || c == '\\')
                *to++ = '\\';
            *to++ = c;
        }
    }
    *to++ = '"';
    return to;
}

// json(pieces): JSON from an array of JSON text and of strings in turn, which become JSON strings. `JSON.stringify` takes ten
// times as long for what most requests are.
static JSValue post_json(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    int64_t count;
    if (JS_GetLength(ctx, argv[0], &count))
        return JS_EXCEPTION;
    char *json = NULL;
    size_t length = 0, room = 0;
    for (int64_t at = 0; at < count; at++) {
        JSValue piece = JS_GetPropertyUint32(ctx, argv[0], (uint32_t)at);
        size_t size;
        const char *text = JS_ToCStringLen(ctx, &size, piece);
        JS_FreeValue(ctx, piece);
        if (text && room - length < 6 * size + 2) {
            room = 2 * room + 6 * size + 256;
            char *larger = realloc(json, room);
            if (!larger) {
                JS_FreeCString(ctx, text);
                text = NULL;
                JS_ThrowOutOfMemory(ctx);
            }
            json = larger ? larger : json;
        }
        if (!text) {
            free(json);
            return JS_EXCEPTION;
        }
        if (at % 2)
            length = write_quoted(json + length, text, size) - json;
        else {
            memcpy(json + length, text, size);
            length += size;
        }
        JS_FreeCString(ctx, text);
    }
    JSValue result = JS_NewStringLen(ctx, json, length);
    free(json);
    return result;
}

// start(kind, json): the id of the operation.
static JSValue post_start(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    size_t kind_length, length;
    int32_t id = OVER_LIMIT;
    const char *kind = JS_ToCStringLen(ctx, &kind_length, argv[0]);
    const char *json = JS_ToCStringLen(ctx, &length, argv[1]);
    bool given = kind && json;
    if (given)
        id = host_start(kind, (uint32_t)kind_length, json, (uint32_t)length);
    JS_FreeCString(ctx, kind);
    JS_FreeCString(ctx, json);
    if (!given)
        return JS_EXCEPTION;
    if (id == 0)
        return JS_ThrowTypeError(ctx, "the request is not JSON");
    return id == OVER_LIMIT ? over_limit(ctx) : JS_NewInt32(ctx, id);
}

static JSValue post_cancel(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    int32_t id = 0;
    if (JS_ToInt32(ctx, &id, argv[0]))
        return JS_EXCEPTION;
    host_cancel((uint32_t)id);
    return JS_UNDEFINED;
}

// ask(kind, json): {ok: value} or {error: text}, at once.
static JSValue post_ask(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    size_t kind_length, length;
    int32_t reply_length = OVER_LIMIT;
    const char *kind = JS_ToCStringLen(ctx, &kind_length, argv[0]);
    const char *json = JS_ToCStringLen(ctx, &length, argv[1]);
    bool given = kind && json;
    if (given)
        reply_length = host_ask(kind, (uint32_t)kind_length, json, (uint32_t)length);
    JS_FreeCString(ctx, kind);
    JS_FreeCString(ctx, json);
    if (!given)
        return JS_EXCEPTION;
    if (reply_length < 0)
        return over_limit(ctx);
    char *reply = malloc((size_t)reply_length + 1);
    if (!reply)
        return JS_ThrowOutOfMemory(ctx);
    host_reply(reply);
    reply[reply_length] = 0;
    JSValue answer = JS_ParseJSON(ctx, reply, reply_length, "postern:reply");
    free(reply);
    return answer;
}

// compile(code, file): the function whose body is the code, which is source or what `compile_package` made of it. The
// wrapper's line is -1 (QuickJS takes 0 for "not given"), and the code's own first line is 0: the author's is behind it.
static const char wrapper_head[] = "(function (exports, module, require, console) {\n";
static const char wrapper_tail[] = "\n})";

static JSValue compile_only(JSContext *ctx, JSValueConst source, JSValueConst name) {
    JSValue result = JS_EXCEPTION;
    size_t length;
    const char *code = JS_ToCStringLen(ctx, &length, source);
    const char *file = JS_ToCString(ctx, name);
    size_t head = sizeof wrapper_head - 1, tail = sizeof wrapper_tail - 1;
    char *whole = code && file ? malloc(head + length + tail + 1) : NULL;
    if (whole) {
        memcpy(whole, wrapper_head, head);
        memcpy(whole + head, code, length);
        memcpy(whole + head + length, wrapper_tail, tail + 1);
        JSEvalOptions options = {
            .version = JS_EVAL_OPTIONS_VERSION,
            .eval_flags = JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY,
            .filename = file,
            .line_num = -1,
        };
        result = JS_Eval2(ctx, whole, head + length + tail, &options);
        free(whole);
    } else if (code && file) {
        result = JS_ThrowOutOfMemory(ctx);
    }
    if (code)
        JS_FreeCString(ctx, code);
    if (file)
        JS_FreeCString(ctx, file);
    return result;
}

static JSValue post_compile(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    bool compiled = JS_VALUE_GET_TAG(argv[0]) == JS_TAG_FUNCTION_BYTECODE;
    JSValue bytecode = compiled ? JS_DupValue(ctx, argv[0]) : compile_only(ctx, argv[0], argv[1]);
    return JS_IsException(bytecode) ? bytecode : JS_EvalFunction(ctx, bytecode);
}

// parse(text, file): JSON with positions, out of reach of a replaced `JSON`.
static JSValue post_parse(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    JSValue result = JS_EXCEPTION;
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
    const char *file = JS_ToCString(ctx, argv[1]);
    if (text && file)
        result = JS_ParseJSON(ctx, text, length, file);
    if (text)
        JS_FreeCString(ctx, text);
    if (file)
        JS_FreeCString(ctx, file);
    return result;
}
