// The module `postern:test`. It runs in a sandbox as an Action does; what it asks of the program goes by `fetch`, which the
// program answers itself.
'use strict';

const tests = [];

const ask = async (what, input) => {
  const answer = await fetch(`https://postern.test/${what}`, { method: 'POST', body: JSON.stringify(input) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text === '' ? undefined : JSON.parse(text);
};

exports.assert = require('assert');

// A case: `body` is a function that throws when something is not as it must be.
exports.test = (name, body) => {
  if (typeof body !== 'function') throw new TypeError('test(name, body): `body` must be a function');
  tests.push({ name: String(name), body });
};

// One login, by the event's name, its file or itself, and what a case in a file may say besides. It answers with
// {commands, decision, suspension, console, error, fuel, calls}.
exports.run = async (event, options = {}) => {
  // The place that is to be shown when something is wrong with this login.
  const here = new Error();
  try {
    return await ask('run', { ...options, event });
  } catch (error) {
    here.message = error.message;
    throw here;
  }
};

// What the program calls: runs the cases whose names it wants.
exports.runAll = async () => {
  for (const { name, body } of tests) {
    if (!(await ask('wants', { name }))) continue;
    let error = null;
    try {
      await body();
    } catch (thrown) {
      error = {
        name: String(thrown?.name ?? 'Error'),
        message: String(thrown?.message ?? thrown) + (thrown?.cause?.message ? `: ${thrown.cause.message}` : ''),
        stack: String(thrown?.stack ?? ''),
      };
    }
    await ask('result', { name, error });
  }
};
