//! What an Action sees: each path of the event from real data, in the flows that have it, and nothing where it has none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use action_api::schema::{self, Filled, Flow, Shape};
use end_to_end::client::with_query;
use end_to_end::flow::{
    TRANSFER_COOKIE, VERIFIER, code_of, exchange_native, refresh, text, transfer, transfer_token,
};
use end_to_end::{Login, RawClient, TestServer, mmdb, seed};
use idp::NetworkData;
use idp::manage::{self, NewOrganization, Roles, UserChanges};
use model::{DeviceBinding, OrganizationUsage, RefreshTokenPolicy};
use postern::network::{DataFile, NetworkFiles};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{device, online, password_grant};

const BERLIN: Ipv4Addr = Ipv4Addr::LOCALHOST;
const NEW_YORK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NOWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

const PRINTS: &str = "exports.onExecutePostLogin = async event => console.log(JSON.stringify(event));";

/// The operator's files, with two places.
fn network() -> Arc<dyn NetworkData> {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, records: &[(Ipv4Addr, Value)]| {
        let file = folder.path().join(name);
        std::fs::write(&file, mmdb::file(name, records)).unwrap();
        Some(DataFile::open(&file).unwrap())
    };
    let berlin =
        mmdb::city(("Berlin", "DE", "Germany"), (52.52, 13.405), ("BE", "Land Berlin"), "Europe/Berlin");
    let new_york = mmdb::city(
        ("New York", "US", "United States"),
        (40.7128, -74.006),
        ("NY", "New York"),
        "America/New_York",
    );
    let asn = json!({ "autonomous_system_number": 64_496 });
    Arc::new(NetworkFiles {
        asn: open("Test-ASN", &[(BERLIN, asn.clone()), (NEW_YORK, asn)]),
        city: open("Test-City", &[(BERLIN, berlin), (NEW_YORK, new_york)]),
    })
}

fn berlin() -> Value {
    json!({
        "cityName": "Berlin", "continentCode": "EU", "countryCode": "DE", "countryCode3": "DEU",
        "countryName": "Germany", "latitude": 52.52, "longitude": 13.405, "subdivisionCode": "BE",
        "subdivisionName": "Land Berlin", "timeZone": "Europe/Berlin",
    })
}

/// The event is one of the dialect, of a flow of ours, and has nothing that its flow has not.
fn check_event(event: &Value) -> Flow {
    assert_eq!(schema::validate(event), Ok(()), "{event}");
    let flow = Flow::of(event).expect("a flow of ours");
    check_shape("event", schema::event_shape(), event, flow);
    flow
}

fn check_shape(path: &str, shape: &Shape, value: &Value, flow: Flow) {
    assert!(!value.is_null(), "{path} is null");
    let members: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        _ => vec![value],
    };
    for member in members {
        for (name, below) in &shape.named {
            let path = format!("{path}.{name}");
            let filled = below.property.unwrap().filled;
            match member.get(*name) {
                Some(_) if filled == Filled::Never => {
                    panic!("{path} is there, and never filled by the table")
                }
                Some(_) if !below.is_in(flow) => panic!("{path} is there, and not of {}", flow.as_str()),
                Some(value) => check_shape(&path, below, value, flow),
                None => assert!(
                    filled != Filled::Always || !below.is_in(flow),
                    "{path} is not in {}",
                    flow.as_str()
                ),
            }
        }
    }
}

async fn last_event(server: &TestServer) -> Value {
    server.printed().await.pop().expect("a run")
}

