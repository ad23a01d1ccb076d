// URL and URLSearchParams (WHATWG URL). The parser is the host's.

makers.url = () => {
  // As application/x-www-form-urlencoded escapes.
  const escape = (text) =>
    encodeURIComponent(text.toWellFormed())
      .replace(/%20/g, '+')
      .replace(/[!'()~]/g, (character) => '%' + character.charCodeAt(0).toString(16).toUpperCase());
  let attach;
  let refresh;
  let changedBy;

  class URLSearchParams {
    #pairs = [];
    #url;
    constructor(init = '') {
      if (init !== null && (typeof init === 'object' || typeof init === 'function')) {
        if (typeof init[Symbol.iterator] === 'function') {
          for (const pair of init) {
            const values = [...pair];
            if (values.length !== 2) {
              throw nodeError(
                TypeError,
                'ERR_INVALID_TUPLE',
                'Each query pair must be an iterable [name, value] tuple',
              );
            }
            this.#pairs.push([`${values[0]}`, `${values[1]}`]);
          }
        } else {
          for (const name of Reflect.ownKeys(init)) {
            if (typeof name === 'string' && Object.prototype.propertyIsEnumerable.call(init, name)) {
              this.#pairs.push([name, `${init[name]}`]);
            }
          }
        }
      } else {
        this.#parse(`${init}`);
      }
    }
    #parse(text) {
      this.#pairs = text === '' ? [] : parseJson(native('parse_form', text[0] === '?' ? text.slice(1) : text));
    }
    #changed() {
      if (this.#url !== undefined) changedBy(this.#url, this.toString());
    }
    // The parameters of a URL, and their text after the URL changed.
    static {
      attach = (params, url) => (params.#url = url);
      refresh = (params, search) => params.#parse(search);
    }
    get size() {
      return this.#pairs.length;
    }
    append(name, value) {
      this.#pairs.push([`${name}`, `${value}`]);
      this.#changed();
    }
    delete(name, value) {
      this.#pairs = this.#pairs.filter(
        (pair) => pair[0] !== `${name}` || (value !== undefined && pair[1] !== `${value}`),
      );
      this.#changed();
    }
    get(name) {
      return this.#pairs.find((pair) => pair[0] === `${name}`)?.[1] ?? null;
    }
    getAll(name) {
      return this.#pairs.filter((pair) => pair[0] === `${name}`).map((pair) => pair[1]);
    }
    has(name, value) {
      return this.#pairs.some((pair) => pair[0] === `${name}` && (value === undefined || pair[1] === `${value}`));
    }
    set(name, value) {
      const at = this.#pairs.findIndex((pair) => pair[0] === `${name}`);
      if (at < 0) {
        this.#pairs.push([`${name}`, `${value}`]);
      } else {
        this.#pairs[at][1] = `${value}`;
        this.#pairs = this.#pairs.filter((pair, index) => index <= at || pair[0] !== `${name}`);
      }
      this.#changed();
    }
    sort() {
      this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
      this.#changed();
    }
    forEach(callback, self) {
      for (const [name, value] of this) callback.call(self, value, name, this);
    }
    *entries() {
      for (let at = 0; at < this.#pairs.length; at++) yield [...this.#pairs[at]];
    }
    *keys() {
      for (const pair of this) yield pair[0];
    }
    *values() {
      for (const pair of this) yield pair[1];
    }
    toString() {
      return this.#pairs.map((pair) => `${escape(pair[0])}=${escape(pair[1])}`).join('&');
    }
    [inspected]() {
      return ['URLSearchParams', Object.fromEntries(this)];
    }
  }
  define(URLSearchParams.prototype, Symbol.iterator, URLSearchParams.prototype.entries);
  tag(URLSearchParams, 'URLSearchParams');

  const parse = (url, base) =>
    native('parse_url', `${url}`.toWellFormed(), base === undefined ? base : `${base}`.toWellFormed());
  let partOf;
  class URL {
    #href;
    // Made when one of them is read.
    #parts;
    #params;
    constructor(url, base) {
      try {
        this.#href = parse(url, base);
      } catch {
        const error = nodeError(TypeError, 'ERR_INVALID_URL', 'Invalid URL');
        error.input = `${url}`;
        if (base !== undefined) error.base = `${base}`;
        throw error;
      }
    }
    static canParse(url, base) {
      return URL.parse(url, base) !== null;
    }
    static parse(url, base) {
      try {
        return new URL(url, base);
      } catch {
        return null;
      }
    }
    #set(name, value) {
      this.#href = native('set_url', this.#href, name, value);
      this.#parts = undefined;
    }
    static {
      changedBy = (url, search) => url.#set('search', search);
      partOf = (url, name) => (url.#parts ??= parseJson(native('url_parts', url.#href)))[name];
      for (const name of [
        'protocol',
        'username',
        'password',
        'host',
        'hostname',
        'port',
        'pathname',
        'search',
        'hash',
      ]) {
        Object.defineProperty(URL.prototype, name, {
          get() {
            return partOf(this, name);
          },
          set(value) {
            this.#set(name, `${value}`.toWellFormed());
            if (name === 'search') this.#refresh();
          },
          enumerable: true,
          configurable: true,
        });
      }
    }
    #refresh() {
      if (this.#params !== undefined) refresh(this.#params, partOf(this, 'search'));
    }
    get href() {
      return this.#href;
    }
    set href(value) {
      this.#href = new URL(value).#href;
      this.#parts = undefined;
      this.#refresh();
    }
    get origin() {
      return partOf(this, 'origin');
    }
    get searchParams() {
      if (this.#params === undefined) {
        this.#params = new URLSearchParams(partOf(this, 'search'));
        attach(this.#params, this);
      }
      return this.#params;
    }
    toString() {
      return this.#href;
    }
    toJSON() {
      return this.#href;
    }
    [inspected]() {
      partOf(this, 'href');
      return ['URL', { href: this.#href, ...this.#parts, searchParams: this.searchParams }];
    }
  }
  tag(URL, 'URL');
  return { URL, URLSearchParams };
};
