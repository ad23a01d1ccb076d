// The globals, and Node's modules by name. Each is made when it is first read.

const shared = {
  host,
  native,
  makers,
  part,
  Uint8Array_,
  ArrayBuffer_,
  isView,
  DOMException_,
  parseJson,
  utf8,
  utf8Text,
  isBuffer,
  bytesOf,
  concatBytes,
  toBase64,
  fromBase64,
  define,
  tag,
  nodeError,
  inspected,
  stringify,
  String_,
  Error_,
  TypeError_,
  isFinite_,
  isArray,
  keysOf,
  prototypeOf,
  bind,
  hasOwn,
  isError,
  timerFunctions,
  usual,
  operation,
  startOperation,
  cancelOperation,
  console,
};

// By file of parts: each part in it, with its globals.
const filesOfParts = {
  encoding: { encoding: 'TextEncoder TextDecoder' },
  url: { url: 'URL URLSearchParams' },
  events: { events: 'Event CustomEvent EventTarget AbortSignal AbortController' },
  body: { body: 'Blob File FormData Headers' },
  fetch: { fetch: 'fetch Request Response' },
  clone: { clone: 'structuredClone' },
  buffer: { buffer: 'Buffer' },
  inspect: { inspect: '' },
  crypto: { keys: '', crypto: 'crypto Crypto CryptoKey SubtleCrypto' },
  node_crypto: { node_crypto: '' },
  node_util: { node_types: '', equality: '', node_util: '' },
  node_events: { node_events: '' },
  node_assert: { node_assert: '' },
  node_url: { node_querystring: '', node_url: '' },
  node_small: { process: 'process', node_path: '', node_string_decoder: '', node_timers_promises: '' },
  intl: { intl: 'Intl' },
};
for (const file of keysOf(filesOfParts)) {
  for (const name of keysOf(filesOfParts[file])) {
    fileOf[name] = file;
    for (const global of filesOfParts[file][name].split(' ')) {
      if (global === '') continue;
      partOf[global] = name;
      host.lazy(globalThis, global, makeGlobal);
    }
  }
}
define(globalThis, 'global', globalThis);

for (const [name, fields] of [
  ['toLocaleString', 'all'],
  ['toLocaleDateString', 'only date'],
  ['toLocaleTimeString', 'only time'],
]) {
  define(
    Date.prototype,
    name,
    {
      [name](locales, options) {
        return part('intl').dates[fields](this.getTime(), locales, options);
      },
    }[name],
  );
}
for (const prototype of [Number.prototype, BigInt.prototype]) {
  define(
    prototype,
    'toLocaleString',
    {
      toLocaleString(locales, options) {
        return part('intl').formatNumber(this.valueOf(), locales, options);
      },
    }.toLocaleString,
  );
}

// By name, what `require` answers.
const nodeModules = {
  __proto__: null,
  assert: () => part('node_assert'),
  'assert/strict': () => part('node_assert').strict,
  buffer: () => ({
    Buffer,
    Blob,
    File,
    atob,
    btoa,
    kMaxLength: 2 ** 31 - 1,
    constants: { MAX_LENGTH: 2 ** 31 - 1, MAX_STRING_LENGTH: 2 ** 29 - 24 },
  }),
  console: () => console,
  crypto: () => part('node_crypto'),
  events: () => part('node_events'),
  path: () => part('node_path'),
  'path/posix': () => part('node_path'),
  perf_hooks: () => ({ performance }),
  process: () => part('process').process,
  querystring: () => part('node_querystring'),
  string_decoder: () => part('node_string_decoder'),
  timers: () => ({ ...timerFunctions, promises: part('node_timers_promises') }),
  'timers/promises': () => part('node_timers_promises'),
  url: () => part('node_url'),
  util: () => part('node_util'),
  'util/types': () => part('node_types'),
};
const nodeModulesMade = { __proto__: null };

// Of what is missing, what to use instead.
const insteadOf = (name) => {
  if (name === 'http' || name === 'https' || name === 'http2' || name === 'undici') return 'use fetch';
  if (name === 'net' || name === 'tls' || name === 'dgram' || name === 'dns')
    return 'an Action reaches the network by fetch alone';
  if (name === 'fs' || name === 'fs/promises')
    return 'an Action has no files; require a .json file that comes with it instead';
  if (name === 'child_process' || name === 'worker_threads' || name === 'cluster' || name === 'vm')
    return 'an Action is one sandbox';
  return 'it is no part of the language that Actions have';
};
const absentModules =
  ' async_hooks child_process cluster constants dgram diagnostics_channel dns domain fs fs/promises http http2 https inspector module net os punycode readline repl stream stream/promises stream/web sys tls trace_events tty v8 vm wasi worker_threads zlib ';

// Node's module under this name; undefined when Node has none. With `node:` before it, it must be one.
const nodeModule = (specifier) => {
  const prefixed = startsWith(specifier, 'node:');
  const name = prefixed ? slice(specifier, 5) : specifier;
  if (nodeModulesMade[name] !== undefined) return nodeModulesMade[name];
  if (nodeModules[name] !== undefined) return (nodeModulesMade[name] = nodeModules[name]());
  if (!prefixed && !includes(absentModules, ' ' + name + ' ')) return undefined;
  const error = new Error_(`The Node module '${name}' is not available in Actions: ${insteadOf(name)}`);
  error.code = 'ERR_UNKNOWN_BUILTIN_MODULE';
  throw error;
};

// Makes what the script's source names, before the script runs: then it is in the image.
const prepare = (mentions) => {
  for (let at = 0; at < mentions.length; at++) {
    const name = mentions[at];
    if (startsWith(name, 'node:')) nodeModule(name);
    else if (name === 'console') part('inspect');
    else if (partOf[name] !== undefined) part(partOf[name]);
  }
};
