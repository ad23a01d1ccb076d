// `console`: each line goes to the host, with its level.

const show = (value) => {
  if (typeof value === 'string') return value;
  if (typeof value === 'symbol' || typeof value === 'function') return String_(value);
  if (typeof value === 'bigint') return String_(value) + 'n';
  if (typeof value !== 'object' || value === null) return String_(value);
  if (isError(value)) return String_(value) + '\n' + String_(value.stack);
  try {
    const text = stringify(value);
    return text === undefined ? String_(value) : text;
  } catch {
    return '[object that has no JSON]';
  }
};
const console = {};
const levels = ['trace', 'debug', 'log', 'info', 'warn', 'error'];
for (let level = 0; level < levels.length; level++) {
  console[levels[level]] = {
    [levels[level]](...values) {
      let text = '';
      for (let i = 0; i < values.length; i++) text += (i ? ' ' : '') + show(values[i]);
      host.print(level, text);
    },
  }[levels[level]];
}
globalThis.console = console;
