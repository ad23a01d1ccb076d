// auth0, ManagementClient: users with their sessions and refresh tokens, as a back office has them.

import assert from 'node:assert/strict'
import { ManagementClient, ManagementError } from 'auth0'
import { config, done, visit } from './test.mjs'

const { demo, issuer } = config
const management = new ManagementClient({
  domain: new URL(issuer).host,
  clientId: demo.management_client.client_id,
  clientSecret: demo.management_client.client_secret,
  maxRetries: 0,
})

async function all(page) {
  const items = []
  for await (const item of await page) items.push(item)
  return items
}

function refused(statusCode) {
  return (error) => error instanceof ManagementError && error.statusCode === statusCode
}

async function logIn() {
  const redirect_uri = 'http://127.0.0.1:8765/callback'
  const url = new URL('authorize', issuer)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: 'demo-native',
    redirect_uri,
    scope: 'openid offline_access',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  })
  const code = new URL((await visit(url, redirect_uri, { fresh: true })).url).searchParams.get('code')
  const code_verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  const body = new URLSearchParams({ grant_type: 'authorization_code', client_id: 'demo-native', code, redirect_uri, code_verifier })
  const tokens = await (await fetch(`${issuer}oauth/token`, { method: 'POST', body })).json()
  return { ...tokens, ...JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url')) }
}

async function refresh({ refresh_token }) {
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'demo-native', refresh_token })
  return (await fetch(`${issuer}oauth/token`, { method: 'POST', body })).status
}

// A user is made, found and changed.
const made = await management.users.create({
  connection: 'Username-Password-Authentication',
  email: 'grace@example.com',
  password: 'correct horse battery staple',
  name: 'Grace',
})
const changed = await management.users.update(made.user_id, { user_metadata: { plan: 'gold' } })
assert.deepEqual(changed.user_metadata, { plan: 'gold' })
assert.equal((await management.users.get(made.user_id)).email, 'grace@example.com')
assert.ok((await all(management.users.list())).some((user) => user.user_id === made.user_id))
await management.users.delete(made.user_id)
await assert.rejects(management.users.get(made.user_id), refused(404))

// Sessions.
const first = await logIn()
const session = await management.sessions.get(first.sid)
assert.equal(session.user_id, first.sub)
await management.sessions.update(first.sid, { session_metadata: { device: 'blue' } })
assert.deepEqual((await management.sessions.get(first.sid)).session_metadata, { device: 'blue' })
assert.ok((await all(management.users.sessions.list(first.sub))).some((one) => one.id === first.sid))
await management.sessions.revoke(first.sid)
await assert.rejects(management.sessions.get(first.sid), refused(404))

// Refresh tokens.
const second = await logIn()
const tokens = await all(management.users.refreshToken.list(second.sub))
const newest = tokens.find((token) => token.session_id === second.sid)
await management.refreshTokens.update(newest.id, { refresh_token_metadata: { device: 'blue' } })
assert.deepEqual((await management.refreshTokens.get(newest.id)).refresh_token_metadata, { device: 'blue' })
assert.ok((await all(management.refreshTokens.list({ user_id: second.sub }))).some((token) => token.id === newest.id))
await management.refreshTokens.delete(newest.id)
assert.equal(await refresh(second), 403)
const third = await logIn()
const again = (await all(management.users.refreshToken.list(third.sub))).find((token) => token.session_id === third.sid)
await management.refreshTokens.revoke({ ids: [again.id] })
assert.equal(await refresh(third), 403)

// All of a user.
const fourth = await logIn()
await management.users.revokeAccess(fourth.sub, { session_id: fourth.sid })
await assert.rejects(management.sessions.get(fourth.sid), refused(404))
const fifth = await logIn()
await management.users.refreshToken.delete(fifth.sub)
assert.equal(await refresh(fifth), 403)
await management.users.sessions.delete(fifth.sub)
await assert.rejects(management.sessions.get(fifth.sid), refused(404))

done()
