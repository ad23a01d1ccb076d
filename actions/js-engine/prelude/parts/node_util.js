// Node's `util`, `events`, `assert` and `string_decoder`.

makers.node_types = () => {
  const kindOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const types = {
    isPromise: (value) => value instanceof Promise,
    isRegExp: (value) => value instanceof RegExp,
    isDate: (value) => value instanceof Date,
    isNativeError: isError,
    isMap: (value) => value instanceof Map,
    isSet: (value) => value instanceof Set,
    isWeakMap: (value) => value instanceof WeakMap,
    isWeakSet: (value) => value instanceof WeakSet,
    isArrayBuffer: (value) => value instanceof ArrayBuffer_,
    isAnyArrayBuffer: isBuffer,
    isArrayBufferView: (value) => isView(value),
    isTypedArray: (value) => isView(value) && !(value instanceof DataView),
    isUint8Array: (value) => value instanceof Uint8Array_,
    isDataView: (value) => value instanceof DataView,
    isAsyncFunction: (value) => typeof value === 'function' && kindOf(value).startsWith('Async'),
    isGeneratorFunction: (value) => typeof value === 'function' && kindOf(value).endsWith('GeneratorFunction'),
    isBoxedPrimitive: (value) =>
      typeof value === 'object' && ['Number', 'String', 'Boolean', 'BigInt', 'Symbol'].includes(kindOf(value)),
    isKeyObject: (value) => kindOf(value) === 'KeyObject',
    isCryptoKey: (value) => kindOf(value) === 'CryptoKey',
  };
  return types;
};

makers.equality = () => {
  const kindOf = (value) => Object.prototype.toString.call(value);
  const equal = (a, b, strict, seen = []) => {
    if (strict ? Object.is(a, b) : a == b || (a !== a && b !== b)) return true;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
    if (strict && prototypeOf(a) !== prototypeOf(b)) return false;
    if (kindOf(a) !== kindOf(b)) return false;
    if (seen.some(([left, right]) => left === a && right === b)) return true;
    const below = [...seen, [a, b]];
    if (a instanceof Date && a.getTime() !== b.getTime()) return false;
    if (a instanceof RegExp && String_(a) !== String_(b)) return false;
    if (isError(a) && (a.message !== b.message || a.name !== b.name)) return false;
    if (isView(a)) {
      const [left, right] = [bytesOf(a), bytesOf(b)];
      return left.length === right.length && left.every((byte, at) => byte === right[at]);
    }
    if (['[object Number]', '[object String]', '[object Boolean]'].includes(kindOf(a)) && !Object.is(a.valueOf(), b.valueOf())) return false;
    if (a instanceof Map || a instanceof Set) {
      if (a.size !== b.size) return false;
      const rest = [...b];
      return [...a].every((item) => {
        const at = rest.findIndex((other) => equal(item, other, strict, below));
        if (at >= 0) rest.splice(at, 1);
        return at >= 0;
      });
    }
    const keys = keysOf(a);
    return keys.length === keysOf(b).length && keys.every((key) => hasOwn(b, key) && equal(a[key], b[key], strict, below));
  };
  return equal;
};

makers.node_util = () => {
  const { inspect, format } = part('inspect');
  const custom = Symbol.for('nodejs.util.promisify.custom');
  const promisify = (original) => {
    if (typeof original !== 'function') {
      throw nodeError(TypeError_, 'ERR_INVALID_ARG_TYPE', 'The "original" argument must be of type function.');
    }
    if (original[custom]) return original[custom];
    const promised = function (...values) {
      return new Promise((resolve, reject) => {
        original.call(this, ...values, (error, value) => (error ? reject(error) : resolve(value)));
      });
    };
    return Object.defineProperties(Object.setPrototypeOf(promised, prototypeOf(original)), Object.getOwnPropertyDescriptors(original));
  };
  promisify.custom = custom;
  inspect.custom = Symbol.for('nodejs.util.inspect.custom');
  inspect.defaultOptions = { depth: 2, breakLength: 80, maxArrayLength: 100 };
  const util = {
    promisify,
    callbackify(original) {
      return function (...values) {
        const callback = values.pop();
        original.apply(this, values).then(
          (value) => queueMicrotask(() => callback(null, value)),
          (error) => queueMicrotask(() => callback(error)),
        );
      };
    },
    inspect,
    format,
    formatWithOptions: (options, ...values) => format(...values),
    types: part('node_types'),
    isDeepStrictEqual: (a, b) => part('equality')(a, b, true),
    inherits(constructor, parent) {
      Object.defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
      Object.setPrototypeOf(constructor.prototype, parent.prototype);
    },
    deprecate: (original) => original,
    debuglog: () => Object.assign(() => {}, { enabled: false }),
    stripVTControlCharacters: (text) => text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''),
    toUSVString: (text) => `${text}`.toWellFormed(),
    isArray,
    ...part('encoding'),
  };
  return util;
};

