// What the shim calls.

const DONE = 0;
const NO_HANDLER = 2;
const NOT_ASYNC = 3;
let handler;
let pending;

const start = (source) => {
  files = source.modules;
  const exports = evaluate(source.file, source.code).exports;
  const known = (typeof exports === 'object' && exports !== null) || typeof exports === 'function';
  const found = known ? exports.onExecutePostLogin : undefined;
  if (found === undefined || found === null) return NO_HANDLER;
  if (typeof found !== 'function' || prototypeOf(found) !== asyncPrototype) return NOT_ASYNC;
  handler = found;
  return DONE;
};

return {
  load(source, deferred) {
    // Names of modules come from outside: `__proto__` must be a name like any other.
    const modules = { __proto__: null };
    for (const name of keysOf(source.modules)) {
      if (hasOwn(source.modules, name)) modules[name] = source.modules[name];
    }
    source.modules = modules;
    prepare(source.mentions);
    if (!deferred) return start(source);
    pending = source;
    return DONE;
  },
  run(event) {
    if (pending !== undefined) {
      const outcome = start(pending);
      if (outcome !== DONE) return outcome;
    }
    return handler(event, api);
  },
  settle,
};
