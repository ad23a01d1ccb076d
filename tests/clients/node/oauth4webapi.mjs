// oauth4webapi: the strictest reader of what a server answers, one request at a time.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { config, done, visit } from './test.mjs'

const { demo, secret } = config
const issuer = new URL(config.issuer)
const native = { client_id: 'demo-native' }
const web = { client_id: 'outside-web' }
const callback = 'http://127.0.0.1:8765/callback'

// Both documents, and their forms.
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oidc' }))
const other = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }))
assert.deepEqual(as, other)

async function authorize(client, redirect_uri, more = {}, options) {
  const code_verifier = oauth.generateRandomCodeVerifier()
  const code_challenge = await oauth.calculatePKCECodeChallenge(code_verifier)
  const url = new URL(as.authorization_endpoint)
  const parameters = { client_id: client.client_id, redirect_uri, response_type: 'code', code_challenge, code_challenge_method: 'S256', state: 'the-state', ...more }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  const arrived = await visit(url, redirect_uri, options)
  return { answer: oauth.validateAuthResponse(as, client, new URL(arrived.url), 'the-state'), code_verifier }
}

async function exchange(client, authentication, redirect_uri, { answer, code_verifier }, { nonce, DPoP } = {}) {
  const request = () => oauth.authorizationCodeGrantRequest(as, client, authentication, answer, redirect_uri, code_verifier, { DPoP })
  const checks = { expectedNonce: nonce, requireIdToken: true }
  try {
    return await oauth.processAuthorizationCodeResponse(as, client, await request(), checks)
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return await oauth.processAuthorizationCodeResponse(as, client, await request(), checks)
  }
}

// The code flow; the ID token's signature by the published keys.
const scope = 'openid profile email offline_access'
const nonce = oauth.generateRandomNonce()
const begun = await authorize(native, callback, { scope, nonce })
const request = await oauth.authorizationCodeGrantRequest(as, native, oauth.None(), begun.answer, callback, begun.code_verifier)
const tokens = await oauth.processAuthorizationCodeResponse(as, native, request, { expectedNonce: nonce, requireIdToken: true })
await oauth.validateApplicationLevelSignature(as, request)
const { sub, email } = oauth.getValidatedIdTokenClaims(tokens)
assert.equal(email, demo.user.email)
const userinfo = await oauth.userInfoRequest(as, native, tokens.access_token)
assert.equal((await oauth.processUserInfoResponse(as, native, sub, userinfo)).email, email)

// An access token as RFC 9068 has it, read as an API reads it.
const api = await exchange(native, oauth.None(), callback, await authorize(native, callback, { scope, audience: config.api }))
const headers = { authorization: `Bearer ${api.access_token}` }
const atApi = new Request('https://api.example/things', { headers })
assert.equal((await oauth.validateJwtAccessToken(as, atApi, config.api)).sub, sub)

// APIs and a client that want other algorithms: of the published keys, each is for one.
for (const [audience, alg] of Object.entries(config.signed)) {
  const signed = await exchange(native, oauth.None(), callback, await authorize(native, callback, { scope, audience }))
  assert.equal(JSON.parse(Buffer.from(signed.access_token.split('.')[0], 'base64url')).alg, alg)
  const request = new Request('https://api.example/things', { headers: { authorization: `Bearer ${signed.access_token}` } })
  assert.equal((await oauth.validateJwtAccessToken(as, request, audience, { signingAlgorithms: [alg] })).sub, sub)
}
const strict = { client_id: 'outside-signed', id_token_signed_response_alg: 'PS256' }
const strictBegun = await authorize(strict, callback, { scope: 'openid' })
const strictRequest = await oauth.authorizationCodeGrantRequest(as, strict, oauth.None(), strictBegun.answer, callback, strictBegun.code_verifier)
await oauth.processAuthorizationCodeResponse(as, strict, strictRequest, { requireIdToken: true })
await oauth.validateApplicationLevelSignature(as, strictRequest)

// A code twice.
const again = await oauth.authorizationCodeGrantRequest(as, native, oauth.None(), begun.answer, callback, begun.code_verifier)
await assert.rejects(oauth.processAuthorizationCodeResponse(as, native, again), { error: 'invalid_grant' })
const dead = await oauth.refreshTokenGrantRequest(as, native, oauth.None(), tokens.refresh_token)
await assert.rejects(oauth.processRefreshTokenResponse(as, native, dead), { error: 'invalid_grant' })

