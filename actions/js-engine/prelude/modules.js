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
const endings = ['', '.js', '.json', '/index.js'];
let files = { __proto__: null };
const loaded = { __proto__: null };

// What a script may do about a module that is not there.
const absent = (specifier) => {
  if (typeof specifier !== 'string' || startsWith(specifier, '.') || startsWith(specifier, '/')) return '';
  return ': npm packages are not available in Actions in this version of Postern; put the code into a file beside the script';
};

const requireFrom = (folder) =>
  function require(specifier) {
    if (typeof specifier === 'string' && (startsWith(specifier, './') || startsWith(specifier, '../'))) {
      const path = resolve(folder, specifier);
      for (let i = 0; path !== undefined && i < endings.length; i++) {
        const name = path + endings[i];
        if (loaded[name] !== undefined) return loaded[name].exports;
        if (files[name] !== undefined) return evaluate(name, files[name]).exports;
      }
    }
    const builtin = typeof specifier === 'string' ? nodeModule(specifier) : undefined;
    if (builtin !== undefined) return builtin;
    const error = new Error_(`Cannot find module '${String_(specifier)}'${absent(specifier)}`);
    error.code = 'MODULE_NOT_FOUND';
    throw error;
  };

const evaluate = (name, code) => {
  const module = { exports: {} };
  loaded[name] = module;
  try {
    if (slice(name, -5) === '.json') {
      module.exports = host.parse(code, name);
    } else {
      const body = host.compile(code, name);
      call(body, module.exports, module.exports, module, requireFrom(cutLast(name)), console);
    }
  } catch (error) {
    // As in Node: a module that threw is not remembered.
    loaded[name] = undefined;
    throw error;
  }
  return module;
};
