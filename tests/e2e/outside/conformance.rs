//! `tests/conformance`: the script that sets a tenant up for the OpenID Foundation's suite.

use std::path::Path;

use end_to_end::flow::{code_of_url, text};
use end_to_end::outside::Outside;
use reqwest::Client;
use serde_json::Value;
use tokio::process::Command;

const SUITE: &str = "https://suite.example:8443";

#[tokio::test]
async fn the_plans_are_written_with_a_user_and_clients_that_work() {
    let outside = Outside::start().await;
    let output = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/set-up.mjs");
    let tool = &outside.server.demo["management_client"];
    let ended = Command::new("node")
        .arg(script)
        .args(["--issuer", &outside.issuer(), "--suite", SUITE, "--client-id", &text(tool, "client_id")])
        .arg("--output")
        .arg(output.path())
        .env("POSTERN_CLIENT_SECRET", text(tool, "client_secret"))
        .env("NODE_EXTRA_CA_CERTS", outside.ca_file())
        .output()
        .await
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    for plan in ["config", "basic", "form-post", "rp-initiated-logout", "backchannel-logout"] {
        let plan = std::fs::read_to_string(output.path().join(format!("{plan}.json"))).unwrap();
        let names = plan.replace("@example.com", "");
        assert!(!names.contains('@'), "a place that was not filled: {plan}");
        let discovery = format!("{}.well-known/openid-configuration", outside.issuer());
        assert!(plan.contains(&discovery), "{plan}");
    }
    let basic = std::fs::read_to_string(output.path().join("basic.json")).unwrap();
    let basic: Value = serde_json::from_str(&basic).unwrap();
    let typed = |index: usize| {
        basic["browser"][0]["tasks"][0]["commands"][index][3].as_str().expect("what is typed").to_owned()
    };
    let callback = format!("{SUITE}/test/a/postern/callback");
    let http = Client::builder().no_proxy().tls_certs_only([outside.server.ca().unwrap()]).build().unwrap();
    for (client, by_header) in [("client", true), ("client2", true), ("client_secret_post", false)] {
        let (id, secret) = (text(&basic[client], "client_id"), text(&basic[client], "client_secret"));
        // No PKCE: the suite's Basic plan sends none.
        let url = format!(
            "{}authorize?response_type=code&client_id={id}&redirect_uri={callback}&scope=openid+profile+email&state=s",
            outside.issuer()
        );
        let browser = outside.server.app().of_user(&typed(0), &typed(1));
        let arrival = browser.walk(&url, &callback).await.unwrap();
        let code = code_of_url(&arrival.url);
        let mut form =
            vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &callback)];
        let mut request = http.post(format!("{}oauth/token", outside.issuer()));
        if by_header {
            request = request.basic_auth(&id, Some(&secret));
        } else {
            form.extend([("client_id", id.as_str()), ("client_secret", &secret)]);
        }
        let answer = request.form(&form).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{client}: {}", answer.text().await.unwrap());
    }
}
