//! The globals of the web platform that a script finds.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use std::sync::Arc;

use action_api::{ArtifactKind, NoOperations, OperationAnswer, OperationFuture, Operations};
use common::{LIMITS, handler, printed, run, run_recorded, run_with, script};
use serde_json::{Value, json};

/// Runs expressions, each with what it must print.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let body: Vec<String> = cases
        .iter()
        .map(|(expression, _)| {
            format!("try {{ console.log(String(await ({expression}))) }} catch (e) {{ console.log(`${{e.name}}: ${{e.message}}`) }}")
        })
        .collect();
    let report = handler(&body.join("\n"));
    assert_eq!(report.error, None);
    assert_eq!(report.console.len(), cases.len());
    for ((expression, expected), line) in cases.iter().zip(&report.console) {
        assert_eq!(line.text, *expected, "{expression}");
    }
}

#[test]
fn text_is_encoded_and_decoded_as_whatwg_encoding_says() {
    check(&[
        ("new TextEncoder().encode('aé€😀').join()", "97,195,169,226,130,172,240,159,152,128"),
        ("new TextEncoder().encode('\\ud800').join()", "239,191,189"),
        ("JSON.stringify(new TextEncoder().encodeInto('a€b', new Uint8Array(4)))", "{\"read\":2,\"written\":4}"),
        ("new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))", "a"),
        ("new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).length", "2"),
        ("new TextDecoder().decode(new Uint8Array([0x61, 0xff, 0xe2, 0x82]))", "a\u{fffd}\u{fffd}"),
        (
            "new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff]))",
            "TypeError: The encoded data was not valid for encoding utf-8",
        ),
        ("new TextDecoder('UTF-16').decode(new Uint8Array([0x3d, 0xd8, 0, 0xde, 0x61, 0]))", "😀a"),
        ("new TextDecoder('latin1').decode(new Uint8Array([0x80, 0xe9]))", "€é"),
        ("new TextDecoder('koi8-r')", "RangeError: The \"koi8-r\" encoding is not supported"),
        (
            "(() => { const d = new TextDecoder(); let text = '';
               for (const byte of new TextEncoder().encode('aé€😀')) text += d.decode(Uint8Array.of(byte), { stream: true });
               return text + d.decode() })()",
            "aé€😀",
        ),
        ("atob(btoa('\\xff\\0a')) === '\\xff\\0a'", "true"),
    ]);
}

#[test]
fn a_url_is_parsed_and_changed_as_whatwg_url_says() {
    check(&[
        ("new URL('../x?y#z', 'HTTP://User@EXAMPLE.com:80/a/b/c').href", "http://User@example.com/a/x?y#z"),
        ("new URL('https://bücher.example/ä b').href", "https://xn--bcher-kva.example/%C3%A4%20b"),
        ("new URL('https://0x7f.1/').hostname", "127.0.0.1"),
        ("new URL('http://[::1]:8080/').host", "[::1]:8080"),
        ("new URL('nope')", "TypeError: Invalid URL"),
        ("URL.canParse('nope')", "false"),
        ("URL.parse('/a', 'https://a.example').pathname", "/a"),
        (
            "(() => { const u = new URL('https://a.example/'); u.protocol = 'http'; u.port = '81'; u.pathname = 'x y';
               u.hash = 'h'; u.username = 'u@'; u.port = 'no'; return u.href })()",
            "http://u%40@a.example:81/x%20y#h",
        ),
        (
            "(() => { const u = new URL('https://a.example/?a=1&b=2'); const p = u.searchParams;
               p.append('c', 'ä &'); p.delete('a'); const one = u.href; u.search = '?z=9'; return `${one} ${p.get('z')} ${p.size}` })()",
            "https://a.example/?b=2&c=%C3%A4+%26 9 1",
        ),
        ("new URLSearchParams({ a: '1', b: 'x y' }) + ''", "a=1&b=x+y"),
        ("new URLSearchParams([['a', '~*!'], ['a', \"(')\"]]) + ''", "a=%7E*%21&a=%28%27%29"),
        ("new URLSearchParams('?a=1&a=2&b=%zz+').getAll('a').join() + new URLSearchParams('b=%zz+').get('b')", "1,2%zz "),
        ("[...new URLSearchParams('b=1&a=2&b=0')].sort().join(';')", "a,2;b,0;b,1"),
        ("(() => { const p = new URLSearchParams('b=1&a=2&b=0'); p.sort(); p.set('b', 'x'); return p + '' })()", "a=2&b=x"),
        ("JSON.stringify({ u: new URL('https://a.example') })", "{\"u\":\"https://a.example/\"}"),
    ]);
}

