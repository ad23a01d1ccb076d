// The prelude: what a script finds when it starts. Its files are one function, `(host) => {load, run, settle}`, in the order that
// crates/action-runtime/src/engine.rs gives; it is evaluated once, when an image is made.
//
// Everything used after the script has run is captured here first, and nothing in these files goes through a prototype
// that the script can reach (no array methods, no spread, no destructuring of arrays). A script that replaces `JSON` or
// `Array.prototype` so harms its own run only; and even then the host checks every command again.

const stringify = JSON.stringify;
const String_ = String;
const Error_ = Error;
const TypeError_ = TypeError;
const isFinite_ = Number.isFinite;
const isArray = Array.isArray;
const keysOf = Object.keys;
const prototypeOf = Object.getPrototypeOf;
const bind = Function.prototype.call.bind.bind(Function.prototype.call);
const hasOwn = bind(Object.prototype.hasOwnProperty);
const startsWith = bind(String.prototype.startsWith);
const includes = bind(String.prototype.includes);
const slice = bind(String.prototype.slice);
const indexOf = bind(String.prototype.indexOf);
const lastIndexOf = bind(String.prototype.lastIndexOf);
const call = Function.prototype.call.bind(Function.prototype.call);
const isError = (value) => value instanceof Error_;
const asyncPrototype = prototypeOf(async () => {});

// QuickJS makes a function of its own when it is first read, and writes it to the object that has it. Those that scripts and
// the parts use most are made now: a run so writes to fewer pages of its image.
for (const [holder, names] of [
  [Object, 'assign create defineProperty entries freeze fromEntries getOwnPropertyNames is keys values'],
  [Object.prototype, 'hasOwnProperty propertyIsEnumerable toString'],
  [Function.prototype, 'apply bind call'],
  [Array, 'from isArray of'],
  [
    Array.prototype,
    'at concat every filter find findIndex flat flatMap forEach includes indexOf join keys map pop push reduce reverse shift slice some sort splice unshift values',
  ],
  [
    String.prototype,
    'at charAt charCodeAt concat endsWith includes indexOf isWellFormed lastIndexOf match padStart repeat replace replaceAll slice split startsWith substring toLowerCase toString toUpperCase toWellFormed trim',
  ],
  [RegExp.prototype, 'exec test toString'],
  [Number, 'isFinite isInteger parseInt'],
  [Number.prototype, 'toFixed toString'],
  [Math, 'abs ceil floor max min random round trunc'],
  [JSON, 'parse stringify'],
  [Date, 'UTC now parse'],
  [Date.prototype, 'getTime toISOString toJSON valueOf'],
  [Map.prototype, 'delete entries forEach get has set'],
  [Set.prototype, 'add delete has values'],
  [Promise, 'all allSettled race reject resolve'],
  [Promise.prototype, 'catch finally then'],
  [Uint8Array, 'from fromBase64'],
  [Uint8Array.prototype, 'toBase64 toHex'],
  [prototypeOf(Uint8Array.prototype), 'set slice subarray'],
  [Error.prototype, 'toString'],
]) {
  for (const name of names.split(' ')) if (typeof holder[name] !== 'function') throw new Error_(name);
}
for (const name of ['match', 'replace', 'split']) RegExp.prototype[Symbol[name]];
