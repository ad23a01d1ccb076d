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
    // The promise is pending. The host knows whether anything is under way that could settle it.
    WAITING = 4,
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
// Starts an operation: its id, 0 for what is no JSON, or OVER_LIMIT.
IMPORT("start")
int32_t host_start(const char *kind, uint32_t kind_length, const char *json, uint32_t length);
IMPORT("cancel") void host_cancel(uint32_t id);
// Asks what is answered at once: the length of the reply, which `host_reply` writes, or OVER_LIMIT.
IMPORT("ask") int32_t host_ask(const char *kind, uint32_t kind_length, const char *json, uint32_t length);
IMPORT("reply") void host_reply(char *to);
// The script reads randomness. At deploy this tells the host that the image cannot hold what follows.
IMPORT("randomness_read") void host_randomness_read(void);
// Unpredictable bytes, from the run's seed.
IMPORT("random_bytes") void host_random_bytes(uint8_t *to, uint32_t length);

// What goes to a function of the host: bytes, or text as UTF-8. At zero for what is not given.
struct input {
    const uint8_t *at;
    uint32_t length;
};
// What a function of the host answered. `crates/action-runtime/src/functions/mod.rs` has the same list.
enum answer_kind { ANSWER_ERROR = 0, ANSWER_TEXT = 1, ANSWER_BYTES = 2 };
// The answer's kind << 32 | its length.
IMPORT("call")
uint64_t host_call(const char *name, uint32_t name_length, const struct input *inputs, uint32_t count);
// The length of a part of the prelude, which `answer` copies.
IMPORT("part") uint32_t host_part(const char *name, uint32_t length);
// Copies what `call` or `part` answered, which the host then forgets.
IMPORT("answer") void host_answer(uint8_t *to);

// A line of a traced script is about to run.
IMPORT("line") void host_line(uint32_t file, uint32_t line);

static JSRuntime *runtime;
static JSContext *context;
static JSValue load_function, run_function, settle_function;
// What the handler answered.
static JSValue handler_promise;
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

#include "host.c"

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

// A zero goes behind it, and event.c reads eight bytes at a time.
EXPORT("alloc") void *guest_alloc(uint32_t length) { return malloc((size_t)length + 8); }

// Heap that is kept free while the script is loaded, so that a run finds its memory in one place: below the script,
// beside what the engine itself changes.
static char *run_heap;
static size_t run_heap_size;

// Takes every other piece of free heap out of use. A run would fill the holes that loading left first, and so write to
// pages all over the image: each of them costs the host a copy to put back.
static void fill_holes(void) {
    char *end = run_heap + run_heap_size;
    for (size_t size = run_heap_size / 2; size >= 8; size = size > 1024 ? size - size / 8 : size - 8) {
        char *piece;
        while ((piece = malloc(size)) && (piece < run_heap || piece >= end))
            memset(piece, 0, size);
        free(piece);
    }
}