#[test]
fn signals_abort_once_with_their_reason() {
    check(&[
        (
            "(() => { const c = new AbortController(); const log = [];
               c.signal.addEventListener('abort', (e) => log.push(e.type, e.target === c.signal));
               c.signal.onabort = () => log.push('on'); c.abort('why'); c.abort('again');
               return [...log, c.signal.aborted, c.signal.reason].join() })()",
            "on,abort,true,true,why",
        ),
        ("AbortSignal.abort().throwIfAborted()", "AbortError: This operation was aborted"),
        (
            "new Promise((done) => { const s = AbortSignal.timeout(5); s.addEventListener('abort', () => done(s.reason.name)) })",
            "TimeoutError",
        ),
        (
            "(() => { const a = new AbortController(), b = new AbortController(); const s = AbortSignal.any([a.signal, b.signal]);
               b.abort(7); return s.reason })()",
            "7",
        ),
        ("new AbortSignal()", "TypeError: Illegal constructor"),
        (
            "(() => { const t = new EventTarget(); let n = 0; const f = () => n++; t.addEventListener('x', f, { once: true });
               t.addEventListener('x', f); t.dispatchEvent(new Event('x')); t.dispatchEvent(new Event('x')); return n })()",
            "1",
        ),
    ]);
}

#[test]
fn values_are_cloned_with_their_kinds_and_cycles() {
    check(&[
        (
            "(() => { const a = { d: new Date(5), m: new Map([[1, new Set([2])]]), r: /x/gi, b: new Uint8Array([1, 2]), n: [1, , 3] };
               a.self = a; const c = structuredClone(a);
               return [c !== a, c.self === c, c.d.getTime(), c.m.get(1).has(2), c.r.flags, c.b.join(), 1 in c.n, c.b.buffer !== a.b.buffer].join() })()",
            "true,true,5,true,gi,1,2,false,true",
        ),
        ("structuredClone(new RangeError('x')) instanceof RangeError", "true"),
        ("structuredClone({ f() {} })", "DataCloneError: f() {} could not be cloned."),
        ("structuredClone(Symbol('s'))", "DataCloneError: Symbol(s) could not be cloned."),
    ]);
}

#[test]
fn headers_and_bodies_behave_as_fetch_says() {
    check(&[
        (
            "(() => { const h = new Headers({ 'X-B': ' 2 ', a: '1' }); h.append('A', '3'); h.append('Set-Cookie', 'x=1'); h.append('set-cookie', 'y=2');
               return JSON.stringify([...h]) + h.getSetCookie().length + h.has('x-b') + h.get('none') })()",
            r#"[["a","1, 3"],["set-cookie","x=1"],["set-cookie","y=2"],["x-b","2"]]2truenull"#,
        ),
        ("new Headers({ 'a b': '1' })", "TypeError: Headers: a b is an invalid header name."),
        ("new Headers({ a: '1\\r\\nb: 2' })", "TypeError: Headers: 1\r\nb: 2 is an invalid header value."),
        ("new Response('{\"a\":[1]}').json().then((x) => x.a[0])", "1"),
        ("new Response('ä').arrayBuffer().then((b) => b.byteLength)", "2"),
        ("Response.json({ a: 1 }, { status: 201 }).headers.get('content-type')", "application/json"),
        ("(async () => { const r = new Response('x'); await r.text(); return r.text() })()", "TypeError: Body is unusable: Body has already been read"),
        ("(async () => { const r = new Response('x'); const c = r.clone(); return await r.text() + await c.text() + r.bodyUsed })()", "xxtrue"),
        ("new Response(new URLSearchParams({ a: 'b c' })).formData().then((f) => f.get('a'))", "b c"),
        ("new Response('', { status: 99 })", "RangeError: init[\"status\"] must be in the range of 200 to 599, inclusive."),
        ("new Request('https://a.example', { method: 'post', body: 'x' }).method", "POST"),
        ("new Request('https://a.example', { body: 'x' })", "TypeError: Request with GET/HEAD method cannot have body."),
        ("new Request('https://u:p@a.example')", "TypeError: Request cannot be constructed from a URL that includes credentials: https://u:p@a.example"),
        ("new Blob(['aä', new Uint8Array([33])], { type: 'Text/Plain' }).text()", "aä!"),
        (
            "(async () => { const f = new FormData(); f.append('a', '1'); f.append('f', new Blob(['x']), 'n\".txt');
               const text = await new Response(f).text(); const again = await new Response(f).text();
               const type = new Response(f).headers.get('content-type');
               return [text === again, text.includes('name=\"f\"; filename=\"n%22.txt\"\\r\\nContent-Type: application/octet-stream\\r\\n\\r\\nx\\r\\n'),
                 text.startsWith('--' + type.split('boundary=')[1])].join() })()",
            "true,true,true",
        ),
    ]);
}

