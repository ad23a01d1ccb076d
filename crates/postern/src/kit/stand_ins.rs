//! The world around an Action in a case: answers to what it asks for, a clock and a seed. What has no stand-in gets no answer,
//! and the case fails with what would have been one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use action_api::{Limits, OperationAnswer, OperationFuture, Operations, unknown_operation};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::Timestamp;
use postern::action_cache::{ActionCache, RunCache};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// The clock of a case that says nothing about it: a moment after the logins that the program has as events.
pub const USUAL_NOW_MS: i64 = 1_768_467_600_000;
/// How long what a case puts into the cache lives.
const CACHE_LIFE_MS: i64 = 24 * 60 * 60 * 1000;

/// Whose cache it is: there is one tenant.
const TENANT: &str = "";

/// `stand_ins` of `action.toml`, of a case, or of a file of its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StandIns {
    /// The clock at the beginning of a run.
    #[serde(deserialize_with = "moment")]
    pub now: Option<Timestamp>,
    /// What all randomness of a run comes from.
    pub seed: Option<u64>,
    /// Answers to outgoing requests. The first that fits counts.
    pub http: Vec<Http>,
    /// What `api.cache` holds.
    pub cache: BTreeMap<String, String>,
    /// The user's effective roles, for `api.roles`.
    pub roles: Option<Vec<Role>>,
    /// The user's groups, for `api.groups`.
    pub groups: Option<Vec<Group>>,
}

/// The answer to a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Which method; without it, any.
    method: Option<String>,
    /// Which URL; `*` stands for any text.
    url: String,
    /// What the body holds: the JSON of a JSON body or of a form, at least these fields; or a text, with `*`.
    body: Option<Value>,
    /// The answer's status.
    #[serde(default = "ok")]
    status: u16,
    /// The answer's headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The answer's body, as JSON.
    json: Option<Value>,
    /// The answer's body, as text.
    text: Option<String>,
    /// How long the answer takes, by the run's clock. Nobody waits for it.
    #[serde(default)]
    delay_ms: u64,
    /// There is no answer: the request fails with this text.
    failure: Option<String>,
}

fn ok() -> u16 {
    200
}

/// A role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    id: String,
    name: String,
}

/// A group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    id: String,
    name: String,
    external_id: Option<String>,
    connection_id: Option<String>,
}

/// Reads RFC 3339, as text or as TOML has it, or milliseconds since the Unix epoch.
fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Ms(i64),
        Text(String),
        Toml(toml_edit::Datetime),
    }
    let text = match Written::deserialize(from) {
        Ok(Written::Ms(ms)) => return Ok(Some(Timestamp::from_ms(ms))),
        Ok(Written::Text(text)) => text,
        Ok(Written::Toml(date)) => date.to_string(),
        Err(_) => String::new(),
    };
    let wanted = "a moment is written as \"2026-01-15T09:00:00Z\", or in milliseconds since the Unix epoch";
    parse_moment(&text).map(Some).ok_or_else(|| serde::de::Error::custom(wanted))
}

/// Reads RFC 3339, or milliseconds since the Unix epoch.
pub fn parse_moment(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso(text).or_else(|| text.parse().ok().map(Timestamp::from_ms))
}

impl StandIns {
    /// These first, and then those: lists one behind the other, and of each other thing the first that is there.
    #[must_use]
    pub fn before(mut self, others: &Self) -> Self {
        self.now = self.now.or(others.now);
        self.seed = self.seed.or(others.seed);
        self.http.extend(others.http.iter().cloned());
        for (key, value) in &others.cache {
            self.cache.entry(key.clone()).or_insert_with(|| value.clone());
        }
        self.roles = self.roles.or_else(|| others.roles.clone());
        self.groups = self.groups.or_else(|| others.groups.clone());
        self
    }

    /// Whether nothing answers.
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.cache.is_empty() && self.roles.is_none() && self.groups.is_none()
    }

    /// All randomness of a run.
    pub fn seed_bytes(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.unwrap_or_default().to_le_bytes());
        seed
    }
}

/// What stands around the runs of one login.
pub struct World {
    stand_ins: StandIns,
    cache: ActionCache,
    unmatched: Mutex<Vec<String>>,
}

/// What one of them can ask.
struct RunWorld {
    world: Arc<World>,
    cache: RunCache,
    limits: Limits,
    requests: AtomicU32,
    answer_bytes: AtomicU64,
}

impl World {
    /// With a cache of its own.
    #[must_use]
    pub fn new(stand_ins: StandIns, now: Timestamp) -> Arc<Self> {
        let cache = ActionCache::default();
        for (key, value) in &stand_ins.cache {
            let entry = json!({ "key": key, "value": value, "ttl": CACHE_LIFE_MS });
            // What is too large for a cache is not in it, as in the server.
            let _ = cache.for_run(TENANT).call("cache.set", &entry, now.as_ms());
        }
        Arc::new(Self { stand_ins, cache, unmatched: Mutex::default() })
    }