#[tokio::test]
async fn an_action_sees_the_place_of_the_request_and_of_the_issuance_of_a_transfer_token() {
    let server = TestServer::start_with_network(network()).await;
    let unbound = |client: &mut model::Client| {
        client.session_transfer.as_mut().unwrap().enforce_device_binding = DeviceBinding::None;
    };
    server.change_client(seed::WEB, unbound).await;
    server.deploy_action("prints", PRINTS).await;
    let app = server.client_from(BERLIN);
    let tokens = exchange_native(&app, &Login::native().code(&app, seed::ADA).await).await.expect(200).json();
    assert_eq!(last_event(&server).await["request"]["geoip"], berlin());
    let (token, next) = transfer_token(&app, &tokens).await;
    let redeem = Login::web().with("session_transfer_token", &token);
    code_of(&redeem.begin(&server.client_from(NEW_YORK)).await);
    let event = last_event(&server).await;
    assert_eq!(event["session_transfer_token"]["request"]["geoip"], berlin());
    assert_eq!(event["session_transfer_token"]["request"]["asn"], "AS64496");
    assert_eq!(event["request"]["geoip"]["countryCode3"], "USA");
    // An address that the file has not got: no place, and nothing in its stead.
    let answer = transfer(&server.client_from(NOWHERE), &next).await.expect(200).json();
    let redeem = Login::web().with("session_transfer_token", &text(&answer, "access_token"));
    code_of(&redeem.begin(&server.client_from(NOWHERE)).await);
    let event = last_event(&server).await;
    assert_eq!(event["request"]["geoip"], json!({}));
    assert_eq!(event["session_transfer_token"]["request"].get("geoip"), None);
}

#[tokio::test]
async fn the_assessment_of_risk_knows_the_users_browsers_and_places() {
    let server = TestServer::start_with_network(network()).await;
    server.deploy_action("prints", PRINTS).await;
    let login = Login::web().with("prompt", "login");
    let assess = async |browser: &RawClient| {
        code_of(&login.finish(browser, seed::ADA).await);
        let risk = last_event(&server).await["authentication"]["riskAssessment"].clone();
        let assessments = &risk["assessments"];
        assert_eq!((assessments.get("UntrustedIP"), assessments.get("AgentDetection")), (None, None));
        let code = |name: &str| text(&assessments[name], "code");
        (
            code("NewDevice"),
            assessments["NewDevice"]["details"].clone(),
            code("ImpossibleTravel"),
            text(&risk, "confidence"),
        )
    };
    let expect = |device: &str, details: Value, travel: &str, confidence: &str| {
        (device.to_owned(), details, travel.to_owned(), confidence.to_owned())
    };
    let both = |device: &str, agent: &str| json!({ "device": device, "useragent": agent });
    let minimal = "minimal_travel_from_last_login";
    let own = server.client_from(BERLIN).calls_itself("Browser/1");
    assert_eq!(assess(&own).await, expect("initial_login", json!(null), "initial_login", "neutral"));
    assert_eq!(assess(&own).await, expect("match", both("known", "known"), minimal, "high"));
    let updated = own.calls_itself("Browser/2");
    assert_eq!(assess(&updated).await, expect("partial_match", both("known", "unknown"), minimal, "medium"));
    let new = server.client_from(BERLIN).calls_itself("Browser/3");
    assert_eq!(assess(&new).await, expect("no_match", both("unknown", "unknown"), minimal, "low"));
    let moved = server.client_from(NEW_YORK).calls_itself("Browser/3");
    server.clock.advance_secs(3600);
    let impossible = "impossible_travel_from_last_login";
    assert_eq!(assess(&moved).await, expect("partial_match", both("unknown", "known"), impossible, "low"));
    server.clock.advance_secs(24 * 3600);
    assert_eq!(
        assess(&updated).await,
        expect("match", both("known", "known"), "travel_from_last_login", "high")
    );
    let hidden = server.client_from(NOWHERE);
    let unknown = both("unknown", "unknown");
    assert_eq!(assess(&hidden).await, expect("no_match", unknown, "missing_geoip", "low"));
    // Another user begins anew, and a user who is gone leaves nothing.
    code_of(&login.finish(&new, seed::BOB).await);
    let risk = &last_event(&server).await["authentication"]["riskAssessment"];
    assert_eq!(risk["assessments"]["NewDevice"]["code"], "initial_login");
    manage::delete_user(&server.idp, &server.acme(), &server.user_id(seed::ADA).await).await.unwrap();
    assert_eq!(server.database.count("SELECT COUNT(*) FROM login_histories").await, 1);
}

#[tokio::test]
async fn a_correlation_id_reaches_the_event_and_the_log_when_it_is_one() {
    let server = TestServer::start().await;
    server.deploy_action("prints", PRINTS).await;
    let browser = server.client();
    for (sent, seen) in [("order-7/a:b@c", json!("order-7/a:b@c")), ("with space", json!(null))] {
        code_of(
            &Login::native()
                .with("correlation_id", sent)
                .with("prompt", "login")
                .finish(&browser, seed::ADA)
                .await,
        );
        let logged = server.logs().await[0].details.clone();
        assert_eq!(logged["correlation_id"], seen, "{logged}");
        let event = last_event(&server).await;
        assert_eq!(event["transaction"].get("correlation_id").unwrap_or(&json!(null)), &seen, "{sent}");
    }
}

