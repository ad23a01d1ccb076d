#![allow(warnings)]
mod common;
use action_build::{Source, build};
use common::{LIMITS, RUNTIME, sample};
use std::time::Instant;
#[test]
fn size() {
    let source = Source::read(&sample("action.js")).expect("the sample");
    let started = Instant::now();
    let a = build(&RUNTIME, &source, &LIMITS).expect("it builds");
    println!("SIZE {} first {:?}", a.bytes.len(), started.elapsed());
    let started = Instant::now();
    for _ in 0..5 { build(&RUNTIME, &source, &LIMITS).expect("it builds"); }
    println!("DEPLOY {:?}", started.elapsed() / 5);
    let event = std::fs::read_to_string(sample("events/native-to-web.json")).unwrap();
    let mut r = common::run(&a, &event);
    let started = Instant::now();
    for _ in 0..500 { r = common::run(&a, &event); }
    println!("RUN {:?} fuel {}", started.elapsed() / 500, r.fuel);
}
