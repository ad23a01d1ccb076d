// The metadata of sessions, refresh tokens and the transaction. They are live: the event has what was set.

const MAX_ENTRIES = 25;
const MAX_CHARACTERS = 255;
const isKey = bind(RegExp.prototype.test, /^[A-Za-z0-9_-]{1,255}$/);
// What this Action set for a refresh token that is yet to be issued: the event has none.
let untold = {};

const metadataOf = (holder) => {
  if (!isObject(holder.metadata)) holder.metadata = {};
  return holder.metadata;
};
const count = (metadata) => keysOf(metadata).length;

// The three methods for what has metadata. `holder` answers the place in the event that shows them; undefined: there is
// none, and `required` throws then.
const metadataMethods = (group, what, holder, check) => {
  const refuse = (rule) => {
    throw new Error_(`Failed to set ${what} metadata: ${rule}`);
  };
  return {
    setMetadata(key, value) {
      check('setMetadata', true);
      if (typeof key !== 'string') refuse('the key must be a string');
      if (!isKey(key)) refuse('a key has 1 to 255 letters, digits, `_` and `-`');
      const place = holder();
      const known = place === undefined ? untold : metadataOf(place);
      if (value === null) {
        if (hasOwn(known, key)) {
          send(`{"command":"${group}.setMetadata","key":${stringify(key)},"value":null}`);
          delete known[key];
        }
        return;
      }
      if (typeof value !== 'string') refuse('the value must be a string or null');
      if (value.length > MAX_CHARACTERS) refuse(`a value has at most ${MAX_CHARACTERS} characters`);
      if (includes(value, '\0')) refuse('a value may hold no null byte');
      if (!hasOwn(known, key) && count(known) >= MAX_ENTRIES) refuse(`there may be at most ${MAX_ENTRIES} entries`);
      send(`{"command":"${group}.setMetadata","key":${stringify(key)},"value":${stringify(value)}}`);
      known[key] = value;
    },
    deleteMetadata(key) {
      if (!check('deleteMetadata', false)) return;
      const name = text(`${group}.deleteMetadata`, 'key', key);
      const place = holder();
      const known = place === undefined ? untold : metadataOf(place);
      // Without a token, only the host knows what is there.
      if (place !== undefined && !hasOwn(known, key)) return;
      send(`{"command":"${group}.deleteMetadata","key":${name}}`);
      delete known[key];
    },
    evictMetadata() {
      if (!check('evictMetadata', false)) return;
      const place = holder();
      if (place !== undefined && count(metadataOf(place)) === 0) return;
      send(`{"command":"${group}.evictMetadata"}`);
      if (place === undefined) untold = {};
      else place.metadata = {};
    },
  };
};

const session = () => (isObject(live.session) ? live.session : undefined);
const sessionMetadata = metadataMethods('session', 'session', session, (method, required) => {
  if (session() !== undefined) return true;
  if (required) throw new Error_('Failed to set session metadata: this flow has no session');
  return false;
});

const refreshToken = () => (isObject(live.refresh_token) ? live.refresh_token : undefined);
// An online refresh token lives with its session, and has nothing of its own.
const notOnline = (method) => {
  if (refreshToken()?.access === 'online') {
    throw new Error_(`api.refreshToken.${method}: an online refresh token is managed by api.session`);
  }
  return true;
};
const refreshTokenMetadata = metadataMethods('refreshToken', 'refresh token', refreshToken, notOnline);

const MAX_TRANSACTION_VALUE = 8 << 10;
const MAX_TRANSACTION = 16 << 10;
const isSafe = Number.isSafeInteger;
const isInteger = Number.isInteger;
// Bytes as UTF-8.
const charCodeAt = bind(String.prototype.charCodeAt);
const bytesOfText = (value) => {
  let bytes = 0;
  for (let i = 0; i < value.length; i++) {
    const unit = charCodeAt(value, i);
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : unit >= 0xd800 && unit < 0xe000 ? 2 : 3;
  }
  return bytes;
};
// Whether it has more bytes than that. They are counted where it may be: a UTF-16 unit has at most three.
const isLonger = (value, bytes) => value.length > bytes || (value.length * 3 > bytes && bytesOfText(value) > bytes);
// No fewer than the bytes of all: where it says too many, they are counted.
let transactionBytes;
const setTransactionMetadata = (key, value) => {
  const method = 'transaction.setMetadata';
  const refuse = (rule) => {
    throw broken(method, rule);
  };
  if (string(method, 'key', key).length === 0 || key.length > 64) refuse('`key` must have 1 to 64 characters');
  const kind = typeof value;
  if (value !== null && kind !== 'string' && kind !== 'number' && kind !== 'boolean') {
    throw wrong(method, '`value` must be a string, a number, a boolean or null');
  }
  if (kind === 'number' && (!isFinite_(value) || (isInteger(value) && !isSafe(value)))) {
    refuse('a number must be finite, and an integer safe');
  }
  if (kind === 'string' && isLonger(value, MAX_TRANSACTION_VALUE)) refuse('a string has at most 8 kB');
  if (!isObject(live.transaction)) live.transaction = {};
  const known = metadataOf(live.transaction);
  const had = hasOwn(known, key);
  const before = known[key];
  const name = stringify(key);
  const json = stringify(value);
  transactionBytes = (transactionBytes ?? stringify(known).length * 3) + (name.length + json.length) * 3 + 2;
  if (value === null) delete known[key];
  else known[key] = value;
  if (transactionBytes > MAX_TRANSACTION) {
    transactionBytes = bytesOfText(stringify(known));
    if (transactionBytes > MAX_TRANSACTION) {
      if (had) known[key] = before;
      else delete known[key];
      refuse('all of them may have at most 16 kB');
    }
  }
  send(`{"command":"${method}","key":${name},"value":${json}}`);
};
