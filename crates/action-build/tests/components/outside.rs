use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use action_api::{
    Artifact, Handler, Limits, NoOperations, OperationAnswer, OperationFuture, Operations, RunError,
};
use action_runtime::{Entry, RunInput};
use serde_json::{Value, json};

use super::{environment, guest, input, printed, run};
use crate::common::{LIMITS, NOW_MS, RUNTIME, TASKS, script};

/// A world that answers by host name.
#[derive(Default)]
struct World {
    begun: AtomicUsize,
    dropped: Arc<AtomicUsize>,
}

struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Operations for World {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let answer = match kind {
            "groups.ofUser" => {
                assert_eq!(input, json!({ "take": 2 }));
                let group = |name| {
                    json!({
                        "id": "g", "name": name, "tenant_name": "acme", "created_at": "", "updated_at": "",
                        "membership_created_at": "", "assignment": "direct",
                    })
                };
                Ok(json!({ "groups": [group("staff"), group("all")], "next": "g2" }))
            }
            "groups.membership" => Ok(json!({ "memberships": {
                "staff": { "is_member": true, "matches": [{ "id": "g", "name": "staff", "group_type": "tenant" }] },
                "guests": { "is_member": false },
            } })),
            "roles.effectiveByNames" => {
                assert_eq!(input, json!(["staff", "guests"]));
                Ok(json!({ "roles": [{ "id": "r", "name": "admin", "type": "tenant" }] }))
            }
            "http.fetch" => {
                assert_eq!(
                    input,
                    json!({
                        "method": "POST", "url": input["url"], "headers": [["x-a", "1"]], "body": "AP8=",
                        "redirect": "manual",
                    })
                );
                let url = input["url"].as_str().unwrap_or_default().to_owned();
                let under_way = UnderWay(Arc::clone(&self.dropped));
                return Box::pin(async move {
                    match url.as_str() {
                        "https://slow.example/" => tokio::time::sleep(Duration::from_millis(60)).await,
                        "https://never.example/" => std::future::pending().await,
                        "https://fails.example/" => {
                            std::mem::forget(under_way);
                            return Err("no connection".to_owned());
                        }
                        _ => tokio::time::sleep(Duration::from_millis(1)).await,
                    }
                    std::mem::forget(under_way);
                    Ok(json!({
                        "status": 201, "status_text": "Created", "url": url, "redirected": false,
                        "headers": [["content-type", "text/plain"]], "body": "aGVsbG8=",
                    }))
                });
            }
            other => Err(action_api::unknown_operation(other)),
        };
        Box::pin(async move { answer })
    }

    fn call(&self, kind: &str, input: Value, now_ms: i64) -> OperationAnswer {
        match kind {
            "cache.set" => {
                let record = json!({ "value": input["value"], "expires_at": now_ms + input["ttl"].as_i64().unwrap_or(0) });
                Ok(json!({ "type": "success", "record": record }))
            }
            "cache.get" => Ok(json!({ "value": "v", "expires_at": now_ms })),
            _ => Ok(json!({ "type": "error", "code": "CacheKeyDoesNotExist" })),
        }
    }
}

fn ask(what: &str) -> RunInput {
    let event = json!({
        "ask": what, "user": { "user_id": "auth0|1" },
        "request": { "hostname": "acme.example", "ip": "192.0.2.1", "query": { "state": "st" } },
        "transaction": { "protocol": "oidc-basic-profile" },
    });
    input(Handler::Execute, &event.to_string())
}