/// The table of `docs/event.md`: whether each path is filled.
fn table() -> BTreeMap<String, bool> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/event.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let rows = docs.lines().filter(|line| line.starts_with("| `event."));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
        let [path, filled, why] = cells[..] else { panic!("a row of the table: {row}") };
        assert!(["yes", "no"].contains(&filled) && !why.is_empty(), "{row}");
        (path.trim_matches('`').to_owned(), filled == "yes")
    })
    .collect()
}

#[test]
fn the_table_of_the_documentation_has_every_path_of_the_reference_once() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/post-login.json");
    let reference: Value = serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap();
    let paths: BTreeSet<_> =
        reference["event"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned()).collect();
    assert_eq!(paths.len(), 266);
    assert_eq!(table().into_keys().collect::<BTreeSet<_>>(), paths);
}

/// Filled where this test does not get: there is no custom domain and no second factor.
const NOT_DRIVEN: [&str; 5] = [
    "event.authentication.methods[].type",
    "event.custom_domain",
    "event.custom_domain.domain",
    "event.custom_domain.domain_metadata",
    "event.user.enrolledFactors[].type",
];

#[tokio::test]
async fn every_path_that_the_table_calls_filled_is_seen_and_no_other() {
    let server = TestServer::start_with_network(network()).await;
    let (globex, tokens) = everything_there_is(&server).await;
    let app = server.client_from(BERLIN).calls_itself("App/1");
    // A refresh token that was exchanged before, and a transfer to another place.
    let mut tokens = tokens;
    for _ in 0..2 {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", seed::NATIVE),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
            ("correlation_id", "order-7"),
        ];
        tokens = app.post_form("/oauth/token", &form).await.expect(200).json();
    }
    let (token, _) = transfer_token(&app, &tokens).await;
    let web = server.client_from(NEW_YORK).calls_itself("Browser/1");
    web.set_cookie(TRANSFER_COOKIE, &token);
    let redeem = Login::of(seed::COOKIE_WEB, seed::COOKIE_WEB_CALLBACK)
        .with("scope", "openid offline_access")
        .with("organization", &globex);
    let code = code_of(&redeem.begin(&web).await);
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::COOKIE_WEB),
        ("client_secret", seed::WEB_SECRET),
        ("code", &code),
        ("redirect_uri", seed::COOKIE_WEB_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = web.post_form("/oauth/token", &form).await.expect(200).json();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::COOKIE_WEB),
        ("client_secret", seed::WEB_SECRET),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    web.post_form("/oauth/token", &form).await.expect(200);

    let table = table();
    let mut seen = BTreeSet::new();
    let mut flows = BTreeSet::new();
    for event in server.printed().await {
        flows.insert(check_event(&event));
        walk("event", &event, &table, &mut seen);
    }
    assert_eq!(flows, BTreeSet::from([Flow::Login, Flow::Transfer, Flow::Refresh]));
    let filled = table.iter().filter(|(path, filled)| **filled && !NOT_DRIVEN.contains(&path.as_str()));
    let missing: Vec<_> = filled.filter(|(path, _)| !seen.contains(*path)).collect();
    assert!(missing.is_empty(), "filled by the table, and not seen: {missing:?}");
}

#[tokio::test]
async fn the_event_of_each_flow_is_as_the_table_of_the_dialect_says() {
    let server = password_grant::server().await;
    server.deploy_action("prints", PRINTS).await;
    let app = server.client();
    let tokens = password_grant::log_in(&app, &[("scope", "openid offline_access")]).await.expect(200).json();
    let next = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await;
    next.expect(200);
    let tokens = exchange_native(&app, &Login::native().code(&app, seed::ADA).await).await.expect(200).json();
    let (token, _) = transfer_token(&app, &tokens).await;
    code_of(&Login::web().with("session_transfer_token", &token).begin(&app).await);
    // A later login of a transferred session.
    code_of(&Login::web().with("prompt", "none").begin(&app).await);
    let browser = server.client();
    let tokens = online::online_tokens(&browser).await;
    online::refresh(&browser, &text(&tokens, "refresh_token")).await.expect(200);
    let tv = server.client();
    device::connect_and_log_in(&tv, &device::ask(&tv).await).await;
    let flows: Vec<Flow> = server.printed().await.iter().map(check_event).collect();
    use Flow::{Device, Login as Browser, OnlineRefresh, Password, Refresh, Transfer};
    assert_eq!(
        flows,
        [Password, Refresh, Browser, Refresh, Transfer, Browser, Browser, OnlineRefresh, Device]
    );
}

