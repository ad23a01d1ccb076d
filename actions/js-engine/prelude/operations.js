// What the script waits for: the host answers an operation when the script has nothing left to do.

const Promise_ = Promise;
const mapGet = bind(Map.prototype.get);
const mapSet = bind(Map.prototype.set);
const mapDelete = bind(Map.prototype.delete);
// By the operation's id: what to call with its answer.
const waiting = new Map();

const startOperation = (kind, json, settle) => {
  const id = host.start(kind, json);
  mapSet(waiting, id, settle);
  return id;
};
const cancelOperation = (id) => {
  if (mapDelete(waiting, id)) host.cancel(id);
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
  const take = mapGet(waiting, id);
  if (take === undefined) return;
  mapDelete(waiting, id);
  take(ok, answer);
};
