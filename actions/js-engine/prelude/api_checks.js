// What `api` checks of its arguments, and how it tells the host of a command.

// The event of this run, as the handler gets it: some methods change it at once.
let live = {};
// Which handler runs.
let continues = false;

const send = (text) => host.command(text);

const wrong = (method, message) => new TypeError_(`api.${method}: ${message}`);
const broken = (method, message) => new Error_(`api.${method}: ${message}`);
const isObject = (value) => typeof value === 'object' && value !== null && !isArray(value);
const hasSpace = bind(RegExp.prototype.test, /\s/);

const string = (method, name, value) => {
  if (typeof value !== 'string') throw wrong(method, `\`${name}\` must be a string`);
  return value;
};
const atMost = (method, name, value, most) => {
  if (string(method, name, value).length > most) {
    throw broken(method, `\`${name}\` must have at most ${most} characters`);
  }
  return value;
};
const text = (method, name, value) => stringify(string(method, name, value));
const moment = (method, name, value) => {
  if (!value) throw broken(method, `a value must be given for \`${name}\``);
  if (typeof value !== 'number' || !isFinite_(value)) throw wrong(method, `\`${name}\` must be a finite number`);
  return '' + value;
};
const object = (method, name, value) => {
  if (!isObject(value)) throw wrong(method, `\`${name}\` must be an object`);
  return value;
};
const array = (method, name, value) => {
  if (!isArray(value)) throw wrong(method, `\`${name}\` must be an array`);
  if (value.length === 0) throw broken(method, `\`${name}\` must not be empty`);
  return value;
};
const boolean = (method, name, value) => {
  if (typeof value !== 'boolean') throw wrong(method, `\`${name}\` must be a boolean`);
  return value;
};
// One of the words of a list.
const oneOf = (method, name, value, words) => {
  for (let i = 0; i < words.length; i++) if (words[i] === value) return value;
  let all = '';
  for (let i = 0; i < words.length; i++) all += (i ? ', `' : '`') + words[i] + '`';
  throw broken(method, `\`${name}\` must be one of ${all}`);
};
