// Blob, File, FormData and Headers, and what requests and responses hold (WHATWG Fetch, File API). There are no streams: a
// body is whole.

makers.body = () => {
  const { URLSearchParams } = part('url');
  let bytesOfBlob;
  let partsOf;
  class Blob {
    #bytes;
    #type;
    constructor(parts = [], options) {
      if (parts === null || typeof parts !== 'object' || typeof parts[Symbol.iterator] !== 'function') {
        throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "sources" argument must be a sequence');
      }
      const chunks = [];
      for (const piece of parts)
        chunks.push(piece instanceof Blob ? piece.#bytes : (bytesOf(piece) ?? utf8(`${piece}`)));
      this.#bytes = concatBytes(chunks);
      const type = `${options?.type ?? ''}`;
      this.#type = /^[\x20-\x7e]*$/.test(type) ? type.toLowerCase() : '';
    }
    static {
      bytesOfBlob = (blob) => blob.#bytes;
    }
    get size() {
      return this.#bytes.length;
    }
    get type() {
      return this.#type;
    }
    slice(start = 0, end = this.size, type = '') {
      return new Blob([this.#bytes.slice(start, end)], { type });
    }
    async text() {
      return utf8Text(this.#bytes);
    }
    async bytes() {
      return this.#bytes.slice();
    }
    async arrayBuffer() {
      return this.#bytes.slice().buffer;
    }
    [inspected]() {
      return [this.constructor.name, { size: this.size, type: this.#type }];
    }
  }
  class File extends Blob {
    #name;
    #lastModified;
    constructor(parts, name, options) {
      super(parts, options);
      this.#name = `${name}`;
      this.#lastModified = options?.lastModified === undefined ? Date.now() : Number(options.lastModified);
    }
    get name() {
      return this.#name;
    }
    get lastModified() {
      return this.#lastModified;
    }
  }

  class FormData {
    #entries = [];
    #entry(name, value, fileName) {
      if (!(value instanceof Blob)) return [`${name}`, `${value}`];
      const file = value instanceof File && fileName === undefined;
      return [`${name}`, file ? value : new File([value], fileName ?? 'blob', { type: value.type })];
    }
    append(name, value, fileName) {
      this.#entries.push(this.#entry(name, value, fileName));
    }
    set(name, value, fileName) {
      const at = this.#entries.findIndex((entry) => entry[0] === `${name}`);
      const entry = this.#entry(name, value, fileName);
      if (at < 0) {
        this.#entries.push(entry);
      } else {
        this.#entries[at] = entry;
        this.#entries = this.#entries.filter((other, index) => index <= at || other[0] !== entry[0]);
      }
    }
    delete(name) {
      this.#entries = this.#entries.filter((entry) => entry[0] !== `${name}`);
    }
    get(name) {
      return this.#entries.find((entry) => entry[0] === `${name}`)?.[1] ?? null;
    }
    getAll(name) {
      return this.#entries.filter((entry) => entry[0] === `${name}`).map((entry) => entry[1]);
    }
    has(name) {
      return this.#entries.some((entry) => entry[0] === `${name}`);
    }
    forEach(callback, self) {
      for (const [name, value] of this) callback.call(self, value, name, this);
    }
    *entries() {
      for (let at = 0; at < this.#entries.length; at++) yield [...this.#entries[at]];
    }
    *keys() {
      for (const entry of this) yield entry[0];
    }
    *values() {
      for (const entry of this) yield entry[1];
    }
    [inspected]() {
      return ['FormData', Object.fromEntries(this.#entries)];
    }
  }
  define(FormData.prototype, Symbol.iterator, FormData.prototype.entries);

  // RFC 7578. The boundary comes of the content, which so cannot hold it.
  const multipart = (form) => {
    const quote = (text) => text.replace(/\r\n|\r|\n/g, '%0D%0A').replace(/"/g, '%22');
    const parts = [];
    for (const [name, value] of form) {
      const file = value instanceof Blob;
      const about = file
        ? `; filename="${quote(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}`
        : '';
      parts.push(utf8(`Content-Disposition: form-data; name="${quote(name)}"${about}\r\n\r\n`));
      parts.push(file ? bytesOfBlob(value) : utf8(value.replace(/\r\n|\r|\n/g, '\r\n')));
    }
    const boundary = `----postern-${native('digest', 'sha256', concatBytes(parts)).toHex().slice(0, 32)}`;
    const chunks = [];
    for (let at = 0; at < parts.length; at += 2) {
      chunks.push(utf8(`--${boundary}\r\n`), parts[at], parts[at + 1], utf8('\r\n'));
    }
    chunks.push(utf8(`--${boundary}--\r\n`));
    return { bytes: concatBytes(chunks), type: `multipart/form-data; boundary=${boundary}` };
  };

  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
  const { isHeaderValue } = host;
  const nameOf = (name) => {
    const text = `${name}`;
    if (!token.test(text)) throw new TypeError_(`Headers: ${text} is an invalid header name.`);
    return text.toLowerCase();
  };
  // The names that are given most are not looked at again.
  const names = new Map();
  for (const name of ['Accept', 'Authorization', 'Content-Type', 'User-Agent', 'X-API-Key']) {
    names.set(name, name.toLowerCase()).set(name.toLowerCase(), name.toLowerCase());
  }
  const keyOf = (name) => names.get(name) ?? nameOf(name);
  const valueOf = (value) => {
    let text = `${value}`;
    if (text.charCodeAt(0) <= 32 || text.charCodeAt(text.length - 1) <= 32) {
      text = text.replace(/^[\t\r\n ]+|[\t\r\n ]+$/g, '');
    }
    if (!isHeaderValue(text)) throw new TypeError_(`Headers: ${text} is an invalid header value.`);
    return text;
  };
  const entryOf = (list, key) => {
    for (let at = 0; at < list.length; at++) if (list[at][0] === key) return list[at];
  };
  const add = (list, name, value) => {
    const key = keyOf(name);
    const text = valueOf(value);
    const known = key === 'set-cookie' ? undefined : entryOf(list, key);
    if (known === undefined) list.push([key, text]);
    else known[1] = `${known[1]}, ${text}`;
  };
  let headersOf;
  let listOf;
  // What a caller gave for headers, as pairs.
  const listFrom = (init) => {
    const list = [];
    if (init === undefined) return list;
    if (init === null || typeof init !== 'object') throw new TypeError_('Headers: the init must be an object');
    if (init instanceof Headers) {
      for (const [name, value] of listOf(init)) list.push([name, value]);
    } else if (typeof init[Symbol.iterator] === 'function') {
      for (const pair of init) {
        const values = [...pair];
        if (values.length !== 2) throw new TypeError_('Headers: each pair must have a name and a value');
        add(list, values[0], values[1]);
      }
    } else {
      const names = keysOf(init);
      for (let at = 0; at < names.length; at++) add(list, names[at], init[names[at]]);
    }
    return list;
  };
  class Headers {
    #list;
    constructor(init) {
      this.#list = listFrom(init);
    }
    static {
      // Of pairs that were looked at.
      headersOf = (list) => {
        const headers = new Headers();
        headers.#list = list;
        return headers;
      };
      listOf = (headers) => headers.#list;
    }
    append(name, value) {
      add(this.#list, name, value);
    }
    set(name, value) {
      const entry = [keyOf(name), valueOf(value)];
      if (entryOf(this.#list, entry[0]) !== undefined) this.#list = this.#list.filter((known) => known[0] !== entry[0]);
      this.#list.push(entry);
    }
    delete(name) {
      const key = keyOf(name);
      this.#list = this.#list.filter((entry) => entry[0] !== key);
    }
    get(name) {
      const key = keyOf(name);
      let found = null;
      for (let at = 0; at < this.#list.length; at++) {
        const entry = this.#list[at];
        if (entry[0] === key) found = found === null ? entry[1] : `${found}, ${entry[1]}`;
      }
      return found;
    }
    getSetCookie() {
      return this.#list.filter((entry) => entry[0] === 'set-cookie').map((entry) => entry[1]);
    }
    has(name) {
      return entryOf(this.#list, keyOf(name)) !== undefined;
    }
    forEach(callback, self) {
      for (const [name, value] of this) callback.call(self, value, name, this);
    }
    *entries() {
      for (const name of [...new Set(this.#list.map((entry) => entry[0]))].sort()) {
        if (name === 'set-cookie') for (const value of this.getSetCookie()) yield [name, value];
        else yield [name, this.get(name)];
      }
    }
    *keys() {
      for (const entry of this) yield entry[0];
    }
    *values() {
      for (const entry of this) yield entry[1];
    }
    [inspected]() {
      return ['Headers', Object.fromEntries(this)];
    }
  }
  define(Headers.prototype, Symbol.iterator, Headers.prototype.entries);

  // A body's bytes, and the type that it has by itself.
  const none = { bytes: null, type: undefined };
  const bodyOf = (init) => {
    if (init === undefined || init === null) return none;
    if (typeof init === 'string') return { bytes: utf8(init), type: 'text/plain;charset=UTF-8' };
    if (isView(init)) return { bytes: bytesOf(init).slice(), type: undefined };
    if (init instanceof URLSearchParams) {
      return { bytes: utf8(init.toString()), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
    }
    if (init instanceof FormData) return multipart(init);
    if (init instanceof Blob) return { bytes: bytesOfBlob(init), type: init.type || undefined };
    const bytes = bytesOf(init);
    if (bytes !== undefined) return { bytes: bytes.slice(), type: undefined };
    return { bytes: utf8(`${init}`), type: 'text/plain;charset=UTF-8' };
  };

  const used = Symbol('used');
  class Body {
    // `body`: its bytes, null where there is none, `used` when they were taken. `headers`: pairs, or the object that somebody
    // asked for. And what requests and responses have besides.
    #parts;
    constructor(parts) {
      this.#parts = parts;
    }
    static {
      partsOf = (holder) => holder.#parts;
    }
    // No stream, as `ReadableStream` is not there: null without a body, else undefined.
    get body() {
      return this.#parts.body === null ? null : undefined;
    }
    get headers() {
      const parts = this.#parts;
      return isArray(parts.headers) ? (parts.headers = headersOf(parts.headers)) : parts.headers;
    }
    get bodyUsed() {
      return this.#parts.body === used;
    }
    #take() {
      const { body } = this.#parts;
      if (body === used) throw new TypeError_('Body is unusable: Body has already been read');
      if (body === null) return new Uint8Array_(0);
      this.#parts.body = used;
      return body;
    }
    #text() {
      const text = utf8Text(this.#take());
      return text[0] === '\ufeff' ? text.slice(1) : text;
    }
    async bytes() {
      return this.#take().slice();
    }
    async arrayBuffer() {
      return this.#take().slice().buffer;
    }
    async text() {
      return this.#text();
    }
    async json() {
      return parseJson(this.#text());
    }
    async blob() {
      return new Blob([this.#take()], { type: this.headers.get('content-type') ?? '' });
    }
    async formData() {
      if (!/^application\/x-www-form-urlencoded/i.test(this.headers.get('content-type') ?? '')) {
        throw new TypeError_('formData() is available for application/x-www-form-urlencoded only');
      }
      const form = new FormData();
      for (const [name, value] of parseJson(native('parse_form', this.#take()))) form.append(name, value);
      return form;
    }
  }
  for (const known of [Blob, File, FormData, Headers]) tag(known, known.name);
  return { Blob, File, FormData, Headers, Body, bodyOf, partsOf, used, listFrom, entryOf, token };
};
