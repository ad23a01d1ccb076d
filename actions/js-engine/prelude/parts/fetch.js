// fetch, Request and Response (WHATWG Fetch). A request is an operation of the host, which says what may be reached.

makers.fetch = () => {
  const { Headers, Body, bodyOf, wholeBody, headersOf, listFrom, listOf, entryOf, token } = part('body');
  const { AbortController } = part('events');
  const { URL } = part('url');

  // The headers that a caller gave, with the type that the body has by itself.
  const headersFor = (init, type) => {
    const list = listFrom(init);
    if (type !== undefined && entryOf(list, 'content-type') === undefined) list.push(['content-type', type]);
    return list;
  };
  const known = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];
  const methodOf = (given) => {
    const method = `${given}`;
    if (known.includes(method)) return method;
    if (!token.test(method)) throw new TypeError_(`'${method}' is not a valid HTTP method.`);
    const upper = method.toUpperCase();
    if (upper === 'CONNECT' || upper === 'TRACE' || upper === 'TRACK') {
      throw new TypeError_(`'${method}' HTTP method is unsupported.`);
    }
    return known.includes(upper) ? upper : method;
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

  // What a request is, by what `new Request` and `fetch` are given. Its signal is made when somebody asks for it.
  let partsOf;
  const read = (input, init) => {
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
    if (!redirects.includes(redirect)) {
      throw new TypeError_(
        `Request constructor: ${redirect} is not an accepted type. Expected one of follow, error, manual.`,
      );
    }
    const body = bodyOf(given.body);
    let { bytes } = body;
    if (bytes === null && from !== undefined && given.body === undefined) {
      if (from.bodyUsed)
        throw new TypeError_('Cannot construct a Request with a Request object that has already been used.');
      bytes = wholeBody(from);
    }
    if (bytes !== null && (method === 'GET' || method === 'HEAD')) {
      throw new TypeError_('Request with GET/HEAD method cannot have body.');
    }
    const signal = given.signal === undefined ? before?.signal : given.signal;
    if (signal !== undefined && signal !== null && typeof signal.aborted !== 'boolean') {
      throw new TypeError_('Request constructor: the signal must be an AbortSignal');
    }
    const headers = headersFor(given.headers ?? from?.headers, body.type);
    return { url, method, redirect, headers, bytes, signal: signal ?? undefined };
  };

  class Request extends Body {
    #parts;
    #headers;
    constructor(input, init) {
      const parts = read(input, init);
      super(parts.bytes);
      this.#parts = parts;
      this.#headers = headersOf(parts.headers);
    }
    static {
      partsOf = (request) => request.#parts;
    }
    get url() {
      return this.#parts.url;
    }
    get method() {
      return this.#parts.method;
    }
    get headers() {
      return this.#headers;
    }
    get redirect() {
      return this.#parts.redirect;
    }
    get signal() {
      return (this.#parts.signal ??= new AbortController().signal);
    }
    clone() {
      return new Request(this);
    }
    [inspected]() {
      return ['Request', { method: this.method, url: this.url, headers: this.#headers }];
    }
  }

  // For a response that the host answered.
  const inside = Symbol('inside');
  const noBody = [101, 103, 204, 205, 304];
  class Response extends Body {
    // As the host gives it: status, status_text, url, redirected, headers; and the type.
    #parts;
    #headers;
    constructor(body, init) {
      if (body === inside) {
        super(noBody.includes(init.status) ? null : fromBase64(init.body ?? ''));
        this.#parts = init;
        return;
      }
      const status = init?.status === undefined ? 200 : Number(init.status);
      if (!(status >= 200 && status <= 599)) {
        throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
      }
      const { bytes, type } = bodyOf(body);
      if (bytes !== null && noBody.includes(status)) {
        throw new TypeError_(`Response constructor: Invalid response status code ${status}`);
      }
      super(bytes);
      const headers = headersFor(init?.headers, type);
      this.#parts = { status, status_text: `${init?.statusText ?? ''}`, url: '', headers, type: 'default' };
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
      response.#parts.type = 'error';
      response.#parts.status = 0;
      return response;
    }
    static redirect(url, status = 302) {
      if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`Invalid status code ${status}`);
      return new Response(null, { status, headers: { location: new URL(url).href } });
    }
    get status() {
      return this.#parts.status;
    }
    get statusText() {
      return this.#parts.status_text ?? '';
    }
    get ok() {
      return this.status >= 200 && this.status <= 299;
    }
    get headers() {
      return (this.#headers ??= headersOf(this.#parts.headers));
    }
    get type() {
      return this.#parts.type ?? 'basic';
    }
    get url() {
      return this.#parts.url;
    }
    get redirected() {
      return this.#parts.redirected === true;
    }
    clone() {
      if (this.bodyUsed) throw new TypeError_('Response.clone: Body has already been consumed.');
      const copy = new Response(noBody.includes(this.status) ? null : wholeBody(this));
      copy.#parts = { ...this.#parts, headers: listFrom(this.headers) };
      return copy;
    }
    [inspected]() {
      return ['Response', { status: this.status, statusText: this.statusText, headers: this.headers, url: this.url }];
    }
  }

  const failed = (error) => new TypeError_('fetch failed', { cause: error });
  // One promise, and no request that nobody sees: most Actions wait for one answer, and that is most of what they do.
  const send = ({ url, method, redirect, headers, bytes, signal }, resolve, reject) => {
    signal?.throwIfAborted();
    if (!url.startsWith('https:') && !url.startsWith('http:')) {
      throw failed(new Error_(`the scheme of ${url} is not available; http and https are`));
    }
    const body = bytes === null ? null : toBase64(bytes);
    let aborted;
    const id = startOperation('http.fetch', stringify({ method, url, headers, body, redirect }), (ok, answer) => {
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
    return new Promise((resolve, reject) => send(read(input, init), resolve, reject));
  }
  for (const constructor of [Request, Response]) tag(constructor, constructor.name);
  // The shapes of objects are made with the first of a kind: a run finds those of the image.
  usual.push(
    new Request('https://localhost/', { method: 'POST', headers: { accept: '*/*' }, body: '{}' }),
    new Response(inside, { status: 200, headers: [], url: 'https://localhost/' }),
  );
  return { fetch, Request, Response };
};