makers.node_events = () => {
  const check = (listener) => {
    if (typeof listener === 'function') return listener;
    throw nodeError(TypeError_, 'ERR_INVALID_ARG_TYPE', 'The "listener" argument must be of type function.');
  };
  function EventEmitter() {}
  const listenersOf = (emitter, name) => {
    if (!hasOwn(emitter, '_events')) define(emitter, '_events', { __proto__: null });
    return (emitter._events[name] ??= []);
  };
  const add = (emitter, name, listener, first) => {
    check(listener);
    if (emitter._events?.newListener?.length > 0) emitter.emit('newListener', name, listener.listener ?? listener);
    listenersOf(emitter, name)[first ? 'unshift' : 'push'](listener);
    return emitter;
  };
  const once = (emitter, name, listener) => {
    const wrapper = function (...values) {
      emitter.removeListener(name, wrapper);
      return listener.apply(emitter, values);
    };
    wrapper.listener = check(listener);
    return wrapper;
  };
  const methods = {
    on(name, listener) {
      return add(this, name, listener, false);
    },
    prependListener(name, listener) {
      return add(this, name, listener, true);
    },
    once(name, listener) {
      return add(this, name, once(this, name, listener), false);
    },
    prependOnceListener(name, listener) {
      return add(this, name, once(this, name, listener), true);
    },
    removeListener(name, listener) {
      const listeners = listenersOf(this, name);
      const at = listeners.findLastIndex((known) => known === listener || known.listener === listener);
      if (at >= 0) {
        this._events[name] = listeners.filter((known, index) => index !== at);
        if (this._events.removeListener?.length > 0) this.emit('removeListener', name, listener);
      }
      return this;
    },
    removeAllListeners(name) {
      if (name === undefined) define(this, '_events', { __proto__: null });
      else listenersOf(this, name).length = 0;
      return this;
    },
    emit(name, ...values) {
      const listeners = [...listenersOf(this, name)];
      if (listeners.length === 0 && name === 'error') {
        if (isError(values[0])) throw values[0];
        const error = nodeError(Error_, 'ERR_UNHANDLED_ERROR', `Unhandled error. (${part('inspect').inspect(values[0])})`);
        error.context = values[0];
        throw error;
      }
      for (const listener of listeners) listener.apply(this, values);
      return listeners.length > 0;
    },
    listeners(name) {
      return listenersOf(this, name).map((listener) => listener.listener ?? listener);
    },
    rawListeners(name) {
      return [...listenersOf(this, name)];
    },
    listenerCount(name) {
      return listenersOf(this, name).length;
    },
    eventNames() {
      return Reflect.ownKeys(this._events ?? {}).filter((name) => this._events[name].length > 0);
    },
    setMaxListeners() {
      return this;
    },
    getMaxListeners() {
      return EventEmitter.defaultMaxListeners;
    },
  };
  for (const name of keysOf(methods)) define(EventEmitter.prototype, name, methods[name]);
  define(EventEmitter.prototype, 'addListener', methods.on);
  define(EventEmitter.prototype, 'off', methods.removeListener);
  EventEmitter.EventEmitter = EventEmitter;
  EventEmitter.defaultMaxListeners = 10;
  EventEmitter.once = (emitter, name) =>
    new Promise((resolve, reject) => {
      const failed = (error) => {
        emitter.removeListener(name, done);
        reject(error);
      };
      const done = (...values) => {
        emitter.removeListener('error', failed);
        resolve(values);
      };
      emitter.once(name, done);
      if (name !== 'error') emitter.once('error', failed);
    });
  return EventEmitter;
};

