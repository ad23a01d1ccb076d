// `api.redirect` and `api.prompt`: the browser leaves after this Action, and comes back to `onContinuePostLogin`.

let redirects = false;
let renders = false;
const MAX_FORM_BYTES = 24 << 10;
const isFieldKey = bind(RegExp.prototype.test, /^[A-Za-z_][A-Za-z0-9_]{0,49}$/);
const NO_REDIRECT = ['oauth2-resource-owner', 'oauth2-refresh-token', 'oauth2-password', 'oauth2-webauthn'];

const absolute = (method, name, value) => {
  string(method, name, value);
  try {
    return new (part('url').URL)(value);
  } catch {
    throw broken(method, `\`${name}\` must be an absolute URL`);
  }
};
const base64url = (bytes) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
const signature = (signed, secret) => native('hmac', 'sha256', secret, signed);
// Without a difference in time that tells how much of it is right.
const isSame = (one, other) => {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let i = 0; i < one.length; i++) difference |= one[i] ^ other[i];
  return difference === 0;
};
const seconds = () => Math.floor(Date.now() / 1000);

const redirect = {
  canRedirect() {
    if (live.request?.query?.prompt === 'none') return false;
    for (let i = 0; i < NO_REDIRECT.length; i++) if (live.transaction?.protocol === NO_REDIRECT[i]) return false;
    return true;
  },
  encodeToken(options) {
    const method = 'redirect.encodeToken';
    const { secret, payload, expiresInSeconds = 900 } = object(method, 'options', options);
    if (string(method, 'secret', secret) === '') throw broken(method, '`secret` must not be empty');
    object(method, 'payload', payload);
    if (typeof expiresInSeconds !== 'number' || !isFinite_(expiresInSeconds)) {
      throw wrong(method, '`expiresInSeconds` must be a finite number');
    }
    const now = seconds();
    const claims = { iat: now, exp: now + expiresInSeconds, iss: live.request?.hostname, sub: live.user?.user_id, ip: live.request?.ip };
    const names = keysOf(payload);
    for (let i = 0; i < names.length; i++) claims[names[i]] = payload[names[i]];
    const signed = base64url(utf8('{"alg":"HS256","typ":"JWT"}')) + '.' + base64url(utf8(stringify(claims)));
    return signed + '.' + base64url(signature(signed, secret));
  },
  validateToken(options) {
    const method = 'redirect.validateToken';
    const { secret, tokenParameterName = 'session_token' } = object(method, 'options', options);
    if (string(method, 'secret', secret) === '') throw broken(method, '`secret` must not be empty');
    string(method, 'tokenParameterName', tokenParameterName);
    const { query = {}, body = {} } = live.request ?? {};
    const given = (name) => (hasOwn(body, name) ? body[name] : hasOwn(query, name) ? query[name] : undefined);
    const token = given(tokenParameterName);
    if (typeof token !== 'string') throw broken(method, `the parameter \`${tokenParameterName}\` is missing`);
    const invalid = (why) => broken(method, `the token is not valid: ${why}`);
    const first = indexOf(token, '.');
    const last = lastIndexOf(token, '.');
    if (first < 1 || last <= first) throw invalid('it is no JWT');
    const read = (piece) => parseJson(utf8Text(Uint8Array_.fromBase64(piece, { alphabet: 'base64url' })));
    let header;
    let claims;
    let signed;
    try {
      header = read(slice(token, 0, first));
      claims = read(slice(token, first + 1, last));
      signed = Uint8Array_.fromBase64(slice(token, last + 1), { alphabet: 'base64url' });
    } catch {
      throw invalid('it is no JWT');
    }
    if (!isObject(header) || header.alg !== 'HS256' || !isObject(claims)) throw invalid('it is not signed with HS256');
    if (!isSame(signed, signature(slice(token, 0, last), secret))) throw invalid('its signature is wrong');
    if (typeof claims.exp !== 'number' || claims.exp <= seconds()) throw invalid('it has expired');
    if (typeof claims.nbf === 'number' && claims.nbf > seconds()) throw invalid('it is from the future');
    if (claims.state !== given('state')) throw invalid('its `state` is another');
    if (claims.sub !== live.user?.user_id) throw invalid('its `sub` is not the user');
    return claims;
  },
  sendUserTo(url, options) {
    const method = 'redirect.sendUserTo';
    const target = absolute(method, 'url', url);
    if (target.protocol !== 'https:' && target.protocol !== 'http:') throw broken(method, '`url` must be http or https');
    if (options !== undefined && object(method, 'options', options).query !== undefined) {
      const query = object(method, 'options.query', options.query);
      const names = keysOf(query);
      for (let i = 0; i < names.length; i++) target.searchParams.set(names[i], query[names[i]]);
    }
    redirects = true;
    send(`{"command":"${method}","url":${stringify(target.href)}}`);
    if (renders) throw broken(method, 'this Action renders a form already');
    return api;
  },
};

const formValues = (method, name, given, isAllowed) => {
  if (given === undefined) return '{}';
  const names = keysOf(object(method, name, given));
  if (names.length > 24) throw broken(method, `\`${name}\` may have at most 24 keys`);
  for (let i = 0; i < names.length; i++) {
    if (!isAllowed(names[i])) throw broken(method, `\`${name}\` may not have the key \`${names[i]}\``);
  }
  return stringify(given);
};
const prompt = {
  render(promptId, promptOptions) {
    const method = 'prompt.render';
    const id = stringify(atMost(method, 'promptId', promptId, 48));
    const options = promptOptions === undefined ? {} : object(method, 'promptOptions', promptOptions);
    const fields = formValues(method, 'fields', options.fields, isFieldKey);
    const vars = formValues(method, 'vars', options.vars, () => true);
    if (isLonger(fields + vars, MAX_FORM_BYTES)) throw broken(method, '`promptOptions` may have at most 24 KiB');
    const again = renders || redirects;
    renders = true;
    send(`{"command":"${method}","promptId":${id},"fields":${fields},"vars":${vars}}`);
    if (again) throw broken(method, 'this Action renders a form or redirects already');
  },
};
