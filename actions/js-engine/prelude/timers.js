// Timers, with the objects that Node gives.

const apply = Reflect.apply;
const trunc = Math.trunc;
const toPrimitive = Symbol.toPrimitive;
const LONGEST_DELAY = 2147483647;
// By the number that a timer has for the script.
const timers = new Map();

const callbackOf = (callback) => {
  if (typeof callback === 'function') return callback;
  const error = new TypeError_('The "callback" argument must be of type function');
  error.code = 'ERR_INVALID_ARG_TYPE';
  throw error;
};
// As in Node: what is no usable delay is 1 ms.
const delayOf = (delay) => {
  const ms = +delay;
  return ms >= 1 && ms <= LONGEST_DELAY ? trunc(ms) : 1;
};

const armTimer = (timer) => {
  timer.operation = startOperation('timer', '' + timer.delay, () => fireTimer(timer));
};
const fireTimer = (timer) => {
  timer.operation = undefined;
  if (!timer.repeats) mapDelete(timers, timer.number);
  apply(timer.callback, timer.handle, timer.given);
  if (timer.repeats && mapGet(timers, timer.number) === timer && timer.operation === undefined) armTimer(timer);
};
const closeTimer = (timer) => {
  mapDelete(timers, timer.number);
  if (timer.operation !== undefined) cancelOperation(timer.operation);
  timer.operation = undefined;
};

let timerOf;
class Timeout {
  #timer;
  constructor(timer) {
    this.#timer = timer;
  }
  static {
    timerOf = (value) => (typeof value === 'object' && value !== null && #timer in value ? value.#timer : undefined);
  }
  close() {
    closeTimer(this.#timer);
    return this;
  }
  refresh() {
    if (this.#timer.operation !== undefined) {
      cancelOperation(this.#timer.operation);
      armTimer(this.#timer);
    }
    return this;
  }
  // A run ends with its handler's promise, whatever timers there are.
  ref() {
    this.#timer.keepsAlive = true;
    return this;
  }
  unref() {
    this.#timer.keepsAlive = false;
    return this;
  }
  hasRef() {
    return this.#timer.keepsAlive;
  }
  [toPrimitive]() {
    return this.#timer.number;
  }
}
delete Timeout.prototype.constructor;

const newTimer = (callback, given, delay, repeats) => {
  const timer = { callback: callbackOf(callback), given, delay, repeats, keepsAlive: true, operation: 0, number: 0 };
  armTimer(timer);
  timer.number = timer.operation;
  mapSet(timers, timer.number, timer);
  return (timer.handle = new Timeout(timer));
};
const clearTimer = (handle) => {
  const timer = timerOf(handle) ?? (typeof handle === 'object' ? undefined : mapGet(timers, +handle));
  if (timer !== undefined) closeTimer(timer);
};
const timerFunctions = {
  setTimeout: (callback, delay, ...given) => newTimer(callback, given, delayOf(delay), false),
  setInterval: (callback, delay, ...given) => newTimer(callback, given, delayOf(delay), true),
  // Before any timer of the same moment, whose least delay is 1 ms.
  setImmediate: (callback, ...given) => newTimer(callback, given, 0, false),
  clearTimeout: (timer) => clearTimer(timer),
  clearInterval: (timer) => clearTimer(timer),
  clearImmediate: (timer) => clearTimer(timer),
};
for (const name of keysOf(timerFunctions)) globalThis[name] = timerFunctions[name];
