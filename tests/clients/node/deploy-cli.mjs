// auth0-deploy-cli, as its command: what a team keeps in git comes to the server, and back.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { config, done, visit } from './test.mjs'

const { demo, issuer } = config
const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'deploy-cli-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const path = (name) => join(folder, name)

async function a0deploy(args, settings = {}) {
  const all = {
    AUTH0_DOMAIN: new URL(issuer).host,
    AUTH0_CLIENT_ID: demo.management_client.client_id,
    AUTH0_CLIENT_SECRET: demo.management_client.client_secret,
    AUTH0_INCLUDED_ONLY: ['actions', 'triggers', 'clients', 'clientGrants', 'resourceServers', 'tenant'],
    ...settings,
  }
  writeFileSync(path('config.json'), JSON.stringify(all))
  const tool = new URL('node_modules/auth0-deploy-cli/lib/index.js', import.meta.url).pathname
  try {
    const { stdout, stderr } = await run('node', [tool, ...args, '-c', path('config.json')], { cwd: folder })
    assert.ok(!/\b429\b|rate limit/i.test(stdout + stderr), stdout + stderr)
    return stdout + stderr
  } catch (error) {
    throw new Error(`a0deploy ${args.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`)
  }
}

const CLAIM = 'https://app.example/version'
function write({ version, client, scope }) {
  const code = `exports.onExecutePostLogin = async (event, api) => {
  api.idToken.setCustomClaim('${CLAIM}', '${version} ' + event.secrets.SUFFIX)
}
`
  writeFileSync(path('adds-version.js'), code)
  const tenant = {
    actions: [
      {
        name: 'adds-version',
        code: './adds-version.js',
        runtime: 'node22',
        dependencies: [],
        secrets: [{ name: 'SUFFIX', value: 'kept' }],
        supported_triggers: [{ id: 'post-login', version: 'v3' }],
        status: 'built',
        deployed: true,
      },
    ],
    triggers: { 'post-login': [{ action_name: 'adds-version', display_name: 'adds-version' }] },
    clients: [
      {
        name: 'Keeps its login',
        app_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        callbacks: ['http://127.0.0.1/callback'],
        description: client,
      },
      { name: 'Theirs', app_type: 'regular_web', is_first_party: false },
    ],
    clientGrants: [
      { client_id: 'Theirs', audience: 'https://deployed.example/', subject_type: 'user', allow_all_scopes: true },
      { default_for: 'third_party_clients', audience: 'https://deployed.example/', subject_type: 'user', scope },
    ],
    resourceServers: [
      { name: 'Deployed API', identifier: 'https://deployed.example/', scopes: [{ value: 'read:it', description: 'Read it' }, { value: 'write:it' }] },
    ],
    tenant: { friendly_name: `Tenant ${version}`, session_lifetime: 24 },
  }
  // JSON is YAML.
  writeFileSync(path('tenant.yaml'), JSON.stringify(tenant, null, 2))
}

const token = await (async () => {
  const { client_id, client_secret } = demo.management_client
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret, audience: `${issuer}api/v2/` })
  return (await (await fetch(`${issuer}oauth/token`, { method: 'POST', body })).json()).access_token
})()
async function get(route) {
  const answer = await fetch(`${issuer}api/v2/${route}`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(answer.status, 200, route)
  return await answer.json()
}
const defaultGrants = () => get('client-grants?default_for=third_party_clients')
const clientNamed = async (name) => (await get('clients?per_page=100')).find((client) => client.name === name)

async function claim() {
  const { client_id } = await clientNamed('Keeps its login')
  const redirect_uri = 'http://127.0.0.1:8765/callback'
  const code_challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
  const url = new URL('authorize', issuer)
  const parameters = { response_type: 'code', client_id, redirect_uri, scope: 'openid', code_challenge, code_challenge_method: 'S256' }
  url.search = new URLSearchParams(parameters)
  const code = new URL((await visit(url, redirect_uri)).url).searchParams.get('code')
  const code_verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  const body = new URLSearchParams({ grant_type: 'authorization_code', client_id, code, redirect_uri, code_verifier })
  const tokens = await (await fetch(`${issuer}oauth/token`, { method: 'POST', body })).json()
  return JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'))[CLAIM]
}

// A dry run shows what would be done, and does nothing.
write({ version: 'one', client: 'first', scope: ['read:it'] })
const plan = await a0deploy(['import', '-i', path('tenant.yaml'), '--dry-run'])
assert.match(plan, /adds-version/)
assert.ok(!(await get('actions/actions')).actions.some((action) => action.name === 'adds-version'))

// Import: the Action is built, deployed and bound, and the next login has its claim.
await a0deploy(['import', '-i', path('tenant.yaml')])
assert.equal(await claim(), 'one kept')
assert.equal((await get('tenants/settings')).friendly_name, 'Tenant one')
const [grant, ...others] = await defaultGrants()
assert.deepEqual([grant.scope, others], [['read:it'], []])
const theirs = await clientNamed('Theirs')
assert.equal(theirs.third_party_security_mode, 'strict')
const [own] = await get(`client-grants?client_id=${theirs.client_id}`)
assert.equal(own.allow_all_scopes, true)

// A change arrives.
write({ version: 'two', client: 'second', scope: ['write:it'] })
await a0deploy(['import', '-i', path('tenant.yaml')])
assert.equal(await claim(), 'two kept')
assert.equal((await clientNamed('Keeps its login')).description, 'second')
assert.deepEqual(await defaultGrants(), [{ ...grant, scope: ['write:it'] }])

// Export, with everything that the tool knows and the server has; what came out goes in again.
await a0deploy(['export', '-f', 'yaml', '-o', path('exported')], { AUTH0_INCLUDED_ONLY: undefined })
const exported = readFileSync(join(path('exported'), 'tenant.yaml'), 'utf8')
assert.match(exported, /adds-version/)
assert.match(exported, /Deployed API/)
assert.ok(!exported.includes('kept'), 'no secret comes back')
await a0deploy(['export', '-f', 'directory', '-o', path('folder')])
const code = readFileSync(join(path('folder'), 'actions', 'adds-version', 'code.js'), 'utf8')
assert.match(code, /two/)

// Deletion: what the folder does not name goes, but for the client of the tool itself.
writeFileSync(path('tenant.yaml'), JSON.stringify({ actions: [], triggers: { 'post-login': [] }, clients: [], clientGrants: [], resourceServers: [] }))
await a0deploy(['import', '-i', path('tenant.yaml')], { AUTH0_ALLOW_DELETE: true })
assert.deepEqual((await get('actions/actions')).actions, [])
assert.deepEqual((await get('clients')).map((client) => client.client_id), [demo.management_client.client_id])
assert.deepEqual(await defaultGrants(), [])
assert.ok(!(await get('resource-servers')).some((api) => api.identifier === 'https://deployed.example/'))

done()