#[test]
fn digests_and_macs_are_those_of_their_standards() {
    let hex =
        "const hex = (b) => new Uint8Array(b).toHex(); const utf8 = (s) => new TextEncoder().encode(s);";
    // FIPS 180-4's "abc"; RFC 4231 case 2; RFC 5869 case 1; RFC 6070 case 2.
    let report = handler(&format!(
        "{hex}
         for (const name of ['SHA-1', 'sha-256']) console.log(hex(await crypto.subtle.digest(name, utf8('abc'))));
         const key = await crypto.subtle.importKey('raw', utf8('Jefe'), {{ name: 'HMAC', hash: 'SHA-256' }}, true, ['sign', 'verify']);
         const mac = await crypto.subtle.sign('HMAC', key, utf8('what do ya want for nothing?'));
         console.log(hex(mac), await crypto.subtle.verify('HMAC', key, mac, utf8('what do ya want for nothing?')),
           await crypto.subtle.verify('HMAC', key, mac, utf8('what')));
         const secret = await crypto.subtle.importKey('raw', new Uint8Array(22).fill(11), 'HKDF', false, ['deriveBits']);
         const hkdf = {{ name: 'HKDF', hash: 'SHA-256', salt: Uint8Array.fromHex('000102030405060708090a0b0c'), info: Uint8Array.fromHex('f0f1f2f3f4f5f6f7f8f9') }};
         console.log(hex(await crypto.subtle.deriveBits(hkdf, secret, 336)));
         const password = await crypto.subtle.importKey('raw', utf8('password'), 'PBKDF2', false, ['deriveBits']);
         console.log(hex(await crypto.subtle.deriveBits({{ name: 'PBKDF2', hash: 'SHA-1', salt: utf8('salt'), iterations: 2 }}, password, 160)));"
    ));
    assert_eq!(
        printed(&report),
        "a9993e364706816aba3e25717850c26c9cd0d89d\n\
         ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\
         5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843 true false\n\
         3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865\n\
         ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"
    );
}

#[test]
fn ciphers_open_what_they_sealed_and_nothing_else() {
    let report = handler(
        "const utf8 = (s) => new TextEncoder().encode(s);
         for (const [name, size] of [['AES-GCM', 12], ['AES-CBC', 16]]) {
           const key = await crypto.subtle.generateKey({ name, length: 256 }, true, ['encrypt', 'decrypt']);
           const iv = crypto.getRandomValues(new Uint8Array(size));
           const sealed = new Uint8Array(await crypto.subtle.encrypt({ name, iv }, key, utf8('text')));
           console.log(name, sealed.length, new TextDecoder().decode(await crypto.subtle.decrypt({ name, iv }, key, sealed)));
           sealed[sealed.length - 1] ^= 1;
           await crypto.subtle.decrypt({ name, iv }, key, sealed).catch((e) => console.log(e.name));
         }
         // NIST SP 800-38D's test case of a zero key, nonce and block.
         const zero = await crypto.subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', false, ['encrypt']);
         const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, zero, new Uint8Array(16));
         console.log(new Uint8Array(sealed).toHex());
         await crypto.subtle.exportKey('raw', zero).catch((e) => console.log(e.name));
         await crypto.subtle.decrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, zero, sealed).catch((e) => console.log(e.name));
         await crypto.subtle.generateKey({ name: 'RSA-OAEP' }, true, ['encrypt']).catch((e) => console.log(e.name));",
    );
    assert_eq!(
        printed(&report),
        "AES-GCM 20 text\nOperationError\nAES-CBC 16 text\nOperationError\n\
         0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf\n\
         InvalidAccessError\nInvalidAccessError\nNotSupportedError"
    );
}

