//! Where a script has been: found by repeating its run, which it does not change.
#![allow(clippy::expect_used, reason = "a test may stop at what it cannot set up")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use action_api::{Handler, NoOperations};
use action_build::{Lines, Program, Source, build, build_traced};
use action_runtime::{Position, RunInput, Trace};
use common::{LIMITS, RUNTIME, run_recorded};

const EVENT: &str = r#"{"user":{"name":"Ada"}}"#;

/// Runs it, and repeats the run with the artifact and with the one that tells its lines.
fn traced(source: &Source) -> (Vec<Option<Position>>, Trace, Lines) {
    let artifact = build(&RUNTIME, source, &LIMITS).expect("it builds");
    let finished = run_recorded(&artifact, EVENT, 1, &LIMITS, Arc::new(NoOperations));
    let input = RunInput { handler: Handler::Execute, event: EVENT.to_owned(), secrets: BTreeMap::new() };
    let (report, places) = RUNTIME.trace(&artifact, &input, &finished.record, &LIMITS);
    assert!(report.fuel.abs_diff(finished.report.fuel) < 5_000, "asking leaves traces in the heap only");
    assert_eq!((&report.commands, &report.error), (&finished.report.commands, &finished.report.error));
    let (telling, lines) = build_traced(&RUNTIME, source, &LIMITS).expect("it builds").expect("a script");
    let (report, trace) = RUNTIME.trace(&telling, &input, &finished.record, &LIMITS);
    assert_eq!((&report.commands, &report.error), (&finished.report.commands, &finished.report.error));
    assert_eq!(trace.commands.len(), places.commands.len());
    (places.commands, trace, lines)
}

fn script(files: &[(&str, &str)]) -> Source {
    let mut modules: BTreeMap<String, String> =
        files.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned())).collect();
    let (file, _) = files[0];
    let code = modules.remove(file).expect("the first");
    Source { file_name: file.to_owned(), program: Program::Script { code, modules } }
}

#[test]
fn each_command_has_the_place_that_asked_for_it() {
    let helper = "exports.limit = (api) => {\n  api.session.setExpiresAt(5);\n};\n";
    let code = "import { limit } from './lib/helper';
interface Api { session: any, idToken: any }
export const onExecutePostLogin = async (event: object, api: Api): Promise<void> => {
  limit(api);
  await new Promise((resolve) => setTimeout(resolve, 1));
  for (const key of ['a', 'b']) api.idToken.setCustomClaim(key, 1);
};\n";
    let (places, ..) = traced(&script(&[("action.ts", code), ("lib/helper.js", helper)]));
    let places: Vec<_> = places
        .into_iter()
        .map(|place| place.map(|place| (place.file, place.line)).expect("a place"))
        .collect();
    let here = |line| ("action.ts".to_owned(), line);
    assert_eq!(places, [("lib/helper.js".to_owned(), 2), here(6), here(6)]);
}

#[test]
fn lines_tell_that_they_run_whatever_the_code_looks_like() {
    let code = "'use strict'
let total = 0
const twice = (x) => x * 2
const object = (x) => ({ x })
function unused(x) {
  return x
}
class Counter {
  #n = 0
  static make = () =>
    new Counter()
  add() {
    this.#n++
    return this
  }
}
exports.onExecutePostLogin = async (event, api) => {
  'use strict'
  label: for (let i = 0; i < 3; i++) {
    if (i === 1) continue label
    else if (i === 9) total = 99
    else total += twice(i)
    switch (i) {
      case 0:
        total++
        break
      default: { total += object(1).x }
    }
  }
  do total++; while (total < 0)
  while (total > 100)
    total--
  for (const k in {}) total = k
  try { Counter.make().add().add() } catch { total = 7 }
  ;[1].forEach(async function* () {})
  const text = `${total}`
  if (text === '') {
    api.access.deny('none')
  } else api.idToken.setCustomClaim('total', total)
  return
  total = 1
}
";
    let (places, trace, lines) = traced(&script(&[("action.js", code)]));
    assert_eq!(places.len(), 1);
    assert_eq!(places[0].as_ref().map(|place| place.line), Some(39));
    let all: Vec<u32> = lines["action.js"].iter().copied().collect();
    assert_eq!(
        all,
        [3, 4, 6, 11, 13, 14, 19, 20, 21, 22, 23, 25, 26, 27, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41]
    );
    let ran: Vec<u32> = trace.lines.keys().map(|(_, line)| *line).collect();
    let missed: Vec<u32> = all.iter().copied().filter(|line| !ran.contains(line)).collect();
    assert_eq!(missed, [6, 32, 38, 41]);
    assert_eq!(trace.lines[&(0, 13)], 2);
}

#[test]
fn an_ordinary_script_cannot_tell_lines() {
    let report = common::handler("console.log(typeof __postern_line)");
    assert_eq!(common::printed(&report), "undefined");
}
