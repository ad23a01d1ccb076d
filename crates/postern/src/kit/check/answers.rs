//! What an Action is answered in a check where the project has no stand-in: stand-ins that were made by chance. Nothing is
//! sent.

use action_build::Words;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use proptest::strategy::{SBoxedStrategy, Union};
use serde_json::{Value, json};

use super::generate::{any_json, any_object};

/// How many URLs of the Action have an answer of their own.
const MOST_URLS: usize = 8;
const OTHER_STATUSES: [u16; 8] = [201, 204, 400, 401, 404, 429, 500, 503];

/// Stand-ins as `action.toml` has them: for each URL that stands in the Action and for all others, roles, groups, and what
/// randomness comes from.
pub fn answers(words: &Words) -> SBoxedStrategy<Value> {
    let urls = words.texts.iter().filter(|text| text.starts_with("https://") || text.starts_with("http://"));
    let patterns = urls.take(MOST_URLS).map(|url| format!("{}*", url.trim_end_matches('*')));
    let http: Vec<SBoxedStrategy<Value>> =
        patterns.chain(["*".to_owned()]).map(|pattern| answer(words, pattern)).collect();
    let mut names = vec!["admin".to_owned(), "staff".to_owned()];
    names.extend(words.texts.iter().cloned());
    let named = |prefix: &'static str| {
        vec(select(names.clone()), 0..3).prop_map(move |names| {
            let entries = names.into_iter().enumerate();
            Value::from_iter(
                entries.map(|(index, name)| json!({ "id": format!("{prefix}_{index}"), "name": name })),
            )
        })
    };
    (http, named("rol"), named("grp"), any::<u32>())
        .prop_map(|(http, roles, groups, seed)| {
            json!({ "http": http, "roles": roles, "groups": groups, "seed": seed })
        })
        .sboxed()
}

/// The simplest answer is an empty object; the last resort is none at all.
fn answer(words: &Words, url: String) -> SBoxedStrategy<Value> {
    let body = Union::new_weighted(vec![
        (1, Just(json!({})).sboxed()),
        (5, any_object(words)),
        (1, any_json(words)),
    ]);
    let status =
        Union::new_weighted(vec![(3, Just(200).sboxed()), (2, select(OTHER_STATUSES.to_vec()).sboxed())]);
    let answered = (status, body);
    let failed = "the connection was closed";
    let at = url.clone();
    Union::new_weighted(vec![
        (
            5,
            answered
                .prop_map(move |(status, body)| json!({ "url": url, "status": status, "json": body }))
                .sboxed(),
        ),
        (1, Just(json!({ "url": at, "failure": failed })).sboxed()),
    ])
    .sboxed()
}