#[test]
fn signatures_with_elliptic_curves_are_deterministic_and_verify() {
    // The key of RFC 6979 A.2.5, and its signature of "sample" with SHA-256.
    let report = handler(
        "const b64 = (hex) => Uint8Array.fromHex(hex).toBase64({ alphabet: 'base64url', omitPadding: true });
         const jwk = { kty: 'EC', crv: 'P-256',
           x: b64('60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6'),
           y: b64('7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299'),
           d: b64('C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721') };
         const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
         const key = await crypto.subtle.importKey('jwk', jwk, algorithm, true, ['sign']);
         const data = new TextEncoder().encode('sample');
         const signature = await crypto.subtle.sign(algorithm, key, data);
         console.log(new Uint8Array(signature).toHex());
         const { d, ...half } = jwk;
         const open = await crypto.subtle.importKey('jwk', half, algorithm, true, ['verify']);
         console.log(await crypto.subtle.verify(algorithm, open, signature, data), await crypto.subtle.verify(algorithm, open, signature, data.slice(1)));
         const spki = await crypto.subtle.exportKey('spki', open);
         const again = await crypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
         console.log(await crypto.subtle.verify(algorithm, again, signature, data), (await crypto.subtle.exportKey('jwk', again)).x === jwk.x);
         const pkcs8 = await crypto.subtle.importKey('pkcs8', await crypto.subtle.exportKey('pkcs8', key), algorithm, false, ['sign']);
         console.log(new Uint8Array(await crypto.subtle.sign(algorithm, pkcs8, data)).toHex() === new Uint8Array(signature).toHex());",
    );
    assert_eq!(
        printed(&report),
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8\n\
         true false\ntrue true\ntrue"
    );
}

#[test]
fn random_values_are_the_runs_and_unlike_each_other() {
    let artifact = script(
        "exports.onExecutePostLogin = async () => console.log(crypto.randomUUID(), crypto.randomUUID(),
           crypto.getRandomValues(new Uint32Array(4)).join(), Math.random())",
    )
    .expect("it builds");
    assert!(matches!(artifact.kind, ArtifactKind::MemoryImage { evaluated_at_login: false, .. }));
    let of = |seed| printed(&run_with(&artifact, "{}", seed, &LIMITS));
    let first = of(1);
    assert_eq!(first, of(1));
    assert_ne!(first, of(2));
    let uuids: Vec<&str> = first.split(' ').take(2).collect();
    assert_ne!(uuids[0], uuids[1]);
    let digits: Vec<&str> = uuids[0].split('-').collect();
    assert_eq!(digits.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(digits[2].starts_with('4') && digits[3].starts_with(['8', '9', 'a', 'b']), "{uuids:?}");
}

#[test]
fn a_top_level_that_reads_random_values_runs_at_each_login() {
    let artifact =
        script("const id = crypto.randomUUID();\nexports.onExecutePostLogin = async () => console.log(id);")
            .expect("it builds");
    assert!(matches!(artifact.kind, ArtifactKind::MemoryImage { evaluated_at_login: true, .. }));
    let of = |seed| printed(&run_with(&artifact, "{}", seed, &LIMITS));
    assert_ne!(of(1), of(2));
    // Having the object alone reads nothing.
    let artifact =
        script("const { subtle } = crypto; exports.onExecutePostLogin = async () => {};").expect("it builds");
    assert!(matches!(artifact.kind, ArtifactKind::MemoryImage { evaluated_at_login: false, .. }));
}

#[test]
fn a_global_may_be_replaced_removed_and_asked_for() {
    check(&[
        ("(() => { globalThis.URL = 7; return URL })()", "7"),
        ("(() => { delete globalThis.Headers; return typeof Headers })()", "undefined"),
        (
            "typeof Blob + typeof global.Buffer + ('Request' in globalThis) + (globalThis.fetch === fetch)",
            "functionfunctiontruetrue",
        ),
        ("Object.keys(globalThis).includes('FormData')", "false"),
        (
            "(() => { Array.prototype.map = null; return new TextDecoder().decode(new TextEncoder().encode('x')) })()",
            "x",
        ),
    ]);
}

#[test]
fn what_the_top_level_made_of_the_globals_is_in_the_image() {
    let artifact = script(
        "const base = new URL('https://a.example/x?y=1'); const bytes = Buffer.from('key'); const { createHash } = require('crypto');
         exports.onExecutePostLogin = async () => console.log(base.searchParams.get('y'), bytes.toString(), createHash('sha256').update('abc').digest('hex').slice(0, 8));",
    )
    .expect("it builds");
    assert!(matches!(artifact.kind, ArtifactKind::MemoryImage { evaluated_at_login: false, .. }));
    assert_eq!(printed(&run(&artifact, "{}")), "1 key ba7816bf");
}

