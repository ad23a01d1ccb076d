//! The log and its streams. These tests are part of the contract.

use std::time::Duration;

use model::search::Query;
use model::{
    ConnectionId, GeoIp, LogContext, LogEntry, LogFormat, LogStream, LogStreamSettings, LogStreamStatus,
    LogType, OrganizationId, UserId,
};
use serde_json::json;

use super::fixtures::*;
use crate::{LogCursor, LogId, LogSearch, Storage, TenantTx};

pub fn log_stream(id: &str) -> LogStream {
    LogStream {
        id: id.to_owned(),
        name: format!("The stream {id}"),
        status: LogStreamStatus::Active,
        settings: LogStreamSettings {
            endpoint: "https://logs.test/".to_owned(),
            content_type: "application/json".to_owned(),
            content_format: LogFormat::JsonLines,
            categories: vec!["auth.login.fail".to_owned()],
            is_priority: true,
            pii: None,
            start_from: Some(now()),
        },
        sealed_secrets: text("sealed"),
        failures: 0,
        failing_since: None,
        last_error: None,
        created_at: now(),
        updated_at: now(),
    }
}

fn full_entry() -> LogEntry {
    LogEntry {
        client_name: text("App"),
        user_id: Some(UserId::new("auth0|1")),
        user_name: text("ada@example.com"),
        user_agent: text("Mozilla/5.0"),
        hostname: text("acme.example"),
        connection: text("Users"),
        connection_id: Some(ConnectionId::new("con_1")),
        organization_id: Some(OrganizationId::new("org_1")),
        more: LogContext {
            audience: text("https://api.test"),
            scope: Some(vec!["openid".to_owned()]),
            strategy: text("auth0"),
            strategy_type: text("database"),
            organization_name: text("one"),
            location: Some(GeoIp { country_code: text("NL"), latitude: Some(52.5), ..GeoIp::default() }),
            correlation_id: text("c-1"),
        },
        ..log_entry("full")
    }
}

