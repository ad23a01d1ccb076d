//! What a component asks the world: answers come by [`action_api::Operations`], as a script's do, and are recorded.

use std::future::poll_fn;
use std::task::Poll;

use action_api::ConsoleLevel;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Answered;
use super::bindings::postern::actions::{cache, clock, groups, http, log, random, roles, secrets};
use crate::host::{Answer, Host};
use crate::operations::TIMER;
use crate::outcome::LimitReached;
use crate::record::Reply;

/// An operation that the component waits for.
struct Flight {
    id: u32,
    /// Ends it.
    timer: Option<u32>,
    reply: Option<Reply>,
}

impl Host {
    fn start(&mut self, kind: &str, input: &Value) -> wasmtime::Result<u32> {
        let id = self.start_operation(kind.as_bytes(), input.to_string().as_bytes());
        // Not zero either: this is JSON.
        u32::try_from(id).map_err(|_| LimitReached.into())
    }

    fn fly(&mut self, kind: &str, input: &Value, timeout_ms: Option<u32>) -> wasmtime::Result<Flight> {
        let id = self.start(kind, input)?;
        let timer = timeout_ms.map(|timeout| self.start(TIMER, &json!(timeout))).transpose()?;
        Ok(Flight { id, timer, reply: None })
    }

    /// Waits until each has its reply. The run's clock moves.
    async fn land(&mut self, mut flights: Vec<Flight>) -> wasmtime::Result<Vec<Reply>> {
        let operations = self.operations.clone();
        let landed = poll_fn(|_| {
            let mut table = operations.lock();
            if table.out_of_time {
                return Poll::Ready(false);
            }
            for flight in flights.iter_mut().filter(|flight| flight.reply.is_none()) {
                if let Some(reply) = table.answered.remove(&flight.id) {
                    flight.reply = Some(reply);
                    flight.timer.into_iter().for_each(|timer| table.cancel(timer));
                } else if flight.timer.is_some_and(|timer| table.answered.remove(&timer).is_some()) {
                    table.cancel(flight.id);
                    flight.reply = Some(Reply::Error("no answer within `timeout-ms`".into()));
                }
            }
            if flights.iter().all(|flight| flight.reply.is_some()) {
                Poll::Ready(true)
            } else {
                Poll::Pending
            }
        });
        if !landed.await {
            self.over.get_or_insert("wall_clock_ms");
            return Err(LimitReached.into());
        }
        if let Some(now_ms) = self.operations.lock().answered_ms {
            self.now_ms = now_ms;
        }
        Ok(flights.into_iter().filter_map(|flight| flight.reply).collect())
    }

    /// Starts a look-up and waits for what it finds.
    async fn look_up<T: DeserializeOwned>(&mut self, kind: &str, input: Value) -> Answered<T> {
        let flight = self.fly(kind, &input, None)?;
        match self.land(vec![flight]).await?.pop() {
            Some(reply) => Ok(read(reply)),
            None => Ok(Err("the look-up failed".into())),
        }
    }

    /// A call that answers at once.
    fn call<T: DeserializeOwned>(&mut self, kind: &str, input: &Value) -> Answered<T> {
        match self.ask(kind.as_bytes(), input.to_string().as_bytes()) {
            Some(reply) => Ok(read(reply)),
            None => Err(LimitReached.into()),
        }
    }
}

/// The value of a reply.
fn read<T: DeserializeOwned>(reply: Reply) -> Result<T, String> {
    match reply {
        Reply::Json(json) => {
            serde_json::from_str(&json).map_err(|error| format!("the answer is not as it should be: {error}"))
        }
        Reply::Error(text) => Err(text),
    }
}

fn page(take: Option<u32>, from: Option<String>) -> Value {
    let mut page = json!({});
    if let Some(take) = take {
        page["take"] = json!(take);
    }
    if let Some(from) = from {
        page["from"] = json!(from);
    }
    page
}

#[derive(Deserialize)]
struct FetchAnswer {
    status: u16,
    #[serde(default)]
    status_text: String,
    url: String,
    #[serde(default)]
    redirected: bool,
    headers: Vec<(String, String)>,
    /// Base64.
    #[serde(default)]
    body: Option<String>,
}

impl Host {
    fn send_request(&mut self, request: http::Request) -> wasmtime::Result<Flight> {
        let redirect = match request.redirect {
            http::RedirectMode::Follow => "follow",
            http::RedirectMode::Error => "error",
            http::RedirectMode::Manual => "manual",
        };
        let input = json!({
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": request.body.map(|bytes| BASE64.encode(bytes)),
            "redirect": redirect,
        });
        self.fly("http.fetch", &input, request.timeout_ms)
    }
}

fn response(reply: Reply) -> Result<http::Response, String> {
    let FetchAnswer { status, status_text, url, redirected, headers, body } = read(reply)?;
    let body = BASE64.decode(body.unwrap_or_default()).map_err(|_| "the answer's body is not base64")?;
    Ok(http::Response { status, status_text, url, redirected, headers, body })
}

impl http::Host for Host {
    async fn send(&mut self, request: http::Request) -> Answered<http::Response> {
        let flight = self.send_request(request)?;
        match self.land(vec![flight]).await?.pop() {
            Some(reply) => Ok(response(reply)),
            None => Ok(Err("the request failed".into())),
        }
    }

    async fn send_all(
        &mut self,
        requests: Vec<http::Request>,
    ) -> wasmtime::Result<Vec<Result<http::Response, String>>> {
        self.counted()?;
        let flights = requests.into_iter().map(|request| self.send_request(request));
        let flights: Vec<Flight> = flights.collect::<wasmtime::Result<_>>()?;
        Ok(self.land(flights).await?.into_iter().map(response).collect())
    }
}

