// What Web Crypto and Node's `crypto` share, and the global `crypto` (W3C Web Cryptography API).

makers.keys = () => {
  // A key that the host has read: what it is and its DER.
  const readKey = (format, content, publicHalf) => {
    const about = parseJson(native('key', format, content, publicHalf ? '1' : undefined));
    return { ...about, der: fromBase64(about.der) };
  };
  const fromUrl = (text) => Uint8Array_.fromBase64(text, { alphabet: 'base64url' });
  const toUrl = (bytes) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
  const randomBytes = (length) => host.random(new Uint8Array_(length));
  const randomUUID = () => {
    const bytes = randomBytes(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };
  const same = (a, b) => {
    let different = a.length ^ b.length;
    for (let at = 0; at < a.length; at++) different |= a[at] ^ b[at];
    return different === 0;
  };
  return { readKey, fromUrl, toUrl, randomBytes, randomUUID, same };
};

makers.crypto = () => {
  const { readKey, fromUrl, toUrl, randomBytes, randomUUID, same } = part('keys');
  const fail = (name, message) => {
    throw new DOMException_(message, name);
  };
  const unavailable = (what) => fail('NotSupportedError', `${what} is not available`);
  // What the host refuses is of this kind.
  const as = (name, call) => {
    try {
      return call();
    } catch (error) {
      return fail(name, error.message);
    }
  };
  const data = (value) => bytesOf(value) ?? fail('TypeMismatchError', 'an ArrayBuffer or a view on one is needed');
  const names = [
    'HMAC',
    'AES-GCM',
    'AES-CBC',
    'RSASSA-PKCS1-v1_5',
    'RSA-PSS',
    'ECDSA',
    'PBKDF2',
    'HKDF',
    'SHA-1',
    'SHA-256',
    'SHA-384',
    'SHA-512',
  ];
  const normal = (algorithm) => {
    const given = typeof algorithm === 'string' ? { name: algorithm } : algorithm;
    const name = names.find((known) => known.toLowerCase() === `${given?.name}`.toLowerCase());
    return name === undefined ? unavailable(given?.name) : { ...given, name };
  };
  const hashOf = (algorithm) => {
    const { name } = normal(algorithm ?? '');
    return name.startsWith('SHA-') ? { name, id: name.replace('-', '').toLowerCase() } : unavailable(name);
  };
  const blockBits = (hash) => (hash.id === 'sha384' || hash.id === 'sha512' ? 1024 : 512);

  const secret = Symbol('key');
  class CryptoKey {
    constructor(key, inside) {
      if (inside !== secret) throw nodeError(TypeError_, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
      Object.defineProperty(this, secret, { value: key });
      this.type = key.type;
      this.extractable = key.extractable;
      this.algorithm = key.algorithm;
      this.usages = key.usages;
      Object.freeze(this);
    }
  }
  tag(CryptoKey, 'CryptoKey');
  const keyFor = (key, name, usage) => {
    if (!(key instanceof CryptoKey)) throw new TypeError_('the key must be a CryptoKey');
    if (key.algorithm.name !== name) fail('InvalidAccessError', 'The key is not one for this algorithm');
    if (!key.usages.includes(usage)) fail('InvalidAccessError', `The key may not be used to ${usage}`);
    return key[secret];
  };
  const asymmetric = (name) => name.startsWith('RSA') || name === 'ECDSA';
  const allowed = (name, type) => {
    if (name === 'HMAC') return ['sign', 'verify'];
    if (name.startsWith('AES')) return ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];
    if (asymmetric(name)) return type === 'private' ? ['sign'] : ['verify'];
    return ['deriveKey', 'deriveBits'];
  };
  const make = (algorithm, type, content, extractable, usages) => {
    const wanted = [...usages];
    const known = allowed(algorithm.name, type);
    if (wanted.some((usage) => !known.includes(usage))) fail('SyntaxError', 'Unsupported key usage for this algorithm');
    if (wanted.length === 0 && type !== 'public')
      fail('SyntaxError', 'Usages cannot be empty when importing a secret or private key.');
    return new CryptoKey(
      {
        ...content,
        type,
        algorithm,
        extractable: Boolean(extractable),
        usages: known.filter((usage) => wanted.includes(usage)),
      },
      secret,
    );
  };

  const importSecret = (format, given, algorithm) => {
    let bytes;
    if (format === 'raw') {
      bytes = data(given).slice();
    } else if (format === 'jwk' && algorithm.name !== 'PBKDF2' && algorithm.name !== 'HKDF') {
      if (given?.kty !== 'oct') fail('DataError', 'The JWK is not of type oct');
      bytes = as('DataError', () => fromUrl(given.k));
    } else {
      return unavailable(`importing ${algorithm.name} keys as ${format}`);
    }
    if (algorithm.name.startsWith('AES')) {
      if (![16, 24, 32].includes(bytes.length)) fail('DataError', 'Invalid key length');
      return [{ name: algorithm.name, length: bytes.length * 8 }, bytes];
    }
    if (algorithm.name === 'HMAC') {
      if (bytes.length === 0) fail('DataError', 'Zero-length key is not supported');
      return [{ name: 'HMAC', hash: { name: hashOf(algorithm.hash).name }, length: bytes.length * 8 }, bytes];
    }
    return [{ name: algorithm.name }, bytes];
  };
  const importAsymmetric = (format, given, algorithm) => {
    let key;
    if (format === 'jwk') {
      key = as('DataError', () => readKey('jwk', stringify(given)));
    } else if (format === 'spki' || format === 'pkcs8') {
      key = as('DataError', () => readKey(format, data(given)));
    } else if (format === 'raw' && algorithm.name === 'ECDSA') {
      const point = data(given);
      const size = (point.length - 1) / 2;
      const jwk = {
        kty: 'EC',
        crv: algorithm.namedCurve,
        x: toUrl(point.slice(1, 1 + size)),
        y: toUrl(point.slice(1 + size)),
      };
      key = as('DataError', () => readKey('jwk', stringify(jwk)));
    } else {
      return unavailable(`importing ${algorithm.name} keys as ${format}`);
    }
    if ((algorithm.name === 'ECDSA') !== (key.jwk.kty === 'EC')) fail('DataError', 'The key is of another kind');
    if (algorithm.name === 'ECDSA') {
      if (algorithm.namedCurve !== key.curve) fail('DataError', 'Named curve mismatch');
      return [{ name: algorithm.name, namedCurve: key.curve }, key];
    }
    const about = {
      modulusLength: key.bits,
      publicExponent: fromUrl(key.jwk.e),
      hash: { name: hashOf(algorithm.hash).name },
    };
    return [{ name: algorithm.name, ...about }, key];
  };
  const scheme = (algorithm, key) => {
    switch (key.algorithm.name) {
      case 'ECDSA':
        return ['ecdsa', hashOf(algorithm.hash).id];
      case 'RSA-PSS':
        return ['pss', hashOf(key.algorithm.hash).id];
      default:
        return ['pkcs1', hashOf(key.algorithm.hash).id];
    }
  };
  const derive = (algorithm, bytes, bits) => {
    if (bits === null || bits === undefined || bits % 8 !== 0) fail('OperationError', 'length must be a multiple of 8');
    const hash = hashOf(algorithm.hash).id;
    const [salt, length] = [data(algorithm.salt), bits / 8];
    return as('OperationError', () =>
      algorithm.name === 'PBKDF2'
        ? native('pbkdf2', hash, bytes, salt, Number(algorithm.iterations), length)
        : native('hkdf', hash, bytes, salt, data(algorithm.info), length),
    );
  };
  const cipher = (direction, given, key, input) => {
    const algorithm = normal(given);
    const { bytes } = keyFor(key, algorithm.name, direction);
    const iv = data(algorithm.iv);
    if (algorithm.name === 'AES-CBC') {
      if (iv.length !== 16) fail('OperationError', 'algorithm.iv must contain exactly 16 bytes');
      return as('OperationError', () => native('cipher', 'cbc', direction, bytes, iv, data(input))).buffer;
    }
    if ((algorithm.tagLength ?? 128) !== 128) unavailable('a tag of other than 128 bits');
    if (iv.length !== 12) unavailable('an initialization vector of other than 12 bytes');
    const additional = algorithm.additionalData === undefined ? undefined : data(algorithm.additionalData);
    return as('OperationError', () => native('cipher', 'gcm', direction, bytes, iv, data(input), additional)).buffer;
  };

  class SubtleCrypto {
    async digest(algorithm, input) {
      return native('digest', hashOf(algorithm).id, data(input)).buffer;
    }
    async importKey(format, given, algorithm, extractable, usages) {
      const wanted = normal(algorithm);
      if (asymmetric(wanted.name)) {
        const [about, key] = importAsymmetric(format, given, wanted);
        return make(about, key.type, { der: key.der, jwk: key.jwk }, extractable, usages);
      }
      const [about, bytes] = importSecret(format, given, wanted);
      return make(about, 'secret', { bytes }, extractable, usages);
    }
    async exportKey(format, key) {
      if (!(key instanceof CryptoKey)) throw new TypeError_('the key must be a CryptoKey');
      if (!key.extractable) fail('InvalidAccessError', 'key is not extractable');
      const { bytes, der, jwk, type } = key[secret];
      const about = { key_ops: [...key.usages], ext: true };
      if (bytes !== undefined) {
        if (format === 'raw') return bytes.slice().buffer;
        if (format === 'jwk') return { kty: 'oct', k: toUrl(bytes), ...about };
      } else {
        if (format === 'jwk') return { ...jwk, ...about };
        if (format === (type === 'public' ? 'spki' : 'pkcs8')) return der.slice().buffer;
        if (format === 'raw' && type === 'public' && jwk.kty === 'EC') {
          return concatBytes([Uint8Array_.of(4), fromUrl(jwk.x), fromUrl(jwk.y)]).buffer;
        }
      }
      return unavailable(`exporting the key as ${format}`);
    }
    async generateKey(algorithm, extractable, usages) {
      const wanted = normal(algorithm);
      if (wanted.name.startsWith('AES')) {
        if (![128, 192, 256].includes(wanted.length)) fail('OperationError', 'Invalid key length');
        return make(
          { name: wanted.name, length: wanted.length },
          'secret',
          { bytes: randomBytes(wanted.length / 8) },
          extractable,
          usages,
        );
      }
      if (wanted.name === 'HMAC') {
        const hash = hashOf(wanted.hash);
        const length = wanted.length ?? blockBits(hash);
        return make(
          { name: 'HMAC', hash: { name: hash.name }, length },
          'secret',
          { bytes: randomBytes(length / 8) },
          extractable,
          usages,
        );
      }
      return unavailable(`generating ${wanted.name} keys`);
    }
    async sign(given, key, input) {
      const algorithm = normal(given);
      const { bytes, der } = keyFor(key, algorithm.name, 'sign');
      if (bytes !== undefined) return native('hmac', hashOf(key.algorithm.hash).id, bytes, data(input)).buffer;
      if (algorithm.name === 'RSA-PSS' && algorithm.saltLength !== 0) unavailable('signing with RSA-PSS and a salt');
      return as('OperationError', () => native('sign', ...scheme(algorithm, key), der, data(input))).buffer;
    }
    async verify(given, key, signature, input) {
      const algorithm = normal(given);
      const { bytes, der } = keyFor(key, algorithm.name, 'verify');
      if (bytes !== undefined) {
        return same(native('hmac', hashOf(key.algorithm.hash).id, bytes, data(input)), data(signature));
      }
      const call = () =>
        native('verify', ...scheme(algorithm, key), der, data(input), data(signature), algorithm.saltLength);
      return as('OperationError', call) === 'true';
    }
    async encrypt(algorithm, key, input) {
      return cipher('encrypt', algorithm, key, input);
    }
    async decrypt(algorithm, key, input) {
      return cipher('decrypt', algorithm, key, input);
    }
    async deriveBits(given, key, bits) {
      const algorithm = normal(given);
      return derive(algorithm, keyFor(key, algorithm.name, 'deriveBits').bytes, bits).buffer;
    }
    async deriveKey(given, key, wanted, extractable, usages) {
      const algorithm = normal(given);
      const target = normal(wanted);
      const bits = target.length ?? (target.name === 'HMAC' ? blockBits(hashOf(target.hash)) : undefined);
      const bytes = derive(algorithm, keyFor(key, algorithm.name, 'deriveKey').bytes, bits);
      return this.importKey('raw', bytes, wanted, extractable, usages);
    }
    async wrapKey() {
      return unavailable('wrapKey');
    }
    async unwrapKey() {
      return unavailable('unwrapKey');
    }
  }
  tag(SubtleCrypto, 'SubtleCrypto');

  class Crypto {
    get subtle() {
      return subtle;
    }
    getRandomValues(array) {
      const bytes = isView(array) && !/^(Float|DataView)/.test(array[Symbol.toStringTag]) ? bytesOf(array) : undefined;
      if (bytes === undefined) fail('TypeMismatchError', 'The data argument must be an integer-type TypedArray');
      if (bytes.length > 65536) {
        fail('QuotaExceededError', `The requested length exceeds 65,536 bytes`);
      }
      host.random(bytes);
      return array;
    }
    randomUUID() {
      return randomUUID();
    }
  }
  tag(Crypto, 'Crypto');
  const subtle = new SubtleCrypto();
  return { crypto: new Crypto(), Crypto, CryptoKey, SubtleCrypto, keyInside: (key) => key[secret] };
};
