// Node's `querystring` and `url`.

makers.node_querystring = () => {
  const escape = (text) => encodeURIComponent(`${text}`.toWellFormed());
  const unescape = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      const bytes = part('buffer').encodeText(
        text.replace(/%([0-9a-f]{2})/gi, (mark, hex) => String_.fromCharCode(parseInt(hex, 16))),
        'latin1',
      );
      return utf8Text(bytes);
    }
  };
  const textOf = (value) =>
    ['string', 'boolean', 'bigint'].includes(typeof value) || (typeof value === 'number' && isFinite_(value))
      ? `${value}`
      : '';
  const querystring = {
    escape,
    unescape,
    stringify(object, and = '&', is = '=', options) {
      const encode = options?.encodeURIComponent ?? querystring.escape;
      const pairs = [];
      for (const name of keysOf(object ?? {})) {
        for (const value of isArray(object[name]) ? object[name] : [object[name]])
          pairs.push(encode(name) + is + encode(textOf(value)));
      }
      return pairs.join(and);
    },
    parse(text, and = '&', is = '=', options) {
      const decode = options?.decodeURIComponent ?? querystring.unescape;
      const result = { __proto__: null };
      const most = options?.maxKeys === 0 ? Infinity : (options?.maxKeys ?? 1000);
      for (const pair of `${text ?? ''}`
        .split(and)
        .filter((piece) => piece !== '')
        .slice(0, most)) {
        const at = pair.indexOf(is);
        const [name, value] = (at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + is.length)]).map((piece) =>
          decode(piece.replace(/\+/g, ' ')),
        );
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
      const [auth, host] = (authority ?? '').includes('@')
        ? [authority.slice(0, authority.lastIndexOf('@')), authority.slice(authority.lastIndexOf('@') + 1)]
        : [null, authority || null];
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
      parsed.path =
        parsed.pathname === null && parsed.search === null ? null : (parsed.pathname ?? '') + (parsed.search ?? '');
      parsed.href = url.format(parsed);
      return parsed;
    },
    format(parts) {
      if (parts instanceof URL) return parts.href;
      if (typeof parts === 'string') return url.parse(parts).href;
      const protocol = parts.protocol ? parts.protocol.replace(/:?$/, ':') : '';
      const auth = parts.auth ? `${encodeURIComponent(parts.auth).replace(/%3A/gi, ':')}@` : '';
      const host =
        parts.host ??
        (parts.hostname
          ? (parts.hostname.includes(':') ? `[${parts.hostname}]` : parts.hostname) +
            (parts.port ? `:${parts.port}` : '')
          : '');
      const web = /^(https?|ftp|wss?|file):$/.test(protocol);
      const slashes = parts.slashes || (web && host !== '') ? '//' : '';
      const query =
        typeof parts.query === 'object' && parts.query !== null ? part('node_querystring').stringify(parts.query) : '';
      const search = parts.search ?? (query === '' ? '' : `?${query}`);
      const path =
        parts.pathname && host !== '' && !parts.pathname.startsWith('/')
          ? `/${parts.pathname}`
          : (parts.pathname ?? '');
      const hash = parts.hash ? parts.hash.replace(/^#?/, '#') : '';
      return (
        protocol +
        slashes +
        (slashes ? auth + host : '') +
        path.replace(/[?#]/g, encodeURIComponent) +
        (search ? search.replace(/^\??/, '?').replace(/#/g, '%23') : '') +
        hash
      );
    },
    resolve(from, to) {
      const base = new URL(from, 'resolve://nowhere');
      const resolved = new URL(to, base);
      return resolved.protocol === 'resolve:' ? resolved.pathname + resolved.search + resolved.hash : resolved.href;
    },
    domainToASCII: (domain) => URL.parse(`ws://${domain}`)?.hostname ?? '',
    fileURLToPath: (file) => decodeURIComponent(new URL(file).pathname),
    pathToFileURL: (path) =>
      new URL(`file://${encodeURI(part('node_path').resolve(path)).replace(/[?#]/g, encodeURIComponent)}`),
    urlToHttpOptions: ({ protocol, hostname, pathname, search, port, href }) => ({
      protocol,
      hostname,
      path: pathname + search,
      pathname,
      search,
      href,
      ...(port ? { port: Number(port) } : {}),
    }),
  };
  return url;
};
