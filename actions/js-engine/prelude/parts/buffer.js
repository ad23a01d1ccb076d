// Buffer, as far as Actions use it: a Uint8Array with Node's conversions.

makers.buffer = () => {
  const typed = prototypeOf(Uint8Array_.prototype);
  const lengthOf = bind(Object.getOwnPropertyDescriptor(typed, 'byteLength').get);
  const encodings = {
    __proto__: null,
    utf8: 'utf8',
    'utf-8': 'utf8',
    hex: 'hex',
    base64: 'base64',
    base64url: 'base64url',
    latin1: 'latin1',
    binary: 'latin1',
    ascii: 'ascii',
    ucs2: 'utf16le',
    'ucs-2': 'utf16le',
    utf16le: 'utf16le',
    'utf-16le': 'utf16le',
  };
  const encodingOf = (name) => {
    if (name === undefined || name === null || name === '') return 'utf8';
    const encoding = encodings[`${name}`.toLowerCase()];
    if (encoding === undefined) throw nodeError(TypeError_, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${name}`);
    return encoding;
  };
  const codes = (text, step, write) => {
    const bytes = new Uint8Array_(text.length * step);
    for (let at = 0; at < text.length; at++) write(bytes, at, text.charCodeAt(at));
    return bytes;
  };
  const encode = (text, name) => {
    switch (encodingOf(name)) {
      case 'hex': {
        const valid = /^(?:[0-9a-f]{2})*/i.exec(text)[0];
        return Uint8Array_.fromHex(valid);
      }
      case 'base64':
      case 'base64url': {
        // Node takes both alphabets, leaves out what is of neither, and stops at padding.
        let digits = text
          .replace(/=[^]*$/, '')
          .replace(/-/g, '+')
          .replace(/_/g, '/')
          .replace(/[^A-Za-z0-9+/]/g, '');
        if (digits.length % 4 === 1) digits = digits.slice(0, -1);
        return Uint8Array_.fromBase64(digits, { lastChunkHandling: 'loose' });
      }
      case 'latin1':
      case 'ascii':
        return codes(text, 1, (bytes, at, code) => (bytes[at] = code));
      case 'utf16le':
        return codes(text, 2, (bytes, at, code) => {
          bytes[2 * at] = code;
          bytes[2 * at + 1] = code >> 8;
        });
      default:
        return utf8(text);
    }
  };
  const characters = (bytes, step, read) => {
    let text = '';
    const list = [];
    for (let at = 0; at + step <= bytes.length; at += step) {
      list.push(read(at));
      if (list.length === 4096) text += String_.fromCharCode(...list.splice(0));
    }
    return text + String_.fromCharCode(...list);
  };
  const decode = (bytes, name) => {
    switch (encodingOf(name)) {
      case 'hex':
        return bytes.toHex();
      case 'base64':
        return bytes.toBase64();
      case 'base64url':
        return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
      case 'latin1':
        return characters(bytes, 1, (at) => bytes[at]);
      case 'ascii':
        return characters(bytes, 1, (at) => bytes[at] & 0x7f);
      case 'utf16le':
        return characters(bytes, 2, (at) => bytes[at] | (bytes[at + 1] << 8));
      default:
        return utf8Text(bytes);
    }
  };
  const raw = (bytes) => new Uint8Array_(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wrap = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);
  const wrong = (what, value) =>
    nodeError(
      TypeError_,
      'ERR_INVALID_ARG_TYPE',
      `${what} Received ${value === null ? 'null' : `type ${typeof value}`}`,
    );
  const same = (value) => {
    const bytes = bytesOf(value);
    if (bytes === undefined) throw wrong('The argument must be an instance of Buffer or Uint8Array.', value);
    return bytes;
  };
  const sizeOf = (size) => {
    if (typeof size !== 'number') throw wrong('The "size" argument must be of type number.', size);
    if (!(size >= 0)) throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "size" is out of range.');
    return size;
  };
  const compare = (a, b) => {
    for (let at = 0; at < a.length && at < b.length; at++) if (a[at] !== b[at]) return a[at] < b[at] ? -1 : 1;
    return Math.sign(a.length - b.length);
  };

  function Buffer(value, encodingOrOffset, length) {
    return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, encodingOrOffset, length);
  }
  Object.setPrototypeOf(Buffer, Uint8Array_);
  Buffer.prototype = Object.create(Uint8Array_.prototype);
  define(Buffer.prototype, 'constructor', Buffer);

  const functions = {
    from(value, encodingOrOffset, length) {
      if (typeof value === 'string') return wrap(encode(value, encodingOrOffset));
      if (isBuffer(value)) return wrap(new Uint8Array_(value, encodingOrOffset, length));
      if (isView(value)) return wrap(Uint8Array_.from(value));
      if (typeof value === 'object' && value !== null) {
        const primitive = value.valueOf?.();
        if (primitive !== value && primitive !== undefined && primitive !== null) {
          return Buffer.from(primitive, encodingOrOffset, length);
        }
        if (value.type === 'Buffer' && isArray(value.data)) return wrap(Uint8Array_.from(value.data));
        if (typeof value.length === 'number') return wrap(Uint8Array_.from(value));
      }
      throw wrong('The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array.', value);
    },
    alloc(size, fill, encoding) {
      const buffer = wrap(new Uint8Array_(sizeOf(size)));
      return fill === undefined || fill === 0 ? buffer : buffer.fill(fill, encoding);
    },
    allocUnsafe: (size) => wrap(new Uint8Array_(sizeOf(size))),
    allocUnsafeSlow: (size) => wrap(new Uint8Array_(sizeOf(size))),
    of: (...bytes) => wrap(Uint8Array_.of(...bytes)),
    concat(list, length) {
      if (!isArray(list)) throw wrong('The "list" argument must be an instance of Array.', list);
      const all = concatBytes(list.map(same));
      if (length === undefined || length === all.length) return wrap(all);
      const cut = new Uint8Array_(length);
      cut.set(all.subarray(0, length));
      return wrap(cut);
    },
    byteLength(value, encoding) {
      if (typeof value === 'string') return encode(value, encoding).length;
      return same(value).length;
    },
    isBuffer: (value) => value instanceof Buffer,
    isEncoding: (name) => typeof name === 'string' && encodings[name.toLowerCase()] !== undefined,
    compare: (a, b) => compare(same(a), same(b)),
  };
  for (const name of keysOf(functions)) define(Buffer, name, functions[name]);
  define(Buffer, 'poolSize', 8192);

  const find = (buffer, value, from, encoding, last) => {
    if (typeof from === 'string') [from, encoding] = [undefined, from];
    const what =
      typeof value === 'number'
        ? Uint8Array_.of(value)
        : typeof value === 'string'
          ? encode(value, encoding)
          : same(value);
    let at = from === undefined ? (last ? buffer.length : 0) : from < 0 ? buffer.length + from : +from;
    at = last ? Math.min(at, buffer.length - what.length) : Math.max(at, 0);
    for (; last ? at >= 0 : at + what.length <= buffer.length; at += last ? -1 : 1) {
      let matched = 0;
      while (matched < what.length && buffer[at + matched] === what[matched]) matched++;
      if (matched === what.length) return at;
    }
    return -1;
  };
  const methods = {
    toString(encoding, start = 0, end = this.length) {
      return decode(raw(this).subarray(Math.max(start, 0), Math.max(end, 0)), encoding);
    },
    toLocaleString(encoding, start, end) {
      return this.toString(encoding, start, end);
    },
    toJSON() {
      return { type: 'Buffer', data: Array.from(this) };
    },
    equals(other) {
      return compare(this, same(other)) === 0;
    },
    compare(other, start = 0, end, thisStart = 0, thisEnd) {
      return compare(raw(this).subarray(thisStart, thisEnd), same(other).subarray(start, end));
    },
    slice(start, end) {
      return wrap(raw(this).subarray(start, end));
    },
    subarray(start, end) {
      return wrap(raw(this).subarray(start, end));
    },
    write(text, offset, length, encoding) {
      if (typeof offset === 'string') [offset, length, encoding] = [0, undefined, offset];
      else if (typeof length === 'string') [length, encoding] = [undefined, length];
      const at = offset ?? 0;
      const room = Math.min(length ?? this.length, this.length - at);
      let bytes = encode(`${text}`, encoding).subarray(0, Math.max(room, 0));
      if (encodingOf(encoding) === 'utf8') {
        // No half of a character.
        let end = bytes.length;
        const whole = utf8(`${text}`);
        while (end > 0 && end < whole.length && (whole[end] & 0xc0) === 0x80) end--;
        bytes = bytes.subarray(0, end);
      }
      this.set(bytes, at);
      return bytes.length;
    },
    fill(value, start, end, encoding) {
      if (typeof start === 'string') [start, end, encoding] = [0, this.length, start];
      else if (typeof end === 'string') [end, encoding] = [this.length, end];
      const from = start ?? 0;
      const to = end ?? this.length;
      if (typeof value === 'number') {
        raw(this).fill(value, from, to);
        return this;
      }
      const bytes = typeof value === 'string' ? encode(value, encoding) : same(value);
      for (let at = from; at < to; at++) this[at] = bytes.length > 0 ? bytes[(at - from) % bytes.length] : 0;
      return this;
    },
    copy(target, targetStart = 0, start = 0, end = this.length) {
      const bytes = raw(this).subarray(start, Math.min(end, start + target.length - targetStart));
      target.set(bytes, targetStart);
      return bytes.length;
    },
    indexOf(value, from, encoding) {
      return find(this, value, from, encoding, false);
    },
    lastIndexOf(value, from, encoding) {
      return find(this, value, from, encoding, true);
    },
    includes(value, from, encoding) {
      return find(this, value, from, encoding, false) >= 0;
    },
    swap16() {
      for (let at = 0; at + 1 < this.length; at += 2) [this[at], this[at + 1]] = [this[at + 1], this[at]];
      return this;
    },
    [inspected]() {
      const hex = raw(this)
        .subarray(0, 50)
        .toHex()
        .replace(/..(?=.)/g, '$& ');
      const more = this.length > 50 ? ` ... ${this.length - 50} more byte${this.length > 51 ? 's' : ''}` : '';
      return [`<Buffer${hex ? ` ${hex}` : ''}${more}>`];
    },
  };
  for (const name of Reflect.ownKeys(methods)) define(Buffer.prototype, name, methods[name]);

  const room = (buffer, offset, size) => {
    if (typeof offset !== 'number') throw wrong('The "offset" argument must be of type number.', offset);
    if (!Number.isInteger(offset) || offset < 0 || offset + size > lengthOf(buffer)) {
      throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', `The value of "offset" is out of range. Received ${offset}`);
    }
    return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  };
  const access = (names, size, kind, little, least, most) => {
    for (const name of names) {
      define(Buffer.prototype, `read${name}`, function (offset = 0) {
        return room(this, offset, size)[`get${kind}`](offset, little);
      });
      define(Buffer.prototype, `write${name}`, function (value, offset = 0) {
        const number = typeof most === 'bigint' ? value : +value;
        if (most !== undefined && !(number >= least && number <= most)) {
          throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', `The value of "value" is out of range. Received ${value}`);
        }
        room(this, offset, size)[`set${kind}`](offset, number, little);
        return offset + size;
      });
    }
  };
  for (const [sign, least] of [
    ['U', 0],
    ['', 1],
  ]) {
    const names = (bits, end) => (sign === 'U' ? [`UInt${bits}${end}`, `Uint${bits}${end}`] : [`Int${bits}${end}`]);
    const bounds = (bits) => (least === 0 ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]);
    const kind = sign === 'U' ? 'Uint' : 'Int';
    access(names(8, ''), 1, `${kind}8`, true, ...bounds(8));
    for (const bits of [16, 32]) {
      access(names(bits, 'LE'), bits / 8, `${kind}${bits}`, true, ...bounds(bits));
      access(names(bits, 'BE'), bits / 8, `${kind}${bits}`, false, ...bounds(bits));
    }
    const big = sign === 'U' ? ['BigUInt64', 'BigUint64'] : ['BigInt64'];
    const wide = sign === 'U' ? [0n, 2n ** 64n - 1n] : [-(2n ** 63n), 2n ** 63n - 1n];
    const bigKind = sign === 'U' ? 'BigUint64' : 'BigInt64';
    access(
      big.map((name) => `${name}LE`),
      8,
      bigKind,
      true,
      ...wide,
    );
    access(
      big.map((name) => `${name}BE`),
      8,
      bigKind,
      false,
      ...wide,
    );
  }
  for (const [end, little] of [
    ['LE', true],
    ['BE', false],
  ]) {
    access([`Float${end}`], 4, 'Float32', little);
    access([`Double${end}`], 8, 'Float64', little);
  }
  return { Buffer, encodeText: encode, decodeBytes: decode, asBuffer: wrap };
};