static void start_engine(void) {
    runtime = JS_NewRuntime();
    context = runtime ? JS_NewContext(runtime) : NULL;
    if (!context)
        abort();
    JS_SetInterruptHandler(runtime, interrupt_handler, NULL);
    load_function = run_function = settle_function = handler_promise = JS_UNDEFINED;
    random_state[0] = 1;

    JSValue global = JS_GetGlobalObject(context);
    JSValue math = JS_GetPropertyStr(context, global, "Math");
    JS_DefinePropertyValueStr(context, math, "random", JS_NewCFunction(context, math_random, "random", 0),
                              JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_FreeValue(context, math);
    JS_FreeValue(context, global);
}

// Takes the source and the positions out of a function and of those in it. Its file stays: `outcome.rs` tells our own
// frames by that.
static void strip(JSValueConst function) {
    JSFunctionBytecode *code = JS_VALUE_GET_PTR(function);
    js_free(context, code->source);
    js_free(context, code->pc2line_buf);
    code->source = NULL;
    code->pc2line_buf = NULL;
    code->source_len = code->pc2line_len = 0;
    for (int i = 0; i < code->cpool_count; i++) {
        if (JS_VALUE_GET_TAG(code->cpool[i]) == JS_TAG_FUNCTION_BYTECODE)
            strip(code->cpool[i]);
    }
}

// Compiles the prelude, for `boot`, or a part of it: address << 32 | length, or 0 when it does not parse.
EXPORT("compile_prelude") uint64_t compile_prelude(char *source, uint32_t length) {
    source[length] = 0;
    if (!context)
        start_engine();
    JSValue prelude =
        JS_Eval(context, source, length, "postern:prelude", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(prelude)) {
        pending_exception();
        return 0;
    }
    strip(prelude);
    size_t size;
    uint8_t *compiled = JS_WriteObject(context, &size, prelude, JS_WRITE_OBJ_BYTECODE);
    return (uint64_t)(uintptr_t)compiled << 32 | size;
}

// Starts the engine and evaluates the compiled prelude, which answers {load, run, settle}.
EXPORT("boot") int32_t boot(uint8_t *prelude, uint32_t length, uint32_t run_heap_bytes) {
    start_engine();
    JSValue host = JS_NewObject(context);
    JS_SetPropertyStr(context, host, "command", JS_NewCFunction(context, post_command, "command", 1));
    JS_SetPropertyStr(context, host, "print", JS_NewCFunction(context, post_print, "print", 2));
    JS_SetPropertyStr(context, host, "start", JS_NewCFunction(context, post_start, "start", 2));
    JS_SetPropertyStr(context, host, "cancel", JS_NewCFunction(context, post_cancel, "cancel", 1));
    JS_SetPropertyStr(context, host, "ask", JS_NewCFunction(context, post_ask, "ask", 2));
    JS_SetPropertyStr(context, host, "compile", JS_NewCFunction(context, post_compile, "compile", 2));
    JS_SetPropertyStr(context, host, "parse", JS_NewCFunction(context, post_parse, "parse", 2));

    JS_SetPropertyStr(context, host, "call", JS_NewCFunction(context, post_call, "call", 1));
    JS_SetPropertyStr(context, host, "part", JS_NewCFunction(context, post_part, "part", 1));
    JS_SetPropertyStr(context, host, "random", JS_NewCFunction(context, post_random, "random", 1));
    JS_SetPropertyStr(context, host, "isHeaderValue",
                      JS_NewCFunction(context, post_is_header_value, "isHeaderValue", 1));
    JS_SetPropertyStr(context, host, "json", JS_NewCFunction(context, post_json, "json", 1));
    JS_SetPropertyStr(context, host, "lazy", JS_NewCFunction(context, post_lazy, "lazy", 3));

    JSValue setup = JS_ReadObject(context, prelude, length, JS_READ_OBJ_BYTECODE);
    memset(prelude, 0, length);
    free(prelude);
    if (!JS_IsException(setup))
        setup = JS_EvalFunction(context, setup);
    if (JS_IsException(setup))
        return pending_exception();
    JSValue glue = JS_Call(context, setup, JS_UNDEFINED, 1, &host);
    if (JS_IsException(glue))
        return pending_exception();
    load_function = JS_GetPropertyStr(context, glue, "load");
    run_function = JS_GetPropertyStr(context, glue, "run");
    settle_function = JS_GetPropertyStr(context, glue, "settle");
    JS_FreeValue(context, glue);
    JS_FreeValue(context, setup);
    JS_FreeValue(context, host);
    run_heap_size = run_heap_bytes;
    run_heap = malloc(run_heap_size);
    return run_heap ? DONE : THREW;
}

// Runs jobs until none is left. The script's top level has no event loop beyond that.
static bool drain(void) {
    JSContext *unused;
    int more;
    while ((more = JS_ExecutePendingJob(runtime, &unused)) > 0) {
    }
    return more == 0;
}

// Puts bytecode in the place of a package's sources. A module that does not parse stays as it is: it throws when it is
// required.
static bool compile_package(JSValueConst package) {
    JSValue file = JS_GetPropertyStr(context, package, "file"), code = JS_GetPropertyStr(context, package, "code");
    JSValue compiled = compile_only(context, code, file);
    JS_FreeValue(context, file);
    JS_FreeValue(context, code);
    if (JS_IsException(compiled) || JS_SetPropertyStr(context, package, "code", compiled) < 0)
        return false;

    JSValue modules = JS_GetPropertyStr(context, package, "modules");
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(context, &names, &count, modules, JS_GPN_STRING_MASK))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        size_t length;
        const char *path = JS_AtomToCStringLen(context, &length, names[i].atom);
        if (!path)
            return false;
        bool json = length >= 5 && !memcmp(path + length - 5, ".json", 5);
        JS_FreeCString(context, path);
        if (json)
            continue;
        JSValue name = JS_AtomToString(context, names[i].atom);
        JSValue source = JS_GetProperty(context, modules, names[i].atom);
        compiled = compile_only(context, source, name);
        JS_FreeValue(context, name);
        JS_FreeValue(context, source);
        if (!JS_IsException(compiled)) {
            if (JS_DefinePropertyValue(context, modules, names[i].atom, compiled, JS_PROP_C_W_E) < 0)
                return false;
        } else if (JS_IsUncatchableError(context->rt->current_exception)) {
            return false;
        } else {
            JS_FreeValue(context, JS_GetException(context));
        }
    }
    JS_FreePropertyEnum(context, names, count);
    JS_FreeValue(context, modules);
    return true;
}

