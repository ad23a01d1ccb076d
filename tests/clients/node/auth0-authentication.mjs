// auth0/legacy, AuthenticationClient: tokens for a back end.

import assert from 'node:assert/strict'
import { AuthenticationClient, UserInfoClient } from 'auth0/legacy'
import { config, done, visit } from './test.mjs'

const { demo, issuer, secret } = config
const domain = new URL(issuer).host
const redirect_uri = 'https://app.example/callback'
const client = new AuthenticationClient({ domain, clientId: 'outside-web', clientSecret: secret })

async function logIn() {
  const url = new URL('authorize', issuer)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: 'outside-web',
    redirect_uri,
    scope: 'openid profile email offline_access',
  })
  const arrived = await visit(url, redirect_uri)
  const code = new URL(arrived.url).searchParams.get('code')
  return (await client.oauth.authorizationCodeGrant({ code, redirect_uri })).data
}

const tokens = await logIn()
const users = new UserInfoClient({ domain })
const { data: user } = await users.getUserInfo(tokens.access_token)
assert.equal(user.email, demo.user.email)

const { data: renewed } = await client.oauth.refreshTokenGrant({ refresh_token: tokens.refresh_token })
assert.equal(renewed.token_type, 'Bearer')
await client.oauth.revokeRefreshToken({ token: renewed.refresh_token })
await assert.rejects(
  client.oauth.refreshTokenGrant({ refresh_token: renewed.refresh_token }),
  (error) => error.statusCode === 403 && error.error === 'invalid_grant',
)

// A token for the Management API, which the next script uses by another road.
const management = new AuthenticationClient({
  domain,
  clientId: demo.management_client.client_id,
  clientSecret: demo.management_client.client_secret,
})
const { data: machine } = await management.oauth.clientCredentialsGrant({ audience: `https://${domain}/api/v2/` })
assert.ok(machine.expires_in > 0 && machine.scope.includes('read:resource_servers'))

// A user without a browser.
const { data: direct } = await client.oauth.passwordGrant({
  username: demo.user.email,
  password: demo.user.password,
  scope: 'openid email',
})
assert.ok(direct.id_token)
await assert.rejects(
  client.oauth.passwordGrant({ username: demo.user.email, password: 'wrong' }),
  (error) => error.statusCode === 403 && error.error_description === 'Wrong email or password.',
)

// A pushed request.
const { data: pushed } = await client.oauth.pushedAuthorization({
  client_id: 'outside-web',
  response_type: 'code',
  redirect_uri,
  scope: 'openid',
})
assert.match(pushed.request_uri, /^urn:ietf:params:oauth:request_uri:/)

done()
