//! Three nodes over one PostgreSQL, as processes behind one name: each request of a browser or app goes to the next.

use std::net::Ipv4Addr;

use end_to_end::database::Database;
use end_to_end::flow::{
    arrive_by_query, asks_to_log_in, code_of, exchange_native, exchange_web, log_in, native_tokens, refresh,
    text, transfer_token,
};
use end_to_end::ledger::{Counts, Dice, Ledger, work};
use end_to_end::node::Node;
use end_to_end::process::App;
use end_to_end::{Login, RawClient, Response, invariants, jwt, seed};
use reqwest::Method;
use tokio::task::JoinHandle;

async fn three_nodes() -> (Database, Vec<Node>) {
    let database = Database::postgres().await;
    let nodes = Node::start_several(&database, 3).await;
    nodes[0].seed().await;
    (database, nodes)
}

fn ports(nodes: &[Node]) -> Vec<u16> {
    nodes.iter().map(|node| node.port).collect()
}

async fn userinfo(app: &RawClient, token: &str) -> Response {
    app.send(app.request(Method::GET, "/userinfo").bearer_auth(token)).await
}

/// Whether the browser's session gives a code without a question.
async fn has_session(browser: &RawClient) -> bool {
    let answer = Login::web().with("prompt", "none").begin(browser).await;
    answer.location_parameter("code").is_some()
}

