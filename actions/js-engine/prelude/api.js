// `api`, the second argument of the handler.

const setClaim = (method) => (key, value) => {
  const name = text(method, 'key', key);
  if (key === 'scope') throw broken(method, '`scope` is no claim: use addScope and removeScope');
  // undefined for what JSON leaves out (undefined, functions): nothing is recorded then, as JSON would drop it.
  const claim = stringify(value);
  if (claim !== undefined) send(`{"command":"${method}","key":${name},"value":${claim}}`);
  return api;
};
const trim = bind(String.prototype.trim);
const changeScope = (method) => (scope) => {
  const name = trim(string(method, 'scope', scope));
  if (name === '') throw broken(method, '`scope` must not be empty');
  if (name.length > 280) throw broken(method, '`scope` must have at most 280 characters');
  if (hasSpace(name)) throw broken(method, '`scope` must hold no white space');
  send(`{"command":"${method}","scope":${stringify(name)}}`);
};
const setProfile = (method, property) => (key, value) => {
  const name = text(method, 'key', key);
  if (key === '' || includes(key, '.') || includes(key, '$')) {
    throw broken(method, 'a key may not be empty or hold `.` or `$`');
  }
  const stored = live.user?.[property];
  if (stored !== undefined && !isObject(stored)) throw broken(method, `the user's ${property} is no object`);
  const metadata = stringify(value);
  if (metadata !== undefined) send(`{"command":"${method}","key":${name},"value":${metadata}}`);
  return api;
};
let primaryUserIsSet = false;

const api = {
  cache: cacheApi,
  access: {
    deny(reason) {
      // The dialect checks nothing here, so anything becomes text.
      send(`{"command":"access.deny","reason":${stringify(reason === undefined ? '' : String_(reason))}}`);
      return api;
    },
  },
  accessToken: {
    setCustomClaim: setClaim('accessToken.setCustomClaim'),
    addScope: changeScope('accessToken.addScope'),
    removeScope: changeScope('accessToken.removeScope'),
  },
  authentication: {
    challengeWith: withFactor('authentication.challengeWith', CHALLENGES),
    challengeWithAny: withAny('authentication.challengeWithAny', CHALLENGES),
    enrollWith: withFactor('authentication.enrollWith', ENROLLMENTS),
    enrollWithAny: withAny('authentication.enrollWithAny', ENROLLMENTS),
    recordMethod(providerUrl) {
      const method = 'authentication.recordMethod';
      const { protocol } = absolute(method, 'provider_url', providerUrl);
      if (protocol !== 'https:' && protocol !== 'http:') throw broken(method, '`provider_url` must be http or https');
      if (!continues) throw broken(method, 'a method is recorded in onContinuePostLogin only');
      send(`{"command":"${method}","provider_url":${stringify(providerUrl)}}`);
      return api;
    },
    setPrimaryUser(primaryUserId) {
      const method = 'authentication.setPrimaryUser';
      const id = stringify(atMost(method, 'primary_user_id', primaryUserId, 128));
      if (primaryUserId === '') throw broken(method, '`primary_user_id` must not be empty');
      if (primaryUserIsSet) throw broken(method, 'the primary user may be set once in a transaction');
      primaryUserIsSet = true;
      send(`{"command":"${method}","primary_user_id":${id}}`);
    },
  },
  groups,
  idToken: { setCustomClaim: setClaim('idToken.setCustomClaim') },
  multifactor: { enable: enableMultifactor },
  prompt,
  redirect,
  refreshToken: {
    revoke(reason) {
      const method = 'refreshToken.revoke';
      const why = reason === undefined ? '' : atMost(method, 'reason', reason, 1024);
      send(`{"command":"${method}","reason":${stringify(why)}}`);
    },
    setExpiresAt(absoluteMoment) {
      notOnline('setExpiresAt');
      const at = moment('refreshToken.setExpiresAt', 'absolute', absoluteMoment);
      send(`{"command":"refreshToken.setExpiresAt","absolute":${at}}`);
    },
    setIdleExpiresAt(inactivity) {
      notOnline('setIdleExpiresAt');
      const at = moment('refreshToken.setIdleExpiresAt', 'inactivity', inactivity);
      send(`{"command":"refreshToken.setIdleExpiresAt","inactivity":${at}}`);
    },
    ...refreshTokenMetadata,
  },
  roles,
  rules: {
    // There are no Rules here, so none has run.
    wasExecuted(ruleId) {
      string('rules.wasExecuted', 'ruleId', ruleId);
      return false;
    },
  },
  samlResponse,
  session: {
    setExpiresAt(absoluteMoment) {
      const at = moment('session.setExpiresAt', 'absolute', absoluteMoment);
      send(`{"command":"session.setExpiresAt","absolute":${at}}`);
    },
    setIdleExpiresAt(inactivity) {
      const at = moment('session.setIdleExpiresAt', 'inactivity', inactivity);
      send(`{"command":"session.setIdleExpiresAt","inactivity":${at}}`);
    },
    setCookieMode(mode) {
      oneOf('session.setCookieMode', 'mode', mode, ['persistent', 'non-persistent']);
      const place = session();
      if (place === undefined) return;
      send(`{"command":"session.setCookieMode","mode":"${mode}"}`);
      place.cookie = { mode };
    },
    revoke(reason, options) {
      const method = 'session.revoke';
      const why = text(method, 'reason', reason);
      let preserve = false;
      if (options !== undefined) {
        const names = keysOf(object(method, 'options', options));
        for (let i = 0; i < names.length; i++) {
          if (names[i] !== 'preserveRefreshTokens') throw broken(method, `unknown option \`${names[i]}\``);
        }
        const given = options.preserveRefreshTokens;
        preserve = given !== undefined && boolean(method, 'preserveRefreshTokens', given);
      }
      send(`{"command":"${method}","reason":${why},"preserveRefreshTokens":${preserve}}`);
    },
    ...sessionMetadata,
  },
  transaction: { setMetadata: setTransactionMetadata },
  user: {
    setUserMetadata: setProfile('user.setUserMetadata', 'user_metadata'),
    setAppMetadata: setProfile('user.setAppMetadata', 'app_metadata'),
  },
  validation: {
    error(errorCode, errorMessage) {
      const method = 'validation.error';
      const code = stringify(atMost(method, 'errorCode', errorCode, 100));
      const message = stringify(atMost(method, 'errorMessage', errorMessage, 100));
      send(`{"command":"${method}","errorCode":${code},"errorMessage":${message}}`);
      return api;
    },
  },
};
