// Modules: `require('./x')` finds the files that came with the script.

const cutLast = (path) => slice(path, 0, lastIndexOf(path, '/') < 0 ? 0 : lastIndexOf(path, '/'));
// Joins and resolves `.` and `..`; undefined when the path leaves the script's folder.
const resolve = (folder, specifier) => {
  let path = folder;
  let rest = specifier;
  while (rest !== '') {
    const at = indexOf(rest, '/');
    const part = at < 0 ? rest : slice(rest, 0, at);
    rest = at < 0 ? '' : slice(rest, at + 1);
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (path === '') return undefined;
      path = cutLast(path);
    } else {
      path = path === '' ? part : path + '/' + part;
    }
  }
  return path;
};
// The files that a path can mean, in this order (`source.rs` of action-build has the same).
const endings = ['', '.js', '.ts', '.mjs', '.cjs', '.json', '/index.js', '/index.ts'];
// TypeScript names a module by the file that it becomes.
const typescriptName = (path) => {
  const ending = slice(path, -4);
  if (ending === '.mjs') return slice(path, 0, -4) + '.mts';
  if (ending === '.cjs') return slice(path, 0, -4) + '.cts';
  return slice(path, -3) === '.js' ? slice(path, 0, -3) + '.ts' : path;
};
let files = { __proto__: null };
const loaded = { __proto__: null };
// What a script may do about a module that is not there.
const absent = (specifier, shared) => {
  if (typeof specifier === 'string' && startsWith(specifier, 'actions:')) {
    return shared ? ': a module cannot use other modules' : ': it is not among the modules of this Action';
  }
  if (typeof specifier !== 'string' || startsWith(specifier, '.') || startsWith(specifier, '/')) return '';
  return ': npm packages are not available in Actions in this version of Postern; put the code into a file beside the script';
};

const moduleAt = (name) => {
  if (loaded[name] !== undefined) return loaded[name];
  return files[name] === undefined ? undefined : evaluate(name, files[name]);
};
const find = (folder, specifier) => {
  const path = resolve(folder, specifier);
  if (path === undefined) return undefined;
  for (let i = 0; i < endings.length; i++) {
    const module = moduleAt(path + endings[i]);
    if (module !== undefined) return module;
  }
  return moduleAt(typescriptName(path));
};

// Secrets of `actions:` modules by the name of the module; undefined while nothing runs, so that no image has them.
let moduleSecrets;
const takeModuleSecrets = (event) => {
  moduleSecrets = hasOwn(event, 'moduleSecrets') ? event.moduleSecrets : {};
  delete event.moduleSecrets;
};
// What such a module finds as `actions`.
const actionsOf = (name) => ({
  get secrets() {
    if (moduleSecrets === undefined) {
      throw new Error_('actions.secrets can be read while the Action runs, not when its module is loaded');
    }
    return hasOwn(moduleSecrets, name) ? moduleSecrets[name] : {};
  },
});

const requireFrom = (name) => {
  const folder = cutLast(name);
  // A module that Actions share has no files, and requires no other one.
  const shared = startsWith(name, 'actions:');
  return function require(specifier) {
    if (typeof specifier === 'string') {
      if (startsWith(specifier, './') || startsWith(specifier, '../')) {
        const module = shared ? undefined : find(folder, specifier);
        if (module !== undefined) return module.exports;
      } else if (startsWith(specifier, 'actions:')) {
        const module = shared ? undefined : moduleAt(specifier);
        if (module !== undefined) return module.exports;
      } else if (shared && specifier === 'postern:actions') {
        return actionsOf(slice(name, 8));
      } else {
        const builtin = specifier === 'postern:es-modules' ? esModules : nodeModule(specifier);
        if (builtin !== undefined) return builtin;
      }
    }
    const error = new Error_(`Cannot find module '${String_(specifier)}'${absent(specifier, shared)}`);
    error.code = 'MODULE_NOT_FOUND';
    throw error;
  };
};

const evaluate = (name, code) => {
  const module = { exports: {} };
  loaded[name] = module;
  try {
    if (slice(name, -5) === '.json') {
      module.exports = host.parse(code, name);
    } else {
      const body = host.compile(code, name);
      call(body, module.exports, module.exports, module, requireFrom(name), console);
    }
  } catch (error) {
    // As in Node: a module that threw is not remembered.
    loaded[name] = undefined;
    throw error;
  }
  if (isReference(module.exports)) markEvaluated(evaluated, module.exports);
  return module;
};

// What the code that action-build makes of an ES module calls (`es_modules.rs`).
const isReference = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
const isEsModule = (exports) => isReference(exports) && exports.__esModule === true;
const defineProperty = Object.defineProperty;
const SyntaxError_ = SyntaxError;
// Exports of modules whose evaluation is over: what they have not, they will not have.
const evaluated = new WeakSet();
const markEvaluated = bind(WeakSet.prototype.add);
const isEvaluated = bind(WeakSet.prototype.has);
const defineGetter = (object, name, get) => defineProperty(object, name, { __proto__: null, get, enumerable: true });
const copyGetters = (target, from) => {
  const names = isReference(from) ? keysOf(from) : [];
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (name !== 'default' && !hasOwn(target, name)) defineGetter(target, name, () => from[name]);
  }
};
const namespaceOf = (from) => {
  if (isEsModule(from)) return from;
  const namespace = { __proto__: null };
  copyGetters(namespace, from);
  defineGetter(namespace, 'default', () => from);
  return namespace;
};
const esModules = (require, exports) => ({
  // Evaluates a module that must export these names.
  import(specifier, names) {
    const from = require(specifier);
    if (isEsModule(from) && isEvaluated(evaluated, from)) {
      for (let i = 0; i < names.length; i++) {
        if (!(names[i] in from)) {
          throw new SyntaxError_(`The module '${specifier}' does not provide an export named '${names[i]}'`);
        }
      }
    }
    return from;
  },
  default: (from) => (isEsModule(from) ? from.default : from),
  namespace: namespaceOf,
  // Exports the values of these functions.
  export(getters) {
    defineProperty(exports, '__esModule', { __proto__: null, value: true });
    const names = keysOf(getters);
    for (let i = 0; i < names.length; i++) defineGetter(exports, names[i], getters[names[i]]);
  },
  star: (from) => copyGetters(exports, from),
  // `import()`.
  load: async (specifier) => namespaceOf(require(String_(specifier))),
});