#[test]
fn an_image_with_parts_of_the_library_is_the_same_for_the_same_source() {
    let code = "const { createHash } = require('crypto'); const url = new URL('https://a.example');
        exports.onExecutePostLogin = async () => { await fetch(url); console.log(new Date().toLocaleString(), createHash) };";
    let [first, second, other] = [code, code, "exports.onExecutePostLogin = async () => {}"]
        .map(|code| script(code).expect("it builds"));
    assert_eq!(first.digest, second.digest);
    // What a script does not name is not in its image.
    assert!(other.bytes.len() + 100_000 < first.bytes.len(), "{} {}", other.bytes.len(), first.bytes.len());
}

#[test]
fn fetch_without_anything_to_reach_fails_as_a_network_error() {
    let code = "exports.onExecutePostLogin = async () => {
        for (const go of [() => fetch('https://a.example/x'), () => fetch('nope'), () => fetch('ftp://a.example')]) {
          await go().catch((e) => console.log(e.name, e.message, e.cause instanceof Error));
        }
        await fetch('https://a.example', { signal: AbortSignal.abort('stop') }).catch((e) => console.log(e));
    };";
    let artifact = script(code).expect("it builds");
    let finished = run_recorded(&artifact, "{}", 1, &LIMITS, Arc::new(NoOperations));
    assert_eq!(
        printed(&finished.report),
        "TypeError fetch failed true\nTypeError Failed to parse URL from nope true\nTypeError fetch failed true\nstop"
    );
}

/// Answers requests with what they were, and never those whose path is `/slow`.
struct Echo;

impl Operations for Echo {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let kind = kind.to_owned();
        Box::pin(async move {
            if input["url"].as_str().is_some_and(|url| url.ends_with("/slow")) {
                std::future::pending::<()>().await;
            }
            if input["url"].as_str().is_some_and(|url| url.ends_with("/refused")) {
                return Err("connection refused".to_owned());
            }
            let body = json!({ "kind": kind, "input": input }).to_string();
            Ok(json!({
                "status": 201, "status_text": "Created", "url": "https://a.example/end", "redirected": true,
                "headers": [["content-type", "application/json"], ["x-a", "1"]],
                "body": base64(body.as_bytes()),
            }))
        })
    }

    fn call(&self, _kind: &str, _input: Value, _now_ms: i64) -> OperationAnswer {
        Err("nothing is answered at once".into())
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[test]
fn fetch_sends_what_was_asked_and_gives_what_came_back() {
    let code = "exports.onExecutePostLogin = async () => {
        const answer = await fetch(new URL('https://a.example/x?y=ä'), {
          method: 'put', headers: { Authorization: 'Bearer t' }, body: JSON.stringify({ a: 'ä' }), redirect: 'manual' });
        console.log(answer.status, answer.ok, answer.statusText, answer.url, answer.redirected, answer.headers.get('X-A'), answer.bodyUsed);
        const { kind, input } = await answer.json();
        console.log(kind, input.method, input.url, JSON.stringify(input.headers), atob(input.body).length, input.redirect);
        const [one, two] = await Promise.all(['https://a.example/1', new Request('https://a.example/2')].map((x) => fetch(x)));
        console.log((await one.json()).input.url, (await two.json()).input.body);
        const form = await (await fetch('https://a.example', { method: 'POST', body: new URLSearchParams({ a: 'b c' }) })).json();
        console.log(atob(form.input.body), JSON.stringify(form.input.headers));
    };";
    let artifact = script(code).expect("it builds");
    let report = run_recorded(&artifact, "{}", 1, &LIMITS, Arc::new(Echo)).report;
    assert_eq!(
        printed(&report),
        "201 true Created https://a.example/end true 1 false\n\
         http.fetch PUT https://a.example/x?y=%C3%A4 [[\"authorization\",\"Bearer t\"],[\"content-type\",\"text/plain;charset=UTF-8\"]] 10 manual\n\
         https://a.example/1 null\n\
         a=b+c [[\"content-type\",\"application/x-www-form-urlencoded;charset=UTF-8\"]]"
    );
}

#[test]
fn a_request_ends_when_its_signal_aborts_and_tells_why_it_failed() {
    let code = "exports.onExecutePostLogin = async () => {
        const slow = (signal) => fetch('https://a.example/slow', { signal }).catch((e) => console.log(e.name ?? e));
        await slow(AbortSignal.timeout(20));
        const controller = new AbortController();
        const waiting = slow(controller.signal);
        controller.abort('enough');
        await waiting;
        await fetch('https://a.example/refused').catch((e) => console.log(e.name, e.message, e.cause.message));
    };";
    let artifact = script(code).expect("it builds");
    let report = run_recorded(&artifact, "{}", 1, &LIMITS, Arc::new(Echo)).report;
    assert_eq!(printed(&report), "TimeoutError\nenough\nTypeError fetch failed connection refused");
}