// Takes the package {file, code, modules} as JSON and answers where it is compiled, as address << 32 | length, or 0 when
// the script threw. An image is made from this in another memory: the parser leaves holes between all that it makes, and
// a run of a large script would touch pages all over.
EXPORT("compile") uint64_t compile(char *package_json, uint32_t length, uint32_t stack_bytes) {
    package_json[length] = 0;
    limit_stack(stack_bytes);
    JSValue package = JS_ParseJSON(context, package_json, length, "postern:package");
    size_t size;
    uint8_t *compiled = NULL;
    if (!JS_IsException(package) && compile_package(package))
        compiled = JS_WriteObject(context, &size, package, JS_WRITE_OBJ_BYTECODE);
    if (compiled)
        return (uint64_t)(uintptr_t)compiled << 32 | size;
    pending_exception();
    return 0;
}

// Takes what `compile` made. `deferred` keeps it for the run and evaluates nothing.
EXPORT("load") int32_t load(uint8_t *compiled, uint32_t length, int32_t deferred, uint32_t stack_bytes) {
    limit_stack(stack_bytes);
    JSValue arguments[2] = {JS_ReadObject(context, compiled, length, JS_READ_OBJ_BYTECODE), JS_NewBool(context, deferred)};
    memset(compiled, 0, length);
    free(compiled);
    if (JS_IsException(arguments[0]))
        return pending_exception();
    JSValue answer = JS_Call(context, load_function, JS_UNDEFINED, 2, arguments);
    JS_FreeValue(context, arguments[0]);
    if (JS_IsException(answer) || !drain())
        return pending_exception();
    return JS_VALUE_GET_INT(answer);
}

// Makes that a run writes to few pages of the image. What is there from now on stays to the end of the run: nobody counts
// its references. (The collector takes from a count what it gives back, and never meets a zero.) And the run's own small
// pieces do not go to the gaps of the arenas that are there, but to smaller ones in one place.
static void seal(void) {
    struct list_head *at;
    for (int size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++) {
        struct list_head *arenas = &runtime->arena_state.arena_list[size];
        list_for_each(at, arenas) {
            JSArena *arena = list_entry(at, JSArena, link);
            for (int i = 0; i < arena->n_blocks; i++)
                ((JSMallocBlockHeader *)arena_get_block(arena, i, arena_block_sizes[size]))->ref_count = JS_IMMORTAL;
            // As if it were full and more: it is in no list, and never empty.
            arena->n_used_blocks = arena->n_blocks + 1;
        }
        init_list_head(arenas);
        init_list_head(&runtime->arena_state.free_arena_list[size]);
    }
    // Those that are too large for an arena.
    list_for_each(at, &runtime->gc_obj_list)
        JS_REF_COUNT(list_entry(at, JSGCObjectHeader, link)) = JS_IMMORTAL;
    js_arena_size = 1024;
}

