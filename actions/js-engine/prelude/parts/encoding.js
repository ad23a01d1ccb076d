// TextEncoder and TextDecoder (WHATWG Encoding): UTF-8, UTF-16LE and windows-1252.

makers.encoding = () => {
  class TextEncoder {
    get encoding() {
      return 'utf-8';
    }
    encode(text = '') {
      return utf8(`${text}`);
    }
    encodeInto(text, target) {
      let read = 0;
      let written = 0;
      for (const character of `${text}`) {
        const bytes = utf8(character);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }
  const labels = {
    'utf-8': 'utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8',
    'utf-16le': 'utf-16le utf-16 ucs-2 csunicode iso-10646-ucs-2 unicode unicodefeff',
    'windows-1252':
      'windows-1252 ascii latin1 l1 iso-8859-1 iso8859-1 iso88591 iso_8859-1 us-ascii cp1252 x-cp1252 cp819 ibm819 ' +
      'ansi_x3.4-1968 iso-ir-100 csisolatin1 iso_8859-1:1987',
  };
  class TextDecoder {
    #encoding;
    #fatal;
    #ignoreBOM;
    #rest = new Uint8Array_(0);
    #started = false;
    constructor(label = 'utf-8', options) {
      const wanted = `${label}`.trim().toLowerCase();
      this.#encoding = Object.keys(labels).find((name) => labels[name].split(' ').includes(wanted));
      if (this.#encoding === undefined) {
        throw nodeError(RangeError, 'ERR_ENCODING_NOT_SUPPORTED', `The "${label}" encoding is not supported`);
      }
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }
    get encoding() {
      return this.#encoding;
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    // How many of the last bytes are the start of a character that may go on in the next chunk.
    #open(bytes) {
      const length = bytes.length;
      if (this.#encoding === 'utf-16le') {
        const odd = length % 2;
        const high = length - odd >= 2 && (bytes[length - odd - 1] & 0xfc) === 0xd8;
        return odd + (high ? 2 : 0);
      }
      if (this.#encoding !== 'utf-8') return 0;
      for (let back = 1; back <= 3 && back <= length; back++) {
        const byte = bytes[length - back];
        if ((byte & 0xc0) === 0x80) continue;
        const size = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
        if (byte < 0xf5 && size > back) {
          // What can be no character stays out: its error is this chunk's.
          const second = back > 1 ? bytes[length - back + 1] : 0x80;
          const low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
          const high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
          if (back === 1 || (second >= low && second <= high)) return back;
        }
        return 0;
      }
      return 0;
    }
    decode(input, options) {
      const stream = Boolean(options?.stream);
      let bytes = input === undefined ? new Uint8Array_(0) : bytesOf(input);
      if (bytes === undefined) {
        throw nodeError(
          TypeError,
          'ERR_INVALID_ARG_TYPE',
          'The "list" argument must be an ArrayBuffer or a view on one',
        );
      }
      if (this.#rest.length > 0) bytes = concatBytes([this.#rest, bytes]);
      const open = stream ? this.#open(bytes) : 0;
      this.#rest = open > 0 ? bytes.slice(bytes.length - open) : new Uint8Array_(0);
      let text;
      try {
        text = native('decode', bytes.subarray(0, bytes.length - open), this.#encoding, this.#fatal ? '1' : undefined);
      } catch {
        this.#started = false;
        throw nodeError(
          TypeError,
          'ERR_ENCODING_INVALID_ENCODED_DATA',
          `The encoded data was not valid for encoding ${this.#encoding}`,
        );
      }
      if (!this.#started && !this.#ignoreBOM && text[0] === '\ufeff' && this.#encoding !== 'windows-1252') {
        text = text.slice(1);
      }
      this.#started = stream && (this.#started || bytes.length > open);
      return text;
    }
  }
  tag(TextEncoder, 'TextEncoder');
  tag(TextDecoder, 'TextDecoder');
  return { TextEncoder, TextDecoder };
};
