// Node's `assert`.

makers.node_assert = () => {
  const { inspect } = part('inspect');
  const equality = part('equality');
  class AssertionError extends Error {
    constructor({ message, actual, expected, operator }) {
      super(message ?? `${inspect(actual)} ${operator} ${inspect(expected)}`);
      this.name = 'AssertionError';
      this.code = 'ERR_ASSERTION';
      this.generatedMessage = message === undefined;
      Object.assign(this, { actual, expected, operator });
    }
  }
  const verify = (holds, message, actual, expected, operator, says) => {
    if (holds) return;
    if (isError(message)) throw message;
    throw new AssertionError({ message: message ?? says, actual, expected, operator });
  };
  const matches = (error, wanted) => {
    if (wanted === undefined) return true;
    if (wanted instanceof RegExp) return wanted.test(String_(error));
    if (typeof wanted === 'function') {
      if (wanted.prototype !== undefined && error instanceof wanted) return true;
      return !(wanted.prototype instanceof Error) && wanted !== Error && wanted.call({}, error) === true;
    }
    return keysOf(wanted).every((key) =>
      wanted[key] instanceof RegExp ? wanted[key].test(error[key]) : equality(error[key], wanted[key], true),
    );
  };
  const thrown = (failure, wanted, message, operator) => {
    if (typeof wanted === 'string') [wanted, message] = [undefined, wanted];
    verify(
      failure !== undefined,
      message,
      undefined,
      wanted,
      operator,
      operator === 'rejects' ? 'Missing expected rejection.' : 'Missing expected exception.',
    );
    if (!matches(failure.error, wanted)) throw failure.error;
  };
  const assert = (value, message) =>
    verify(value, message, value, true, '==', `The expression evaluated to a falsy value`);
  const pairs = {
    equal: ['==', (a, b) => a == b || (a !== a && b !== b)],
    notEqual: ['!=', (a, b) => a != b && (a === a || b === b)],
    strictEqual: ['strictEqual', Object.is],
    notStrictEqual: ['notStrictEqual', (a, b) => !Object.is(a, b)],
    deepEqual: ['deepEqual', (a, b) => equality(a, b, false)],
    notDeepEqual: ['notDeepEqual', (a, b) => !equality(a, b, false)],
    deepStrictEqual: ['deepStrictEqual', (a, b) => equality(a, b, true)],
    notDeepStrictEqual: ['notDeepStrictEqual', (a, b) => !equality(a, b, true)],
  };
  for (const name of keysOf(pairs)) {
    const [operator, holds] = pairs[name];
    assert[name] = (actual, expected, message) => verify(holds(actual, expected), message, actual, expected, operator);
  }
  Object.assign(assert, {
    ok: assert,
    AssertionError,
    fail: (message = 'Failed') => verify(false, message, undefined, undefined, 'fail'),
    ifError(value) {
      if (value !== null && value !== undefined) throw value;
    },
    match: (text, pattern, message) => verify(pattern.test(text), message, text, pattern, 'match'),
    doesNotMatch: (text, pattern, message) => verify(!pattern.test(text), message, text, pattern, 'doesNotMatch'),
    throws(call, wanted, message) {
      let failure;
      try {
        call();
      } catch (error) {
        failure = { error };
      }
      thrown(failure, wanted, message, 'throws');
    },
    doesNotThrow: (call) => void call(),
    async rejects(promise, wanted, message) {
      let failure;
      try {
        await (typeof promise === 'function' ? promise() : promise);
      } catch (error) {
        failure = { error };
      }
      thrown(failure, wanted, message, 'rejects');
    },
    doesNotReject: async (promise) => void (await (typeof promise === 'function' ? promise() : promise)),
  });
  // The strict one, whose `equal` is `strictEqual`.
  assert.strict = Object.assign((...values) => assert(...values), assert, {
    equal: assert.strictEqual,
    notEqual: assert.notStrictEqual,
    deepEqual: assert.deepStrictEqual,
    notDeepEqual: assert.notDeepStrictEqual,
  });
  assert.strict.strict = assert.strict;
  return assert;
};
