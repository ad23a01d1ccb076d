// What scripts find as globals and as Node's modules, in parts. The code of a part is with the host, and comes when the
// script first reads something of it; when its source names it (`mentions`), that is at deploy. Parts are ordinary
// JavaScript: a script that replaces `Array.prototype.map` has what it deserves, and the host checks what comes out.

const native = host.call;
const makers = { __proto__: null };
const made = { __proto__: null };
// By part, the file that makes it.
const fileOf = { __proto__: null };
const part = (name) => {
  if (made[name] !== undefined) return made[name];
  if (makers[name] === undefined) host.part(fileOf[name])(shared);
  return (made[name] = makers[name]());
};

// By global, the part that has it.
const partOf = { __proto__: null };
const makeGlobal = (name) => part(partOf[name])[name];

const Uint8Array_ = Uint8Array;
const ArrayBuffer_ = ArrayBuffer;
const isView = ArrayBuffer.isView;
const DOMException_ = DOMException;
const parseJson = JSON.parse;
const utf8 = (text) => native('encode_utf8', text.isWellFormed() ? text : text.toWellFormed());
const utf8Text = (bytes) => native('decode', bytes, 'utf-8');
const isBuffer = (value) => value instanceof ArrayBuffer_ || value instanceof SharedArrayBuffer;
// The bytes of an ArrayBuffer or a view, not copied; undefined for anything else.
const bytesOf = (value) => {
  if (isView(value)) return new Uint8Array_(value.buffer, value.byteOffset, value.byteLength);
  return isBuffer(value) ? new Uint8Array_(value) : undefined;
};
const concatBytes = (chunks) => {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const all = new Uint8Array_(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
};
const toBase64 = (bytes) => bytes.toBase64();
const fromBase64 = (text) => Uint8Array_.fromBase64(text);
const define = (target, name, value) =>
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
const tag = (constructor, name) =>
  Object.defineProperty(constructor.prototype, Symbol.toStringTag, { value: name, configurable: true });
const nodeError = (Base, code, message) => {
  const error = new Base(message);
  error.code = code;
  return error;
};
// A method under this name answers what `inspect` shows: the name of the class, and an object with what it holds.
const inspected = Symbol('inspected');
// One of each object that runs make often, kept so that the shapes of these objects stay in the image.
const usual = [];
