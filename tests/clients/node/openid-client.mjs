// openid-client: what an application with this library does with its users, from the first login to the last token.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { config, done, visit } from './test.mjs'

const { issuer, demo, secret } = config
const callback = 'http://127.0.0.1:8765/callback'
const scope = 'openid profile email offline_access'

function discover(id, metadata, authentication) {
  return client.discovery(new URL(issuer), id, metadata, authentication)
}

async function logIn(as, { redirectUri = callback, parameters = {}, build = client.buildAuthorizationUrl, DPoP } = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const expectedNonce = client.randomNonce()
  const url = await build(
    as,
    {
      redirect_uri: redirectUri,
      scope,
      state: expectedState,
      nonce: expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...parameters,
    },
    { DPoP },
  )
  const arrived = await visit(url, redirectUri)
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, maxAge: parameters.max_age && Number(parameters.max_age) }
  return await client.authorizationCodeGrant(as, new URL(arrived.url), checks, {}, { DPoP })
}

/** An error of the token endpoint. */
function refused(error, status) {
  return (caught) => caught instanceof client.ResponseBodyError && caught.error === error && caught.status === status
}

const native = await discover('demo-native', undefined, client.None())
const web = await discover('outside-web', secret, client.ClientSecretBasic())

// The code flow, with all that the library can check; userinfo says what the ID token says.
const tokens = await logIn(native)
const claims = tokens.claims()
assert.equal(claims.iss, issuer)
assert.equal(claims.email, demo.user.email)
const user = await client.fetchUserInfo(native, tokens.access_token, claims.sub)
assert.deepEqual([user.email, user.name], [claims.email, claims.name])
// A login that must be a new one says when it was.
assert.equal(typeof (await logIn(native, { parameters: { max_age: '0' } })).claims().auth_time, 'number')

// Rotation: each token once; who presents an old one ends the family.
const second = await client.refreshTokenGrant(native, tokens.refresh_token)
assert.notEqual(second.refresh_token, tokens.refresh_token)
assert.equal(second.claims().sub, claims.sub)
const third = await client.refreshTokenGrant(native, second.refresh_token, { scope: 'openid' })
assert.equal(third.scope, 'openid')
await assert.rejects(client.refreshTokenGrant(native, tokens.refresh_token), refused('invalid_grant', 403))
await assert.rejects(client.refreshTokenGrant(native, third.refresh_token), refused('invalid_grant', 403))

// DPoP, with the nonces that a public client needs.
const DPoP = client.getDPoPHandle(native, await client.randomDPoPKeyPair('ES256'))
const bound = await logIn(native, { DPoP, parameters: { dpop_jkt: await DPoP.calculateThumbprint() } })
assert.equal(bound.token_type, 'dpop')
assert.equal((await client.fetchUserInfo(native, bound.access_token, claims.sub, { DPoP })).sub, claims.sub)
await assert.rejects(client.fetchUserInfo(native, bound.access_token, claims.sub))
await assert.rejects(client.refreshTokenGrant(native, bound.refresh_token))
const renewed = await client.refreshTokenGrant(native, bound.refresh_token, {}, { DPoP })
assert.equal(renewed.token_type, 'dpop')

// Pushed authorization requests, introspection and revocation of a confidential client.
const webCallback = 'https://app.example/callback'
const pushed = await logIn(web, { redirectUri: webCallback, build: client.buildAuthorizationUrlWithPAR })
const known = await client.tokenIntrospection(web, pushed.refresh_token)
assert.deepEqual([known.active, known.sub], [true, claims.sub])
await client.tokenRevocation(web, pushed.refresh_token)
assert.equal((await client.tokenIntrospection(web, pushed.refresh_token)).active, false)
await assert.rejects(client.refreshTokenGrant(web, pushed.refresh_token), refused('invalid_grant', 403))

// The answer in a form.
const formed = await (async () => {
  const expectedState = client.randomState()
  const parameters = { redirect_uri: webCallback, scope, state: expectedState, response_mode: 'form_post' }
  const arrived = await visit(client.buildAuthorizationUrl(web, parameters), webCallback)
  const body = new URLSearchParams(arrived.form)
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const request = new Request(arrived.url, { method: 'POST', headers, body })
  return await client.authorizationCodeGrant(web, request, { expectedState })
})()
assert.equal(formed.claims().sub, claims.sub)

// A device.
const device = await discover('outside-device', undefined, client.None())
const codes = await client.initiateDeviceAuthorization(device, { scope })
await visit(codes.verification_uri_complete, `${issuer}activate/connected`)
const ofDevice = await client.pollDeviceAuthorizationGrant(device, codes)
assert.equal(ofDevice.claims().sub, claims.sub)

// Logout.
const bye = client.buildEndSessionUrl(web, {
  id_token_hint: formed.id_token,
  post_logout_redirect_uri: 'https://app.example/bye',
  state: 'the-state',
})
assert.equal((await visit(bye, 'https://app.example/')).url, 'https://app.example/bye?state=the-state')
const silent = client.buildAuthorizationUrl(web, { redirect_uri: webCallback, scope, prompt: 'none', state: 's' })
const after = await visit(silent, webCallback)
await assert.rejects(
  client.authorizationCodeGrant(web, new URL(after.url), { expectedState: 's' }),
  (caught) => caught instanceof client.AuthorizationResponseError && caught.error === 'login_required',
)

done()
