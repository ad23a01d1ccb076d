// `api.cache`. Sizes, lifetimes and the number of entries are the host's to check.

const floor = Math.floor;
const isSafeInteger = Number.isSafeInteger;
const cacheError = (code) => ({ type: 'error', code });
const askCache = (call, json, otherwise) => {
  const answer = host.ask(call, json);
  return answer.ok === undefined ? otherwise : answer.ok;
};
// Floored; undefined when it is not given, null when it is no moment.
const wholeNumber = (value) => {
  if (value === undefined || value === null) return undefined;
  const whole = typeof value === 'number' ? floor(value) : value;
  return isSafeInteger(whole) ? whole : null;
};

const cacheApi = {
  get(key) {
    if (typeof key !== 'string') return undefined;
    return askCache('cache.get', `{"key":${stringify(key)}}`, null) ?? undefined;
  },
  set(key, value, options) {
    if (typeof key !== 'string' || typeof value !== 'string') return cacheError('FailedToSetCacheRecord');
    const given = typeof options === 'object' && options !== null ? options : {};
    const ttl = wholeNumber(given.ttl);
    const expiresAt = wholeNumber(given.expires_at);
    if (ttl === null || expiresAt === null) return cacheError('InvalidExpiry');
    let json = `{"key":${stringify(key)},"value":${stringify(value)}`;
    if (ttl !== undefined) json += `,"ttl":${ttl}`;
    if (expiresAt !== undefined) json += `,"expires_at":${expiresAt}`;
    return askCache('cache.set', json + '}', cacheError('FailedToSetCacheRecord'));
  },
  delete(key) {
    if (typeof key !== 'string') return cacheError('CacheKeyDoesNotExist');
    return askCache('cache.delete', `{"key":${stringify(key)}}`, cacheError('FailedToDeleteCacheRecord'));
  },
};
