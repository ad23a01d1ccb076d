// express-openid-connect: a web application whose pages are for users alone. Its answers come by form_post, its logout goes by
// the server's, and it is told when a session ends elsewhere.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { dirname, join } from 'node:path'
import express from 'express'
import oidc from 'express-openid-connect'
import { config } from './test.mjs'

const { demo, issuer, port, secret } = config
const baseURL = `https://localhost:${port}`

/** The sessions of this process: the library asks for a store of ours when sessions can end without their browser. */
class Store {
  #entries = new Map()
  get(id, callback) {
    callback(null, this.#entries.get(id))
  }
  set(id, value, callback) {
    this.#entries.set(id, value)
    callback(null)
  }
  destroy(id, callback) {
    this.#entries.delete(id)
    callback(null)
  }
}

const app = express()
app.use(
  oidc.auth({
    issuerBaseURL: issuer,
    baseURL,
    clientID: 'outside-express',
    clientSecret: secret,
    secret: 'a secret of the application for its own cookies',
    idpLogout: true,
    backchannelLogout: { store: new Store() },
    session: { store: new Store() },
    authorizationParams: {
      response_type: 'code',
      response_mode: 'form_post',
      scope: 'openid profile email offline_access',
    },
  }),
)
app.get('/', (request, response) => {
  response.send(`<!doctype html><title>App</title><p id="email">${request.oidc.user.email}</p>`)
})
app.get('/renew', async (request, response) => {
  const before = request.oidc.refreshToken
  await request.oidc.accessToken.refresh()
  const user = await request.oidc.fetchUserInfo()
  const rotated = request.oidc.refreshToken !== before
  response.send(`<!doctype html><title>App</title><p id="email">${user.email}</p><p id="rotated">${rotated}</p>`)
})

const certificates = dirname(demo.ca_file)
const read = (name) => readFileSync(join(certificates, name))
createServer({ cert: read('tls.pem'), key: read('tls.key') }, app).listen(port, 'localhost', () => {
  console.log(JSON.stringify({ ready: `${baseURL}/` }))
})
