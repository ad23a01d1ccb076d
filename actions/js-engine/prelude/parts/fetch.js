// fetch, Request and Response (WHATWG Fetch). A request is an operation of the host, which says what may be reached.

makers.fetch = () => {
  const { Headers, Body, bodyOf, wholeBody, headersOfHost, listOf, token } = part('body');
  const { AbortController } = part('events');
  const { URL } = part('url');

  // The headers that a caller gave, with the type that the body has by itself.
  const headersFor = (init, type) => {
    const headers = new Headers(init);
    if (type !== undefined && !headers.has('content-type')) listOf(headers).push(['content-type', type]);
    return headers;
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

  // Without making one for a request that was given none.
  let signalOf;
  class Request extends Body {
    #url;
    #method;
    #headers;
    #redirect;
    #signal;
    constructor(input, init = {}) {
      const from = input instanceof Request ? input : undefined;
      let url;
      try {
        url = from ? new URL(from.url) : new URL(input);
      } catch (error) {
        throw new TypeError_(`Failed to parse URL from ${input}`, { cause: error });
      }
      const { href } = url;
      if (href.includes('@') && (url.username !== '' || url.password !== '')) {
        throw new TypeError_(`Request cannot be constructed from a URL that includes credentials: ${input}`);
      }
      const given = init ?? {};
      const method = methodOf(given.method ?? from?.method ?? 'GET');
      const redirect = given.redirect ?? from?.redirect ?? 'follow';
      if (!['follow', 'error', 'manual'].includes(redirect)) {
        throw new TypeError_(
          `Request constructor: ${redirect} is not an accepted type. Expected one of follow, error, manual.`,
        );
      }
      let [bytes, type] = bodyOf(given.body);
      if (bytes === null && from !== undefined && given.body === undefined) {
        if (from.bodyUsed)
          throw new TypeError_('Cannot construct a Request with a Request object that has already been used.');
        bytes = wholeBody(from);
      }
      if (bytes !== null && (method === 'GET' || method === 'HEAD')) {
        throw new TypeError_('Request with GET/HEAD method cannot have body.');
      }
      const signal = given.signal === undefined && from !== undefined ? from.#signal : given.signal;
      if (signal !== undefined && signal !== null && typeof signal.aborted !== 'boolean') {
        throw new TypeError_('Request constructor: the signal must be an AbortSignal');
      }
      super(bytes);
      this.#url = href;
      this.#method = method;
      this.#redirect = redirect;
      this.#headers = headersFor(given.headers ?? from?.headers, type);
      this.#signal = signal ?? undefined;
    }
    static {
      signalOf = (request) => request.#signal;
    }
    get url() {
      return this.#url;
    }
    get method() {
      return this.#method;
    }
    get headers() {
      return this.#headers;
    }
    get redirect() {
      return this.#redirect;
    }
    get signal() {
      return (this.#signal ??= new AbortController().signal);
    }
    clone() {
      return new Request(this);
    }
    [inspected]() {
      return ['Request', { method: this.#method, url: this.#url, headers: this.#headers }];
    }
  }

  // For a response that the host answered.
  const inside = Symbol('inside');
  const noBody = [101, 103, 204, 205, 304];
  class Response extends Body {
    #status;
    #statusText;
    #headers;
    #type = 'default';
    #url = '';
    #redirected = false;
    constructor(body, init) {
      if (body === inside) {
        super(noBody.includes(init.status) ? null : fromBase64(init.body ?? ''));
        this.#status = init.status;
        this.#statusText = init.status_text ?? '';
        this.#headers = headersOfHost(init.headers);
        this.#type = 'basic';
        this.#url = init.url;
        this.#redirected = init.redirected === true;
        return;
      }
      const status = init?.status === undefined ? 200 : Number(init.status);
      if (!(status >= 200 && status <= 599)) {
        throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
      }
      const [bytes, type] = bodyOf(body);
      if (bytes !== null && noBody.includes(status)) {
        throw new TypeError_(`Response constructor: Invalid response status code ${status}`);
      }
      super(bytes);
      this.#status = status;
      this.#statusText = `${init?.statusText ?? ''}`;
      this.#headers = headersFor(init?.headers, type);
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
      response.#type = 'error';
      response.#status = 0;
      return response;
    }
    static redirect(url, status = 302) {
      if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`Invalid status code ${status}`);
      return new Response(null, { status, headers: { location: new URL(url).href } });
    }
    get status() {
      return this.#status;
    }
    get statusText() {
      return this.#statusText;
    }
    get ok() {
      return this.#status >= 200 && this.#status <= 299;
    }
    get headers() {
      return this.#headers;
    }
    get type() {
      return this.#type;
    }
    get url() {
      return this.#url;
    }
    get redirected() {
      return this.#redirected;
    }
    clone() {
      if (this.bodyUsed) throw new TypeError_('Response.clone: Body has already been consumed.');
      const copy = new Response(noBody.includes(this.#status) ? null : wholeBody(this), { headers: this.#headers });
      copy.#status = this.#status;
      copy.#statusText = this.#statusText;
      copy.#type = this.#type;
      copy.#url = this.#url;
      copy.#redirected = this.#redirected;
      return copy;
    }
    [inspected]() {
      return [
        'Response',
        { status: this.#status, statusText: this.#statusText, headers: this.#headers, url: this.#url },
      ];
    }
  }

  const failed = (error) => new TypeError_('fetch failed', { cause: error });
  async function fetch(input, init) {
    const request = new Request(input, init);
    const signal = signalOf(request);
    signal?.throwIfAborted();
    const { url } = request;
    if (!url.startsWith('https:') && !url.startsWith('http:')) {
      throw failed(new Error_(`the scheme of ${url} is not available; http and https are`));
    }
    const body = wholeBody(request);
    const { promise, cancel } = operation('http.fetch', {
      method: request.method,
      url,
      headers: listOf(request.headers),
      body: body === null ? null : toBase64(body),
      redirect: request.redirect,
    });
    let aborted;
    const stopped =
      signal &&
      new Promise((_, reject) => {
        aborted = () => {
          cancel();
          reject(signal.reason);
        };
        signal.addEventListener('abort', aborted);
      });
    try {
      return new Response(inside, await (stopped ? Promise.race([promise, stopped]) : promise));
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw failed(error);
    } finally {
      signal?.removeEventListener('abort', aborted);
    }
  }
  for (const constructor of [Request, Response]) tag(constructor, constructor.name);
  // The shapes of objects are made with the first of a kind: a run finds those of the image.
  usual.push(
    new Request('https://localhost/', { method: 'POST', headers: { accept: '*/*' }, body: '{}' }),
    new Response(inside, { status: 200, headers: [], url: 'https://localhost/' }),
  );
  return { fetch, Request, Response };
};
