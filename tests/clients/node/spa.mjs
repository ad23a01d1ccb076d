// The pages of a single-page application with @auth0/auth0-spa-js, which all runs in the browser.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { dirname, join } from 'node:path'
import { config } from './test.mjs'

const { demo, port } = config
const library = './node_modules/@auth0/auth0-spa-js/dist/auth0-spa-js.production.js'
const script = readFileSync(new URL(library, import.meta.url))

const page = `<!doctype html>
<meta charset="utf-8">
<title>App</title>
<p id="user"></p>
<p id="token"></p>
<button id="login">Log in</button>
<button id="silent">New token</button>
<button id="logout">Log out</button>
<script src="/auth0-spa-js.js"></script>
<script type="module" src="/app.js"></script>
`

// What an application does with the library: a login that comes back here, the user's name, tokens without a page, logout.
const app = `
const domain = ${JSON.stringify(demo.issuer)}
const clientId = 'outside-spa'
const home = location.origin + '/'
const withRefreshTokens = new URLSearchParams(location.search).has('refresh') || sessionStorage.getItem('refresh') === 'yes'
sessionStorage.setItem('refresh', withRefreshTokens ? 'yes' : 'no')
const show = (id, text) => { document.getElementById(id).textContent = text }
const client = new auth0.Auth0Client({
  domain: domain.replace(/\\/$/, ''),
  clientId,
  useRefreshTokens: withRefreshTokens,
  authorizationParams: { redirect_uri: home, scope: 'openid profile email' },
})
const on = (id, action) => document.getElementById(id).addEventListener('click', action)
on('login', () => client.loginWithRedirect())
on('logout', () => client.logout({ logoutParams: { returnTo: home } }))
on('silent', async () => {
  try {
    const answer = await client.getTokenSilently({ cacheMode: 'off', detailedResponse: true })
    show('token', (answer.access_token ? 'a new token' : 'none') + (withRefreshTokens ? ' by a refresh token' : ' by a frame'))
  } catch (error) {
    show('token', error.error + ': ' + error.message)
  }
})
if (location.search.includes('code=') && location.search.includes('state=')) {
  await client.handleRedirectCallback()
  history.replaceState(null, '', '/')
} else {
  await client.checkSession()
}
const user = await client.getUser()
show('user', user ? user.email : 'nobody')
`

const files = {
  '/': ['text/html', page],
  '/app.js': ['text/javascript', app],
  '/auth0-spa-js.js': ['text/javascript', script],
}
const certificates = dirname(demo.ca_file)
const read = (name) => readFileSync(join(certificates, name))
const server = createServer({ cert: read('tls.pem'), key: read('tls.key') }, (request, response) => {
  const file = files[request.url.split('?')[0]]
  response.writeHead(file ? 200 : 404, { 'content-type': file?.[0] ?? 'text/plain' })
  response.end(file?.[1])
})
server.listen(port, 'localhost', () => console.log(JSON.stringify({ ready: `https://localhost:${port}/` })))