#[derive(Deserialize)]
struct Group {
    id: String,
    name: String,
    external_id: Option<String>,
    connection_id: Option<String>,
    tenant_name: String,
    created_at: String,
    updated_at: String,
    membership_created_at: String,
    assignment: String,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Memberships {
    memberships: std::collections::BTreeMap<String, InGroup>,
}

#[derive(Deserialize)]
struct InGroup {
    is_member: bool,
    #[serde(default)]
    matches: Vec<Match>,
}

#[derive(Deserialize)]
struct Match {
    id: String,
    name: String,
    group_type: String,
}

impl groups::Host for Host {
    async fn of_user(&mut self, take: Option<u32>, from: Option<String>) -> Answered<groups::Page> {
        let found: Result<Groups, _> = self.look_up("groups.ofUser", page(take, from)).await?;
        Ok(found.map(|Groups { groups, next }| groups::Page {
            groups: groups
                .into_iter()
                .map(|group| groups::Group {
                    id: group.id,
                    name: group.name,
                    external_id: group.external_id,
                    connection_id: group.connection_id,
                    tenant_name: group.tenant_name,
                    created_at: group.created_at,
                    updated_at: group.updated_at,
                    membership_created_at: group.membership_created_at,
                    assignment: group.assignment,
                })
                .collect(),
            next,
        }))
    }

    async fn memberships(&mut self, asked: Vec<String>) -> Answered<Vec<groups::Membership>> {
        let found: Result<Memberships, _> = self.look_up("groups.membership", json!(asked)).await?;
        Ok(found.map(|Memberships { memberships }| {
            let membership = |(group, found): (String, InGroup)| groups::Membership {
                group,
                is_member: found.is_member,
                matches: found
                    .matches
                    .into_iter()
                    .map(|Match { id, name, group_type }| groups::Match { id, name, group_type })
                    .collect(),
            };
            memberships.into_iter().map(membership).collect()
        }))
    }
}

#[derive(Deserialize)]
struct Role {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Roles {
    roles: Vec<Role>,
    next: Option<String>,
}

impl Roles {
    fn all(self) -> Vec<roles::Role> {
        self.roles.into_iter().map(|Role { id, name, kind }| roles::Role { id, name, kind }).collect()
    }
}

impl roles::Host for Host {
    async fn effective(&mut self, take: Option<u32>, from: Option<String>) -> Answered<roles::Page> {
        let found: Result<Roles, _> = self.look_up("roles.effective", page(take, from)).await?;
        Ok(found.map(|mut found| roles::Page { next: found.next.take(), roles: found.all() }))
    }

    async fn effective_by_ids(&mut self, ids: Vec<String>) -> Answered<Vec<roles::Role>> {
        let found: Result<Roles, _> = self.look_up("roles.effectiveByIds", json!(ids)).await?;
        Ok(found.map(Roles::all))
    }

    async fn effective_by_names(&mut self, names: Vec<String>) -> Answered<Vec<roles::Role>> {
        let found: Result<Roles, _> = self.look_up("roles.effectiveByNames", json!(names)).await?;
        Ok(found.map(Roles::all))
    }
}

#[derive(Deserialize)]
struct CacheEntry {
    value: String,
    expires_at: i64,
}

impl From<CacheEntry> for cache::Entry {
    fn from(CacheEntry { value, expires_at }: CacheEntry) -> Self {
        Self { value, expires_at }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum CacheAnswer {
    Success { record: Option<CacheEntry> },
    Error { code: String },
}

impl cache::Host for Host {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<cache::Entry>> {
        let found: Result<Option<CacheEntry>, String> = self.call("cache.get", &json!({ "key": key }))?;
        Ok(found.ok().flatten().map(cache::Entry::from))
    }

    fn set(
        &mut self,
        key: String,
        value: String,
        ttl: Option<i64>,
        expires_at: Option<i64>,
    ) -> Answered<cache::Entry> {
        let failed = || "FailedToSetCacheRecord".to_owned();
        let input = json!({ "key": key, "value": value, "ttl": ttl, "expires_at": expires_at });
        Ok(match self.call("cache.set", &input)? {
            Ok(CacheAnswer::Success { record: Some(record) }) => Ok(record.into()),
            Ok(CacheAnswer::Error { code }) => Err(code),
            Ok(CacheAnswer::Success { record: None }) | Err(_) => Err(failed()),
        })
    }

    fn delete(&mut self, key: String) -> Answered<()> {
        Ok(match self.call("cache.delete", &json!({ "key": key }))? {
            Ok(CacheAnswer::Success { .. }) => Ok(()),
            Ok(CacheAnswer::Error { code }) => Err(code),
            Err(_) => Err("FailedToDeleteCacheRecord".to_owned()),
        })
    }
}

impl secrets::Host for Host {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.counted()?;
        Ok(self.secrets.get(&name).cloned())
    }
}

impl log::Host for Host {
    fn print(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => ConsoleLevel::Trace,
            log::Level::Debug => ConsoleLevel::Debug,
            log::Level::Log => ConsoleLevel::Log,
            log::Level::Info => ConsoleLevel::Info,
            log::Level::Warn => ConsoleLevel::Warn,
            log::Level::Error => ConsoleLevel::Error,
        };
        match self.print(level, text.as_bytes()) {
            Answer::OverLimit => Err(LimitReached.into()),
            _ => Ok(()),
        }
    }
}

impl clock::Host for Host {
    fn now(&mut self) -> wasmtime::Result<i64> {
        self.counted()?;
        Ok(self.now_ms)
    }
}

impl random::Host for Host {
    fn get_u64(&mut self) -> wasmtime::Result<u64> {
        self.counted()?;
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
}
