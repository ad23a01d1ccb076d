// auth0-deploy-cli brings 100 Actions, 50 clients and the bindings of 20 of those Actions to the server; a benchmark takes the time.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { config, done } from './test.mjs'

const { demo, issuer } = config
const folder = mkdtempSync(join(tmpdir(), 'deploy-many-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const path = (name) => join(folder, name)
const numbers = (count) => Array.from({ length: count }, (_, index) => index)

const tenant = {
  actions: numbers(100).map((number) => {
    const code = `exports.onExecutePostLogin = async (event, api) => {
  if (event.client.name === 'Client ${number}') api.idToken.setCustomClaim('https://app.example/number', ${number})
}
`
    writeFileSync(path(`action-${number}.js`), code)
    return {
      name: `action-${number}`,
      code: `./action-${number}.js`,
      runtime: 'node22',
      dependencies: [],
      secrets: [{ name: 'SECRET', value: `secret ${number}` }],
      supported_triggers: [{ id: 'post-login', version: 'v3' }],
      deployed: true,
    }
  }),
  triggers: {
    'post-login': numbers(20).map((number) => ({ action_name: `action-${number}`, display_name: `action-${number}` })),
  },
  clients: numbers(50).map((number) => ({
    name: `Client ${number}`,
    app_type: 'regular_web',
    grant_types: ['authorization_code', 'refresh_token'],
    callbacks: [`https://client-${number}.example/callback`],
  })),
}
// JSON is YAML.
writeFileSync(path('tenant.yaml'), JSON.stringify(tenant))
writeFileSync(
  path('config.json'),
  JSON.stringify({
    AUTH0_DOMAIN: new URL(issuer).host,
    AUTH0_CLIENT_ID: demo.management_client.client_id,
    AUTH0_CLIENT_SECRET: demo.management_client.client_secret,
    AUTH0_INCLUDED_ONLY: ['actions', 'triggers', 'clients'],
  }),
)
const tool = new URL('node_modules/auth0-deploy-cli/lib/index.js', import.meta.url).pathname
const said = execFileSync('node', [tool, 'import', '-i', path('tenant.yaml'), '-c', path('config.json')], {
  cwd: folder,
  encoding: 'utf8',
})
assert.ok(!/\b429\b|rate limit|retry/i.test(said), said)
done()
