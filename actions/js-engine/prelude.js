// What a script finds when it starts: `console`, `require`, and the `api` of its handler. Evaluated once, when an image
// is made. It answers {load, run} to the shim.
//
// Everything used after the script has run is captured here first, and nothing below goes through a prototype that the
// script can reach (no array methods, no spread, no destructuring of arrays). A script that replaces `JSON` or
// `Array.prototype` so harms its own run only; and even then the host checks every command again.
(function (host) {
  'use strict';

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

  // ---- console

  const show = (value) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'symbol' || typeof value === 'function') return String_(value);
    if (typeof value === 'bigint') return String_(value) + 'n';
    if (typeof value !== 'object' || value === null) return String_(value);
    if (isError(value)) return String_(value) + '\n' + String_(value.stack);
    try {
      const text = stringify(value);
      return text === undefined ? String_(value) : text;
    } catch {
      return '[object that has no JSON]';
    }
  };
  const console = {};
  const levels = ['trace', 'debug', 'log', 'info', 'warn', 'error'];
  for (let level = 0; level < levels.length; level++) {
    console[levels[level]] = {
      [levels[level]](...values) {
        let text = '';
        for (let i = 0; i < values.length; i++) text += (i ? ' ' : '') + show(values[i]);
        host.print(level, text);
      },
    }[levels[level]];
  }
  globalThis.console = console;

  // ---- modules: require('./x') finds the files that came with the script

  const cutLast = (path) => slice(path, 0, lastIndexOf(path, '/') < 0 ? 0 : lastIndexOf(path, '/'));
  // Joins and resolves `.` and `..`; undefined when the path leaves the script's folder.
  const resolve = (folder, specifier) => {
    let path = folder;
    let rest = specifier;
    while (rest !== '') {
      const at = indexOf(rest, '/');
      const part = at < 0 ? rest : slice(rest, 0, at);
      rest = at < 0 ? '' : slice(rest, at + 1);
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (path === '') return undefined;
        path = cutLast(path);
      } else {
        path = path === '' ? part : path + '/' + part;
      }
    }
    return path;
  };
  const endings = ['', '.js', '.json', '/index.js'];
  let files = { __proto__: null };
  const loaded = { __proto__: null };

  const requireFrom = (folder) =>
    function require(specifier) {
      if (typeof specifier === 'string' && (startsWith(specifier, './') || startsWith(specifier, '../'))) {
        const path = resolve(folder, specifier);
        for (let i = 0; path !== undefined && i < endings.length; i++) {
          const name = path + endings[i];
          if (loaded[name] !== undefined) return loaded[name].exports;
          if (files[name] !== undefined) return evaluate(name, files[name]).exports;
        }
      }
      const error = new Error_(`Cannot find module '${String_(specifier)}'`);
      error.code = 'MODULE_NOT_FOUND';
      throw error;
    };

  const evaluate = (name, code) => {
    const module = { exports: {} };
    loaded[name] = module;
    try {
      if (slice(name, -5) === '.json') {
        module.exports = host.parse(code, name);
      } else {
        const body = host.compile(code, name);
        call(body, module.exports, module.exports, module, requireFrom(cutLast(name)), console);
      }
    } catch (error) {
      // As in Node: a module that threw is not remembered.
      loaded[name] = undefined;
      throw error;
    }
    return module;
  };

  // ---- api

  const send = (text) => host.command(text);

  const text = (method, name, value) => {
    if (typeof value !== 'string') throw new TypeError_(`api.${method}: \`${name}\` must be a string`);
    return stringify(value);
  };
  // undefined for what JSON leaves out (undefined, functions): nothing is recorded then, as JSON would drop it.
  const json = (value) => stringify(value);
  const moment = (method, name, value) => {
    if (!value) throw new Error_(`api.${method}: a value must be given for \`${name}\``);
    if (typeof value !== 'number' || !isFinite_(value)) {
      throw new TypeError_(`api.${method}: \`${name}\` must be a finite number`);
    }
    return '' + value;
  };
  const setClaim = (method) => (key, value) => {
    const name = text(method, 'key', key);
    if (key === 'scope') throw new Error_(`api.${method} cannot set \`scope\``);
    const claim = json(value);
    if (claim !== undefined) send(`{"command":"${method}","key":${name},"value":${claim}}`);
    return api;
  };
  const setMetadata = (method) => (key, value) => {
    const name = text(method, 'key', key);
    if (key === '' || includes(key, '.') || includes(key, '$')) {
      throw new Error_(`api.${method}: a key may not be empty or hold \`.\` or \`$\``);
    }
    const metadata = json(value);
    if (metadata !== undefined) send(`{"command":"${method}","key":${name},"value":${metadata}}`);
    return api;
  };

  const api = {
    access: {
      deny(reason) {
        // The dialect checks nothing here, so anything becomes text.
        send(`{"command":"access.deny","reason":${stringify(reason === undefined ? '' : String_(reason))}}`);
        return api;
      },
    },
    session: {
      setExpiresAt(absolute) {
        send(`{"command":"session.setExpiresAt","absolute":${moment('session.setExpiresAt', 'absolute', absolute)}}`);
      },
      setIdleExpiresAt(inactivity) {
        const value = moment('session.setIdleExpiresAt', 'inactivity', inactivity);
        send(`{"command":"session.setIdleExpiresAt","inactivity":${value}}`);
      },
      revoke(reason, options) {
        const why = text('session.revoke', 'reason', reason);
        let preserve = false;
        if (options !== undefined) {
          if (typeof options !== 'object' || options === null || isArray(options)) {
            throw new TypeError_('api.session.revoke: `options` must be an object');
          }
          const names = keysOf(options);
          for (let i = 0; i < names.length; i++) {
            if (names[i] !== 'preserveRefreshTokens') {
              throw new Error_(`api.session.revoke: unknown option \`${names[i]}\``);
            }
          }
          const given = options.preserveRefreshTokens;
          if (given !== undefined && typeof given !== 'boolean') {
            throw new TypeError_('api.session.revoke: `preserveRefreshTokens` must be a boolean');
          }
          preserve = given === true;
        }
        send(`{"command":"session.revoke","reason":${why},"preserveRefreshTokens":${preserve}}`);
      },
    },
    idToken: { setCustomClaim: setClaim('idToken.setCustomClaim') },
    accessToken: { setCustomClaim: setClaim('accessToken.setCustomClaim') },
    user: {
      setUserMetadata: setMetadata('user.setUserMetadata'),
      setAppMetadata: setMetadata('user.setAppMetadata'),
    },
  };

  // The rest of the dialect, so that a script learns at the call what is missing, by name.
  const later = {
    accessToken: 'addScope removeScope',
    authentication: 'challengeWith challengeWithAny enrollWith enrollWithAny recordMethod setPrimaryUser',
    cache: 'delete get set',
    groups: 'getUserGroups hasGroupMembership',
    multifactor: 'enable',
    prompt: 'render',
    redirect: 'canRedirect encodeToken sendUserTo validateToken',
    refreshToken: 'deleteMetadata evictMetadata revoke setExpiresAt setIdleExpiresAt setMetadata',
    roles: 'getUserEffectiveRoles getUserEffectiveRolesByIds getUserEffectiveRolesByNames',
    rules: 'wasExecuted',
    samlResponse:
      'setAttribute setAudience setAuthnContextClassRef setCert setCreateUpnClaim setDestination setDigestAlgorithm ' +
      'setEncryptionAlgorithm setEncryptionCert setEncryptionPublicKey setIncludeAttributeNameFormat setIssuer ' +
      'setKey setLifetimeInSeconds setMapIdentities setMapUnknownClaimsAsIs setNameIdentifierFormat ' +
      'setNameIdentifierProbes setPassthroughClaimsWithNoMapping setRecipient setRelayState setSignResponse ' +
      'setSignatureAlgorithm setSigningCert setTypedAttributes',
    session: 'deleteMetadata evictMetadata setCookieMode setMetadata',
    transaction: 'setMetadata',
    validation: 'error',
  };
  for (const group of keysOf(later)) {
    api[group] ??= {};
    for (const method of later[group].split(' ')) {
      api[group][method] = () => {
        throw new Error_(`api.${group}.${method} is not available in this version of Postern`);
      };
    }
  }

  // ---- what the shim calls

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
  };
})
