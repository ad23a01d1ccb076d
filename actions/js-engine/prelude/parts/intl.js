// Intl, and what Date and Number write in a language. ICU4X does it, in the host.

makers.intl = () => {
  const fallback = 'en-US';
  const known = (tag) => {
    try {
      native('format_number', '0', tag, 'auto', 1, 0, 0);
      return true;
    } catch (error) {
      if (/^Incorrect locale/.test(error.message)) throw new RangeError(error.message);
      return false;
    }
  };
  const list = (locales) => {
    if (locales === undefined) return [];
    const tags = typeof locales === 'string' ? [locales] : [...locales];
    return tags.map((tag) => {
      if (typeof tag !== 'string' && typeof tag !== 'object')
        throw new TypeError_('Incorrect locale information provided');
      return `${tag}`;
    });
  };
  const canonical = (tag) =>
    tag
      .split('-')
      .map((piece, at) => (at === 0 ? piece.toLowerCase() : piece.length === 2 && at < 3 ? piece.toUpperCase() : piece))
      .join('-');
  // The first locale that there is data for.
  const negotiate = (locales) => canonical(list(locales).find(known) ?? fallback);
  const supported = (locales) => list(locales).filter(known).map(canonical);
  const option = (options, name, values, otherwise) => {
    const value = options[name];
    if (value === undefined) return otherwise;
    const text = `${value}`;
    if (!values.includes(text)) throw new RangeError(`Value ${text} out of range for Intl options property ${name}`);
    return text;
  };

  // By component: its values, and the letters of the skeleton (UTS #35) for each.
  const components = {
    weekday: { long: 'EEEE', short: 'EEE', narrow: 'EEEEE' },
    era: { long: 'GGGG', short: 'G', narrow: 'GGGGG' },
    year: { numeric: 'y', '2-digit': 'yy' },
    month: { numeric: 'M', '2-digit': 'MM', long: 'MMMM', short: 'MMM', narrow: 'MMMMM' },
    day: { numeric: 'd', '2-digit': 'dd' },
    hour: { numeric: 'j', '2-digit': 'jj' },
    minute: { numeric: 'm', '2-digit': 'mm' },
    second: { numeric: 's', '2-digit': 'ss' },
    fractionalSecondDigits: { 1: 'S', 2: 'SS', 3: 'SSS' },
    timeZoneName: {
      short: 'z',
      long: 'zzzz',
      shortOffset: 'O',
      longOffset: 'OOOO',
      shortGeneric: 'v',
      longGeneric: 'vvvv',
    },
  };
  const styles = ['full', 'long', 'medium', 'short'];
  const timeValue = (date) => {
    const time = date === undefined ? Date.now() : Number(date);
    if (!(Math.abs(time) <= 8.64e15)) throw new RangeError('Invalid time value');
    return Math.trunc(time);
  };

  class DateTimeFormat {
    #locale;
    #zone;
    #chosen = {};
    #cycle;
    // `fields` are those that are shown when the options name none: date, time or all.
    constructor(locales, given, fields = 'date') {
      const options = given === undefined ? {} : Object(given);
      this.#locale = negotiate(locales);
      const zone = options.timeZone;
      try {
        this.#zone = zone === undefined ? 'UTC' : native('time_zone', `${zone}`);
      } catch (error) {
        throw new RangeError(error.message);
      }
      if (options.hour12 !== undefined) this.#cycle = options.hour12 ? 'h12' : 'h23';
      else this.#cycle = option(options, 'hourCycle', ['h11', 'h12', 'h23', 'h24']);
      for (const name of keysOf(components)) {
        const value = option(options, name, keysOf(components[name]));
        if (value !== undefined) this.#chosen[name] = value;
      }
      const dateStyle = option(options, 'dateStyle', styles);
      const timeStyle = option(options, 'timeStyle', styles);
      if (dateStyle ?? timeStyle) {
        const [other] = keysOf(this.#chosen);
        if (other)
          throw new TypeError_(`Can't set option ${other} when ${dateStyle ? 'dateStyle' : 'timeStyle'} is used`);
        this.#chosen = { dateStyle, timeStyle };
        return;
      }
      const has = (names) => names.split(' ').some((name) => this.#chosen[name] !== undefined);
      const date = 'weekday year month day';
      const time = 'hour minute second fractionalSecondDigits';
      const needed = fields === 'date' || fields === 'all' || fields === 'only date';
      const enough = fields === 'only date' ? has(date) : fields === 'only time' ? has(time) : has(`${date} ${time}`);
      if (enough) return;
      if (needed) Object.assign(this.#chosen, { year: 'numeric', month: 'numeric', day: 'numeric' });
      if (fields === 'all' || fields === 'only time')
        Object.assign(this.#chosen, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
    }
    static supportedLocalesOf(locales) {
      return supported(locales);
    }
    #parts(date) {
      const { dateStyle, timeStyle } = this.#chosen;
      const styled = dateStyle ?? timeStyle;
      let skeleton;
      if (styled === undefined) {
        skeleton = keysOf(components)
          .map((name) => components[name][this.#chosen[name]] ?? '')
          .join('');
        const hour = this.#cycle === undefined ? 'j' : this.#cycle === 'h12' || this.#cycle === 'h11' ? 'h' : 'H';
        skeleton = skeleton.replace(/j/g, hour);
      }
      try {
        return parseJson(
          native('format_date', timeValue(date), this.#locale, this.#zone, skeleton, dateStyle, timeStyle, this.#cycle),
        );
      } catch (error) {
        throw new RangeError(error.message);
      }
    }
    get format() {
      return (date) =>
        this.#parts(date)
          .map((piece) => piece[1])
          .join('');
    }
    formatToParts(date) {
      return this.#parts(date).map(([type, value]) => ({ type, value }));
    }
    formatRange(from, to) {
      const [left, right] = [this.format(from), this.format(to)];
      return left === right ? left : `${left} – ${right}`;
    }
    resolvedOptions() {
      const options = {
        locale: this.#locale,
        calendar: 'gregory',
        numberingSystem: 'latn',
        timeZone: this.#zone,
        ...this.#chosen,
      };
      if (this.#cycle !== undefined)
        Object.assign(options, { hourCycle: this.#cycle, hour12: this.#cycle === 'h11' || this.#cycle === 'h12' });
      return options;
    }
  }

  const symbols = {
    USD: '$',
    EUR: '€',
    GBP: '£',
    JPY: '¥',
    INR: '₹',
    CNY: 'CN¥',
    KRW: '₩',
    BRL: 'R$',
    CAD: 'CA$',
    AUD: 'A$',
    MXN: 'MX$',
    NZD: 'NZ$',
    ILS: '₪',
    VND: '₫',
    TWD: 'NT$',
    HKD: 'HK$',
  };
  class NumberFormat {
    #locale;
    #options;
    constructor(locales, given) {
      const options = given === undefined ? {} : Object(given);
      const style = option(options, 'style', ['decimal', 'percent', 'currency', 'unit'], 'decimal');
      if (style === 'unit' || (options.notation ?? 'standard') !== 'standard') {
        throw new RangeError('Intl.NumberFormat: units and notations are not available in Actions');
      }
      const currency = options.currency === undefined ? undefined : `${options.currency}`.toUpperCase();
      if (style === 'currency' && currency === undefined)
        throw new TypeError_('Currency code is required with currency style.');
      // How other languages write a percentage or a sum of money is not known here.
      this.#locale = style === 'decimal' ? negotiate(locales) : fallback;
      const digits = (name, least, most, otherwise) => {
        if (options[name] === undefined) return otherwise;
        const value = Math.floor(Number(options[name]));
        if (!(value >= least && value <= most)) throw new RangeError(`${name} value is out of range.`);
        return value;
      };
      const usual =
        style === 'currency'
          ? ['JPY', 'KRW', 'VND'].includes(currency)
            ? [0, 0]
            : [2, 2]
          : style === 'percent'
            ? [0, 0]
            : [0, 3];
      const least = digits('minimumFractionDigits', 0, 100);
      const most = digits('maximumFractionDigits', 0, 100);
      if (least !== undefined && most !== undefined && least > most)
        throw new RangeError('maximumFractionDigits value is out of range.');
      const resolved = {
        locale: this.#locale,
        numberingSystem: 'latn',
        style,
        minimumIntegerDigits: digits('minimumIntegerDigits', 1, 21, 1),
        minimumFractionDigits: least ?? Math.min(usual[0], most ?? usual[0]),
        maximumFractionDigits: most ?? Math.max(usual[1], least ?? 0),
        useGrouping:
          options.useGrouping === undefined || options.useGrouping === true || options.useGrouping === 'true'
            ? 'auto'
            : `${options.useGrouping || false}`,
      };
      if (style === 'currency')
        Object.assign(resolved, {
          currency,
          currencyDisplay: option(options, 'currencyDisplay', ['symbol', 'narrowSymbol', 'code'], 'symbol'),
        });
      if (options.minimumSignificantDigits !== undefined || options.maximumSignificantDigits !== undefined) {
        resolved.minimumSignificantDigits = digits('minimumSignificantDigits', 1, 21, 1);
        resolved.maximumSignificantDigits = digits(
          'maximumSignificantDigits',
          resolved.minimumSignificantDigits,
          21,
          21,
        );
      }
      this.#options = resolved;
    }
    static supportedLocalesOf(locales) {
      return supported(locales);
    }
    get format() {
      return (value) => this.#format(typeof value === 'bigint' ? value : Number(value));
    }
    #format(value) {
      const { style, currency, currencyDisplay, ...digits } = this.#options;
      if (typeof value === 'number' && isNaN(value)) return 'NaN';
      const negative = value < 0 || Object.is(value, -0);
      let shown;
      if (value === Infinity || value === -Infinity) {
        shown = '∞';
      } else {
        let text = `${negative ? -value : value}`.replace('+', '');
        if (style === 'percent') {
          const [mantissa, exponent = '0'] = text.split('e');
          text = `${mantissa}e${Number(exponent) + 2}`;
        }
        shown = native(
          'format_number',
          text,
          this.#locale,
          digits.useGrouping,
          digits.minimumIntegerDigits,
          digits.minimumFractionDigits,
          digits.maximumFractionDigits,
          digits.minimumSignificantDigits,
          digits.maximumSignificantDigits,
        );
      }
      if (style === 'percent') shown += '%';
      if (style === 'currency') {
        const symbol = currencyDisplay === 'code' ? undefined : symbols[currency];
        shown = symbol === undefined ? `${currency}\u00a0${shown}` : symbol + shown;
      }
      return (negative ? '-' : '') + shown;
    }
    resolvedOptions() {
      return { ...this.#options };
    }
  }
  // Without `new`, as the language allows for these two.
  const callable = (Class) =>
    new Proxy(Class, {
      apply: (target, self, values) => new target(values[0], values[1]),
      construct: (target, values, newTarget) => Reflect.construct(target, values.slice(0, 2), newTarget),
    });
  tag(DateTimeFormat, 'Intl.DateTimeFormat');
  tag(NumberFormat, 'Intl.NumberFormat');
  const Intl = {
    DateTimeFormat: callable(DateTimeFormat),
    NumberFormat: callable(NumberFormat),
    getCanonicalLocales: (locales) => list(locales).map((tag) => (known(tag), canonical(tag))),
  };
  tag({ prototype: Intl }, 'Intl');
  const dates = { __proto__: null };
  for (const fields of ['all', 'only date', 'only time']) {
    dates[fields] = (date, locales, options) => {
      if (isNaN(date)) return 'Invalid Date';
      return new DateTimeFormat(locales, options, fields).format(date);
    };
  }
  return { Intl, dates, formatNumber: (value, locales, options) => new NumberFormat(locales, options).format(value) };
};