// Makes the memory ready to be saved: no garbage, and free heap at hand so that a usual run neither collects nor grows.
EXPORT("settle") void settle(void) {
    JS_RunGC(runtime);
    // Counted from what the script holds: else a run of a large script would begin with a collection.
    JS_SetGCThreshold(runtime, runtime->malloc_state.malloc_size + (8u << 20));
    free(run_heap);
    fill_holes();
    seal();
}

#include "event.c"

// Runs what is ready, and says how the handler's promise stands.
static enum outcome proceed(void) {
    if (!drain())
        return pending_exception();
    switch (JS_PromiseState(context, handler_promise)) {
    case JS_PROMISE_REJECTED:
        return threw(JS_PromiseResult(context, handler_promise));
    case JS_PROMISE_PENDING:
        return WAITING;
    default:
        return DONE;
    }
}

// Calls the handler, `onContinuePostLogin` when the run `continues`. `input` holds the seed (32 bytes), then the event as JSON.
EXPORT("run") int32_t run(char *input, uint32_t length, int32_t continues, uint32_t stack_bytes) {
    memcpy(random_state, input, sizeof random_state);
    if (!(random_state[0] | random_state[1] | random_state[2] | random_state[3]))
        random_state[0] = 1;
    seeded = true;
    limit_stack(stack_bytes);

    char *json = input + sizeof random_state;
    json[length] = 0;
    JSValue event = parse_unread(json, length);
    if (JS_IsException(event))
        return pending_exception();
    JSValue arguments[2] = {event, JS_NewBool(context, continues)};
    handler_promise = JS_Call(context, run_function, JS_UNDEFINED, 2, arguments);
    if (JS_IsException(handler_promise))
        return pending_exception();
    if (JS_VALUE_GET_TAG(handler_promise) == JS_TAG_INT)
        return JS_VALUE_GET_INT(handler_promise);
    return proceed();
}

// Bytes of an answer that a run may keep.
#define SMALL_ANSWER (64 << 10)

// Gives the answer of an operation to a run that waits: JSON when it went well, else the text of an error.
EXPORT("resume") int32_t resume(uint32_t id, int32_t ok, char *answer, uint32_t length, uint32_t stack_bytes) {
    limit_stack(stack_bytes);
    answer[length] = 0;
    // A small one stays where it is, and is parsed as far as it is read.
    bool small = length <= SMALL_ANSWER;
    JSValue value = !ok     ? JS_NewStringLen(context, answer, length)
                    : small ? parse_unread(answer, length)
                            : JS_ParseJSON(context, answer, length, "postern:answer");
    if (!ok || !small)
        free(answer);
    if (JS_IsException(value))
        return pending_exception();
    JSValue arguments[3] = {JS_NewInt32(context, (int32_t)id), JS_NewBool(context, ok), value};
    JSValue done = JS_Call(context, settle_function, JS_UNDEFINED, 3, arguments);
    JS_FreeValue(context, value);
    if (JS_IsException(done))
        return pending_exception();
    JS_FreeValue(context, done);
    return proceed();
}

static JSValue post_line(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    uint32_t file = 0, line = 0;
    if (JS_ToUint32(ctx, &file, argv[0]) || JS_ToUint32(ctx, &line, argv[1]))
        return JS_EXCEPTION;
    host_line(file, line);
    return JS_UNDEFINED;
}

// Makes what the statements of a traced script call (`trace.rs` of action-build), before the script is loaded.
EXPORT("trace") void trace(void) {
    JSValue global = JS_GetGlobalObject(context);
    JS_DefinePropertyValueStr(context, global, "__postern_line", JS_NewCFunction(context, post_line, "line", 2), 0);
    JS_FreeValue(context, global);
}

// Tells the host where the script is, as if it threw there. The host calls it from within a command.
EXPORT("where") void where(void) {
    JSValue error = JS_NewError(context);
    if (JS_IsException(error))
        JS_FreeValue(context, JS_GetException(context));
    else
        threw(error);
    JS_FreeValue(context, error);
}
