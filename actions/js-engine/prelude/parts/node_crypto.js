// Node's `crypto`.

makers.node_crypto = () => {
  let inside;
  let content;
  const { readKey, randomBytes, randomUUID, same, fromUrl, toUrl } = part('keys');
  const { Buffer, encodeText, asBuffer } = part('buffer');
  const web = part('crypto');
  const given = (value, encoding, what = 'data') => {
    if (typeof value === 'string') return encodeText(value, encoding === 'buffer' ? undefined : encoding);
    const bytes = value instanceof KeyObject ? value.bytes() : bytesOf(value);
    if (bytes !== undefined) return bytes;
    throw nodeError(
      TypeError_,
      'ERR_INVALID_ARG_TYPE',
      `The "${what}" argument must be of type string or an instance of Buffer, TypedArray, or DataView.`,
    );
  };
  const output = (bytes, encoding) =>
    encoding === undefined || encoding === null || encoding === 'buffer'
      ? asBuffer(bytes)
      : asBuffer(bytes).toString(encoding);
  const hashes = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'];
  const hashId = (name) => {
    const id = `${name}`.toLowerCase().replace(/^rsa-/, '').replace(/^sha-/, 'sha');
    if (hashes.includes(id)) return id;
    throw nodeError(Error_, 'ERR_OSSL_EVP_UNSUPPORTED', `Digest method not supported: ${name}`);
  };
  const missing = (what) => () => {
    throw nodeError(Error_, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', `crypto.${what} is not available in Actions`);
  };
  // With a callback as last argument, as Node does without one.
  const late = (call, callback) => {
    let result;
    let failure = null;
    try {
      result = call();
    } catch (error) {
      failure = error;
    }
    queueMicrotask(() => (failure === null ? callback(null, result) : callback(failure)));
  };

  // Both keep what they get until it is asked for: the host hashes it at once.
  class Hash {
    #chunks = [];
    #done = false;
    #compute;
    constructor(compute, chunks = []) {
      this.#compute = compute;
      this.#chunks = chunks;
    }
    update(data, encoding) {
      if (this.#done) throw nodeError(Error_, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
      this.#chunks.push(given(data, encoding).slice());
      return this;
    }
    digest(encoding) {
      if (this.#done) throw nodeError(Error_, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
      this.#done = true;
      return output(this.#compute(concatBytes(this.#chunks)), encoding);
    }
    copy() {
      if (this.#done) throw nodeError(Error_, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
      return new Hash(this.#compute, [...this.#chunks]);
    }
  }
  const createHash = (name) => {
    const id = hashId(name);
    return new Hash((data) => native('digest', id, data));
  };
  const createHmac = (name, key) => {
    const [id, secret] = [hashId(name), given(key, undefined, 'key').slice()];
    return new Hash((data) => native('hmac', id, secret, data));
  };

  const pem = (label, der) =>
    `-----BEGIN ${label}-----\n${toBase64(der).replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
  class KeyObject {
    #key;
    constructor(key) {
      if (key?.type === undefined) throw nodeError(TypeError_, 'ERR_INVALID_ARG_VALUE', 'Illegal constructor');
      this.#key = key;
    }
    static from(key) {
      const inside = web.keyInside(key);
      return new KeyObject(
        inside.bytes === undefined
          ? { ...readKey(inside.type === 'public' ? 'spki' : 'pkcs8', inside.der) }
          : { type: 'secret', der: inside.bytes },
      );
    }
    get type() {
      return this.#key.type;
    }
    get asymmetricKeyType() {
      return this.#key.jwk && (this.#key.jwk.kty === 'RSA' ? 'rsa' : 'ec');
    }
    get asymmetricKeyDetails() {
      const { jwk, bits, curve } = this.#key;
      if (jwk === undefined) return undefined;
      if (jwk.kty !== 'RSA') return { namedCurve: curve === 'P-256' ? 'prime256v1' : 'secp384r1' };
      return { modulusLength: bits, publicExponent: BigInt(`0x${fromUrl(jwk.e).toHex()}`) };
    }
    get symmetricKeySize() {
      return this.#key.jwk === undefined ? this.#key.der.length : undefined;
    }
    bytes() {
      if (this.#key.jwk !== undefined)
        throw nodeError(
          TypeError_,
          'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE',
          `Invalid key object type ${this.type}, expected secret.`,
        );
      return this.#key.der;
    }
    static {
      inside = (key) => key.#key;
    }
    equals(other) {
      return other instanceof KeyObject && this.type === other.type && same(this.#key.der, other.#key.der);
    }
    export(options) {
      const { type, der, jwk } = this.#key;
      if (options?.format === 'jwk') return jwk === undefined ? { kty: 'oct', k: toUrl(der) } : { ...jwk };
      if (type === 'secret') return asBuffer(der.slice());
      const form = options?.type ?? (type === 'public' ? 'spki' : 'pkcs8');
      if (form !== (type === 'public' ? 'spki' : 'pkcs8') || options?.cipher !== undefined) {
        throw nodeError(
          Error_,
          'ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS',
          `exporting a ${type} key as ${form} is not available in Actions`,
        );
      }
      return options?.format === 'der'
        ? asBuffer(der.slice())
        : pem(type === 'public' ? 'PUBLIC KEY' : 'PRIVATE KEY', der);
    }
  }
  tag(KeyObject, 'KeyObject');
  // Reads what Node takes as a key: a text or bytes in PEM, an object with options, or a KeyObject.
  const keyOf = (value, want) => {
    const options =
      typeof value === 'object' && value !== null && value.key !== undefined && !(value instanceof KeyObject)
        ? value
        : {};
    const source = options.key ?? value;
    if (source instanceof KeyObject) {
      if (source.type === want) return inside(source);
      if (source.type === 'private' && want === 'public') return readKey('pkcs8', inside(source).der, true);
      throw nodeError(
        TypeError_,
        'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE',
        `Invalid key object type ${source.type}, expected ${want}.`,
      );
    }
    if (source instanceof web.CryptoKey) return keyOf(KeyObject.from(source), want);
    const half = want === 'public';
    try {
      let key;
      if (options.format === 'jwk') key = readKey('jwk', stringify(source), half);
      else if (options.format === 'der') key = readKey(options.type ?? (half ? 'spki' : 'pkcs8'), given(source), half);
      else key = readKey('pem', given(source, undefined, 'key'), half);
      if (key.type !== want) throw new Error_('a private key is needed');
      return key;
    } catch (error) {
      if (error.code !== undefined) throw error;
      throw nodeError(Error_, 'ERR_OSSL_UNSUPPORTED', `the key cannot be read: ${error.message}`);
    }
  };
  const createPrivateKey = (key) => new KeyObject(keyOf(key, 'private'));
  const createPublicKey = (key) => new KeyObject(keyOf(key, 'public'));
  const createSecretKey = (key, encoding) =>
    new KeyObject({ type: 'secret', der: given(key, encoding, 'key').slice() });

  // Between the `r` and `s` of JWS and the DER of everything else.
  const toDer = (raw) => {
    const integer = (bytes) => {
      let at = 0;
      while (at < bytes.length - 1 && bytes[at] === 0) at++;
      const value = bytes[at] >= 0x80 ? [0, ...bytes.subarray(at)] : [...bytes.subarray(at)];
      return [2, value.length, ...value];
    };
    const body = [...integer(raw.subarray(0, raw.length / 2)), ...integer(raw.subarray(raw.length / 2))];
    return Uint8Array_.from([0x30, ...(body.length >= 0x80 ? [0x81] : []), body.length, ...body]);
  };
  const fromDer = (der, size) => {
    const raw = new Uint8Array_(2 * size);
    let at = der[1] === 0x81 ? 3 : 2;
    for (const end of [size, 2 * size]) {
      const value = der.subarray(at + 2, at + 2 + der[at + 1]);
      const digits = value[0] === 0 ? value.subarray(1) : value;
      if (der[at] !== 2 || digits.length > size) return undefined;
      raw.set(digits, end - digits.length);
      at += 2 + value.length;
    }
    return at === der.length ? raw : undefined;
  };
  const constants = {
    RSA_PKCS1_PADDING: 1,
    RSA_NO_PADDING: 3,
    RSA_PKCS1_OAEP_PADDING: 4,
    RSA_PKCS1_PSS_PADDING: 6,
    RSA_PSS_SALTLEN_DIGEST: -1,
    RSA_PSS_SALTLEN_MAX_SIGN: -2,
    RSA_PSS_SALTLEN_AUTO: -2,
  };
  const schemeOf = (key, options) =>
    key.jwk.kty === 'EC' ? 'ecdsa' : options?.padding === constants.RSA_PKCS1_PSS_PADDING ? 'pss' : 'pkcs1';
  const signed = (hash, data, source) => {
    const key = keyOf(source, 'private');
    const scheme = schemeOf(key, source);
    if (scheme === 'pss' && source.saltLength !== 0) missing('sign with RSA-PSS and a salt')();
    const raw = native('sign', scheme, hash, key.der, data);
    return scheme === 'ecdsa' && source?.dsaEncoding !== 'ieee-p1363' ? toDer(raw) : raw;
  };
  const verified = (hash, data, source, signature) => {
    const key = keyOf(source, 'public');
    const scheme = schemeOf(key, source);
    let raw = signature;
    if (scheme === 'ecdsa' && source?.dsaEncoding !== 'ieee-p1363') {
      raw = fromDer(signature, key.curve === 'P-256' ? 32 : 48);
      if (raw === undefined) return false;
    }
    const digestSize = { sha256: 32, sha384: 48, sha512: 64 }[hash];
    const salt = source?.saltLength === undefined || source.saltLength < 0 ? digestSize : source.saltLength;
    return native('verify', scheme, hash, key.der, data, raw, salt) === 'true';
  };
  class Signature {
    #hash;
    #chunks = [];
    constructor(name) {
      this.#hash = hashId(name);
    }
    update(data, encoding) {
      this.#chunks.push(given(data, encoding).slice());
      return this;
    }
    end(data, encoding) {
      return data === undefined ? this : this.update(data, encoding);
    }
    write(data, encoding) {
      this.update(data, encoding);
      return true;
    }
    static {
      content = (signature) => [signature.#hash, concatBytes(signature.#chunks)];
    }
  }
  class Sign extends Signature {
    sign(key, encoding) {
      return output(signed(...content(this), key), encoding);
    }
  }
  class Verify extends Signature {
    verify(key, signature, encoding) {
      return verified(...content(this), key, given(signature, encoding, 'signature'));
    }
  }

  class Cipher {
    #mode;
    #direction;
    #key;
    #iv;
    #chunks = [];
    #additional = [];
    #tag;
    constructor(direction, name, key, iv, options) {
      const [, bits, mode] = /^aes-?(128|192|256)-(cbc|gcm)$/i.exec(name) ?? [];
      if (mode === undefined)
        throw nodeError(
          Error_,
          'ERR_CRYPTO_UNKNOWN_CIPHER',
          `Unknown cipher, or one that is not available in Actions: ${name}`,
        );
      if ((options?.authTagLength ?? 16) !== 16)
        missing(`createCipheriv with a tag of ${options.authTagLength} bytes`)();
      this.#mode = mode.toLowerCase();
      this.#direction = direction;
      this.#key = given(key, undefined, 'key').slice();
      this.#iv = given(iv, undefined, 'iv').slice();
      if (this.#key.length * 8 !== Number(bits))
        throw nodeError(RangeError, 'ERR_CRYPTO_INVALID_KEYLEN', 'Invalid key length');
      if (this.#mode === 'cbc' && this.#iv.length !== 16)
        throw nodeError(TypeError_, 'ERR_CRYPTO_INVALID_IV', 'Invalid initialization vector');
      if (this.#mode === 'gcm' && this.#iv.length !== 12)
        missing('createCipheriv with GCM and an initialization vector of other than 12 bytes')();
    }
    // All of it comes from `final`.
    update(data, encoding, outputEncoding) {
      this.#chunks.push(given(data, encoding).slice());
      return output(new Uint8Array_(0), outputEncoding);
    }
    final(outputEncoding) {
      let data = concatBytes(this.#chunks);
      const gcm = this.#mode === 'gcm';
      if (gcm && this.#direction === 'decrypt') {
        if (this.#tag === undefined) throw new Error_('Unsupported state or unable to authenticate data');
        data = concatBytes([data, this.#tag]);
      }
      let result;
      try {
        const additional = gcm ? concatBytes(this.#additional) : undefined;
        result = native('cipher', this.#mode, this.#direction, this.#key, this.#iv, data, additional);
      } catch (error) {
        throw gcm
          ? new Error_('Unsupported state or unable to authenticate data')
          : nodeError(Error_, 'ERR_OSSL_BAD_DECRYPT', error.message);
      }
      if (gcm && this.#direction === 'encrypt') {
        this.#tag = result.slice(-16);
        result = result.slice(0, -16);
      }
      return output(result, outputEncoding);
    }
    setAAD(data) {
      this.#additional.push(given(data).slice());
      return this;
    }
    getAuthTag() {
      if (this.#tag === undefined)
        throw nodeError(Error_, 'ERR_CRYPTO_INVALID_STATE', 'Invalid state for operation getAuthTag');
      return asBuffer(this.#tag.slice());
    }
    setAuthTag(tag, encoding) {
      this.#tag = given(tag, encoding).slice();
      return this;
    }
    setAutoPadding(pads = true) {
      if (!pads) missing('setAutoPadding(false)')();
      return this;
    }
  }

  const module = {
    createHash,
    createHmac,
    hash: (name, data, encoding = 'hex') => output(native('digest', hashId(name), given(data)), encoding),
    getHashes: () => [...hashes],
    getCiphers: () => ['128', '192', '256'].flatMap((bits) => [`aes-${bits}-cbc`, `aes-${bits}-gcm`]),
    randomBytes(size, callback) {
      const call = () => asBuffer(randomBytes(Buffer.alloc(size).length));
      return callback === undefined ? call() : late(call, callback);
    },
    randomFillSync(target) {
      host.random(bytesOf(target));
      return target;
    },
    randomInt(least, most, callback) {
      if (most === undefined || typeof most === 'function') [least, most, callback] = [0, least, most];
      const range = most - least;
      if (!Number.isSafeInteger(least) || !Number.isSafeInteger(most) || !(range > 0) || range > 2 ** 48 - 1) {
        throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "max" is out of range.');
      }
      const draw = () => {
        for (;;) {
          const value = parseInt(randomBytes(6).toHex(), 16);
          // Without the rest that would favour low numbers.
          if (value < 2 ** 48 - (2 ** 48 % range)) return least + (value % range);
        }
      };
      return callback === undefined ? draw() : late(draw, callback);
    },
    randomUUID,
    timingSafeEqual(a, b) {
      const [left, right] = [given(a), given(b)];
      if (left.length !== right.length) {
        throw nodeError(
          RangeError,
          'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH',
          'Input buffers must have the same byte length',
        );
      }
      return same(left, right);
    },
    pbkdf2Sync: (password, salt, rounds, length, hash) =>
      asBuffer(native('pbkdf2', hashId(hash), given(password), given(salt), rounds, length)),
    pbkdf2: (password, salt, rounds, length, hash, callback) =>
      late(() => module.pbkdf2Sync(password, salt, rounds, length, hash), callback),
    hkdfSync: (hash, key, salt, info, length) =>
      native('hkdf', hashId(hash), given(key), given(salt), given(info), length).buffer,
    hkdf: (hash, key, salt, info, length, callback) =>
      late(() => module.hkdfSync(hash, key, salt, info, length), callback),
    createPrivateKey,
    createPublicKey,
    createSecretKey,
    KeyObject,
    createSign: (name) => new Sign(name),
    createVerify: (name) => new Verify(name),
    sign(name, data, key, callback) {
      const call = () => asBuffer(signed(hashId(name ?? 'sha256'), given(data), key));
      return callback === undefined ? call() : late(call, callback);
    },
    verify(name, data, key, signature, callback) {
      const call = () => verified(hashId(name ?? 'sha256'), given(data), key, given(signature));
      return callback === undefined ? call() : late(call, callback);
    },
    createCipheriv: (...values) => new Cipher('encrypt', ...values),
    createDecipheriv: (...values) => new Cipher('decrypt', ...values),
    webcrypto: web.crypto,
    subtle: web.crypto.subtle,
    getRandomValues: (array) => web.crypto.getRandomValues(array),
    constants,
    Hash,
    Hmac: Hash,
    Sign,
    Verify,
  };
  for (const name of 'scrypt scryptSync generateKeyPair generateKeyPairSync publicEncrypt privateDecrypt privateEncrypt publicDecrypt createDiffieHellman createECDH'.split(
    ' ',
  )) {
    module[name] = missing(name);
  }
  return module;
};
