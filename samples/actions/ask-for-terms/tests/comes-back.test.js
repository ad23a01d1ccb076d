// The browser is back from the page, which knows the secret, too, and signs its answer.
const assert = require('assert');
const { createHmac } = require('crypto');
const { test, run } = require('postern:test');

const NOW = 1780000000;

const answer = (claims, secret = 's3cret') => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'auth0|123', exp: NOW + 60, state: 'x', ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
};
const back = (session_token) => run('events/terms-unknown.json', { continue: { state: 'x', session_token } });

test('who has accepted goes on', async () => {
  const login = await back(answer({ accepted: true }));
  assert.equal(login.error, null);
  assert.equal(login.decision.denied, null);
});

test('who has not is refused', async () => {
  const login = await back(answer({ accepted: false }));
  assert.equal(login.decision.denied, 'The terms were not accepted');
});

test('an answer of somebody else counts for nothing', async () => {
  for (const token of [answer({ accepted: true }, 'guess'), answer({ accepted: true, sub: 'auth0|9' }), 'x']) {
    const login = await back(token);
    assert.ok(login.error.includes('validateToken'), login.error);
    assert.deepEqual(login.commands, []);
  }
});
