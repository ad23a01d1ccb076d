// Timers, with the objects that Node gives.

const apply = Reflect.apply;
const trunc = Math.trunc;
const toPrimitive = Symbol.toPrimitive;
const LONGEST_DELAY = 2147483647;
// By the number that a timer has for the script.
const timers = { __proto__: null };

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

class Timer {
  #callback;
  #given;
  #delay;
  #repeats;
  #operation;
  #number;
  #keepsAlive = true;

  constructor(callback, given, delay, repeats) {
    this.#callback = callbackOf(callback);
    this.#given = given;
    this.#delay = delay;
    this.#repeats = repeats;
    this.#arm();
    this.#number = this.#operation;
    timers[this.#number] = this;
  }
  #arm() {
    this.#operation = startOperation('timer', '' + this.#delay, () => this.#fire());
  }
  #fire() {
    this.#operation = undefined;
    if (!this.#repeats) delete timers[this.#number];
    apply(this.#callback, this, this.#given);
    if (this.#repeats && timers[this.#number] === this && this.#operation === undefined) this.#arm();
  }
  close() {
    delete timers[this.#number];
    if (this.#operation !== undefined) cancelOperation(this.#operation);
    this.#operation = undefined;
    return this;
  }
  refresh() {
    if (this.#operation !== undefined) {
      cancelOperation(this.#operation);
      this.#arm();
    }
    return this;
  }
  // A run ends with its handler's promise, whatever timers there are.
  ref() {
    this.#keepsAlive = true;
    return this;
  }
  unref() {
    this.#keepsAlive = false;
    return this;
  }
  hasRef() {
    return this.#keepsAlive;
  }
  [toPrimitive]() {
    return this.#number;
  }
  static isTimer(value) {
    return typeof value === 'object' && value !== null && #number in value;
  }
}
const closeTimer = Timer.prototype.close;
const isTimer = Timer.isTimer;
delete Timer.isTimer;
delete Timer.prototype.constructor;

const clear = (timer) => {
  const found = isTimer(timer) ? timer : typeof timer === 'object' ? undefined : timers[timer];
  if (found !== undefined) apply(closeTimer, found, []);
};
const globals = {
  setTimeout: (callback, delay, ...given) => new Timer(callback, given, delayOf(delay), false),
  setInterval: (callback, delay, ...given) => new Timer(callback, given, delayOf(delay), true),
  setImmediate: (callback, ...given) => new Timer(callback, given, 0, false),
  clearTimeout: (timer) => clear(timer),
  clearInterval: (timer) => clear(timer),
  clearImmediate: (timer) => clear(timer),
};
for (const name of keysOf(globals)) {
  Object.defineProperty(globalThis, name, {
    value: globals[name],
    writable: true,
    configurable: true,
    enumerable: true,
  });
}
