// `console`: each line goes to the host, with its level.

// Most lines are one text; and a line is shown whatever the script did to the language.
const line = (values) => {
  if (values.length === 1 && typeof values[0] === 'string') return values[0];
  try {
    return apply(part('inspect').format, undefined, values);
  } catch {
    return '[a value that cannot be shown]';
  }
};
const console = {};
const levels = ['trace', 'debug', 'log', 'info', 'warn', 'error'];
for (let level = 0; level < levels.length; level++) {
  console[levels[level]] = {
    [levels[level]](...values) {
      host.print(level, line(values));
    },
  }[levels[level]];
}
// The rest of Node's console, as lines.
console.dir = (value) => console.log(part('inspect').inspect(value));
console.table = console.group = console.groupCollapsed = console.log;
console.groupEnd = console.time = console.timeEnd = console.timeLog = () => {};
console.assert = (holds, ...values) => {
  if (!holds) console.error('Assertion failed', ...values);
};
globalThis.console = console;
