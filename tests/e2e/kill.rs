//! The short form of the bench `kill`.

use end_to_end::database::Database;
use end_to_end::kill;

const KILLS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_loses_nothing_that_it_acknowledged_on_sqlite() {
    kill_and_check(Database::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_loses_nothing_that_it_acknowledged_on_postgres() {
    kill_and_check(Database::postgres().await).await;
}

async fn kill_and_check(database: Database) {
    let outcome = kill::run(&database, KILLS).await;
    assert!(outcome.lost.is_empty(), "{:#?}", outcome.lost);
    let counts = outcome.counts;
    assert!(counts.live > 0 && counts.revoked > 0, "{counts:?}");
    assert!(counts.codes > 0 && counts.session_transfer_tokens > 0, "{counts:?}");
}
