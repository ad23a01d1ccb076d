// structuredClone (HTML §2.7): of what a script can have here.

makers.clone = () => {
  const uncloneable = (value) => {
    let shown;
    try {
      shown = typeof value === 'symbol' ? value.toString() : typeof value === 'function' ? `${value}` : '#<Object>';
    } catch {
      shown = '#<Object>';
    }
    return new DOMException_(`${shown} could not be cloned.`, 'DataCloneError');
  };
  const errors = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  function structuredClone(value, options) {
    const seen = new Map();
    for (const buffer of options?.transfer ?? []) {
      if (!(buffer instanceof ArrayBuffer_)) throw uncloneable(buffer);
      seen.set(buffer, buffer.transfer());
    }
    const clone = (from) => {
      if (typeof from === 'symbol' || typeof from === 'function') throw uncloneable(from);
      if (typeof from !== 'object' || from === null) return from;
      if (seen.has(from)) return seen.get(from);
      const as = (to) => {
        seen.set(from, to);
        return to;
      };
      const kind = Object.prototype.toString.call(from).slice(8, -1);
      if (from instanceof Date) return as(new Date(from.getTime()));
      if (from instanceof RegExp) return as(new RegExp(from.source, from.flags));
      if (['Boolean', 'Number', 'String', 'BigInt'].includes(kind) && typeof from.valueOf() !== 'object') {
        return as(Object(from.valueOf()));
      }
      if (from instanceof ArrayBuffer_) return as(from.slice(0));
      if (isView(from)) {
        const buffer = clone(from.buffer);
        const Kind = from instanceof DataView ? DataView : globalThis[from[Symbol.toStringTag]];
        return as(new Kind(buffer, from.byteOffset, from instanceof DataView ? from.byteLength : from.length));
      }
      if (from instanceof Map) {
        const to = as(new Map());
        for (const [key, item] of [...from]) to.set(clone(key), clone(item));
        return to;
      }
      if (from instanceof Set) {
        const to = as(new Set());
        for (const item of [...from]) to.add(clone(item));
        return to;
      }
      if (isError(from)) {
        const to = as(Object.create((errors[from.name] ?? Error).prototype));
        for (const name of ['stack', 'message', 'cause']) {
          if (hasOwn(from, name)) define(to, name, name === 'cause' ? clone(from.cause) : `${from[name]}`);
        }
        return to;
      }
      if (from instanceof Promise || from instanceof WeakMap || from instanceof WeakSet || from instanceof WeakRef) {
        throw uncloneable(from);
      }
      const to = as(isArray(from) ? new Array(from.length) : {});
      for (const key of keysOf(from)) to[key] = clone(from[key]);
      return to;
    };
    return clone(value);
  }
  return { structuredClone };
};