/// Clients that use a node until it leaves.
fn work_at(node: &Node, users: &[String]) -> Vec<JoinHandle<Ledger>> {
    let app = |user: &String| App::at(node, user, Ipv4Addr::LOCALHOST);
    (1..).zip(users).map(|(seed, user)| tokio::spawn(work(app(user), Dice::new(seed)))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_walks_over_three_nodes_and_one_of_them_dies() {
    let (database, mut nodes) = three_nodes().await;
    let users: Vec<String> = (0..4).map(|index| format!("user{index}@example.com")).collect();
    nodes[2].add_users(&users).await;

    // Each of these lines is a request to the node after the one before, and so are the two of `log_in`.
    let app = RawClient::spread(&ports(&nodes));
    let begun = Login::native().begin(&app).await;
    let code = code_of(&log_in(&app, begun.expect(302).location(), seed::ADA, seed::PASSWORD).await);
    let tokens = exchange_native(&app, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["iss"], "http://acme.localhost/");
    let access_token = text(&tokens, "access_token");
    assert!(userinfo(&app, &access_token).await.expect(200).json()["sub"].is_string());
    let tokens = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    let (first, refresh_token) = transfer_token(&app, &tokens).await;
    let browser = RawClient::spread(&ports(&nodes));
    let code = code_of(&arrive_by_query(&browser, &first).await);
    exchange_web(&browser, &code).await.expect(200);
    assert!(has_session(&browser).await);

    // Acknowledged, and not used before the node dies: a code, a session transfer token, a login under way.
    let answer = end_to_end::flow::transfer(&app, &refresh_token).await.expect(200).json();
    let (second, refresh_token) = (text(&answer, "access_token"), text(&answer, "refresh_token"));
    let code = Login::web().code_of_session(&browser).await;
    let late = RawClient::spread(&ports(&nodes));
    let begun = Login::native().begin(&late).await;

    let tasks = work_at(&nodes[1], &users);
    // All have something to lose when the node goes.
    let worker = "SELECT COUNT(*) FROM refresh_token_secrets";
    while database.count(worker).await < 40 {
        assert!(tasks.iter().all(|task| !task.is_finished()), "the node serves");
        tokio::task::yield_now().await;
    }
    nodes[1].server.kill().await;
    nodes.remove(1);

    let left = ports(&nodes);
    let (app, browser, late) = (app.moved_to(&left), browser.moved_to(&left), late.moved_to(&left));
    exchange_web(&browser, &code).await.expect(200);
    exchange_web(&browser, &code).await.expect_error(403, "invalid_grant");
    assert!(has_session(&browser).await && has_session(&browser).await);
    code_of(&arrive_by_query(&RawClient::spread(&left), &second).await);
    for token in [&first, &second] {
        assert!(asks_to_log_in(&arrive_by_query(&RawClient::spread(&left), token).await), "it is spent");
    }
    let code = code_of(&log_in(&late, begun.expect(302).location(), seed::BOB, seed::PASSWORD).await);
    exchange_native(&late, &code).await.expect(200);
    let tokens = refresh(&app, seed::NATIVE, &refresh_token).await.expect(200).json();
    refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200);

    let checker = App::at(&nodes[0], seed::BOB, Ipv4Addr::LOCALHOST);
    let (mut counts, mut lost) = (Counts::default(), invariants::violations(&database).await);
    for task in tasks {
        let kept = task.await.unwrap().check(&checker, &mut counts, &mut lost).await;
        if let Some(family) = kept {
            family.check_and_end(&checker.moved_to(&nodes[1], Ipv4Addr::LOCALHOST), &mut lost).await;
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(counts.live > 0 && counts.revoked > 0 && counts.codes > 0, "{counts:?}");
}

#[tokio::test]
async fn what_one_node_revokes_is_over_at_the_next_request_to_another() {
    let (_database, nodes) = three_nodes().await;
    for (here, there) in [(0, 1), (1, 2), (2, 0)] {
        let (at_here, at_there) = ([nodes[here].port], [nodes[there].port]);
        let app = RawClient::spread(&at_there);
        let tokens = native_tokens(&app, seed::ADA).await;
        let (token, refresh_token) = transfer_token(&app, &tokens).await;
        let (unused, refresh_token) =
            transfer_token(&app, &serde_json::json!({ "refresh_token": refresh_token })).await;
        let browser = RawClient::spread(&at_there);
        code_of(&arrive_by_query(&browser, &token).await);
        let code = Login::web().code_of_session(&browser).await;
        let web =
            exchange_web(&browser, &Login::web().code_of_session(&browser).await).await.expect(200).json();
        userinfo(&browser, &text(&web, "access_token")).await.expect(200);

        let form = [("client_id", seed::NATIVE), ("token", refresh_token.as_str())];
        RawClient::spread(&at_here).post_form("/oauth/revoke", &form).await.expect(200);

        userinfo(&browser, &text(&web, "access_token")).await.expect_error(401, "invalid_token");
        exchange_web(&browser, &code).await.expect_error(403, "invalid_grant");
        assert!(!has_session(&browser).await);
        refresh(&app, seed::NATIVE, &refresh_token).await.expect_error(403, "invalid_grant");
        assert!(asks_to_log_in(&arrive_by_query(&RawClient::spread(&at_there), &unused).await));

        // A logout, too.
        assert!(has_session(&app).await);
        let app = app.moved_to(&at_here);
        let logout = app.get_with("/v2/logout", &[("client_id", seed::NATIVE)]).await;
        assert!([200, 302].contains(&logout.status), "{logout:?}");
    }
}

#[tokio::test]
async fn a_new_version_of_an_action_is_used_by_every_node_at_the_next_login() {
    const CLAIM: &str = "https://acme.example/version";
    let (_database, nodes) = three_nodes().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("versions.js");
    for version in 1..=3 {
        let code = format!(
            "exports.onExecutePostLogin = async (event, api) => {{\n  \
             api.idToken.setCustomClaim('{CLAIM}', {version});\n}};\n"
        );
        std::fs::write(&file, code).unwrap();
        let deploy =
            ["action", "deploy", file.to_str().unwrap(), "--tenant", seed::ACME, "--name", "versions"];
        nodes[version % 3].command(&deploy).await.expect(0);
        for node in &nodes {
            let tokens = native_tokens(&node.client(), seed::ADA).await;
            assert_eq!(jwt::claims(&text(&tokens, "id_token"))[CLAIM], version, "at {}", node.port);
        }
    }
}
