//! Valid events of each flow, by chance, from the table of the dialect. What they hold and this server fills is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use action_api::schema::{self, Filled, Flow, Format, Kind, Property, Shape};
use action_build::Words;
use model::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use proptest::strategy::{SBoxedStrategy, Union};
use serde_json::{Map, Value, json};

use super::agree::agree;
use crate::kit::event;

/// The most entries that a generated list or map has.
const MOST_ENTRIES: usize = 5;
/// How far from the run's clock moments lie: a year and a half.
const FAR_SECONDS: i64 = 550 * 24 * 3600;

/// The names in this server's events and in `api`.
static DIALECT: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let filled = schema::properties().iter().filter(|property| property.filled != Filled::Never);
    let paths = filled.map(|property| property.path.as_str());
    let methods = schema::methods().iter().map(|method| method.method.as_str());
    paths.chain(methods).flat_map(|path| path.split('.')).map(|name| name.trim_end_matches("[]")).collect()
});

/// What events are made with besides the table.
pub struct Given<'a> {
    /// What stands in the Action.
    pub words: &'a Words,
    /// `event.secrets`.
    pub secrets: &'a BTreeMap<String, String>,
    /// The runs' clock.
    pub now: Timestamp,
    /// Partial events; some of the generated ones are changed by them.
    pub changes: &'a [Map<String, Value>],
}

/// The strategies that the parts of an event are made by.
struct Parts {
    now: Timestamp,
    text: SBoxedStrategy<String>,
    /// Texts of the Action, where there are any.
    words: Vec<String>,
    name: SBoxedStrategy<String>,
    json: SBoxedStrategy<Value>,
    scalar: SBoxedStrategy<Value>,
}

/// The events of a flow.
pub fn events(flow: Flow, given: &Given<'_>) -> SBoxedStrategy<Value> {
    let parts = Parts::new(given.words, given.now);
    let secrets = json!(given.secrets);
    let event = parts.object(schema::event_shape(), flow).prop_map(move |mut event| {
        event["secrets"] = secrets.clone();
        agree(&mut event, flow);
        event
    });
    if given.changes.is_empty() {
        return event.sboxed();
    }
    let changes = option::weighted(0.25, select(given.changes.to_vec()));
    (event, changes)
        .prop_map(|(event, changes)| {
            let mut changed = event.clone();
            let applied = changes.is_some_and(|changes| event::change(&mut changed, &changes).is_ok());
            // A change may be of another flow, so that not all that it needs is there.
            if applied && schema::validate(&changed).is_ok() { changed } else { event }
        })
        .sboxed()
}

/// Any JSON, with names and texts of the Action.
pub fn any_json(words: &Words) -> SBoxedStrategy<Value> {
    Parts::new(words, Timestamp::from_ms(0)).json
}

/// Any JSON object, with names and texts of the Action.
pub fn any_object(words: &Words) -> SBoxedStrategy<Value> {
    let parts = Parts::new(words, Timestamp::from_ms(0));
    map(&parts.name, &parts.json)
}

impl Parts {
    fn new(words: &Words, now: Timestamp) -> Self {
        let texts: Vec<String> = words.texts.iter().cloned().collect();
        let plain = vec(proptest::char::range('a', 'z'), 1..9).prop_map(String::from_iter);
        let wild = vec(any::<char>(), 0..12).prop_map(String::from_iter);
        let mut text = vec![(4, plain.sboxed()), (1, wild.sboxed())];
        if !texts.is_empty() {
            text.push((4, select(texts.clone()).sboxed()));
        }
        let text = Union::new_weighted(text).sboxed();
        // Names of the dialect stand for what it has them for.
        let known = |name: &&String| !DIALECT.contains(name.as_str());
        let like_a_name = |text: &&String| !text.contains(['/', ' ']);
        let names = words.names.iter().filter(known).chain(words.texts.iter().filter(like_a_name));
        let names: BTreeSet<String> = names.cloned().collect();
        let name = if names.is_empty() {
            text.clone()
        } else {
            let names = select(names.into_iter().collect::<Vec<_>>()).sboxed();
            Union::new_weighted(vec![(1, text.clone()), (5, names)]).sboxed()
        };
        let mut numbers: Vec<i64> = vec![0, 1, -1];
        // Those beside a number of the Action are on the other side of its conditions.
        numbers.extend(words.numbers.iter().flat_map(|n| [*n, n.saturating_sub(1), n.saturating_add(1)]));
        let number = Union::new_weighted(vec![
            (3, select(numbers).sboxed()),
            (1, (0..1000_i64).sboxed()),
            (1, any::<i32>().prop_map(i64::from).sboxed()),
        ]);
        let scalar = Union::new_weighted(vec![
            (2, text.clone().prop_map(Value::from).sboxed()),
            (3, number.prop_map(Value::from).sboxed()),
            (2, any::<bool>().prop_map(Value::from).sboxed()),
        ])
        .sboxed();
        let leaf = Union::new_weighted(vec![(8, scalar.clone()), (1, Just(Value::Null).sboxed())]).sboxed();
        let list =
            |of: &SBoxedStrategy<Value>| vec(of.clone(), 0..MOST_ENTRIES).prop_map(Value::from).sboxed();
        let nested = |of: &SBoxedStrategy<Value>| {
            Union::new_weighted(vec![(6, leaf.clone()), (1, list(of)), (1, map(&name, of))]).sboxed()
        };
        let json = nested(&nested(&leaf));
        Self { now, text, words: texts, name, json, scalar }
    }