pub async fn an_entry_comes_back_with_all_that_it_had(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.insert_log(&full_entry()).await.unwrap();
    let found = tx.logs(1).await.unwrap().remove(0);
    let LogEntry { more, .. } = full_entry();
    assert_eq!((&found.more, &found.details), (&more, &json!({"a": 1})));
    assert_eq!(
        [&found.client_name, &found.user_name, &found.user_agent, &found.hostname, &found.connection],
        [&text("App"), &text("ada@example.com"), &text("Mozilla/5.0"), &text("acme.example"), &text("Users")]
    );
    assert_eq!(
        (found.connection_id.unwrap().as_str(), found.organization_id.unwrap().as_str()),
        ("con_1", "org_1")
    );
    assert!(tx.log(found.log_id).await.unwrap().is_some());
    let other_time = LogId { date: at(1), ..found.log_id };
    assert_eq!(tx.log(other_time).await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut tx = storage.begin_read(&other()).await.unwrap();
    assert_eq!(tx.log(found.log_id).await.unwrap(), None, "another tenant's");
}

/// What a search finds, by description.
async fn find(tx: &mut TenantTx, query: &str, ascending: bool) -> Vec<String> {
    let query = Query::parse(query).unwrap();
    let search = LogSearch { query: Some(&query), ascending, offset: 0, limit: 10 };
    let found = tx.search_logs(&search).await.unwrap().unwrap();
    assert_eq!(tx.count_logs(Some(&query), 1000).await.unwrap().unwrap(), found.len() as i64);
    found.into_iter().map(|log| log.description).collect()
}

pub async fn the_log_is_searched_by_time(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    // The second one is written first.
    for (description, secs, log_type) in [
        ("two", 10, LogType::FailedLogin),
        ("one", 5, LogType::SuccessLogin),
        ("three", 86_400, LogType::Warning),
    ] {
        let entry = LogEntry { log_type, date: at(secs), ..log_entry(description) };
        tx.insert_log(&entry).await.unwrap();
    }
    tx.insert_log(&LogEntry { date: at(20), ..full_entry() }).await.unwrap();
    let all = tx.logs(10).await.unwrap();
    let names: Vec<_> = all.iter().map(|log| log.description.as_str()).collect();
    assert_eq!(names, ["three", "full", "two", "one"]);
    let [three, full, two] = [0, 1, 2].map(|index| all[index].log_id.to_string());
    for (query, expected) in [
        ("type:f".to_owned(), vec!["two"]),
        ("type:(f OR w)".to_owned(), vec!["three", "two"]),
        ("NOT type:f".to_owned(), vec!["three", "full", "one"]),
        ("NOT user_name:x".to_owned(), vec!["three", "full", "two", "one"]),
        ("user_id:\"auth0|1\" AND connection:Users".to_owned(), vec!["full"]),
        ("user_name:ada*".to_owned(), vec!["full"]),
        ("_exists_:user_id".to_owned(), vec!["full"]),
        (format!("log_id:[{two} TO *]"), vec!["three", "full", "two"]),
        (format!("log_id:{{{two} TO {three}}}"), vec!["full"]),
        (format!("log_id:{full}"), vec!["full"]),
        (format!("date:[{} TO {}]", at(10).to_iso(), at(20).to_iso()), vec!["full", "two"]),
        (format!("date:<{}", at(10).to_iso()), vec!["one"]),
        ("description:three OR hostname:acme.example".to_owned(), vec!["three", "full"]),
    ] {
        assert_eq!(find(&mut tx, &query, false).await, expected, "{query}");
        let reversed: Vec<_> = expected.into_iter().rev().collect();
        assert_eq!(find(&mut tx, &query, true).await, reversed, "{query}");
    }
    let page = LogSearch { query: None, ascending: false, offset: 1, limit: 2 };
    let page = tx.search_logs(&page).await.unwrap().unwrap();
    assert_eq!(page.iter().map(|log| log.description.as_str()).collect::<Vec<_>>(), ["full", "two"]);
    assert_eq!(tx.count_logs(None, 3).await.unwrap().unwrap(), 3);
    let query = Query::parse("tenant_id:other").unwrap();
    let search = LogSearch { query: Some(&query), limit: 1, ..LogSearch::default() };
    assert!(tx.search_logs(&search).await.unwrap().is_err());
    tx.commit().await.unwrap();
}

/// So many of the next entries. On PostgreSQL, a transaction of another test's database is waited for as well.
async fn next(storage: &Storage, cursor: &mut LogCursor, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    let all = async {
        while found.len() < count {
            found.extend(follow(storage, cursor).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("they come");
    found
}

/// The descriptions of what is after the cursor, and the end.
async fn follow(storage: &Storage, cursor: &mut LogCursor) -> Vec<String> {
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    let found = tx.logs_after(*cursor, 100).await.unwrap();
    if let Some(last) = found.last() {
        *cursor = last.cursor;
    }
    found.into_iter().map(|log| log.description).collect()
}

async fn write(storage: &Storage, description: &str) {
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.insert_log(&log_entry(description)).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn whoever_follows_the_log_gets_each_entry_once(storage: &Storage) {
    with_tenants(storage).await;
    write(storage, "before").await;
    let mut cursor = storage.begin_read(&acme()).await.unwrap().log_end().await.unwrap();
    assert!(follow(storage, &mut cursor).await.is_empty());
    for name in ["one", "two"] {
        write(storage, name).await;
    }
    assert_eq!(next(storage, &mut cursor, 2).await, ["one", "two"]);
    write(storage, "three").await;
    assert_eq!(next(storage, &mut cursor, 1).await, ["three"]);
    assert!(follow(storage, &mut cursor).await.is_empty());
    // By id, and by time.
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    let two = tx.logs(10).await.unwrap().into_iter().find(|log| log.description == "two").unwrap();
    let mut after_two = tx.cursor_after(two.log_id).await.unwrap().unwrap();
    let gone = LogId { id: two.log_id.id, date: two.date.plus_secs(-60) };
    let mut from_the_first = tx.cursor_after(gone).await.unwrap().unwrap();
    assert_eq!(tx.cursor_at(at(60)).await.unwrap(), None);
    drop(tx);
    assert_eq!(follow(storage, &mut after_two).await, ["three"]);
    assert_eq!(follow(storage, &mut from_the_first).await, ["before", "one", "two", "three"]);
}

pub async fn a_stream_is_sent_by_one_until_its_lease_ends(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let end = tx.log_end().await.unwrap();
    assert!(tx.insert_log_stream(&log_stream("lst_1"), end).await.unwrap());
    let same_name = LogStream { name: log_stream("lst_1").name, ..log_stream("lst_2") };
    assert!(!tx.insert_log_stream(&same_name, end).await.unwrap());
    assert_eq!(tx.log_stream("lst_1").await.unwrap(), Some(log_stream("lst_1")));
    assert_eq!(tx.log_streams().await.unwrap(), [log_stream("lst_1")]);
    assert_eq!(tx.log_stream_by_name("The stream lst_1").await.unwrap(), Some(log_stream("lst_1")));
    tx.commit().await.unwrap();

    let claim = async |secs: i64| {
        let mut tx = storage.begin(&acme()).await.unwrap();
        let claimed = tx.claim_log_streams(at(secs), at(secs + 60)).await.unwrap();
        tx.commit().await.unwrap();
        claimed
    };
    let due = async |secs: i64| storage.tenants_with_due_log_streams(at(secs), 10).await.unwrap();
    // Written, and by now nothing can stand before it any more.
    let write = async |description: &str| {
        let mut end = storage.begin_read(&acme()).await.unwrap().log_end().await.unwrap();
        write(storage, description).await;
        next(storage, &mut end, 1).await;
    };
    assert!(due(0).await.is_empty() && claim(0).await.is_empty(), "there is nothing to send");
    write("one").await;
    assert_eq!(due(0).await, [acme()]);
    let first = claim(0).await;
    assert_eq!(first.len(), 1);
    assert!(due(59).await.is_empty() && claim(59).await.is_empty(), "somebody has it");
    let second = claim(60).await;
    assert_eq!(second.len(), 1);

    let mut tx = storage.begin(&acme()).await.unwrap();
    let sent = tx.logs_after(first[0].cursor, 10).await.unwrap();
    assert_eq!(sent.len(), 1);
    tx.advance_log_stream(&first[0], sent[0].cursor, at(61)).await.unwrap();
    assert!(
        tx.claim_log_streams(at(61), at(121)).await.unwrap().is_empty(),
        "the lease of the first one has ended"
    );
    assert!(tx.put_off_log_stream(&second[0], LogStreamStatus::Active, "no", at(61), at(70)).await.unwrap());
    assert!(!tx.put_off_log_stream(&second[0], LogStreamStatus::Active, "no", at(61), at(70)).await.unwrap());
    let failed = tx.log_stream("lst_1").await.unwrap().unwrap();
    assert_eq!((failed.failures, failed.failing_since, failed.last_error), (1, Some(at(61)), text("no")));
    tx.commit().await.unwrap();
    let third = claim(70).await.remove(0);
    assert_eq!(third.stream.failures, 1);
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.advance_log_stream(&third, sent[0].cursor, at(71)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(due(1000).await.is_empty());

    write("two").await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let paused = LogStream { status: LogStreamStatus::Paused, updated_at: at(80), ..log_stream("lst_1") };
    assert!(tx.update_log_stream(&paused).await.unwrap());
    tx.commit().await.unwrap();
    assert!(due(1000).await.is_empty(), "it is paused");
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.update_log_stream(&log_stream("lst_1")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(due(1000).await, [acme()]);
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.delete_log_stream("lst_1").await.unwrap());
    assert!(!tx.delete_log_stream("lst_1").await.unwrap());
    assert!(!tx.update_log_stream(&log_stream("lst_1")).await.unwrap());
    tx.commit().await.unwrap();
}

/// A transaction that got its number first commits last: on PostgreSQL, where they run side by side.
#[tokio::test]
async fn an_entry_that_is_committed_late_is_not_passed_over() {
    let (storage, _) = super::postgres::open().await;
    with_tenants(&storage).await;
    let mut cursor = storage.begin_read(&acme()).await.unwrap().log_end().await.unwrap();
    let mut late = storage.begin(&acme()).await.unwrap();
    late.insert_log(&log_entry("late")).await.unwrap();
    // It is sent now.
    late.logs(1).await.unwrap();
    write(&storage, "early").await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.insert_log_stream(&log_stream("lst_1"), cursor).await.unwrap();
    tx.commit().await.unwrap();
    assert!(follow(&storage, &mut cursor).await.is_empty(), "not before it is known what stands before it");
    assert!(storage.tenants_with_due_log_streams(at(1), 10).await.unwrap().is_empty());
    late.commit().await.unwrap();
    assert_eq!(next(&storage, &mut cursor, 2).await, ["late", "early"]);
    assert_eq!(storage.tenants_with_due_log_streams(at(1), 10).await.unwrap(), [acme()]);

    // The same with many at once, and a reader that never rests.
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let storage = storage.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    let mut tx = storage.begin(&acme()).await.unwrap();
                    tx.insert_log(&log_entry(&format!("{writer}/{number}"))).await.unwrap();
                    tx.logs(1).await.unwrap();
                    tokio::task::yield_now().await;
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    let mut seen = next(&storage, &mut cursor, 400).await;
    for writer in writers {
        writer.await.unwrap();
    }
    seen.extend(follow(&storage, &mut cursor).await);
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((count, seen.len()), (400, 400));
}

#[tokio::test]
async fn a_search_in_a_large_log_goes_by_an_index() {
    let (_folder, storage) = super::sqlite::open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    for query in [
        None,
        Some("type:f"),
        Some("user_id:a AND date:[2026-01-01 TO *]"),
        Some("client_id:a"),
        Some("date:[2026-01-01 TO 2026-02-01]"),
        Some("log_id:[900202601020304050060000000000000000009 TO *]"),
        Some("type:(s OR f) AND log_id:[900202601020304050060000000000000000009 TO *]"),
    ] {
        let parsed = query.map(|query| Query::parse(query).unwrap());
        for ascending in [true, false] {
            let search = LogSearch { query: parsed.as_ref(), ascending, offset: 0, limit: 100 };
            let plan = tx.explain_search(&search).await;
            assert!(
                plan.iter().all(|step| step.starts_with("SEARCH logs USING INDEX logs_by_")),
                "{query:?} {plan:?}"
            );
            let by = match query {
                Some(query) if query.starts_with("type:f") => "logs_by_code",
                Some(query) if query.starts_with("user_id") => "logs_by_user",
                Some(query) if query.starts_with("client_id") => "logs_by_client",
                _ => "logs_by_",
            };
            assert!(plan[0].contains(by), "{query:?} {plan:?}");
            if query.is_some_and(|query| query.contains("date") || query.starts_with("log_id")) {
                assert!(plan[0].contains("date"), "{query:?} {plan:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_search_in_a_large_log_goes_by_an_index_on_postgres() {
    let (storage, _) = super::postgres::open().await;
    with_tenants(&storage).await;
    // Two tenants; half of the entries are of one client, and a few of one user and of one type.
    let fill = "INSERT INTO logs (tenant_id, code, date, client_id, user_id, description, details)
             SELECT CASE WHEN i % 3 = 0 THEN 'other' ELSE 'acme' END, CASE WHEN i % 200 = 1 THEN 'f' ELSE 's' END, i,
                 CASE WHEN i % 2 = 0 THEN 'c' ELSE 'c' || i % 40 END, CASE WHEN i % 5 > 0 THEN 'u' || i % 500 END, '', '{}'
             FROM generate_series(1, 20000) i;
         ANALYZE logs";
    sqlx::raw_sql(fill).execute(&storage.writer).await.unwrap();
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    for (query, index) in [
        ("type:f", "logs_by_code"),
        ("client_id:c", "logs_by_client"),
        ("user_id:u7", "logs_by_user"),
        // The few of the user, and of those the client's.
        ("user_id:u7 AND client_id:c", "logs_by_user"),
    ] {
        let parsed = Query::parse(query).unwrap();
        for ascending in [true, false] {
            let search = LogSearch { query: Some(&parsed), ascending, offset: 0, limit: 50 };
            let plan = tx.explain_search(&search).await.join("\n");
            assert!(plan.contains(index), "{query}: {plan}");
            // A few are sorted; of many, no more are read than are asked for.
            let is_few = query.starts_with("user_id");
            assert!(is_few || !plan.contains("Sort"), "{query}: {plan}");
        }
    }
}
