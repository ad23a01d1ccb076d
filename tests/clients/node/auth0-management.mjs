// auth0, ManagementClient: Actions from a draft to its executions, and clients.

import assert from 'node:assert/strict'
import { ManagementClient, ManagementError } from 'auth0'
import { config, done, visit } from './test.mjs'

const { demo, issuer } = config
const management = new ManagementClient({
  domain: new URL(issuer).host,
  clientId: demo.management_client.client_id,
  clientSecret: demo.management_client.client_secret,
  // What fails is to be seen at once.
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

const source = (version) => `
const { name } = require('actions:names')
exports.onExecutePostLogin = async (event, api) => {
  console.log('version ${version}')
  api.idToken.setCustomClaim('https://app.example/version', name + ' ${version} ' + event.secrets.SUFFIX)
}
`

// An Action, from a draft to a login that it has changed.
const { triggers } = await management.actions.triggers.list()
assert.ok(triggers.some((trigger) => trigger.id === 'post-login'))
const action = await management.actions.create({
  name: 'adds-version',
  code: source('one').replace("const { name } = require('actions:names')", "const name = 'plain'"),
  runtime: 'node22',
  supported_triggers: [{ id: 'post-login', version: 'v3' }],
  secrets: [{ name: 'SUFFIX', value: 'kept' }],
})
assert.deepEqual([action.all_changes_deployed, action.secrets[0].value], [false, undefined])
await assert.rejects(
  management.actions.create({ name: 'adds-version', code: '', supported_triggers: [{ id: 'post-login', version: 'v3' }] }),
  refused(409),
)
const first = await management.actions.deploy(action.id)
assert.equal(first.number, 1)
const bound = await management.actions.triggers.bindings.updateMany('post-login', {
  bindings: [{ ref: { type: 'action_id', value: action.id }, display_name: 'Adds its version' }],
})
assert.equal(bound.bindings.length, 1)
assert.equal((await all(management.actions.triggers.bindings.list('post-login')))[0].display_name, 'Adds its version')

async function claim() {
  const callback = 'http://127.0.0.1:8765/callback'
  const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
  const url = new URL('authorize', issuer)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: 'demo-native',
    redirect_uri: callback,
    scope: 'openid',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  })
  const code = new URL((await visit(url, callback)).url).searchParams.get('code')
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: 'demo-native',
    code,
    redirect_uri: callback,
    code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  })
  const tokens = await (await fetch(`${issuer}oauth/token`, { method: 'POST', body })).json()
  return JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'))['https://app.example/version']
}
assert.equal(await claim(), 'plain one kept')

// The next version, with its secret untouched, and back.
await management.actions.update(action.id, { code: source('two').replace("const { name } = require('actions:names')", "const name = 'plain'") })
assert.equal((await management.actions.get(action.id)).all_changes_deployed, false)
assert.equal(await claim(), 'plain one kept', 'a draft has no effect')
await management.actions.deploy(action.id)
assert.equal(await claim(), 'plain two kept')
const versions = await all(management.actions.versions.list(action.id))
assert.deepEqual(versions.map((version) => version.number).sort(), [1, 2])
const old = versions.find((version) => version.number === 1)
assert.equal((await management.actions.versions.get(action.id, old.id)).number, 1)
await management.actions.versions.deploy(action.id, old.id, {})
assert.equal(await claim(), 'plain one kept')
assert.ok((await all(management.actions.list({ actionName: 'adds-version' }))).length === 1)

// A test on an event of the caller's.
const tested = await management.actions.test(action.id, { payload: { event: { user: { user_id: 'auth0|1' }, secrets: {} } } })
assert.ok(tested.payload)

// Removed with its binding.
await assert.rejects(management.actions.delete(action.id), refused(409))
await management.actions.delete(action.id, { force: true })
await assert.rejects(management.actions.get(action.id), refused(404))
assert.equal((await all(management.actions.triggers.bindings.list('post-login'))).length, 0)

// Clients.
const made = await management.clients.create({ name: 'Made', app_type: 'regular_web', callbacks: ['https://made.example/cb'] })
assert.ok(made.client_id && made.client_secret)
const changed = await management.clients.update(made.client_id, {
  description: 'Changed',
  web_origins: ['https://made.example'],
  session_transfer: { allowed_authentication_methods: ['cookie'] },
})
assert.deepEqual([changed.description, changed.web_origins], ['Changed', ['https://made.example']])
assert.deepEqual((await management.clients.get(made.client_id)).callbacks, ['https://made.example/cb'])
const rotated = await management.clients.rotateSecret(made.client_id)
assert.notEqual(rotated.client_secret, made.client_secret)
const clients = await all(management.clients.list())
assert.ok(clients.some((client) => client.client_id === made.client_id))
assert.equal((await all(management.clients.list({ per_page: 1 }))).length, clients.length)
await management.clients.delete(made.client_id)
await assert.rejects(management.clients.get(made.client_id), refused(404))
await assert.rejects(management.clients.create({ name: 'Bad', callbacks: 'no list' }), refused(400))

// APIs and the tenant's settings.
const api = await management.resourceServers.create({ identifier: 'https://made.example/api', name: 'API', scopes: [{ value: 'read:it' }] })
await management.resourceServers.update(api.id, { name: 'Renamed' })
assert.equal((await management.resourceServers.get(api.id)).name, 'Renamed')
await management.resourceServers.delete(api.id)
const settings = await management.tenants.settings.update({ friendly_name: 'Changed' })
assert.equal(settings.friendly_name, 'Changed')

done()
