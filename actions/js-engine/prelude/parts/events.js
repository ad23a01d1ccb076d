// Event, EventTarget, AbortController and AbortSignal (WHATWG DOM), as far as scripts need them.

makers.events = () => {
  class Event {
    #type;
    #cancelable;
    #prevented = false;
    target = null;
    currentTarget = null;
    stopped = false;
    constructor(type, options) {
      this.#type = `${type}`;
      this.#cancelable = Boolean(options?.cancelable);
      Object.defineProperty(this, 'stopped', { enumerable: false });
    }
    get type() {
      return this.#type;
    }
    get cancelable() {
      return this.#cancelable;
    }
    get defaultPrevented() {
      return this.#prevented;
    }
    preventDefault() {
      if (this.#cancelable) this.#prevented = true;
    }
    stopPropagation() {}
    stopImmediatePropagation() {
      this.stopped = true;
    }
  }
  class CustomEvent extends Event {
    #detail;
    constructor(type, options) {
      super(type, options);
      this.#detail = options?.detail ?? null;
    }
    get detail() {
      return this.#detail;
    }
  }
  class EventTarget {
    #listeners = [];
    addEventListener(type, callback, options) {
      if (!callback || this.#listeners.some((known) => known.type === `${type}` && known.callback === callback)) return;
      if (options?.signal?.aborted) return;
      this.#listeners.push({ type: `${type}`, callback, once: Boolean(options?.once) });
      options?.signal?.addEventListener('abort', () => this.removeEventListener(type, callback));
    }
    removeEventListener(type, callback) {
      this.#listeners = this.#listeners.filter((known) => known.type !== `${type}` || known.callback !== callback);
    }
    dispatchEvent(event) {
      event.target = event.currentTarget = this;
      const property = this[`on${event.type}`];
      const listeners = this.#listeners.filter((known) => known.type === event.type);
      if (typeof property === 'function') listeners.unshift({ callback: property });
      for (const { type, callback, once } of listeners) {
        if (event.stopped) break;
        if (once) this.removeEventListener(type, callback);
        if (typeof callback === 'function') callback.call(this, event);
        else callback.handleEvent(event);
      }
      event.currentTarget = null;
      return !event.defaultPrevented;
    }
  }
  const inside = Symbol('inside');
  let abort;
  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason;
    onabort = null;
    constructor(key) {
      if (key !== inside) throw nodeError(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
      super();
    }
    static {
      abort = (signal, reason) => {
        if (signal.#aborted) return;
        signal.#aborted = true;
        signal.#reason = reason === undefined ? new DOMException_('This operation was aborted', 'AbortError') : reason;
        signal.dispatchEvent(new Event('abort'));
      };
    }
    static abort(reason) {
      const signal = new AbortSignal(inside);
      abort(signal, reason);
      return signal;
    }
    static timeout(milliseconds) {
      const signal = new AbortSignal(inside);
      const late = () => abort(signal, new DOMException_('The operation was aborted due to timeout', 'TimeoutError'));
      timerFunctions.setTimeout(late, Number(milliseconds));
      return signal;
    }
    static any(signals) {
      const all = [...signals];
      const joined = new AbortSignal(inside);
      const first = all.find((signal) => signal.aborted);
      if (first !== undefined) abort(joined, first.reason);
      for (const signal of all) signal.addEventListener('abort', () => abort(joined, signal.reason));
      return joined;
    }
    get aborted() {
      return this.#aborted;
    }
    get reason() {
      return this.#reason;
    }
    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }
    [inspected]() {
      return ['AbortSignal', { aborted: this.#aborted }];
    }
  }
  class AbortController {
    #signal = new AbortSignal(inside);
    get signal() {
      return this.#signal;
    }
    abort(reason) {
      abort(this.#signal, reason);
    }
  }
  for (const known of [Event, CustomEvent, EventTarget, AbortSignal, AbortController]) tag(known, known.name);
  return { Event, CustomEvent, EventTarget, AbortSignal, AbortController };
};