makers.node_assert = () => {
  const { inspect } = part('inspect');
  const equality = part('equality');
  class AssertionError extends Error {
    constructor({ message, actual, expected, operator }) {
      super(message ?? `${inspect(actual)} ${operator} ${inspect(expected)}`);
      this.name = 'AssertionError';
      this.code = 'ERR_ASSERTION';
      this.generatedMessage = message === undefined;
      Object.assign(this, { actual, expected, operator });
    }
  }
  const verify = (holds, message, actual, expected, operator, says) => {
    if (holds) return;
    if (isError(message)) throw message;
    throw new AssertionError({ message: message ?? says, actual, expected, operator });
  };
  const matches = (error, wanted) => {
    if (wanted === undefined) return true;
    if (wanted instanceof RegExp) return wanted.test(String_(error));
    if (typeof wanted === 'function') {
      if (wanted.prototype !== undefined && error instanceof wanted) return true;
      return !(wanted.prototype instanceof Error) && wanted !== Error && wanted.call({}, error) === true;
    }
    return keysOf(wanted).every((key) => (wanted[key] instanceof RegExp ? wanted[key].test(error[key]) : equality(error[key], wanted[key], true)));
  };
  const thrown = (failure, wanted, message, operator) => {
    if (typeof wanted === 'string') [wanted, message] = [undefined, wanted];
    verify(failure !== undefined, message, undefined, wanted, operator, operator === 'rejects' ? 'Missing expected rejection.' : 'Missing expected exception.');
    if (!matches(failure.error, wanted)) throw failure.error;
  };
  const assert = (value, message) => verify(value, message, value, true, '==', `The expression evaluated to a falsy value`);
  const pairs = {
    equal: ['==', (a, b) => a == b || (a !== a && b !== b)],
    notEqual: ['!=', (a, b) => a != b && (a === a || b === b)],
    strictEqual: ['strictEqual', Object.is],
    notStrictEqual: ['notStrictEqual', (a, b) => !Object.is(a, b)],
    deepEqual: ['deepEqual', (a, b) => equality(a, b, false)],
    notDeepEqual: ['notDeepEqual', (a, b) => !equality(a, b, false)],
    deepStrictEqual: ['deepStrictEqual', (a, b) => equality(a, b, true)],
    notDeepStrictEqual: ['notDeepStrictEqual', (a, b) => !equality(a, b, true)],
  };
  for (const name of keysOf(pairs)) {
    const [operator, holds] = pairs[name];
    assert[name] = (actual, expected, message) => verify(holds(actual, expected), message, actual, expected, operator);
  }
  Object.assign(assert, {
    ok: assert,
    AssertionError,
    fail: (message = 'Failed') => verify(false, message, undefined, undefined, 'fail'),
    ifError(value) {
      if (value !== null && value !== undefined) throw value;
    },
    match: (text, pattern, message) => verify(pattern.test(text), message, text, pattern, 'match'),
    doesNotMatch: (text, pattern, message) => verify(!pattern.test(text), message, text, pattern, 'doesNotMatch'),
    throws(call, wanted, message) {
      let failure;
      try {
        call();
      } catch (error) {
        failure = { error };
      }
      thrown(failure, wanted, message, 'throws');
    },
    doesNotThrow: (call) => void call(),
    async rejects(promise, wanted, message) {
      let failure;
      try {
        await (typeof promise === 'function' ? promise() : promise);
      } catch (error) {
        failure = { error };
      }
      thrown(failure, wanted, message, 'rejects');
    },
    doesNotReject: async (promise) => void (await (typeof promise === 'function' ? promise() : promise)),
  });
  // The strict one, whose `equal` is `strictEqual`.
  assert.strict = Object.assign((...values) => assert(...values), assert, {
    equal: assert.strictEqual,
    notEqual: assert.notStrictEqual,
    deepEqual: assert.deepStrictEqual,
    notDeepEqual: assert.notDeepStrictEqual,
  });
  assert.strict.strict = assert.strict;
  return assert;
};

makers.node_string_decoder = () => {
  const { Buffer } = part('buffer');
  const { TextDecoder } = part('encoding');
  class StringDecoder {
    #decoder;
    #rest = Buffer.alloc(0);
    constructor(encoding = 'utf8') {
      this.encoding = encoding;
      if (/^(utf-?8|utf-?16le|ucs-?2)$/i.test(encoding)) this.#decoder = new TextDecoder(/8$/.test(encoding) ? 'utf-8' : 'utf-16le', { ignoreBOM: true });
    }
    write(bytes) {
      if (this.#decoder) return this.#decoder.decode(bytes, { stream: true });
      // Base64 is cut where three bytes end.
      const all = Buffer.concat([this.#rest, bytes]);
      const end = /^base64/i.test(this.encoding) ? all.length - (all.length % 3) : all.length;
      this.#rest = all.subarray(end);
      return all.toString(this.encoding, 0, end);
    }
    end(bytes) {
      const text = bytes === undefined ? '' : this.write(bytes);
      if (this.#decoder) return text + this.#decoder.decode();
      const rest = this.#rest.toString(this.encoding);
      this.#rest = Buffer.alloc(0);
      return text + rest;
    }
  }
  return { StringDecoder };
};
