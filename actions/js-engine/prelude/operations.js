// What the script waits for: the host answers an operation when the script has nothing left to do.

const Promise_ = Promise;
// By the operation's id: what to call with its answer.
const waiting = { __proto__: null };

const startOperation = (kind, json, settle) => {
  const id = host.start(kind, json);
  waiting[id] = settle;
  return id;
};
const cancelOperation = (id) => {
  if (waiting[id] === undefined) return;
  delete waiting[id];
  host.cancel(id);
};

// Starts an operation; its promise is never settled after `cancel`.
const operation = (kind, input) => {
  const json = stringify(input);
  let id;
  const promise = new Promise_((resolve, reject) => {
    id = startOperation(kind, json, (ok, answer) => (ok ? resolve(answer) : reject(new Error_(answer))));
  });
  return { promise, cancel: () => cancelOperation(id) };
};

const settle = (id, ok, answer) => {
  const take = waiting[id];
  if (take === undefined) return;
  delete waiting[id];
  take(ok, answer);
};
