// Node's `util`.

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
    if (
      ['[object Number]', '[object String]', '[object Boolean]'].includes(kindOf(a)) &&
      !Object.is(a.valueOf(), b.valueOf())
    )
      return false;
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
    return (
      keys.length === keysOf(b).length && keys.every((key) => hasOwn(b, key) && equal(a[key], b[key], strict, below))
    );
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
    return Object.defineProperties(
      Object.setPrototypeOf(promised, prototypeOf(original)),
      Object.getOwnPropertyDescriptors(original),
    );
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
