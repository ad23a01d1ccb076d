// Second factors: `api.authentication.challengeWith` and the like, and `api.multifactor`.

const CHALLENGES = ['otp', 'email', 'phone', 'push-notification', 'push', 'webauthn-platform', 'webauthn-roaming', 'recovery-code'];
const ENROLLMENTS = ['otp', 'phone', 'push-notification', 'push', 'webauthn-platform', 'webauthn-roaming', 'recovery-code'];

const factorJson = (method, name, factor, types) => {
  const type = oneOf(method, `${name}.type`, object(method, name, factor).type, types);
  const given = factor.options;
  if (given === undefined) return `{"type":${stringify(type)}}`;
  object(method, `${name}.options`, given);
  let options = '';
  if (given.preferredMethod !== undefined) {
    if (type !== 'phone') throw broken(method, '`preferredMethod` is for `phone` only');
    const preferred = oneOf(method, 'preferredMethod', given.preferredMethod, ['sms', 'voice', 'both']);
    options = `"preferredMethod":${stringify(preferred)}`;
  }
  if (given.otpFallback !== undefined) {
    if (type !== 'push-notification' && type !== 'push') throw broken(method, '`otpFallback` is for `push-notification` only');
    options = `"otpFallback":${boolean(method, 'otpFallback', given.otpFallback)}`;
  }
  return `{"type":${stringify(type)},"options":{${options}}}`;
};
const factorsJson = (method, name, factors, types) => {
  let all = '';
  for (let i = 0; i < factors.length; i++) all += (i ? ',' : '') + factorJson(method, `${name}[${i}]`, factors[i], types);
  return `[${all}]`;
};
const withFactor = (method, types) => (factor, options) => {
  const first = factorJson(method, 'factor', factor, types);
  let more = '[]';
  if (options !== undefined && object(method, 'options', options).additionalFactors !== undefined) {
    const given = options.additionalFactors;
    if (!isArray(given)) throw wrong(method, '`additionalFactors` must be an array');
    more = factorsJson(method, 'additionalFactors', given, types);
  }
  send(`{"command":"${method}","factor":${first},"additionalFactors":${more}}`);
};
const withAny = (method, types) => (factors) => {
  send(`{"command":"${method}","factors":${factorsJson(method, 'factors', array(method, 'factors', factors), types)}}`);
};

const PROVIDERS = ['none', 'any', 'guardian', 'google-authenticator', 'duo'];
const enableMultifactor = (provider, options) => {
  const method = 'multifactor.enable';
  oneOf(method, 'provider', provider, PROVIDERS);
  let remember = false;
  if (options !== undefined) {
    object(method, 'options', options);
    if (options.allowRememberBrowser !== undefined) {
      remember = boolean(method, 'allowRememberBrowser', options.allowRememberBrowser);
    }
    const duo = options.providerOptions;
    if (duo !== undefined) {
      if (provider !== 'duo') throw broken(method, '`providerOptions` are for `duo` only');
      object(method, 'providerOptions', duo);
      string(method, 'providerOptions.host', duo.host);
      string(method, 'providerOptions.ikey', duo.ikey);
      string(method, 'providerOptions.skey', duo.skey);
      if (duo.username !== undefined) string(method, 'providerOptions.username', duo.username);
    }
  }
  // What `duo` was given are secrets that nobody here could use: they stay in the run.
  send(`{"command":"${method}","provider":${stringify(provider)},"allowRememberBrowser":${remember}}`);
  return api;
};
