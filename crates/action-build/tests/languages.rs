//! Dates and numbers as people write them, in a language and a time zone.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use common::{handler, printed};

/// The run's clock is 2026-05-28T20:26:40Z. U+202F, which English has before AM and PM, is shown as `_`.
fn shown(expressions: &[&str]) -> Vec<String> {
    let body: Vec<String> = expressions
        .iter()
        .map(|expression| {
            format!("try {{ console.log(String({expression}).replaceAll('\\u202f', '_')) }} catch (e) {{ console.log(`${{e.name}}: ${{e.message}}`) }}")
        })
        .collect();
    printed(&handler(&body.join("\n"))).lines().map(str::to_owned).collect()
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let expressions: Vec<&str> = cases.iter().map(|(expression, _)| *expression).collect();
    let lines = shown(&expressions);
    assert_eq!(lines.len(), cases.len(), "{lines:?}");
    for ((expression, expected), line) in cases.iter().zip(lines) {
        assert_eq!(line, *expected, "{expression}");
    }
}

#[test]
fn dates_are_written_in_english_and_utc_when_nothing_is_said() {
    check(&[
        ("new Date().toLocaleString()", "5/28/2026, 8:26:40_PM"),
        ("new Date().toLocaleDateString()", "5/28/2026"),
        ("new Date().toLocaleTimeString()", "8:26:40_PM"),
        ("new Date(NaN).toLocaleString()", "Invalid Date"),
        ("new Intl.DateTimeFormat().format()", "5/28/2026"),
        ("Intl.DateTimeFormat().resolvedOptions().timeZone", "UTC"),
    ]);
}

#[test]
fn dates_follow_the_time_zone_with_its_summer_time() {
    check(&[
        ("new Date().toLocaleString('en-US', { timeZone: 'America/New_York' })", "5/28/2026, 4:26:40_PM"),
        (
            "new Date('2026-01-28T20:26:40Z').toLocaleTimeString('en-US', { timeZone: 'America/New_York' })",
            "3:26:40_PM",
        ),
        (
            "new Date().toLocaleTimeString('en-US', { timeZone: 'Asia/Kolkata', hour: '2-digit', minute: '2-digit', hour12: false })",
            "01:56",
        ),
        ("new Date().toLocaleString('en-US', { timeZone: '+05:30' })", "5/29/2026, 1:56:40_AM"),
        (
            "new Date().toLocaleString('en-US', { timeZone: 'America/New_York', timeZoneName: 'short' })",
            "5/28/2026, 4:26:40_PM EDT",
        ),
        (
            "new Intl.DateTimeFormat('en', { timeZone: 'europe/berlin' }).resolvedOptions().timeZone",
            "Europe/Berlin",
        ),
        (
            "new Date().toLocaleString('en-US', { timeZone: 'Mars/Olympus' })",
            "RangeError: Invalid time zone specified: Mars/Olympus",
        ),
    ]);
}

#[test]
fn dates_show_what_the_options_ask_for() {
    check(&[
        (
            "new Date().toLocaleDateString('en-US', { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' })",
            "Thursday, May 28, 2026",
        ),
        ("new Date().toLocaleDateString('en-US', { month: 'short', day: '2-digit' })", "May 28"),
        ("new Date().toLocaleDateString('en-US', { year: 'numeric', month: 'long' })", "May 2026"),
        ("new Date().toLocaleTimeString('en-US', { hour: 'numeric', minute: '2-digit' })", "8:26_PM"),
        ("new Date().toLocaleDateString('en-US', { dateStyle: 'medium' })", "May 28, 2026"),
        ("new Date().toLocaleTimeString('en-US', { timeStyle: 'short' })", "8:26_PM"),
        ("new Intl.DateTimeFormat('en-US', { weekday: 'short' }).format(0)", "Thu"),
        (
            "new Intl.DateTimeFormat('en-US', { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(0).map((p) => p.type + '=' + p.value).join('|')",
            "month=01|literal=/|day=01|literal=/|year=1970",
        ),
        (
            "new Date().toLocaleString('en-US', { dateStyle: 'short', year: 'numeric' })",
            "TypeError: Can't set option year when dateStyle is used",
        ),
        (
            "new Date().toLocaleString('en-US', { month: 'wide' })",
            "RangeError: Value wide out of range for Intl options property month",
        ),
    ]);
}

#[test]
fn other_languages_are_written_as_theirs_and_unknown_ones_in_english() {
    check(&[
        ("new Date().toLocaleDateString('de-DE', { dateStyle: 'long' })", "28. Mai 2026"),
        ("new Date().toLocaleString('en-GB', { timeZone: 'Europe/London' })", "28/05/2026, 21:26:40"),
        (
            "new Date().toLocaleDateString('fr', { weekday: 'long', month: 'long', day: 'numeric' })",
            "jeudi 28 mai",
        ),
        ("new Intl.DateTimeFormat(['xx', 'de']).resolvedOptions().locale", "de"),
        ("new Intl.DateTimeFormat('tlh').resolvedOptions().locale", "en-US"),
        ("Intl.NumberFormat.supportedLocalesOf(['xx', 'de-AT']).join()", "de-AT"),
        ("new Intl.NumberFormat('no_such')", "RangeError: Incorrect locale information provided: no_such"),
    ]);
}

#[test]
fn numbers_are_grouped_and_rounded() {
    check(&[
        ("(1234567.8915).toLocaleString()", "1,234,567.892"),
        ("(1234567.8915).toLocaleString('de-DE', { maximumFractionDigits: 1 })", "1.234.567,9"),
        ("(5).toLocaleString('en-US', { minimumIntegerDigits: 2 })", "05"),
        ("(2.5).toLocaleString('en-US', { minimumFractionDigits: 2 })", "2.50"),
        ("(-1234.5).toLocaleString('en-US', { style: 'currency', currency: 'usd' })", "-$1,234.50"),
        ("(0.256).toLocaleString('en-US', { style: 'percent' })", "26%"),
        ("(123456).toLocaleString('en-US', { maximumSignificantDigits: 2, useGrouping: false })", "120000"),
        ("(1e21).toLocaleString()", "1,000,000,000,000,000,000,000"),
        ("(NaN).toLocaleString() + (-Infinity).toLocaleString()", "NaN-∞"),
        ("(12345678901234567890n).toLocaleString()", "12,345,678,901,234,567,890"),
        (
            "(1).toLocaleString('en', { style: 'unit', unit: 'liter' })",
            "RangeError: Intl.NumberFormat: units and notations are not available in Actions",
        ),
    ]);
}