    /// An object with all properties that events of this flow have, those that are there at times.
    fn object(&self, shape: &Shape, flow: Flow) -> SBoxedStrategy<Value> {
        let fields: Vec<SBoxedStrategy<Option<(String, Value)>>> = shape
            .named
            .iter()
            .filter_map(|(name, below)| Some((*name, below, below.property?)))
            .filter(|(_, below, property)| property.filled != Filled::Never && below.is_in(flow))
            .map(|(name, below, property)| {
                let value = self.value(below, property, flow).prop_map(move |value| (name.to_owned(), value));
                match property.filled {
                    Filled::Always => value.prop_map(Some).sboxed(),
                    _ => option::of(value).sboxed(),
                }
            })
            .collect();
        fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect())).sboxed()
    }

    fn value(&self, shape: &Shape, property: &Property, flow: Flow) -> SBoxedStrategy<Value> {
        match property.kind {
            Kind::String => self.string(property).prop_map(Value::from).sboxed(),
            Kind::Strings => vec(self.string(property), 0..MOST_ENTRIES).prop_map(Value::from).sboxed(),
            Kind::Number => number(property),
            Kind::Boolean => any::<bool>().prop_map(Value::from).sboxed(),
            Kind::Scalar => self.scalar.clone(),
            Kind::Object | Kind::OpenObject => self.object(shape, flow),
            Kind::Objects | Kind::OpenObjects => {
                vec(self.object(shape, flow), 0..MOST_ENTRIES).prop_map(Value::from).sboxed()
            }
            Kind::Map => map(&self.name, &self.json),
            Kind::MapOfString => map(&self.name, &self.text.clone().prop_map(Value::from).sboxed()),
            Kind::MapOfScalar => map(&self.name, &self.scalar),
        }
    }

    fn string(&self, property: &Property) -> SBoxedStrategy<String> {
        match property.format {
            Some(Format::DateTime) => return self.moment(property),
            Some(Format::Ip) => return address(),
            Some(Format::Email) => return self.email(),
            Some(Format::Uri) => {
                return self
                    .text
                    .clone()
                    .prop_map(|text| format!("https://pictures.example/{text}"))
                    .sboxed();
            }
            None => {}
        }
        if !property.values.is_empty() {
            return select(property.values.clone()).sboxed();
        }
        if property.examples.is_empty() {
            return self.text.clone();
        }
        Union::new_weighted(vec![(2, select(property.examples.clone()).sboxed()), (1, self.text.clone())])
            .sboxed()
    }

    /// What ends has not ended yet; all else lies in the past.
    fn moment(&self, property: &Property) -> SBoxedStrategy<String> {
        let sign = if property.path.ends_with("expires_at") { 1 } else { -1 };
        let now = self.now;
        (1..FAR_SECONDS).prop_map(move |seconds| now.plus_secs(sign * seconds).to_iso()).sboxed()
    }

    fn email(&self) -> SBoxedStrategy<String> {
        let name = vec(proptest::char::range('a', 'z'), 1..9).prop_map(String::from_iter);
        // A text of the Action may be an address, or the host of one.
        let mut hosts: Vec<String> = vec!["acme.example".into(), "users.example".into()];
        hosts.extend(
            self.words
                .iter()
                .map(|word| word.trim_start_matches('@').to_owned())
                .filter(|word| word.contains('.') && !word.contains(['@', '/', ' '])),
        );
        let made = (name, select(hosts)).prop_map(|(name, host)| format!("{name}@{host}"));
        let whole: Vec<String> = self.words.iter().filter(|word| is_address(word)).cloned().collect();
        if whole.is_empty() {
            return made.sboxed();
        }
        Union::new_weighted(vec![(2, made.sboxed()), (1, select(whole).sboxed())]).sboxed()
    }
}

fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

fn map(name: &SBoxedStrategy<String>, value: &SBoxedStrategy<Value>) -> SBoxedStrategy<Value> {
    vec((name.clone(), value.clone()), 0..MOST_ENTRIES)
        .prop_map(|entries| Value::Object(entries.into_iter().collect()))
        .sboxed()
}

fn number(property: &Property) -> SBoxedStrategy<Value> {
    let hundredths =
        |most: i32| (-most * 100..=most * 100).prop_map(|n| json!(f64::from(n) / 100.0)).sboxed();
    match property.path.rsplit('.').next() {
        Some("latitude") => hundredths(90),
        Some("longitude") => hundredths(180),
        // A count.
        _ => Union::new([1_u32..3, 1..100, 1..100_000]).prop_map(Value::from).sboxed(),
    }
}

fn address() -> SBoxedStrategy<String> {
    let of_documentation = select(vec!["203.0.113.9".to_owned(), "198.51.100.7".to_owned()]);
    let four = any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_string());
    let six = any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_string());
    Union::new_weighted(vec![(4, of_documentation.sboxed()), (2, four.sboxed()), (1, six.sboxed())]).sboxed()
}
