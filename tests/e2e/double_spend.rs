//! The short form of the bench `double_spend`. The refresh tokens have no leeway.

use end_to_end::database::Database;
use end_to_end::node::Node;
use end_to_end::{double_spend, invariants};

const VALUES: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_want_a_value_at_once_one_gets_it_on_sqlite() {
    let database = Database::sqlite().await;
    let node = Node::start(&database).await;
    attack(&database, &[node]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_want_a_value_at_once_at_three_nodes_one_gets_it() {
    let database = Database::postgres().await;
    let nodes = Node::start_several(&database, 3).await;
    attack(&database, &nodes).await;
}

async fn attack(database: &Database, nodes: &[Node]) {
    nodes[0].seed().await;
    let outcome = double_spend::run(nodes, VALUES).await;
    assert_eq!(outcome.attempts(), VALUES * double_spend::ATTEMPTS_PER_ROUND, "{outcome:?}");
    assert_eq!(outcome.wrong(), 0, "{outcome:?}");
    assert_eq!(invariants::violations(database).await, [""; 0]);
}
