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
