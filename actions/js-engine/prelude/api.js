// `api`, the second argument of the handler.

const send = (text) => host.command(text);

const text = (method, name, value) => {
  if (typeof value !== 'string') throw new TypeError_(`api.${method}: \`${name}\` must be a string`);
  return stringify(value);
};
// undefined for what JSON leaves out (undefined, functions): nothing is recorded then, as JSON would drop it.
const json = (value) => stringify(value);
const moment = (method, name, value) => {
  if (!value) throw new Error_(`api.${method}: a value must be given for \`${name}\``);
  if (typeof value !== 'number' || !isFinite_(value)) {
    throw new TypeError_(`api.${method}: \`${name}\` must be a finite number`);
  }
  return '' + value;
};
const setClaim = (method) => (key, value) => {
  const name = text(method, 'key', key);
  if (key === 'scope') throw new Error_(`api.${method} cannot set \`scope\``);
  const claim = json(value);
  if (claim !== undefined) send(`{"command":"${method}","key":${name},"value":${claim}}`);
  return api;
};
const setMetadata = (method) => (key, value) => {
  const name = text(method, 'key', key);
  if (key === '' || includes(key, '.') || includes(key, '$')) {
    throw new Error_(`api.${method}: a key may not be empty or hold \`.\` or \`$\``);
  }
  const metadata = json(value);
  if (metadata !== undefined) send(`{"command":"${method}","key":${name},"value":${metadata}}`);
  return api;
};

const api = {
  cache: cacheApi,
  access: {
    deny(reason) {
      // The dialect checks nothing here, so anything becomes text.
      send(`{"command":"access.deny","reason":${stringify(reason === undefined ? '' : String_(reason))}}`);
      return api;
    },
  },
  session: {
    setExpiresAt(absolute) {
      send(`{"command":"session.setExpiresAt","absolute":${moment('session.setExpiresAt', 'absolute', absolute)}}`);
    },
    setIdleExpiresAt(inactivity) {
      const value = moment('session.setIdleExpiresAt', 'inactivity', inactivity);
      send(`{"command":"session.setIdleExpiresAt","inactivity":${value}}`);
    },
    revoke(reason, options) {
      const why = text('session.revoke', 'reason', reason);
      let preserve = false;
      if (options !== undefined) {
        if (typeof options !== 'object' || options === null || isArray(options)) {
          throw new TypeError_('api.session.revoke: `options` must be an object');
        }
        const names = keysOf(options);
        for (let i = 0; i < names.length; i++) {
          if (names[i] !== 'preserveRefreshTokens') {
            throw new Error_(`api.session.revoke: unknown option \`${names[i]}\``);
          }
        }
        const given = options.preserveRefreshTokens;
        if (given !== undefined && typeof given !== 'boolean') {
          throw new TypeError_('api.session.revoke: `preserveRefreshTokens` must be a boolean');
        }
        preserve = given === true;
      }
      send(`{"command":"session.revoke","reason":${why},"preserveRefreshTokens":${preserve}}`);
    },
  },
  idToken: { setCustomClaim: setClaim('idToken.setCustomClaim') },
  accessToken: { setCustomClaim: setClaim('accessToken.setCustomClaim') },
  user: {
    setUserMetadata: setMetadata('user.setUserMetadata'),
    setAppMetadata: setMetadata('user.setAppMetadata'),
  },
};

// The rest of the dialect, so that a script learns at the call what is missing, by name.
const later = {
  accessToken: 'addScope removeScope',
  authentication: 'challengeWith challengeWithAny enrollWith enrollWithAny recordMethod setPrimaryUser',
  groups: 'getUserGroups hasGroupMembership',
  multifactor: 'enable',
  prompt: 'render',
  redirect: 'canRedirect encodeToken sendUserTo validateToken',
  refreshToken: 'deleteMetadata evictMetadata revoke setExpiresAt setIdleExpiresAt setMetadata',
  roles: 'getUserEffectiveRoles getUserEffectiveRolesByIds getUserEffectiveRolesByNames',
  rules: 'wasExecuted',
  samlResponse:
    'setAttribute setAudience setAuthnContextClassRef setCert setCreateUpnClaim setDestination setDigestAlgorithm ' +
    'setEncryptionAlgorithm setEncryptionCert setEncryptionPublicKey setIncludeAttributeNameFormat setIssuer ' +
    'setKey setLifetimeInSeconds setMapIdentities setMapUnknownClaimsAsIs setNameIdentifierFormat ' +
    'setNameIdentifierProbes setPassthroughClaimsWithNoMapping setRecipient setRelayState setSignResponse ' +
    'setSignatureAlgorithm setSigningCert setTypedAttributes',
  session: 'deleteMetadata evictMetadata setCookieMode setMetadata',
  transaction: 'setMetadata',
  validation: 'error',
};
for (const group of keysOf(later)) {
  api[group] ??= {};
  for (const method of later[group].split(' ')) {
    api[group][method] = () => {
      throw new Error_(`api.${group}.${method} is not available in this version of Postern`);
    };
  }
}
