//! The short forms of the benches that count what goes to the database. What sqlx logs is one stream for a process:
//! these tests are in a program of their own, and one runs at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure is a panic")]

use end_to_end::database::Database;
use end_to_end::flow::{exchange_native, refresh, text};
use end_to_end::statements::Recorder;
use end_to_end::{Login, TestServer, lookups, revocation, seed};
use tokio::sync::Mutex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn every_statement_of_a_flow_uses_an_index_on_sqlite() {
    let _guard = ONE_AT_A_TIME.lock().await;
    check_plans(Database::sqlite().await).await;
}

#[tokio::test]
async fn every_statement_of_a_flow_uses_an_index_on_postgres() {
    let _guard = ONE_AT_A_TIME.lock().await;
    check_plans(Database::postgres().await).await;
}

async fn check_plans(database: Database) {
    let comparison = lookups::compare(database, Recorder::of_this_process(), 100, 1_000, 3).await;
    assert!(comparison.faults.is_empty(), "{:#?}", comparison.faults);
    let statements = comparison.figures["statements"].as_object().unwrap();
    for table in ["sessions", "refresh_token", "codes", "session_transfer_tokens", "clients", "users"] {
        assert!(statements.keys().any(|sql| sql.contains(table)), "{table}: {statements:#?}");
    }
}

#[tokio::test]
async fn one_statement_revokes_a_token_with_all_that_came_from_it_on_sqlite() {
    let _guard = ONE_AT_A_TIME.lock().await;
    revoke(Database::sqlite().await).await;
}

#[tokio::test]
async fn one_statement_revokes_a_token_with_all_that_came_from_it_on_postgres() {
    let _guard = ONE_AT_A_TIME.lock().await;
    revoke(Database::postgres().await).await;
}

async fn revoke(database: Database) {
    let server = TestServer::start_on(database).await;
    let recorder = Recorder::of_this_process();
    let one = revocation::run(&server, recorder, 1).await;
    let many = revocation::run(&server, recorder, 25).await;
    assert_eq!((one.descendants, one.survivors, one.that_revoke()), (1, 0, 1), "{one:?}");
    assert_eq!((many.descendants, many.survivors, many.that_revoke()), (25, 0, 1), "{many:?}");
    assert_eq!(one.statements.len(), many.statements.len(), "{one:?} {many:?}");
}

#[tokio::test]
async fn permissions_cost_nothing_where_an_api_does_not_ask_on_sqlite() {
    let _guard = ONE_AT_A_TIME.lock().await;
    count_for_permissions(Database::sqlite().await).await;
}

#[tokio::test]
async fn permissions_cost_nothing_where_an_api_does_not_ask_on_postgres() {
    let _guard = ONE_AT_A_TIME.lock().await;
    count_for_permissions(Database::postgres().await).await;
}

/// The statements of a refresh, once the settings are known.
async fn count_for_permissions(database: Database) {
    // It listens before the server does.
    let recorder = Recorder::of_this_process();
    let server = TestServer::start_on(database).await;
    let app = server.client();
    let login =
        Login::native().with("audience", seed::API).with("scope", "openid offline_access read:things");
    let mut counted = Vec::new();
    for enforces in [false, true] {
        server.change_api(|api| api.enforce_policies = enforces).await;
        let code = login.code(&server.client(), seed::ADA).await;
        let tokens = exchange_native(&app, &code).await.expect(200).json();
        let tokens = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
        recorder.take();
        refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200);
        let ran = recorder.take();
        let of_permissions = ran.iter().filter(|ran| ran.sql.contains("role_permissions")).count();
        counted.push((ran.len(), of_permissions));
    }
    let (plain, _) = counted[0];
    assert_eq!(counted, [(plain, 0), (plain + 1, 1)]);
}