    /// What a run may ask.
    #[must_use]
    pub fn for_run(self: &Arc<Self>, limits: &Limits) -> Arc<dyn Operations> {
        Arc::new(RunWorld {
            world: Arc::clone(self),
            cache: self.cache.for_run(TENANT),
            limits: *limits,
            requests: AtomicU32::new(0),
            answer_bytes: AtomicU64::new(0),
        })
    }

    /// What was asked for and had no answer, each with what would be one.
    pub fn unmatched(&self) -> Vec<String> {
        self.unmatched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl RunWorld {
    fn has_none(&self, call: &str, stand_in: &str) -> OperationAnswer {
        let text = format!("{call} has no stand-in; this would be one:\n{stand_in}");
        self.world.unmatched.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        Err(format!("{call} has no stand-in"))
    }

    fn fetch(&self, input: &Value) -> (u64, OperationAnswer) {
        let text = |name: &str| input[name].as_str().unwrap_or_default();
        let (method, url) = (text("method"), text("url"));
        let most = self.limits.http_requests;
        if self.requests.fetch_add(1, Ordering::Relaxed) >= most {
            let text =
                format!("the run has made {most} requests, and may make no more (the http_requests limit)");
            return (0, Err(text));
        }
        let body = body_of(input);
        let Some(answer) = self.world.stand_ins.http.iter().find(|http| http.fits(method, url, &body)) else {
            let mut stand_in =
                format!("[[stand_ins.http]]\nmethod = {}\nurl = {}\n", json!(method), json!(url));
            if let Body::Text(text) = &body {
                stand_in += &format!("body = {}\n", json!(text));
            }
            return (0, self.has_none(&format!("{method} {url}"), &(stand_in + "status = 200")));
        };
        (answer.delay_ms, self.counted(answer.answer(url)))
    }

    /// The answer, within the limit of all answers' bytes.
    fn counted(&self, answer: OperationAnswer) -> OperationAnswer {
        let bytes = answer.as_ref().map_or(0, |answer| answer.to_string().len() as u64);
        let most = self.limits.http_answer_bytes;
        if self.answer_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= most {
            return answer;
        }
        Err(format!("the answers of the run are more than {most} bytes (the http_answer_bytes limit)"))
    }

    fn look_up(&self, kind: &str, input: &Value, roles: &[Role]) -> Value {
        let asked = |role: &&Role| match kind {
            "roles.effectiveByIds" => names(input).any(|id| id == role.id),
            "roles.effectiveByNames" => names(input).any(|name| name == role.name),
            _ => true,
        };
        let found = roles.iter().filter(asked);
        let (found, next) = page(found.collect(), input, |role| &role.id);
        let roles: Vec<_> = found
            .into_iter()
            .map(|role| json!({ "id": role.id, "name": role.name, "type": "tenant" }))
            .collect();
        with_next(json!({ "roles": roles }), next)
    }

    fn groups(&self, kind: &str, input: &Value, groups: &[Group]) -> Value {
        if kind == "groups.membership" {
            let memberships: Map<_, _> = names(input)
                .map(|asked| {
                    let fits = groups.iter().filter(|group| group.id == asked || group.name == asked);
                    let matches: Vec<_> = fits
                        .map(|group| {
                            let kind = if group.connection_id.is_some() { "connection" } else { "tenant" };
                            json!({ "id": group.id, "name": group.name, "group_type": kind })
                        })
                        .collect();
                    let mut answer = json!({ "is_member": !matches.is_empty() });
                    if !matches.is_empty() {
                        answer["matches"] = json!(matches);
                    }
                    (asked.to_owned(), answer)
                })
                .collect();
            return json!({ "memberships": memberships });
        }
        let (found, next) = page(groups.iter().collect(), input, |group| &group.id);
        let since = Timestamp::from_ms(USUAL_NOW_MS).to_iso();
        let found: Vec<_> = found
            .into_iter()
            .map(|group| {
                let mut shown = json!({
                    "id": group.id, "name": group.name, "tenant_name": "acme", "created_at": since,
                    "updated_at": since, "membership_created_at": since, "assignment": "direct",
                });
                for (name, value) in
                    [("external_id", &group.external_id), ("connection_id", &group.connection_id)]
                {
                    if let Some(value) = value {
                        shown[name] = json!(value);
                    }
                }
                shown
            })
            .collect();
        with_next(json!({ "groups": found }), next)
    }

    fn answer(&self, kind: &str, input: &Value) -> (u64, OperationAnswer) {
        let answer = match kind {
            "http.fetch" => return self.fetch(input),
            _ if kind.starts_with("roles.") => match &self.world.stand_ins.roles {
                Some(roles) => Ok(self.look_up(kind, input, roles)),
                None => self.has_none(kind, "[[stand_ins.roles]]\nid = \"rol_1\"\nname = \"admin\""),
            },
            _ if kind.starts_with("groups.") => match &self.world.stand_ins.groups {
                Some(groups) => Ok(self.groups(kind, input, groups)),
                None => self.has_none(kind, "[[stand_ins.groups]]\nid = \"grp_1\"\nname = \"staff\""),
            },
            _ => Err(unknown_operation(kind)),
        };
        (0, answer)
    }
}

impl Operations for RunWorld {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let (delay_ms, answer) = self.answer(kind, &input);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            answer
        })
    }

    fn call(&self, kind: &str, input: Value, now_ms: i64) -> OperationAnswer {
        self.cache.call(kind, &input, now_ms).unwrap_or_else(|| Err(unknown_operation(kind)))
    }
}

