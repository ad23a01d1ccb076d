// QuickJS-ng behind a handful of exports. Built to a core Wasm module by crates/action-runtime/build.rs.
//
// The module imports its memory. All state lives there, so that a saved memory is a saved engine: no global of the
// module other than the stack pointer changes, and that one is back at its start whenever no export is running.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The source, not the header: for WASI, QuickJS switches its check of the stack off, and only its own struct can switch
// it on again (`limit_stack`).
#include "quickjs.c"

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("postern"), import_name(name)))

// What an export answers. `crates/action-runtime/src/script.rs` has the same list.
enum outcome {
    DONE = 0,
    THREW = 1,
    NO_HANDLER = 2,
    NOT_ASYNC = 3,
    NEVER_SETTLED = 4,
};

// Negative answers of `host_command` and `host_console`: a limit was reached and the run is over.
#define OVER_LIMIT (-1)

IMPORT("command") int32_t host_command(const char *json, uint32_t length, char *error, uint32_t capacity);
IMPORT("console") int32_t host_console(uint32_t level, const char *text, uint32_t length);
IMPORT("exception")
void host_exception(const char *name, uint32_t name_length, const char *message, uint32_t message_length,
                    const char *stack, uint32_t stack_length);
// Whether the budget is used up: answered from fuel and wall clock.
IMPORT("interrupted") int32_t host_interrupted(void);
// The script reads randomness. At deploy this tells the host that the image cannot hold what follows.
IMPORT("randomness_read") void host_randomness_read(void);

static JSRuntime *runtime;
static JSContext *context;
static JSValue load_function, run_function;
static uint64_t random_state[4];
static bool seeded;

static uint64_t rotate_left(uint64_t value, int count) { return (value << count) | (value >> (64 - count)); }

// xoshiro256**. It is not for secrets: what must be unguessable comes from the host.
static uint64_t next_random(void) {
    uint64_t result = rotate_left(random_state[1] * 5, 7) * 9;
    uint64_t shifted = random_state[1] << 17;
    random_state[2] ^= random_state[0];
    random_state[3] ^= random_state[1];
    random_state[1] ^= random_state[2];
    random_state[0] ^= random_state[3];
    random_state[2] ^= shifted;
    random_state[3] = rotate_left(random_state[3], 45);
    return result;
}

static JSValue math_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    if (!seeded)
        host_randomness_read();
    return JS_NewFloat64(ctx, (double)(next_random() >> 11) * 0x1p-53);
}

static int interrupt_handler(JSRuntime *rt, void *opaque) { return host_interrupted(); }

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

// compile(code, file): the function whose body is the code. The wrapper's two lines are -1 and 0, so that positions are
// the author's. (It has two because QuickJS takes 0 for "not given".)
static const char wrapper_head[] = "(function (exports, module, require, console) {\n\n";
static const char wrapper_tail[] = "\n})";

