// What console shows, and `util.inspect` and `util.format`: as Node does for the common kinds of values.

makers.inspect = () => {
  const identifier = /^[A-Za-z_$][\w$]*$/;
  const quote = (text) => {
    const mark = !text.includes("'")
      ? "'"
      : !text.includes('"')
        ? '"'
        : !text.includes('`') && !text.includes('${')
          ? '`'
          : "'";
    const escaped = text.replace(/[\\\n\r\t\b\f\v\0-\x1f\x7f]/g, (character) => {
      const short = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f', '\v': '\\v' }[
        character
      ];
      return short ?? '\\x' + character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
    });
    return mark + (mark === "'" ? escaped.replace(/'/g, "\\'") : escaped) + mark;
  };
  const classOf = (value) => {
    for (let at = value; at !== null; at = prototypeOf(at)) {
      const constructor = Object.getOwnPropertyDescriptor(at, 'constructor')?.value;
      if (typeof constructor === 'function' && constructor.name !== '') return constructor.name;
    }
    return null;
  };
  const primitive = (value) => {
    if (typeof value === 'string') return quote(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (Object.is(value, -0)) return '-0';
    return String_(value);
  };

  const inspect = (root, options) => {
    const given = typeof options === 'object' && options !== null ? options : {};
    const deepest = given.depth === null ? Infinity : (given.depth ?? 2);
    const wide = given.breakLength ?? 80;
    const most = given.maxArrayLength ?? 100;
    const above = [];
    let circular;

    const group = (prefix, open, items, close, indent) => {
      const head = prefix === '' ? '' : `${prefix} `;
      if (items.length === 0) return `${head}${open}${close}`;
      const width = items.reduce((sum, item) => sum + item.length + 2, head.length + open.length + indent);
      const plain = items.every((item) => !item.includes('\n'));
      const space = open === '[' || open === '{' ? ' ' : '';
      if (plain && width <= Math.min(wide, 76) && items.length <= (open === '[' ? 6 : Infinity)) {
        return `${head}${open}${space}${items.join(', ')}${space}${close}`;
      }
      if (open === '[' && plain && items.length > 6) return columns(head, items, indent);
      const pad = ' '.repeat(indent + 2);
      return `${head}${open}\n${pad}${items.join(`,\n${pad}`)}\n${' '.repeat(indent)}${close}`;
    };
    // Long lists of short items share lines.
    const columns = (head, items, indent) => {
      const lines = [''];
      for (let at = 0; at < items.length; at++) {
        const item = items[at] + (at + 1 < items.length ? ',' : '');
        const line = lines[lines.length - 1];
        if (line !== '' && indent + line.length + item.length > 72) lines.push(item);
        else lines[lines.length - 1] = line === '' ? item : `${line} ${item}`;
      }
      const pad = ' '.repeat(indent + 2);
      return `${head}[\n${pad}${lines.join(`\n${pad}`)}\n${' '.repeat(indent)}]`;
    };

    const property = (object, key, indent) => {
      const descriptor = Object.getOwnPropertyDescriptor(object, key);
      const name = typeof key === 'symbol' ? `[${String_(key)}]` : identifier.test(key) ? key : quote(key);
      let shown;
      if (descriptor?.get) shown = descriptor.set ? '[Getter/Setter]' : '[Getter]';
      else if (descriptor?.set) shown = '[Setter]';
      else shown = show(descriptor === undefined ? object[key] : descriptor.value, indent + 2);
      return `${name}: ${shown}`;
    };
    const show = (value, indent) => {
      if (typeof value === 'function') {
        const kind = /^class\b/.test(Function.prototype.toString.call(value))
          ? 'class'
          : (classOf(value) ?? 'Function');
        const label = `[${kind}${kind === 'class' ? ' ' : value.name ? ': ' : ' '}${value.name || '(anonymous)'}]`;
        const keys = keysOf(value);
        return keys.length === 0
          ? label
          : group(
              label,
              '{',
              keys.map((key) => property(value, key, indent)),
              '}',
              indent,
            );
      }
      if (typeof value !== 'object' || value === null) return primitive(value);
      if (above.includes(value)) {
        circular = value;
        return '[Circular *1]';
      }
      const name = classOf(value);
      const label = name === null ? '[Object: null prototype]' : name;
      if (above.length > deepest) return isArray(value) ? '[Array]' : `[${name === null ? label.slice(1, -1) : name}]`;
      above.push(value);
      let text = body(value, name, label, indent);
      above.pop();
      if (circular === value) {
        circular = undefined;
        text = `<ref *1> ${text}`;
      }
      return text;
    };
    const body = (value, name, label, indent) => {
      const own = value[inspected]?.();
      if (own !== undefined) {
        if (own.length === 1) return own[0];
        return group(
          own[0],
          '{',
          keysOf(own[1]).map((key) => property(own[1], key, indent)),
          '}',
          indent,
        );
      }
      const symbols = Object.getOwnPropertySymbols(value).filter((key) =>
        Object.prototype.propertyIsEnumerable.call(value, key),
      );
      const rest = (skip) =>
        [...keysOf(value).filter((key) => !skip?.(key)), ...symbols].map((key) => property(value, key, indent));
      if (isArray(value)) {
        const items = [];
        let holes = 0;
        const hole = () => {
          if (holes > 0) items.push(`<${holes} empty item${holes > 1 ? 's' : ''}>`);
          holes = 0;
        };
        for (let at = 0; at < value.length && items.length < most; at++) {
          if (!hasOwn(value, at)) {
            holes++;
          } else {
            hole();
            items.push(show(value[at], indent + 2));
          }
        }
        hole();
        if (value.length > most)
          items.push(`... ${value.length - most} more item${value.length - most > 1 ? 's' : ''}`);
        items.push(...rest((key) => /^\d+$/.test(key)));
        return group(name === 'Array' ? '' : `${label}(${value.length})`, '[', items, ']', indent);
      }
      if (isError(value)) {
        const stack = typeof value.stack === 'string' ? value.stack.replace(/\n+$/, '') : '';
        let head = `${value.name ?? name}${value.message ? `: ${value.message}` : ''}`;
        try {
          head = Error_.prototype.toString.call(value);
        } catch {
          // The name or the message has no text.
        }
        const lines = stack.split('\n').filter((line) => !line.includes('postern:prelude'));
        let text = stack === '' ? `[${head}]` : `${head}\n${lines.join('\n')}`;
        const keys = rest((key) => key === 'stack' || key === 'message');
        if (hasOwn(value, 'cause')) keys.push(`[cause]: ${show(value.cause, indent + 2)}`);
        if (isArray(value.errors)) keys.push(`[errors]: ${show(value.errors, indent + 2)}`);
        if (keys.length > 0)
          text += ` {\n${' '.repeat(indent + 2)}${keys.join(`,\n${' '.repeat(indent + 2)}`)}\n${' '.repeat(indent)}}`;
        return text;
      }
      if (value instanceof Date) return isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
      if (value instanceof RegExp) return String_(value);
      if (value instanceof Map) {
        const items = [...value].map(([key, item]) => `${show(key, indent + 2)} => ${show(item, indent + 2)}`);
        return group(`${label}(${value.size})`, '{', [...items, ...rest()], '}', indent);
      }
      if (value instanceof Set) {
        const items = [...value].map((item) => show(item, indent + 2));
        return group(`${label}(${value.size})`, '{', [...items, ...rest()], '}', indent);
      }
      if (isView(value) && !(value instanceof DataView)) {
        const items = Array.from(value.subarray(0, most), primitive);
        if (value.length > most) items.push(`... ${value.length - most} more items`);
        return group(`${label}(${value.length})`, '[', items, ']', indent);
      }
      if (isBuffer(value)) {
        const hex = new Uint8Array_(value)
          .subarray(0, 50)
          .toHex()
          .replace(/..(?=.)/g, '$& ');
        return `${label} { [Uint8Contents]: <${hex}>, byteLength: ${value.byteLength} }`;
      }
      if (value instanceof Promise) return 'Promise { }';
      if (value instanceof WeakMap || value instanceof WeakSet) return `${label} { <items unknown> }`;
      const kind = Object.prototype.toString.call(value).slice(8, -1);
      if (['Boolean', 'Number', 'String', 'BigInt', 'Symbol'].includes(kind)) {
        try {
          const inner = value.valueOf();
          if (typeof inner !== 'object') return `[${kind}: ${primitive(inner)}]`;
        } catch {
          // Only named so.
        }
      }
      const prefix = name === 'Object' ? '' : label;
      const tagged =
        typeof value[Symbol.toStringTag] === 'string' && value[Symbol.toStringTag] !== name
          ? value[Symbol.toStringTag]
          : '';
      return group(tagged ? `${name ?? 'Object'} [${tagged}]` : prefix, '{', rest(), '}', indent);
    };
    return show(root, 0);
  };

  const format = (...values) => {
    const [first] = values;
    let text = '';
    let used = 0;
    if (typeof first === 'string') {
      used = 1;
      text = first.replace(/%[sdifjoOc%]/g, (mark) => {
        if (mark === '%%') return values.length > 1 ? '%' : mark;
        if (used >= values.length) return mark;
        const value = values[used++];
        switch (mark) {
          case '%s':
            if (typeof value === 'bigint') return `${value}n`;
            if (typeof value === 'object' && value !== null && (isError(value) || !hasOwnText(value)))
              return inspect(value, { depth: 0 });
            return Object.is(value, -0) ? '-0' : String_(value);
          case '%d':
            return typeof value === 'bigint' ? `${value}n` : typeof value === 'object' ? 'NaN' : String_(Number(value));
          case '%i':
            return typeof value === 'bigint' ? `${value}n` : String_(parseInt(value, 10));
          case '%f':
            return String_(parseFloat(value));
          case '%j':
            try {
              return stringify(value);
            } catch {
              return '[Circular]';
            }
          case '%c':
            return '';
          default:
            return inspect(value, mark === '%o' ? { depth: 4 } : undefined);
        }
      });
    }
    for (; used < values.length; used++) {
      const value = values[used];
      text += (used > 0 ? ' ' : '') + (typeof value === 'string' ? value : inspect(value));
    }
    return text;
  };
  const hasOwnText = (value) =>
    typeof value.toString === 'function' && value.toString !== Object.prototype.toString && !isArray(value);
  return { inspect, format };
};