/// A request's body.
enum Body {
    None,
    Text(String),
    Binary,
}

fn body_of(input: &Value) -> Body {
    let Some(encoded) = input["body"].as_str() else { return Body::None };
    match BASE64.decode(encoded).map(String::from_utf8) {
        Ok(Ok(text)) => Body::Text(text),
        _ => Body::Binary,
    }
}

impl Http {
    fn fits(&self, method: &str, url: &str, body: &Body) -> bool {
        let method_fits = self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
        method_fits
            && fits_pattern(&self.url, url)
            && self.body.as_ref().is_none_or(|wanted| body_fits(wanted, body))
    }

    fn answer(&self, url: &str) -> OperationAnswer {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let (body, kind) = match (&self.json, &self.text) {
            (Some(json), _) => (json.to_string(), "application/json"),
            (None, Some(text)) => (text.clone(), "text/plain;charset=utf-8"),
            (None, None) => (String::new(), ""),
        };
        let mut headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        if !kind.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        let reason =
            reqwest::StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        Ok(json!({
            "status": self.status,
            "status_text": reason.unwrap_or_default(),
            "url": url,
            "redirected": false,
            "headers": headers,
            "body": BASE64.encode(body),
        }))
    }
}

fn body_fits(wanted: &Value, body: &Body) -> bool {
    let Body::Text(text) = body else { return false };
    if let Value::String(pattern) = wanted {
        return fits_pattern(pattern, text);
    }
    let form = || {
        let fields = url::form_urlencoded::parse(text.as_bytes());
        Value::Object(
            fields.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect(),
        )
    };
    is_part(wanted, &serde_json::from_str(text).unwrap_or_else(|_| form()))
}

/// Whether all that is in `part` is in the whole.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|there| is_part(value, there)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_part(part, whole))
        }
        _ => super::same(part, whole),
    }
}

/// `*` stands for any text.
fn fits_pattern(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn names(input: &Value) -> impl Iterator<Item = &str> {
    input.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The part of a list that is asked for, and where the next begins, as the server's look-ups page.
fn page<'a, T>(
    mut all: Vec<&'a T>,
    input: &Value,
    id: impl Fn(&T) -> &String,
) -> (Vec<&'a T>, Option<String>) {
    const USUAL_TAKE: u64 = 50;
    let take = usize::try_from(input["take"].as_u64().unwrap_or(USUAL_TAKE)).unwrap_or(usize::MAX);
    all.sort_by(|one, other| id(one).cmp(id(other)));
    if let Some(from) = input["from"].as_str() {
        all.retain(|entry| id(entry).as_str() > from);
    }
    let more = all.len() > take;
    all.truncate(take);
    let next = all.last().filter(|_| more).map(|last| id(last).clone());
    (all, next)
}

fn with_next(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["next"] = json!(next);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(toml: &str) -> Http {
        toml_edit::de::from_str(toml).expect("a stand-in")
    }

    #[test]
    fn a_request_is_matched_by_method_url_and_a_part_of_its_body() {
        let stand_in =
            http("method = 'post'\nurl = 'https://a.example/*/users?*'\nbody = { a = { b = 1 }, c = [2] }");
        let body = |text: &str| Body::Text(text.to_owned());
        let url = "https://a.example/v2/users?q=1";
        let fits = r#"{"a":{"b":1.0,"x":0},"c":[2],"d":null}"#;
        assert!(stand_in.fits("POST", url, &body(fits)));
        assert!(!stand_in.fits("PUT", url, &body(fits)));
        assert!(!stand_in.fits("POST", "https://a.example/users?", &body(fits)));
        assert!(!stand_in.fits("POST", url, &body(r#"{"a":{"b":1},"c":[2,3]}"#)));
        assert!(!stand_in.fits("POST", url, &Body::None));
        assert!(http("url = '*'\nbody = { grant_type = 'x' }").fits("POST", url, &body("grant_type=x&y=1")));
        assert!(http("url = '*'\nbody = 'a*c'").fits("POST", url, &body("abc")));
    }

    #[test]
    fn a_pattern_covers_the_whole_text() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("*b", "ab", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
            ("aa*aa", "aaa", false),
        ] {
            assert_eq!(fits_pattern(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_moment_is_read_as_people_write_it() {
        for text in ["now = 2026-01-15T09:00:00Z", "now = '2026-01-15T10:00:00+01:00'", "now = 1768467600000"]
        {
            let stand_ins: StandIns = toml_edit::de::from_str(text).expect(text);
            assert_eq!(stand_ins.now, Some(Timestamp::from_ms(USUAL_NOW_MS)), "{text}");
        }
        let error = toml_edit::de::from_str::<StandIns>("now = 'noon'").expect_err("no moment").to_string();
        assert!(error.contains("2026-01-15T09:00:00Z"), "{error}");
    }
}
