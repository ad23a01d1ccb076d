// Node's `events`.

makers.node_events = () => {
  const check = (listener) => {
    if (typeof listener === 'function') return listener;
    throw nodeError(TypeError_, 'ERR_INVALID_ARG_TYPE', 'The "listener" argument must be of type function.');
  };
  function EventEmitter() {}
  const listenersOf = (emitter, name) => {
    if (!hasOwn(emitter, '_events')) define(emitter, '_events', { __proto__: null });
    return (emitter._events[name] ??= []);
  };
  const add = (emitter, name, listener, first) => {
    check(listener);
    if (emitter._events?.newListener?.length > 0) emitter.emit('newListener', name, listener.listener ?? listener);
    listenersOf(emitter, name)[first ? 'unshift' : 'push'](listener);
    return emitter;
  };
  const once = (emitter, name, listener) => {
    const wrapper = function (...values) {
      emitter.removeListener(name, wrapper);
      return listener.apply(emitter, values);
    };
    wrapper.listener = check(listener);
    return wrapper;
  };
  const methods = {
    on(name, listener) {
      return add(this, name, listener, false);
    },
    prependListener(name, listener) {
      return add(this, name, listener, true);
    },
    once(name, listener) {
      return add(this, name, once(this, name, listener), false);
    },
    prependOnceListener(name, listener) {
      return add(this, name, once(this, name, listener), true);
    },
    removeListener(name, listener) {
      const listeners = listenersOf(this, name);
      const at = listeners.findLastIndex((known) => known === listener || known.listener === listener);
      if (at >= 0) {
        this._events[name] = listeners.filter((known, index) => index !== at);
        if (this._events.removeListener?.length > 0) this.emit('removeListener', name, listener);
      }
      return this;
    },
    removeAllListeners(name) {
      if (name === undefined) define(this, '_events', { __proto__: null });
      else listenersOf(this, name).length = 0;
      return this;
    },
    emit(name, ...values) {
      const listeners = [...listenersOf(this, name)];
      if (listeners.length === 0 && name === 'error') {
        if (isError(values[0])) throw values[0];
        const error = nodeError(
          Error_,
          'ERR_UNHANDLED_ERROR',
          `Unhandled error. (${part('inspect').inspect(values[0])})`,
        );
        error.context = values[0];
        throw error;
      }
      for (const listener of listeners) listener.apply(this, values);
      return listeners.length > 0;
    },
    listeners(name) {
      return listenersOf(this, name).map((listener) => listener.listener ?? listener);
    },
    rawListeners(name) {
      return [...listenersOf(this, name)];
    },
    listenerCount(name) {
      return listenersOf(this, name).length;
    },
    eventNames() {
      return Reflect.ownKeys(this._events ?? {}).filter((name) => this._events[name].length > 0);
    },
    setMaxListeners() {
      return this;
    },
    getMaxListeners() {
      return EventEmitter.defaultMaxListeners;
    },
  };
  for (const name of keysOf(methods)) define(EventEmitter.prototype, name, methods[name]);
  define(EventEmitter.prototype, 'addListener', methods.on);
  define(EventEmitter.prototype, 'off', methods.removeListener);
  EventEmitter.EventEmitter = EventEmitter;
  EventEmitter.defaultMaxListeners = 10;
  EventEmitter.once = (emitter, name) =>
    new Promise((resolve, reject) => {
      const failed = (error) => {
        emitter.removeListener(name, done);
        reject(error);
      };
      const done = (...values) => {
        emitter.removeListener('error', failed);
        resolve(values);
      };
      emitter.once(name, done);
      if (name !== 'error') emitter.once('error', failed);
    });
  return EventEmitter;
};
