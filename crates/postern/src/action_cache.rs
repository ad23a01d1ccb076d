//! `api.cache`: what Actions keep for later logins, in this process's memory. The dialect promises nothing between two
//! executions, so another node, or this one after a restart, has nothing of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The dialect's limits: entries of a trigger, and bytes of UTF-8.
const ENTRIES: usize = 20;
const KEY_BYTES: usize = 64;
const VALUE_BYTES: usize = 4_096;
const TOTAL_BYTES: usize = 8_192;
/// Milliseconds that an entry lives when the Action does not say, and at most.
const LIFE_MS: i64 = 15 * 60 * 1000;
const LONGEST_LIFE_MS: i64 = 24 * 60 * 60 * 1000;
/// Calls of one run that change the cache.
const SIDE_EFFECTS: u32 = 100;
/// Tenants whose entries are kept: with what a map takes, about 64 MiB.
const TENANTS: usize = 4_096;

/// The entries of all tenants. There is one trigger, so a tenant's entries are its trigger's.
pub struct ActionCache {
    tenants: Cache<String, Arc<Mutex<Entries>>>,
}

/// What one run sees of it.
pub struct RunCache {
    entries: Arc<Mutex<Entries>>,
    side_effects: AtomicU32,
}

type Entries = BTreeMap<String, Entry>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Entry {
    value: String,
    /// Milliseconds since the Unix epoch.
    expires_at: i64,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

/// The input of `cache.set`. Numbers are whole: the prelude refuses others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    key: String,
    value: String,
    ttl: Option<i64>,
    expires_at: Option<i64>,
}

/// The dialect's codes for what was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Code {
    MaxSideEffectsExceeded,
    CacheKeySizeExceeded,
    CacheValueSizeExceeded,
    CacheSizeExceeded,
    ItemAlreadyExpired,
    CacheKeyDoesNotExist,
}

impl Default for ActionCache {
    fn default() -> Self {
        Self { tenants: Cache::new(TENANTS) }
    }
}

impl ActionCache {
    /// For a run of this tenant.
    #[must_use]
    pub fn for_run(&self, tenant: &str) -> RunCache {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(entries) = self.tenants.get_or_insert_with(tenant, fresh);
        RunCache { entries, side_effects: AtomicU32::new(0) }
    }
}

impl RunCache {
    /// Serves `cache.get`, `cache.set` and `cache.delete`. `None`: it is another call.
    pub fn call(&self, kind: &str, input: &Value, now_ms: i64) -> Option<Result<Value, String>> {
        Some(match kind {
            "cache.get" => parse(input).map(|Key { key }| json!(self.get(&key, now_ms))),
            "cache.set" => parse(input).map(|set| match self.set(set, now_ms) {
                Ok(record) => json!({ "type": "success", "record": record }),
                Err(code) => json!({ "type": "error", "code": code }),
            }),
            "cache.delete" => parse(input).map(|Key { key }| match self.delete(&key, now_ms) {
                Ok(()) => json!({ "type": "success" }),
                Err(code) => json!({ "type": "error", "code": code }),
            }),
            _ => return None,
        })
    }

    fn get(&self, key: &str, now_ms: i64) -> Option<Entry> {
        self.lock().get(key).filter(|entry| entry.expires_at > now_ms).cloned()
    }

