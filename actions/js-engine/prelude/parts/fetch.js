// fetch, Request and Response (WHATWG Fetch). A request is an operation of the host, which says what may be reached.

makers.fetch = () => {
  const { Headers, Body, bodyOf, wholeBody } = part('body');
  const { AbortController } = part('events');
  const { URL } = part('url');

  // The headers that a caller gave, with the type that the body has by itself.
  const headersFor = (init, type) => {
    const headers = new Headers(init);
    if (type !== undefined && !headers.has('content-type')) headers.set('content-type', type);
    return headers;
  };
  const known = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];

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
      if (url.username !== '' || url.password !== '') {
        throw new TypeError_(`Request cannot be constructed from a URL that includes credentials: ${input}`);
      }
      const given = init ?? {};
      let method = `${given.method ?? from?.method ?? 'GET'}`;
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method))
        throw new TypeError_(`'${method}' is not a valid HTTP method.`);
      if (known.includes(method.toUpperCase())) method = method.toUpperCase();
      if (/^(CONNECT|TRACE|TRACK)$/i.test(method)) throw new TypeError_(`'${method}' HTTP method is unsupported.`);
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
      const signal = given.signal === undefined ? from?.signal : given.signal;
      if (signal !== undefined && signal !== null && typeof signal.aborted !== 'boolean') {
        throw new TypeError_('Request constructor: the signal must be an AbortSignal');
      }
      super(bytes);
      this.#url = url.href;
      this.#method = method;
      this.#redirect = redirect;
      this.#headers = headersFor(given.headers ?? from?.headers, type);
      this.#signal = signal ?? new AbortController().signal;
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
      return this.#signal;
    }
    clone() {
      return new Request(this);
    }
    [inspected]() {
      return ['Request', { method: this.#method, url: this.#url, headers: this.#headers }];
    }
  }

  let received;
  const noBody = [101, 103, 204, 205, 304];
  class Response extends Body {
    #status;
    #statusText;
    #headers;
    #type = 'default';
    #url = '';
    #redirected = false;
    constructor(body, init) {
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
    static {
      received = (answer) => {
        const body = noBody.includes(answer.status) ? null : fromBase64(answer.body ?? '');
        const response = new Response(body, { headers: answer.headers });
        response.#status = answer.status;
        response.#statusText = answer.status_text ?? '';
        response.#type = 'basic';
        response.#url = answer.url;
        response.#redirected = answer.redirected === true;
        return response;
      };
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
    const { signal } = request;
    signal.throwIfAborted();
    if (!/^https?:/.test(request.url)) {
      throw failed(new Error_(`the scheme of ${request.url} is not available; http and https are`));
    }
    const body = wholeBody(request);
    const { promise, cancel } = operation('http.fetch', {
      method: request.method,
      url: request.url,
      headers: [...request.headers],
      body: body === null ? null : toBase64(body),
      redirect: request.redirect,
    });
    return new Promise((resolve, reject) => {
      const aborted = () => {
        cancel();
        reject(signal.reason);
      };
      signal.addEventListener('abort', aborted);
      promise.then(
        (answer) => {
          signal.removeEventListener('abort', aborted);
          resolve(received(answer));
        },
        (error) => {
          signal.removeEventListener('abort', aborted);
          reject(failed(error));
        },
      );
    });
  }
  for (const constructor of [Request, Response]) tag(constructor, constructor.name);
  return { fetch, Request, Response };
};