// DPoP: the first answer says which nonce it wants.
const DPoP = oauth.DPoP(native, await oauth.generateKeyPair('ES256'))
const bound = await exchange(native, oauth.None(), callback, await authorize(native, callback, { scope }), { DPoP })
assert.equal(bound.token_type, 'dpop')
const refreshed = await oauth.refreshTokenGrantRequest(as, native, oauth.None(), bound.refresh_token, { DPoP })
assert.equal((await oauth.processRefreshTokenResponse(as, native, refreshed)).token_type, 'dpop')

// A pushed request, and a client that authenticates.
const basic = oauth.ClientSecretBasic(secret)
const webCallback = 'https://app.example/callback'
const code_verifier = oauth.generateRandomCodeVerifier()
const parameters = {
  response_type: 'code',
  redirect_uri: webCallback,
  scope: 'openid offline_access',
  state: 'the-state',
  code_challenge: await oauth.calculatePKCECodeChallenge(code_verifier),
  code_challenge_method: 'S256',
}
const push = await oauth.pushedAuthorizationRequest(as, web, basic, parameters)
const { request_uri } = await oauth.processPushedAuthorizationResponse(as, web, push)
const url = new URL(as.authorization_endpoint)
url.search = new URLSearchParams({ client_id: web.client_id, request_uri })
const arrived = await visit(url, webCallback)
const answer = oauth.validateAuthResponse(as, web, new URL(arrived.url), 'the-state')
const pushed = await exchange(web, basic, webCallback, { answer, code_verifier })
const introspected = await oauth.introspectionRequest(as, web, basic, pushed.refresh_token)
assert.equal((await oauth.processIntrospectionResponse(as, web, introspected)).active, true)
await oauth.processRevocationResponse(await oauth.revocationRequest(as, web, basic, pushed.refresh_token))
const wrong = await oauth.refreshTokenGrantRequest(as, web, oauth.ClientSecretBasic('wrong'), pushed.refresh_token)
await assert.rejects(oauth.processRefreshTokenResponse(as, web, wrong), (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401)

// A device.
const device = { client_id: 'outside-device' }
const asked = await oauth.deviceAuthorizationRequest(as, device, oauth.None(), { scope })
const codes = await oauth.processDeviceAuthorizationResponse(as, device, asked)
const poll = () => oauth.deviceCodeGrantRequest(as, device, oauth.None(), codes.device_code)
await assert.rejects(oauth.processDeviceCodeResponse(as, device, await poll()), { error: 'authorization_pending' })
await visit(codes.verification_uri_complete, `${config.issuer}activate/connected`)
await new Promise((resolve) => setTimeout(resolve, codes.interval * 1000))
const ofDevice = await oauth.processDeviceCodeResponse(as, device, await poll())
assert.equal(oauth.getValidatedIdTokenClaims(ofDevice).sub, sub)

// Native to web: a refresh token becomes a token for one session of a browser that knows nobody.
const source = await exchange(native, oauth.None(), callback, await authorize(native, callback, { scope }))
const transfer = await oauth.refreshTokenGrantRequest(as, native, oauth.None(), source.refresh_token, {
  additionalParameters: { audience: `urn:${issuer.hostname}:session_transfer` },
})
const session = await oauth.processRefreshTokenResponse(as, native, transfer, { recognizedTokenTypes: { n_a: () => {} } })
assert.equal(session.issued_token_type, 'urn:auth0:params:oauth:token-type:session_transfer_token')
const opened = await authorize(
  { client_id: 'demo-web' },
  `${demo.web_client.url}/callback`,
  { scope: 'openid', prompt: 'none', session_transfer_token: session.access_token },
  { fresh: true },
)
const demoWeb = oauth.ClientSecretBasic(demo.web_client.client_secret)
const inBrowser = await exchange({ client_id: 'demo-web' }, demoWeb, `${demo.web_client.url}/callback`, opened)
assert.equal(oauth.getValidatedIdTokenClaims(inBrowser).sub, sub)

done()
