use std::net::Ipv4Addr;

use end_to_end::flow::{code_of, log_in};
use end_to_end::server::PASSWORD_PLACES;
use end_to_end::{Login, TestServer, seed};
use reqwest::Method;

// LG4
#[tokio::test]
async fn unknown_user_and_wrong_password_get_the_same_page() {
    let server = TestServer::start().await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let mut pages = Vec::new();
    for (user, password) in
        [(seed::ADA, "wrong password"), ("nobody@example.com", "wrong password"), (seed::ADA, "")]
    {
        let answer = log_in(&browser, begun.location(), user, password).await;
        pages.push((answer.expect(400).body.replace(user, "USER"), answer.set_cookies()));
        assert!(!answer.body.contains("wrong password"), "a password never comes back");
        assert!(answer.body.contains("role=\"alert\""));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    // And the right one still works in the same login.
    code_of(log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await.expect(303));
}

// LG3
#[tokio::test]
async fn guessing_is_stopped_for_the_account_however_it_is_written_and_ends_by_itself() {
    let server = TestServer::start().await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let spellings = [seed::ADA, "ADA@example.com", " ada@example.com ", "Ada@Example.Com"];
    let mut stopped = None;
    for attempt in 0..120 {
        let answer = log_in(&browser, begun.location(), spellings[attempt % spellings.len()], "wrong").await;
        if answer.status == 429 {
            stopped = Some(attempt);
            break;
        }
        answer.expect(400);
    }
    assert!(stopped.expect("a limit") <= 100, "NIST 800-63B allows 100 failures");
    let answer = log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
    answer.expect(429);
    assert!(answer.body.contains("Too many attempts. Wait a few minutes and try again."), "{answer:?}");
    assert!(answer.body.contains(seed::ADA), "the name stays in its field");
    // Another user of the same address is not concerned.
    Login::web().code(&server.client(), seed::BOB).await;
    let wait: i64 = answer.header("retry-after").expect("when to come back").parse().expect("seconds");
    server.clock.advance_secs(wait - 1);
    Login::web().finish(&server.client(), seed::ADA).await.expect(429);
    server.clock.advance_secs(1);
    Login::web().code(&server.client(), seed::ADA).await;
    assert!(server.log_codes().await.contains(&"limit_wc".to_owned()));
}

// LG3
#[tokio::test]
async fn guessing_is_stopped_for_the_address_whatever_the_accounts() {
    let server = TestServer::start().await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let csrf = browser.get(begun.location()).await.field("csrf");
    let guess = async |attempt: usize| {
        let user = format!("user-{attempt}@example.com");
        let form = [("csrf", csrf.as_str()), ("username", &user), ("password", "wrong")];
        browser.post_form(begun.location(), &form).await
    };
    for attempt in 0..100 {
        guess(attempt).await.expect(400);
    }
    let answer = guess(100).await;
    answer.expect(429);
    assert!(
        answer.body.contains("Too many attempts.") && answer.header("retry-after").is_some(),
        "{answer:?}"
    );
    Login::web().finish(&server.client(), seed::ADA).await.expect(429);
    // Another address is not concerned.
    Login::web().code(&server.client_from(Ipv4Addr::new(127, 0, 0, 2)), seed::ADA).await;
}

// LG1
#[tokio::test]
async fn a_full_queue_of_password_hashes_says_so_and_costs_no_attempt() {
    let server = TestServer::start().await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let places: Vec<_> = std::iter::from_fn(|| server.idp.passwords.place().ok()).collect();
    assert_eq!(places.len(), PASSWORD_PLACES);
    for _ in 0..20 {
        let answer = log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
        assert_eq!(answer.expect(503).header("retry-after"), Some("2"));
        assert!(answer.body.contains("Many people are logging in right now."), "{answer:?}");
        assert!(answer.body.contains(seed::ADA) && !answer.body.contains(seed::PASSWORD), "{answer:?}");
    }
    drop(places);
    code_of(&log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await);
}

// BR2
#[tokio::test]
async fn a_form_that_another_site_sent_is_refused() {
    let server = TestServer::start().await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let csrf = browser.get(begun.location()).await.field("csrf");
    let form = [("csrf", csrf.as_str()), ("username", seed::ADA), ("password", seed::PASSWORD)];
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "http://other.localhost"),
    ] {
        let request = browser.request(Method::POST, begun.location()).header(name, value).form(&form);
        browser.send(request).await.expect_page(403);
    }
    for csrf in ["", "wrong"] {
        let form = [("csrf", csrf), ("username", seed::ADA), ("password", seed::PASSWORD)];
        browser.post_form(begun.location(), &form).await.expect_page(400);
    }
    let request =
        browser.request(Method::POST, begun.location()).header("sec-fetch-site", "same-origin").form(&form);
    code_of(browser.send(request).await.expect(303));
}

// BR6
#[tokio::test]
async fn what_a_request_brings_is_escaped_on_the_page() {
    let server = TestServer::start().await;
    let browser = server.client();
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    let begun = Login::web().with("login_hint", attack).begin(&browser).await;
    let page = browser.get(begun.location()).await;
    assert!(!page.expect(200).body.contains("<script") && !page.body.contains("<img"), "{}", page.body);
    let again = log_in(&browser, begun.location(), attack, "wrong").await;
    assert!(!again.body.contains("<script") && !again.body.contains("<img"), "{}", again.body);
}

#[tokio::test]
async fn a_null_character_is_the_clients_mistake_and_no_fault_of_the_server() {
    let server = TestServer::start().await;
    let browser = server.client();
    for name in ["client_id", "scope", "state", "nonce", "login_hint", "audience", "organization", "ext-x"] {
        let answer = Login::web().with(name, "a\0b").begin(&browser).await;
        assert!(answer.status < 500, "{name}: {answer:?}");
    }
    let begun = Login::web().with("state", "a\0b").with("nonce", "a\0b").begin(&browser).await;
    log_in(&browser, begun.location(), "a\0b", "wrong").await.expect(400);
    log_in(&browser, begun.location(), "a\0b@example.com", "wr\0ng").await.expect(400);
    for name in ["client_id", "code", "code_verifier", "refresh_token"] {
        let form = [("grant_type", "authorization_code"), ("client_id", seed::NATIVE), ("code", "x")];
        let form: Vec<_> =
            form.into_iter().filter(|(known, _)| *known != name).chain([(name, "a\0b")]).collect();
        let answer = browser.post_form("/oauth/token", &form).await;
        assert!((400..500).contains(&answer.status), "{name}: {answer:?}");
    }
}
