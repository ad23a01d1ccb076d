// Node's smaller modules, and what `require` finds of Node.

makers.process = () => {
  const clock = () => performance.now();
  const hrtime = (before) => {
    const nanoseconds = BigInt(Math.round(clock() * 1e6)) - (before ? BigInt(before[0]) * 1000000000n + BigInt(before[1]) : 0n);
    return [Number(nanoseconds / 1000000000n), Number(nanoseconds % 1000000000n)];
  };
  hrtime.bigint = () => BigInt(Math.round(clock() * 1e6));
  const stop = () => {
    throw new Error_('process.exit is not available in Actions: return from the handler, or throw');
  };
  // Nothing of the machine: an Action cannot tell where it runs.
  const process = {
    title: 'node',
    env: {},
    argv: ['node'],
    execArgv: [],
    version: 'v22.0.0',
    versions: { node: '22.0.0' },
    release: { name: 'node' },
    platform: 'linux',
    arch: 'x64',
    pid: 1,
    ppid: 0,
    exitCode: undefined,
    hrtime,
    uptime: () => clock() / 1000,
    cwd: () => '/',
    memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
    nextTick: (callback, ...values) => queueMicrotask(() => callback(...values)),
    emitWarning: (warning) => console.warn(isError(warning) ? warning.message : warning),
    exit: stop,
    abort: stop,
  };
  // What happens outside of the handler is nobody's here.
  for (const name of ['on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners']) process[name] = () => process;
  process.emit = () => false;
  process.listenerCount = () => 0;
  tag({ prototype: process }, 'process');
  return { process };
};

makers.node_path = () => {
  const normal = (path, absolute) => {
    const parts = [];
    for (const piece of path.split('/')) {
      if (piece === '' || piece === '.') continue;
      if (piece !== '..') parts.push(piece);
      else if (parts.length > 0 && parts[parts.length - 1] !== '..') parts.pop();
      else if (!absolute) parts.push('..');
    }
    return parts.join('/');
  };
  const path = {
    sep: '/',
    delimiter: ':',
    isAbsolute: (name) => name.startsWith('/'),
    normalize(name) {
      const absolute = name.startsWith('/');
      const inside = normal(name, absolute);
      const tail = name.endsWith('/') && inside !== '' ? '/' : '';
      return (absolute ? '/' : '') + (inside === '' && !absolute ? '.' : inside) + tail;
    },
    join(...names) {
      const joined = names.filter((name) => name !== '').join('/');
      return joined === '' ? '.' : path.normalize(joined);
    },
    resolve(...names) {
      let resolved = '';
      for (const name of names.reverse()) {
        if (name === '' || resolved.startsWith('/')) continue;
        resolved = resolved === '' ? name : `${name}/${resolved}`;
      }
      return `/${normal(resolved, true)}`;
    },
    dirname(name) {
      const bare = name.replace(/\/+$/, '');
      const at = bare.lastIndexOf('/');
      return at > 0 ? bare.slice(0, at) : at === 0 || (bare === '' && name !== '') ? '/' : '.';
    },
    basename(name, ending = '') {
      const base = name.replace(/\/+$/, '').replace(/^.*\//, '');
      return ending !== '' && base !== ending && base.endsWith(ending) ? base.slice(0, -ending.length) : base;
    },
    extname: (name) => /[^.]*[^.].*?(\.[^.]*)$|/.exec(path.basename(name).replace(/^\.+/, 'x'))?.[1] ?? '',
    relative(from, to) {
      const [left, right] = [from, to].map((name) => path.resolve(name).split('/').filter(Boolean));
      while (left.length > 0 && left[0] === right[0]) {
        left.shift();
        right.shift();
      }
      return [...left.map(() => '..'), ...right].join('/');
    },
    parse(name) {
      const base = path.basename(name);
      const ext = path.extname(base);
      const dir = path.dirname(name);
      const root = name.startsWith('/') ? '/' : '';
      return { root, dir: dir === '.' && !name.startsWith('.') ? '' : dir, base, ext, name: ext === '' ? base : base.slice(0, -ext.length) };
    },
    format: ({ dir, root = '', base, name = '', ext = '' }) => (dir === undefined ? root : dir === root ? dir : `${dir}/`) + (base ?? name + ext),
  };
  path.posix = path;
  return path;
};

makers.node_querystring = () => {
  const escape = (text) => encodeURIComponent(`${text}`.toWellFormed());
  const unescape = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      const bytes = part('buffer').encodeText(text.replace(/%([0-9a-f]{2})/gi, (mark, hex) => String_.fromCharCode(parseInt(hex, 16))), 'latin1');
      return utf8Text(bytes);
    }
  };
  const textOf = (value) => (['string', 'boolean', 'bigint'].includes(typeof value) || (typeof value === 'number' && isFinite_(value)) ? `${value}` : '');
  const querystring = {
    escape,
    unescape,
    stringify(object, and = '&', is = '=', options) {
      const encode = options?.encodeURIComponent ?? querystring.escape;
      const pairs = [];
      for (const name of keysOf(object ?? {})) {
        for (const value of isArray(object[name]) ? object[name] : [object[name]]) pairs.push(encode(name) + is + encode(textOf(value)));
      }
      return pairs.join(and);
    },
    parse(text, and = '&', is = '=', options) {
      const decode = options?.decodeURIComponent ?? querystring.unescape;
      const result = { __proto__: null };
      const most = options?.maxKeys === 0 ? Infinity : (options?.maxKeys ?? 1000);
      for (const pair of `${text ?? ''}`.split(and).filter((piece) => piece !== '').slice(0, most)) {
        const at = pair.indexOf(is);
        const [name, value] = (at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + is.length)]).map((piece) => decode(piece.replace(/\+/g, ' ')));
        if (result[name] === undefined) result[name] = value;
        else if (isArray(result[name])) result[name].push(value);
        else result[name] = [result[name], value];
      }
      return result;
    },
  };
  querystring.encode = querystring.stringify;
  querystring.decode = querystring.parse;
  return querystring;
};

