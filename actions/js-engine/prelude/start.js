// What the shim calls.

const DONE = 0;
const NO_HANDLER = 2;
const NOT_ASYNC = 3;
let handlers;
let pending;

const check = (found) => {
  if (found === undefined || found === null) return NO_HANDLER;
  return typeof found !== 'function' || prototypeOf(found) !== asyncPrototype ? NOT_ASYNC : DONE;
};

const start = (source) => {
  files = source.modules;
  const exports = evaluate(source.file, source.code).exports;
  const known = (typeof exports === 'object' && exports !== null) || typeof exports === 'function';
  if (!known) return NO_HANDLER;
  handlers = exports;
  return check(exports.onExecutePostLogin);
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
  run(event, continuing) {
    takeModuleSecrets(event);
    if (pending !== undefined) {
      const outcome = start(pending);
      if (outcome !== DONE) return outcome;
    }
    const handler = continuing ? handlers.onContinuePostLogin : handlers.onExecutePostLogin;
    const found = check(handler);
    if (found !== DONE) return found;
    live = event;
    continues = continuing;
    return handler(event, api);
  },
  settle,
};
