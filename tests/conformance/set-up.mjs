// Sets a tenant up for the conformance suite of the OpenID Foundation, by the Management API, and writes the suite's
// configurations. Node.js 20 or newer, no packages.
//
//   node set-up.mjs --issuer https://demo.op.example/ --suite https://suite.example:8443 --client-id ID --output FOLDER
//
// POSTERN_CLIENT_SECRET holds the secret of that client, which `postern tenant create` printed once. Each run makes new clients.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'

const names = ['issuer', 'suite', 'client-id', 'output', 'alias']
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) })
const secret = process.env.POSTERN_CLIENT_SECRET
if (!values.issuer?.endsWith('/') || !values.suite || !values['client-id'] || !values.output || !secret) {
  console.error('usage: see the first lines of this file')
  process.exit(2)
}
const { issuer } = values
const suite = values.suite.replace(/\/$/, '')
const alias = values.alias ?? 'postern'

async function call(method, url, headers, body) {
  const answer = await fetch(new URL(url, issuer), { method, headers, body })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`)
  return text ? JSON.parse(text) : {}
}

const { access_token } = await call('POST', 'oauth/token', {}, new URLSearchParams({
  grant_type: 'client_credentials',
  client_id: values['client-id'],
  client_secret: secret,
  audience: `${issuer}api/v2/`,
}))
const manage = (method, path, body) =>
  call(method, `api/v2/${path}`, { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }, JSON.stringify(body))

const callback = `${suite}/test/a/${alias}/callback`
async function client(name, token_endpoint_auth_method) {
  const made = await manage('POST', 'clients', {
    name: `Conformance suite: ${name}`,
    app_type: 'regular_web',
    token_endpoint_auth_method,
    grant_types: ['authorization_code', 'refresh_token'],
    callbacks: [callback],
    allowed_logout_urls: [`${suite}/test/a/${alias}/post_logout_redirect`],
    oidc_logout: {
      backchannel_logout_urls: [`${suite}/test/a/${alias}/backchannel_logout`],
      backchannel_logout_initiators: { mode: 'all' },
    },
  })
  return { client_id: made.client_id, client_secret: made.client_secret }
}

await manage('PATCH', 'tenants/settings', { oidc_logout: { rp_logout_end_session_endpoint_discovery: true } })
const user = { email: `conformance-${randomBytes(4).toString('hex')}@example.com`, password: randomBytes(16).toString('base64url') }
await manage('POST', 'users', {
  connection: 'Username-Password-Authentication',
  ...user,
  email_verified: true,
  name: 'Conformance Suite',
  given_name: 'Conformance',
  family_name: 'Suite',
  nickname: 'suite',
  picture: 'https://www.example.com/picture.png',
})
const fill = {
  ISSUER: issuer,
  SUITE: suite,
  ALIAS: alias,
  EMAIL: user.email,
  PASSWORD: user.password,
  CLIENT: await client('basic', 'client_secret_basic'),
  CLIENT2: await client('basic, the second', 'client_secret_basic'),
  CLIENT_SECRET_POST: await client('post', 'client_secret_post'),
}

// A value that is `@NAME@` becomes the object or text of that name; within a text, the text.
function filled(value) {
  if (Array.isArray(value)) return value.map(filled)
  if (typeof value === 'object' && value) return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item)]))
  if (typeof value !== 'string') return value
  const whole = /^@([A-Z0-9_]+)@$/.exec(value)
  return whole ? fill[whole[1]] : value.replace(/@([A-Z0-9_]+)@/g, (_, name) => fill[name])
}
const plans = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'plans')
mkdirSync(values.output, { recursive: true })
for (const file of readdirSync(plans)) {
  const plan = filled(JSON.parse(readFileSync(join(plans, file), 'utf8')))
  writeFileSync(join(values.output, file), `${JSON.stringify(plan, null, 2)}\n`, { mode: 0o600 })
  console.log(join(values.output, file))
}