    fn set(&self, set: Set, now_ms: i64) -> Result<Entry, Code> {
        let Set { key, value, ttl, expires_at } = set;
        self.count_side_effect()?;
        if key.len() > KEY_BYTES {
            return Err(Code::CacheKeySizeExceeded);
        }
        if value.len() > VALUE_BYTES {
            return Err(Code::CacheValueSizeExceeded);
        }
        let wanted = [ttl.map(|ttl| now_ms.saturating_add(ttl)), expires_at].into_iter().flatten().min();
        let expires_at =
            wanted.unwrap_or(now_ms.saturating_add(LIFE_MS)).min(now_ms.saturating_add(LONGEST_LIFE_MS));
        if expires_at <= now_ms {
            return Err(Code::ItemAlreadyExpired);
        }
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.expires_at > now_ms);
        // An overwritten value counts beside the new one.
        let used: usize = entries.iter().map(|(key, entry)| key.len() + entry.value.len()).sum();
        let is_full = entries.len() >= ENTRIES && !entries.contains_key(&key);
        if is_full || used + key.len() + value.len() > TOTAL_BYTES {
            return Err(Code::CacheSizeExceeded);
        }
        let entry = Entry { value, expires_at };
        entries.insert(key, entry.clone());
        Ok(entry)
    }

    fn delete(&self, key: &str, now_ms: i64) -> Result<(), Code> {
        self.count_side_effect()?;
        let gone = self.lock().remove(key).filter(|entry| entry.expires_at > now_ms);
        gone.map(|_| ()).ok_or(Code::CacheKeyDoesNotExist)
    }

    fn count_side_effect(&self) -> Result<(), Code> {
        let before = self.side_effects.fetch_add(1, Ordering::Relaxed);
        if before < SIDE_EFFECTS { Ok(()) } else { Err(Code::MaxSideEffectsExceeded) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse<T: serde::de::DeserializeOwned>(input: &Value) -> Result<T, String> {
    T::deserialize(input).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_780_000_000_000;

    fn set(key: &str, value: &str) -> Value {
        json!({ "key": key, "value": value })
    }

    struct Run(RunCache);

    impl Run {
        fn of(tenant: &str, cache: &ActionCache) -> Self {
            Self(cache.for_run(tenant))
        }

        fn call(&self, kind: &str, input: &Value, now_ms: i64) -> Value {
            self.0.call(kind, input, now_ms).expect("a call of the cache").expect("well-formed")
        }

        fn get(&self, key: &str, now_ms: i64) -> Value {
            self.call("cache.get", &json!({ "key": key }), now_ms)["value"].clone()
        }

        /// The code, or "success".
        fn set(&self, input: &Value) -> String {
            let answer = self.call("cache.set", input, NOW);
            answer["code"].as_str().or(answer["type"].as_str()).expect("a text").to_owned()
        }
    }

    #[test]
    fn a_value_is_there_for_this_run_and_later_ones_of_the_tenant_alone() {
        let cache = ActionCache::default();
        let first = Run::of("acme", &cache);
        assert_eq!(first.set(&set("a", "1")), "success");
        assert_eq!(first.get("a", NOW), "1");
        let later = Run::of("acme", &cache);
        assert_eq!(later.get("a", NOW), "1");
        assert_eq!(Run::of("other", &cache).get("a", NOW), Value::Null);
        assert_eq!(later.call("cache.delete", &json!({ "key": "a" }), NOW), json!({ "type": "success" }));
        assert_eq!(first.get("a", NOW), Value::Null);
        let again = later.call("cache.delete", &json!({ "key": "a" }), NOW);
        assert_eq!(again, json!({ "type": "error", "code": "CacheKeyDoesNotExist" }));
    }

    #[test]
    fn a_value_lives_a_quarter_of_an_hour_or_as_said_and_a_day_at_most() {
        let cache = ActionCache::default();
        let run = Run::of("acme", &cache);
        for (ttl, expires_at, lives_ms) in [
            (None, None, LIFE_MS),
            (Some(1), None, 1),
            (None, Some(NOW + 7), 7),
            (Some(10), Some(NOW + 7), 7),
            (Some(5), Some(NOW + 7), 5),
            (Some(i64::MAX), None, LONGEST_LIFE_MS),
            (None, Some(i64::MAX), LONGEST_LIFE_MS),
        ] {
            let input = json!({ "key": "k", "value": "v", "ttl": ttl, "expires_at": expires_at });
            let record = run.call("cache.set", &input, NOW)["record"].clone();
            assert_eq!(record, json!({ "value": "v", "expires_at": NOW + lives_ms }), "{input}");
            assert_eq!(run.get("k", NOW + lives_ms - 1), "v", "{input}");
            assert_eq!(run.get("k", NOW + lives_ms), Value::Null, "{input}");
        }
        for (ttl, expires_at) in [(Some(0), None), (Some(-1), None), (None, Some(NOW)), (Some(9), Some(0))] {
            let input = json!({ "key": "k", "value": "v", "ttl": ttl, "expires_at": expires_at });
            assert_eq!(run.set(&input), "ItemAlreadyExpired", "{input}");
        }
    }

    #[test]
    fn sizes_are_bytes_and_an_overwrite_counts_both_values() {
        let cache = ActionCache::default();
        let run = Run::of("acme", &cache);
        assert_eq!(run.set(&set(&"k".repeat(64), "v")), "success");
        assert_eq!(run.set(&set(&"k".repeat(65), "v")), "CacheKeySizeExceeded");
        assert_eq!(run.set(&set(&"é".repeat(33), "v")), "CacheKeySizeExceeded");
        assert_eq!(run.set(&set("k", &"v".repeat(4_096))), "success");
        assert_eq!(run.set(&set("k", &"v".repeat(4_097))), "CacheValueSizeExceeded");
        assert_eq!(run.set(&set("k", &"é".repeat(2_049))), "CacheValueSizeExceeded");
        assert_eq!(run.set(&set("k", &"v".repeat(4_096))), "CacheSizeExceeded", "the old value counts, too");
        assert_eq!(run.set(&set("k", "short")), "success");
        assert_eq!(run.set(&set("k", &"v".repeat(4_096))), "success");
    }

    #[test]
    fn a_trigger_has_twenty_entries_and_expired_ones_make_room() {
        let cache = ActionCache::default();
        let run = Run::of("acme", &cache);
        for index in 0..ENTRIES {
            let input = json!({ "key": format!("k{index}"), "value": "v", "ttl": 1 + index });
            assert_eq!(run.set(&input), "success");
        }
        assert_eq!(run.set(&set("more", "v")), "CacheSizeExceeded");
        assert_eq!(run.set(&set("k3", "w")), "success", "no new entry");
        let answer = run.call("cache.set", &set("more", "v"), NOW + 1);
        assert_eq!(answer["type"], "success", "the first is over");
    }

    #[test]
    fn a_run_changes_the_cache_a_hundred_times() {
        let cache = ActionCache::default();
        let run = Run::of("acme", &cache);
        for _ in 0..SIDE_EFFECTS {
            assert_eq!(run.set(&set("k", "v")), "success");
        }
        assert_eq!(run.set(&set("k", "w")), "MaxSideEffectsExceeded");
        assert_eq!(run.get("k", NOW), "v");
        assert_eq!(Run::of("acme", &cache).set(&set("k", "w")), "success");
    }
}
