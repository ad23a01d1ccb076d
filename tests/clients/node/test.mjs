// What the scripts share: their configuration, and the browser that the test holds for them.

import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function read() {
  const { value, done } = await lines.next()
  if (done) throw new Error('the test has gone')
  return JSON.parse(value)
}

/** What the test wants this script to know. */
export const config = await read()

/**
 * Sends the browser to an address, where its user does what the pages ask for, until it is at an address that starts so.
 * `fresh`: a browser without cookies.
 */
export async function visit(url, until, { fresh = false } = {}) {
  console.log(JSON.stringify({ visit: String(url), until, fresh }))
  return await read()
}

/** Ends the script, whatever still listens. */
export function done() {
  process.exit(0)
}
