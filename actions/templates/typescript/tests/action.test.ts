// Cases as code. Each `run` is one login, in a sandbox of its own.
import { assert, test, run } from 'postern:test';

test('a session that was handed over ends half an hour later', async () => {
  const login = await run('native-to-web', { stand_ins: { now: '2026-02-01T12:00:00Z' } });
  assert.equal(new Date(login.decision.session_expires_at).toISOString(), '2026-02-01T12:30:00.000Z');
  assert.ok(login.fuel < 5_000_000);
});

test('another login keeps its lifetime', async () => {
  const login = await run('ordinary-login', { set: { 'user.email': 'eve@example.com' } });
  assert.deepEqual(login.commands, []);
});