/// A user and a client with all that they can have; the tokens of a login that has all that it can have.
async fn everything_there_is(server: &TestServer) -> (String, Value) {
    let (idp, acme) = (&server.idp, server.acme());
    let ada = server.user_id(seed::ADA).await;
    let new = NewOrganization { name: "globex".to_owned(), ..NewOrganization::default() };
    let globex = manage::create_organization(idp, &acme, new).await.unwrap().id;
    manage::create_role(idp, &acme, "admin", None).await.unwrap();
    manage::assign_roles(idp, &acme, &ada, Roles::Named(&["admin".to_owned()])).await.unwrap();
    manage::add_organization_members(idp, &acme, &globex, std::slice::from_ref(&ada), Roles::Ids(&[]))
        .await
        .unwrap();
    let password = Some(seed::PASSWORD.to_owned());
    let changes = UserChanges { password, ..UserChanges::default() };
    manage::update_user(idp, &acme, &ada, changes).await.unwrap();
    let mut tx = idp.storage.begin(&acme).await.unwrap();
    let mut user = tx.user(&ada).await.unwrap().unwrap();
    let text = |text: &str| Some(text.to_owned());
    (user.username, user.given_name, user.family_name) = (text("ada"), text("Ada"), text("Lovelace"));
    (user.picture, user.phone_number) = (text("https://ada.example/a.png"), text("+49301234567"));
    user.phone_verified = Some(true);
    tx.put_user(&user).await.unwrap();
    tx.commit().await.unwrap();
    let may = |client: &mut model::Client| client.organization_usage = OrganizationUsage::Allow;
    server
        .change_client(seed::NATIVE, |client| {
            may(client);
            let policy =
                RefreshTokenPolicy { audience: seed::API.to_owned(), scope: vec!["read:things".into()] };
            client.refresh_token.policies = vec![policy];
        })
        .await;
    server
        .change_client(seed::COOKIE_WEB, |client| {
            may(client);
            client.session_transfer.as_mut().unwrap().enforce_device_binding = DeviceBinding::None;
        })
        .await;
    server.deploy_action("prints", PRINTS).await;

    let app = server.client_from(BERLIN).calls_itself("App/1");
    let login = Login::native()
        .with("audience", seed::API)
        .with("organization", globex.as_str())
        .with("correlation_id", "order-7")
        .with("login_hint", "ada")
        .with("response_mode", "query");
    login.code(&app, seed::ADA).await;
    let mut query = login.pairs();
    query.extend([("prompt", "none"), ("acr_values", "a b"), ("ui_locales", "de en")]);
    let silent = app.request(Method::GET, &with_query(&app.url("/authorize"), &query));
    let code = code_of(&app.send(silent.header("accept-language", "de-DE,de;q=0.8")).await);
    (globex.to_string(), exchange_native(&app, &code).await.expect(200).json())
}

/// Notes the paths of a value. Below a dictionary the names are free: the table has nothing there.
fn walk(path: &str, value: &Value, table: &BTreeMap<String, bool>, seen: &mut BTreeSet<String>) {
    assert!(!value.is_null(), "{path} is null");
    if path != "event" {
        assert_eq!(table.get(path), Some(&true), "{path} is there, and not filled by the table: {value}");
        seen.insert(path.to_owned());
    }
    let has_below = |below: &str| table.keys().any(|known| known.starts_with(below));
    match value {
        Value::Object(object) if has_below(&format!("{path}.")) => {
            object.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, table, seen));
        }
        Value::Array(list) if has_below(&format!("{path}[].")) => {
            let members = list.iter().filter_map(Value::as_object).flatten();
            members.for_each(|(name, value)| walk(&format!("{path}[].{name}"), value, table, seen));
        }
        _ => {}
    }
}