fn limit(error: &Option<RunError>) -> &str {
    match error {
        Some(RunError::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_sent_and_its_answer_read_and_the_clock_has_moved() {
    let finished = run(&guest("outside.c"), &ask("1"), Arc::new(World::default()));
    let report = &finished.report;
    assert_eq!((report.error.clone(), report.commands.len()), (None, 1));
    let said = printed(report);
    let [first, middle @ .., last] = &said[..] else { panic!("{said:?}") };
    assert_eq!(*first, format!("at {NOW_MS}"));
    assert_eq!(middle, ["status 201", "url https://one.example/", "body hello", "header text/plain"]);
    let later: i64 = last.strip_prefix("at ").and_then(|ms| ms.parse().ok()).expect("a time");
    assert!((NOW_MS + 1..NOW_MS + 5_000).contains(&later), "{last}");
    assert!(matches!(finished.record.entries[..], [Entry::Answered { id: 1, .. }]));
}

#[test]
fn requests_that_are_sent_at_once_overlap_and_one_gives_up_after_its_time() {
    let world = Arc::new(World::default());
    let began = Instant::now();
    let report = run(&guest("outside.c"), &ask("n"), Arc::clone(&world) as _).report;
    assert_eq!(report.error, None);
    assert!(began.elapsed() < Duration::from_secs(5));
    let said = printed(&report);
    assert_eq!(
        said[1..said.len() - 1],
        [
            "status 201",
            "url https://slow.example/",
            "body hello",
            "header text/plain",
            "failed no answer within `timeout-ms`",
            "failed no connection",
            "status 201",
            "url https://one.example/",
            "body hello",
            "header text/plain",
        ]
    );
    let slow = report.elapsed_us;
    assert!((60_000..2_000_000).contains(&slow), "{slow}");
    assert_eq!(world.begun.load(Ordering::SeqCst), 4, "a replay asks nobody");
    assert_eq!(world.dropped.load(Ordering::SeqCst), 1, "nobody waits for the one that was given up");
}

#[test]
fn sixty_waiting_components_hold_no_thread() {
    let component = guest("outside.c");
    let one_thread = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .expect("a Tokio runtime");
    // As many as the runtime has sandboxes.
    let runs = 60;
    let began = Instant::now();
    let said: Vec<usize> = one_thread.block_on(async {
        let runs: Vec<_> = (0..runs)
            .map(|_| {
                let component = Arc::clone(&component);
                tokio::spawn(async move {
                    let environment = environment(Arc::new(World::default()));
                    RUNTIME.run(&component, ask("n"), environment, &LIMITS).await.report
                })
            })
            .collect();
        let mut said = Vec::new();
        for run in runs {
            let report = run.await.expect("it ends");
            assert_eq!(report.error, None);
            said.push(report.console.len());
        }
        said
    });
    assert_eq!(said, vec![12; runs]);
    // On two threads one after the other, these would be 60 times 60 ms.
    assert!(began.elapsed() < Duration::from_millis(60 * 30), "{:?}", began.elapsed());
}

#[test]
fn a_run_that_waits_ends_at_the_wall_clock_and_gives_everything_back() {
    let (component, world) = (guest("outside.c"), Arc::new(World::default()));
    let input = ask("f");
    let limits = Limits { wall_clock_ms: 50, ..LIMITS };
    let finished =
        TASKS.block_on(RUNTIME.run(&component, input.clone(), environment(Arc::clone(&world) as _), &limits));
    assert_eq!(limit(&finished.report.error), "wall_clock_ms");
    assert!(finished.report.console.len() > 1, "what it printed until then is there");
    assert!(finished.report.commands.is_empty());
    let again = RUNTIME.replay(&component, &input, &finished.record, &limits);
    assert_eq!((again.error, again.console), (finished.report.error, finished.report.console));
    assert_eq!(again.fuel, finished.report.fuel);
}

#[test]
fn a_caller_that_goes_away_ends_a_run_that_waits() {
    let (component, world) = (guest("outside.c"), Arc::new(World::default()));
    for _ in 0..100 {
        let run = RUNTIME.run(&component, ask("n"), environment(Arc::clone(&world) as _), &LIMITS);
        TASKS
            .block_on(async { assert!(tokio::time::timeout(Duration::from_millis(15), run).await.is_err()) });
    }
    // More than there are sandboxes: each was given back.
    let deadline = Instant::now() + Duration::from_secs(5);
    while world.dropped.load(Ordering::SeqCst) < 100 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let report = run(&component, &ask("1"), Arc::new(World::default())).report;
    assert_eq!(report.error, None);
}

#[test]
fn limits_of_operations_hold_and_a_replay_reaches_them_too() {
    let component = guest("outside.c");
    for (what, name, limits) in [
        ("n", "operations", Limits { operations: 2, ..LIMITS }),
        ("1", "operation_bytes", Limits { operation_bytes: 20, ..LIMITS }),
        ("f", "host_calls", Limits { host_calls: 20, ..LIMITS }),
        ("f", "fuel", Limits { fuel: 40_000, ..LIMITS }),
    ] {
        let input = ask(what);
        let environment = environment(Arc::new(World::default()));
        let finished = TASKS.block_on(RUNTIME.run(&component, input.clone(), environment, &limits));
        assert_eq!(limit(&finished.report.error), name);
        let again = RUNTIME.replay(&component, &input, &finished.record, &limits);
        assert_eq!(
            (again.error, again.fuel, again.console),
            (finished.report.error, finished.report.fuel, finished.report.console),
            "{name}"
        );
    }
}

#[test]
fn what_a_run_may_not_ask_is_an_error_that_it_can_handle() {
    let report = run(&guest("outside.c"), &ask("1cl"), Arc::new(NoOperations)).report;
    assert_eq!(report.error, None);
    let said = printed(&report);
    assert!(said[1].starts_with("failed the operation \"http.fetch\" is not available"), "{said:?}");
    assert_eq!(
        said[2..5],
        ["not kept FailedToSetCacheRecord", "nothing k", "not deleted FailedToDeleteCacheRecord"]
    );
    assert_eq!(said.iter().filter(|line| line.starts_with("failed ")).count(), 4, "{said:?}");
}

#[test]
fn cache_groups_roles_secrets_and_randomness_are_there() {
    let report = run(&guest("outside.c"), &ask("cls"), Arc::new(World::default())).report;
    assert_eq!(report.error, None);
    let said = printed(&report);
    let until = format!("kept until {}", NOW_MS + 5_000);
    let expected = [
        &until,
        "found v",
        "not deleted CacheKeyDoesNotExist",
        "group staff",
        "group all",
        "next g2",
        "not in guests",
        "in staff",
        "role admin",
        "secret s3cret",
        "random 1",
    ];
    assert_eq!(said[1..said.len() - 1], expected);
}

/// A script that says the same, with what a component made, and the other way round.
#[test]
fn tokens_of_components_and_scripts_are_the_same() {
    let component = guest("outside.c");
    let with_token = |artifact: &Arc<Artifact>, token: Option<&str>| {
        let mut input = ask("t");
        let mut event: Value = serde_json::from_str(&input.event).expect("JSON");
        if let Some(token) = token {
            event["request"]["query"]["session_token"] = json!(token);
        }
        input.event = event.to_string();
        run(artifact, &input, Arc::new(NoOperations)).report
    };
    let first = with_token(&component, None);
    let said = printed(&first);
    let token = said[1].strip_prefix("token ").expect("a token").to_owned();
    assert_eq!(said[2..4], ["invalid the parameter `session_token` is missing", "can redirect 1"]);

    let code = r#"exports.onExecutePostLogin = async (event, api) => {
        const secret = 's3cret';
        console.log('token ' + api.redirect.encodeToken({ secret, payload: { terms: 3, state: 'st' } }));
        try { console.log('claims ' + JSON.stringify(api.redirect.validateToken({ secret }))) }
        catch (e) { console.log(e.message) }
    };"#;
    let script = Arc::new(script(code).expect("it builds"));
    let by_script = with_token(&script, Some(&token));
    let script_said = printed(&by_script);
    let script_token = script_said[0].strip_prefix("token ").expect("a token").to_owned();
    let claims: Value =
        serde_json::from_str(script_said[1].strip_prefix("claims ").expect("the script accepts it"))
            .expect("JSON");
    assert_eq!(claims["terms"], 3);
    assert_eq!((&claims["iss"], &claims["ip"]), (&json!("acme.example"), &json!("192.0.2.1")));
    assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 900));

    let by_component = with_token(&component, Some(&script_token));
    let line =
        printed(&by_component)[2].strip_prefix("claims ").expect("the component accepts it").to_owned();
    assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON"), claims);

    let (signed, _) = token.rsplit_once('.').expect("a JWT");
    let middle = token.split('.').nth(1).expect("a JWT");
    for (bad, why) in [
        ("x", "it is no JWT"),
        ("a.b.c", "it is no JWT"),
        (&format!("{signed}.AAAA"), "its signature is wrong"),
        (&format!("eyJhbGciOiJub25lIn0.{middle}."), "it is not signed with HS256"),
    ] {
        let report = with_token(&component, Some(bad));
        assert_eq!(printed(&report)[2], format!("invalid the token is not valid: {why}"), "{bad}");
        let report = with_token(&script, Some(bad));
        assert_eq!(
            printed(&report)[1],
            format!("api.redirect.validateToken: the token is not valid: {why}"),
            "{bad}"
        );
    }
}

#[test]
fn a_replay_that_does_not_follow_its_record_says_so() {
    let component = guest("outside.c");
    let finished = run(&component, &ask("1c"), Arc::new(World::default()));
    for other in ["c", "1", "n", "", "1cc", "lc"] {
        let report = RUNTIME.replay(&component, &ask(other), &finished.record, &LIMITS);
        assert!(matches!(report.error, Some(RunError::Diverged { .. })), "{other}: {:?}", report.error);
    }
}

#[test]
fn a_trap_after_waiting_is_the_guests_and_the_next_run_is_as_always() {
    let component = guest("outside.c");
    for _ in 0..3 {
        let report = run(&component, &ask("1x"), Arc::new(World::default())).report;
        assert!(matches!(report.error, Some(RunError::Trap { .. })), "{:?}", report.error);
    }
    let report = run(&component, &ask("1"), Arc::new(World::default())).report;
    assert_eq!(report.error, None);
}
