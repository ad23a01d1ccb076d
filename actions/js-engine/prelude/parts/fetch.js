// fetch, Request and Response (WHATWG Fetch). A request is an operation of the host, which says what may be reached.

makers.fetch = () => {
  const { Headers, Body, bodyOf, partsOf, used, listFrom, entryOf, token } = part('body');
  const { assign } = Object;
  const { AbortController } = part('events');
  const { URL } = part('url');

  // The headers that a caller gave, with the type that the body has by itself.
  const headersFor = (init, type) => {
    const list = listFrom(init);
    if (type !== undefined && entryOf(list, 'content-type') === undefined) list.push(['content-type', type]);
    return list;
  };
  const known = { __proto__: null, DELETE: true, GET: true, HEAD: true, OPTIONS: true, POST: true, PUT: true };
  const methodOf = (given) => {
    const method = `${given}`;
    if (known[method]) return method;
    if (!token.test(method)) throw new TypeError_(`'${method}' is not a valid HTTP method.`);
    const upper = method.toUpperCase();
    if (upper === 'CONNECT' || upper === 'TRACE' || upper === 'TRACK') {
      throw new TypeError_(`'${method}' HTTP method is unsupported.`);
    }
    return known[upper] ? upper : method;
  };

  const hrefOf = (input) => {
    try {
      return native('parse_url', `${input}`);
    } catch {
      let cause;
      try {
        new URL(input);
      } catch (error) {
        cause = error;
      }
      throw new TypeError_(`Failed to parse URL from ${input}`, { cause });
    }
  };
  const redirects = ['follow', 'error', 'manual'];

  // What a request is, by what `new Request` and `fetch` are given; `use` takes it. Its signal is made when somebody asks for it.
  const read = (input, init, use) => {
    const from = input instanceof Request ? input : undefined;
    const before = from === undefined ? undefined : partsOf(from);
    const url = before?.url ?? hrefOf(input);
    if (before === undefined && url.includes('@')) {
      const { username, password } = new URL(url);
      if (username !== '' || password !== '') {
        throw new TypeError_(`Request cannot be constructed from a URL that includes credentials: ${input}`);
      }
    }
    const given = init ?? {};
    const method = methodOf(given.method ?? before?.method ?? 'GET');
    const redirect = given.redirect ?? before?.redirect ?? 'follow';
    if (redirect !== 'follow' && !redirects.includes(redirect)) {
      throw new TypeError_(
        `Request constructor: ${redirect} is not an accepted type. Expected one of follow, error, manual.`,
      );
    }
    const body = bodyOf(given.body);
    let { bytes } = body;
    if (bytes === null && from !== undefined && given.body === undefined) {
      if (before.body === used)
        throw new TypeError_('Cannot construct a Request with a Request object that has already been used.');
      bytes = before.body;
    }
    if (bytes !== null && (method === 'GET' || method === 'HEAD')) {
      throw new TypeError_('Request with GET/HEAD method cannot have body.');
    }
    const signal = given.signal === undefined ? before?.signal : given.signal;
    if (signal !== undefined && signal !== null && typeof signal.aborted !== 'boolean') {
      throw new TypeError_('Request constructor: the signal must be an AbortSignal');
    }
    const headers = headersFor(given.headers ?? from?.headers, body.type);
    return use(url, method, redirect, headers, bytes, signal ?? undefined);
  };

  const requestParts = (url, method, redirect, headers, body, signal) => {
    return { body, headers, url, method, redirect, signal };
  };
  class Request extends Body {
    constructor(input, init) {
      super(read(input, init, requestParts));
    }
    get url() {
      return partsOf(this).url;
    }
    get method() {
      return partsOf(this).method;
    }
    get redirect() {
      return partsOf(this).redirect;
    }
    get signal() {
      return (partsOf(this).signal ??= new AbortController().signal);
    }
    clone() {
      return new Request(this);
    }
    [inspected]() {
      return ['Request', { method: this.method, url: this.url, headers: this.headers }];
    }
  }

  // For a response that the host answered.
  const inside = Symbol('inside');
  const hasNoBody = (status) => status < 200 || status === 204 || status === 205 || status === 304;
  class Response extends Body {
    constructor(body, init) {
      if (body === inside) {
        // As the host gives it: status, status_text, url, redirected, headers, body.
        init.body = hasNoBody(init.status) ? null : fromBase64(init.body ?? '');
        super(init);
        return;
      }
      const status = init?.status === undefined ? 200 : Number(init.status);
      if (!(status >= 200 && status <= 599)) {
        throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
      }
      const { bytes, type } = bodyOf(body);
      if (bytes !== null && hasNoBody(status)) {
        throw new TypeError_(`Response constructor: Invalid response status code ${status}`);
      }
      const headers = headersFor(init?.headers, type);
      super({ body: bytes, status, status_text: `${init?.statusText ?? ''}`, url: '', headers, type: 'default' });
    }
    static json(data, init) {
      const text = stringify(data);
      if (text === undefined) throw new TypeError_('Value is not JSON serializable');
      const response = new Response(text, init);
      if (!new Headers(init?.headers).has('content-type')) response.headers.set('content-type', 'application/json');
      return response;
    }
    static error() {
      const response = new Response();
      const parts = partsOf(response);
      parts.type = 'error';
      parts.status = 0;
      return response;
    }
    static redirect(url, status = 302) {
      if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`Invalid status code ${status}`);
      return new Response(null, { status, headers: { location: new URL(url).href } });
    }
    get status() {
      return partsOf(this).status;
    }
    get statusText() {
      return partsOf(this).status_text ?? '';
    }
    get ok() {
      const { status } = partsOf(this);
      return status >= 200 && status <= 299;
    }
    get type() {
      return partsOf(this).type ?? 'basic';
    }
    get url() {
      return partsOf(this).url;
    }
    get redirected() {
      return partsOf(this).redirected === true;
    }
    clone() {
      if (this.bodyUsed) throw new TypeError_('Response.clone: Body has already been consumed.');
      const copy = new Response();
      const { headers } = this;
      assign(partsOf(copy), partsOf(this), { headers: listFrom(headers) });
      return copy;
    }
    [inspected]() {
      return ['Response', { status: this.status, statusText: this.statusText, headers: this.headers, url: this.url }];
    }
  }

  const failed = (error) => new TypeError_('fetch failed', { cause: error });
  // One promise, and no request that nobody sees: most Actions wait for one answer, and that is most of what they do.
  const send = (resolve, reject) => (url, method, redirect, headers, bytes, signal) => {
    signal?.throwIfAborted();
    if (!url.startsWith('https:') && !url.startsWith('http:')) {
      throw failed(new Error_(`the scheme of ${url} is not available; http and https are`));
    }
    const pieces = ['{"url":', url, ',"method":', method, ',"redirect":', redirect];
    let next = ',"headers":[[';
    for (let at = 0; at < headers.length; at++) {
      pieces.push(next, headers[at][0], ',', headers[at][1]);
      next = '],[';
    }
    next = headers.length === 0 ? ',"headers":[]' : ']]';
    if (bytes === null) pieces.push(`${next},"body":null}`);
    else pieces.push(`${next},"body":`, toBase64(bytes), '}');
    let aborted;
    const id = startOperation('http.fetch', host.json(pieces), (ok, answer) => {
      if (aborted !== undefined) signal.removeEventListener('abort', aborted);
      if (!ok) return reject(failed(new Error_(answer)));
      try {
        resolve(new Response(inside, answer));
      } catch (error) {
        reject(failed(error));
      }
    });
    if (signal === undefined) return;
    aborted = () => {
      cancelOperation(id);
      signal.removeEventListener('abort', aborted);
      reject(signal.reason);
    };
    signal.addEventListener('abort', aborted);
  };
  function fetch(input, init) {
    return new Promise((resolve, reject) => read(input, init, send(resolve, reject)));
  }
  for (const constructor of [Request, Response]) tag(constructor, constructor.name);
  // The shapes of objects are made with the first of a kind: a run finds those of the image.
  usual.push(
    new Request('https://localhost/', { method: 'POST', headers: { accept: '*/*' }, body: '{}' }),
    new Response(inside, { status: 200, headers: [], url: 'https://localhost/' }),
  );
  return { fetch, Request, Response };
};