static JSValue post_compile(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    JSValue result = JS_EXCEPTION;
    size_t length;
    const char *code = JS_ToCStringLen(ctx, &length, argv[0]);
    const char *file = JS_ToCString(ctx, argv[1]);
    size_t head = sizeof wrapper_head - 1, tail = sizeof wrapper_tail - 1;
    char *whole = code && file ? malloc(head + length + tail + 1) : NULL;
    if (whole) {
        memcpy(whole, wrapper_head, head);
        memcpy(whole + head, code, length);
        memcpy(whole + head + length, wrapper_tail, tail + 1);
        JSEvalOptions options = {
            .version = JS_EVAL_OPTIONS_VERSION,
            .eval_flags = JS_EVAL_TYPE_GLOBAL,
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

// A property as text; NULL when the value has none or its getter throws. Free with JS_FreeCString.
static const char *text_property(JSValueConst object, const char *name, size_t *length) {
    *length = 0;
    if (!JS_IsObject(object))
        return NULL;
    JSValue value = JS_GetPropertyStr(context, object, name);
    const char *text = JS_IsString(value) ? JS_ToCStringLen(context, length, value) : NULL;
    JS_FreeValue(context, value);
    if (!text)
        JS_FreeValue(context, JS_GetException(context));
    return text;
}

// Tells the host what was thrown. The value is the script's and may be anything, a Proxy that throws included.
static enum outcome threw(JSValue value) {
    size_t name_length, message_length, stack_length;
    const char *name = text_property(value, "name", &name_length);
    const char *message = text_property(value, "message", &message_length);
    const char *stack = text_property(value, "stack", &stack_length);
    if (!message) {
        message = JS_ToCStringLen(context, &message_length, value);
        if (!message) {
            JS_FreeValue(context, JS_GetException(context));
            message_length = 0;
        }
    }
    host_exception(name ? name : "", name_length, message ? message : "", message_length, stack ? stack : "",
                   stack_length);
    // Nothing is freed: the sandbox ends here.
    return THREW;
}

// How much of the shadow stack JavaScript may use from here on.
static void limit_stack(uint32_t bytes) {
    uintptr_t top = js_get_stack_pointer();
    runtime->stack_limit = top > bytes ? top - bytes : 0;
}

static enum outcome pending_exception(void) { return threw(JS_GetException(context)); }

EXPORT("alloc") void *guest_alloc(uint32_t length) { return malloc((size_t)length + 1); }

// Starts the engine and evaluates the prelude, which answers {load, run}.
EXPORT("boot") int32_t boot(char *prelude, uint32_t length) {
    prelude[length] = 0;
    runtime = JS_NewRuntime();
    context = runtime ? JS_NewContext(runtime) : NULL;
    if (!context)
        abort();
    JS_SetInterruptHandler(runtime, interrupt_handler, NULL);
    load_function = run_function = JS_UNDEFINED;
    random_state[0] = 1;

    JSValue global = JS_GetGlobalObject(context);
    JSValue math = JS_GetPropertyStr(context, global, "Math");
    JS_DefinePropertyValueStr(context, math, "random", JS_NewCFunction(context, math_random, "random", 0),
                              JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_FreeValue(context, math);
    JS_FreeValue(context, global);

    JSValue host = JS_NewObject(context);
    JS_SetPropertyStr(context, host, "command", JS_NewCFunction(context, post_command, "command", 1));
    JS_SetPropertyStr(context, host, "print", JS_NewCFunction(context, post_print, "print", 2));
    JS_SetPropertyStr(context, host, "compile", JS_NewCFunction(context, post_compile, "compile", 2));
    JS_SetPropertyStr(context, host, "parse", JS_NewCFunction(context, post_parse, "parse", 2));

    JSValue setup = JS_Eval(context, prelude, length, "postern:prelude", JS_EVAL_TYPE_GLOBAL);
    free(prelude);
    if (JS_IsException(setup))
        return pending_exception();
    JSValue glue = JS_Call(context, setup, JS_UNDEFINED, 1, &host);
    if (JS_IsException(glue))
        return pending_exception();
    load_function = JS_GetPropertyStr(context, glue, "load");
    run_function = JS_GetPropertyStr(context, glue, "run");
    JS_FreeValue(context, glue);
    JS_FreeValue(context, setup);
    JS_FreeValue(context, host);
    return DONE;
}

// Runs jobs until none is left. The script's top level has no event loop beyond that.
static bool drain(void) {
    JSContext *unused;
    int more;
    while ((more = JS_ExecutePendingJob(runtime, &unused)) > 0) {
    }
    return more == 0;
}

// Takes the package {file, code, modules} as JSON. `deferred` keeps it for the run and evaluates nothing.
EXPORT("load") int32_t load(char *package_json, uint32_t length, int32_t deferred, uint32_t stack_bytes) {
    package_json[length] = 0;
    limit_stack(stack_bytes);
    JSValue arguments[2] = {JS_ParseJSON(context, package_json, length, "postern:package"), JS_NewBool(context, deferred)};
    free(package_json);
    if (JS_IsException(arguments[0]))
        return pending_exception();
    JSValue answer = JS_Call(context, load_function, JS_UNDEFINED, 2, arguments);
    JS_FreeValue(context, arguments[0]);
    if (JS_IsException(answer) || !drain())
        return pending_exception();
    return JS_VALUE_GET_INT(answer);
}

// Makes the memory ready to be saved: no garbage, and free heap at hand so that a usual run neither collects nor grows.
EXPORT("settle") void settle(uint32_t spare_bytes) {
    JS_RunGC(runtime);
    // Counted from what the script holds: else a run of a large script would begin with a collection.
    JS_SetGCThreshold(runtime, runtime->malloc_state.malloc_size + (8u << 20));
    free(malloc(spare_bytes));
}

// Calls the handler. `input` holds the seed (32 bytes), then the event as JSON.
EXPORT("run") int32_t run(char *input, uint32_t length, uint32_t stack_bytes) {
    memcpy(random_state, input, sizeof random_state);
    if (!(random_state[0] | random_state[1] | random_state[2] | random_state[3]))
        random_state[0] = 1;
    seeded = true;
    limit_stack(stack_bytes);

    char *json = input + sizeof random_state;
    json[length] = 0;
    JSValue event = JS_ParseJSON(context, json, length, "postern:event");
    if (JS_IsException(event))
        return pending_exception();
    JSValue promise = JS_Call(context, run_function, JS_UNDEFINED, 1, &event);
    if (JS_IsException(promise))
        return pending_exception();
    if (JS_VALUE_GET_TAG(promise) == JS_TAG_INT)
        return JS_VALUE_GET_INT(promise);
    if (!drain())
        return pending_exception();
    switch (JS_PromiseState(context, promise)) {
    case JS_PROMISE_REJECTED:
        return threw(JS_PromiseResult(context, promise));
    case JS_PROMISE_PENDING:
        return NEVER_SETTLED;
    default:
        return DONE;
    }
}
