/** What cases that are code have. */
declare module 'postern:test' {
  /** One login, as the Action leaves it. */
  interface Login {
    /** What the Action asked for, in order. */
    commands: { command: string; [argument: string]: any }[];
    /** What all of it comes to: `denied`, `session_expires_at`, `id_token_claims`, ... */
    decision: { denied: string | null; [part: string]: any };
    /** Where the browser goes before the login is complete. */
    suspension: { redirect: string } | { form: string } | { factors: object[] } | null;
    /** Each line as `log: text`. */
    console: string[];
    /** Why the Action failed. */
    error: string | null;
    /** The same on every machine. */
    fuel: number;
    /** What it asked the world for. */
    calls: string[];
  }
  interface Options {
    /** A partial event; a key may be a path, as `user.email`. `null` removes. */
    set?: Record<string, unknown>;
    /** The query with which the browser comes back, for `onContinuePostLogin`. */
    continue?: Record<string, string>;
    secrets?: Record<string, string>;
    /** `actions.secrets` of the `actions:` modules, by their names. */
    module_secrets?: Record<string, Record<string, string>>;
    /** They come before those of action.toml. */
    stand_ins?: {
      now?: string | number;
      seed?: number;
      http?: {
        method?: string;
        url: string;
        body?: unknown;
        status?: number;
        headers?: Record<string, string>;
        json?: unknown;
        text?: string;
        delay_ms?: number;
        failure?: string;
      }[];
      cache?: Record<string, string>;
      roles?: { id: string; name: string }[];
      groups?: { id: string; name: string; external_id?: string; connection_id?: string }[];
    };
    /** The most fuel that the run may use. */
    fuel?: number;
    /** As in a case that is data: what differs throws. */
    expect?: Record<string, unknown>;
  }
  /** Node's `assert`. */
  export const assert: {
    (value: unknown, message?: string): void;
    ok(value: unknown, message?: string): void;
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    match(text: string, pattern: RegExp, message?: string): void;
    rejects(promise: Promise<unknown>, expected?: unknown): Promise<void>;
    [method: string]: any;
  };
  /** A case: it passes when `body` does not throw. */
  export function test(name: string, body: () => unknown): void;
  /** Runs a login: the event by its name, its file, or itself. */
  export function run(event: string | object, options?: Options): Promise<Login>;
}

/** The part of Node's `assert` that cases need most; `@types/node` has all of it. */
declare module 'assert' {
  function assert(value: unknown, message?: string | Error): asserts value;
  namespace assert {
    function ok(value: unknown, message?: string | Error): asserts value;
    function equal(actual: unknown, expected: unknown, message?: string | Error): void;
    function notEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function strictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function deepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function deepStrictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function match(value: string, pattern: RegExp, message?: string | Error): void;
    function fail(message?: string | Error): never;
  }
  export = assert;
}