makers.node_url = () => {
  const { URL, URLSearchParams } = part('url');
  // The old interface: texts that need not be whole URLs.
  function Url() {}
  Url.prototype.format = function () {
    return url.format(this);
  };
  const url = {
    URL,
    URLSearchParams,
    Url,
    parse(text, withQuery) {
      const [, protocol, slashes, authority, pathname, search, hash] =
        /^([a-z][a-z0-9+.-]*:)?(\/\/)?((?<=\/\/)[^/?#]*)?([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(`${text}`.trim()) ?? [];
      const [auth, host] = (authority ?? '').includes('@') ? [authority.slice(0, authority.lastIndexOf('@')), authority.slice(authority.lastIndexOf('@') + 1)] : [null, authority || null];
      const [, hostname, port] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(host ?? '') ?? [];
      const parsed = Object.assign(new Url(), {
        protocol: protocol?.toLowerCase() ?? null,
        slashes: slashes === undefined ? null : true,
        auth: auth === null ? null : decodeURIComponent(auth),
        host: host?.toLowerCase() ?? null,
        port: port ?? null,
        hostname: hostname ? hostname.replace(/^\[|\]$/g, '').toLowerCase() : host,
        hash: hash ?? null,
        search: search ?? (withQuery ? '' : null),
        query: withQuery ? part('node_querystring').parse(search?.slice(1) ?? '') : (search?.slice(1) ?? null),
        pathname: pathname || (host ? '/' : null),
      });
      parsed.path = parsed.pathname === null && parsed.search === null ? null : (parsed.pathname ?? '') + (parsed.search ?? '');
      parsed.href = url.format(parsed);
      return parsed;
    },
    format(parts) {
      if (parts instanceof URL) return parts.href;
      if (typeof parts === 'string') return url.parse(parts).href;
      const protocol = parts.protocol ? parts.protocol.replace(/:?$/, ':') : '';
      const auth = parts.auth ? `${encodeURIComponent(parts.auth).replace(/%3A/gi, ':')}@` : '';
      const host = parts.host ?? (parts.hostname ? (parts.hostname.includes(':') ? `[${parts.hostname}]` : parts.hostname) + (parts.port ? `:${parts.port}` : '') : '');
      const web = /^(https?|ftp|wss?|file):$/.test(protocol);
      const slashes = parts.slashes || (web && host !== '') ? '//' : '';
      const query = typeof parts.query === 'object' && parts.query !== null ? part('node_querystring').stringify(parts.query) : '';
      const search = parts.search ?? (query === '' ? '' : `?${query}`);
      const path = parts.pathname && host !== '' && !parts.pathname.startsWith('/') ? `/${parts.pathname}` : (parts.pathname ?? '');
      const hash = parts.hash ? parts.hash.replace(/^#?/, '#') : '';
      return protocol + slashes + (slashes ? auth + host : '') + path.replace(/[?#]/g, encodeURIComponent) + (search ? search.replace(/^\??/, '?').replace(/#/g, '%23') : '') + hash;
    },
    resolve(from, to) {
      const base = new URL(from, 'resolve://nowhere');
      const resolved = new URL(to, base);
      return resolved.protocol === 'resolve:' ? resolved.pathname + resolved.search + resolved.hash : resolved.href;
    },
    domainToASCII: (domain) => URL.parse(`ws://${domain}`)?.hostname ?? '',
    fileURLToPath: (file) => decodeURIComponent(new URL(file).pathname),
    pathToFileURL: (path) => new URL(`file://${encodeURI(part('node_path').resolve(path)).replace(/[?#]/g, encodeURIComponent)}`),
    urlToHttpOptions: ({ protocol, hostname, pathname, search, port, href }) => ({ protocol, hostname, path: pathname + search, pathname, search, href, ...(port ? { port: Number(port) } : {}) }),
  };
  return url;
};

makers.node_timers_promises = () => {
  const waits = (start, stop) => (delay, value, options) =>
    new Promise((resolve, reject) => {
      const { signal } = options ?? {};
      const aborted = () => {
        stop(timer);
        reject(Object.assign(new Error_('The operation was aborted'), { name: 'AbortError', code: 'ABORT_ERR', cause: signal.reason }));
      };
      const timer = start(() => {
        signal?.removeEventListener('abort', aborted);
        resolve(value);
      }, delay);
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted);
    });
  const setTimeout = waits(globals.setTimeout, globals.clearTimeout);
  return {
    setTimeout,
    setImmediate: (value, options) => waits((call) => globals.setImmediate(call), globals.clearImmediate)(0, value, options),
    async *setInterval(delay, value, options) {
      for (;;) yield await setTimeout(delay, value, options);
    },
    scheduler: { wait: (delay, options) => setTimeout(delay, undefined, options), yield: () => setTimeout(0) },
  };
};
