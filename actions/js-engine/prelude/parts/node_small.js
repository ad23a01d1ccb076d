// Node's `process`, `path`, `string_decoder` and `timers/promises`.

makers.process = () => {
  const clock = () => performance.now();
  const hrtime = (before) => {
    const nanoseconds =
      BigInt(Math.round(clock() * 1e6)) - (before ? BigInt(before[0]) * 1000000000n + BigInt(before[1]) : 0n);
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
  for (const name of ['on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners'])
    process[name] = () => process;
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
      return {
        root,
        dir: dir === '.' && !name.startsWith('.') ? '' : dir,
        base,
        ext,
        name: ext === '' ? base : base.slice(0, -ext.length),
      };
    },
    format: ({ dir, root = '', base, name = '', ext = '' }) =>
      (dir === undefined ? root : dir === root ? dir : `${dir}/`) + (base ?? name + ext),
  };
  path.posix = path;
  return path;
};

makers.node_timers_promises = () => {
  const waits = (start, stop) => (delay, value, options) =>
    new Promise((resolve, reject) => {
      const { signal } = options ?? {};
      const aborted = () => {
        stop(timer);
        reject(
          Object.assign(new Error_('The operation was aborted'), {
            name: 'AbortError',
            code: 'ABORT_ERR',
            cause: signal.reason,
          }),
        );
      };
      const timer = start(() => {
        signal?.removeEventListener('abort', aborted);
        resolve(value);
      }, delay);
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted);
    });
  const setTimeout = waits(timerFunctions.setTimeout, timerFunctions.clearTimeout);
  return {
    setTimeout,
    setImmediate: (value, options) =>
      waits((call) => timerFunctions.setImmediate(call), timerFunctions.clearImmediate)(0, value, options),
    async *setInterval(delay, value, options) {
      for (;;) yield await setTimeout(delay, value, options);
    },
    scheduler: { wait: (delay, options) => setTimeout(delay, undefined, options), yield: () => setTimeout(0) },
  };
};

makers.node_string_decoder = () => {
  const { Buffer } = part('buffer');
  const { TextDecoder } = part('encoding');
  class StringDecoder {
    #decoder;
    #rest = Buffer.alloc(0);
    constructor(encoding = 'utf8') {
      this.encoding = encoding;
      if (/^(utf-?8|utf-?16le|ucs-?2)$/i.test(encoding))
        this.#decoder = new TextDecoder(/8$/.test(encoding) ? 'utf-8' : 'utf-16le', { ignoreBOM: true });
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
