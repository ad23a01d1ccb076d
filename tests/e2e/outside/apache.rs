//! Apache with `mod_auth_openidc`, as Debian has them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use end_to_end::chromium::Chromium;
use end_to_end::flow::text;
use end_to_end::outside::{Outside, SECRET};
use end_to_end::process::free_port;
use tokio::net::TcpStream;
use tokio::process::Command;

#[tokio::test]
async fn apache_shows_its_page_to_the_user_alone_and_logs_out() {
    let outside = Outside::start().await;
    let port = free_port();
    let site = format!("https://localhost:{port}");
    outside
        .add_client("outside-apache", |client| {
            client.callbacks = vec![format!("{site}/protected/callback")];
            client.allowed_logout_urls = vec![format!("{site}/bye.shtml")];
        })
        .await;
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("pages");
    std::fs::create_dir_all(pages.join("protected")).unwrap();
    let page = "<!doctype html><title>Site</title><p id=user><!--#echo var=\"REMOTE_USER\" --></p>";
    std::fs::write(pages.join("protected/index.shtml"), page).unwrap();
    std::fs::write(pages.join("bye.shtml"), "<!doctype html><title>Site</title><p id=bye>Bye</p>").unwrap();
    let ca = outside.ca_file();
    let certificates = Path::new(&ca).parent().unwrap();
    let file = |name: &str| certificates.join(name).display().to_string();
    let mut settings = std::fs::read_to_string(Outside::scripts().join("apache/httpd.conf")).unwrap();
    for (name, value) in [
        ("FOLDER", folder.path().display().to_string()),
        ("PORT", port.to_string()),
        ("ISSUER", outside.issuer()),
        ("SECRET", SECRET.to_owned()),
        ("MODULES", "/usr/lib/apache2/modules".to_owned()),
        ("CERTIFICATE", file("tls.pem")),
        ("KEY", file("tls.key")),
        ("CA", file("ca.pem")),
    ] {
        settings = settings.replace(&format!("@{name}@"), &value);
    }
    let config = folder.path().join("httpd.conf");
    std::fs::write(&config, settings).unwrap();
    let mut apache = Command::new("/usr/sbin/apache2");
    apache.args(["-D", "FOREGROUND", "-f"]).arg(&config).stdin(Stdio::null()).kill_on_drop(true);
    let mut apache = apache
        .spawn()
        .expect("apache2-bin and libapache2-mod-auth-openidc; `cargo xtask test` installs them");
    let log = || std::fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
    let is_open = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(apache.try_wait().unwrap().is_none(), "Apache ended: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), is_open).await.unwrap_or_else(|_| panic!("{}", log()));

    let user = &outside.server.demo["user"];
    let browser = Chromium::start_trusting().await;
    browser.open(&format!("{site}/protected/index.shtml")).await;
    browser.arrives_at(&format!("{}u/login", outside.issuer())).await;
    browser.type_where_the_focus_is(&text(user, "email")).await;
    browser.type_into("#password", &text(user, "password")).await;
    browser.click("button").await;
    browser.arrives_at(&format!("{site}/protected/index.shtml")).await;
    assert_eq!(browser.text("#user").await, text(user, "email"), "{}", log());
    // Its logout goes on to the server's.
    let bye = format!("{site}/bye.shtml");
    let encoded = bye.replace(':', "%3A").replace('/', "%2F");
    browser.open(&format!("{site}/protected/callback?logout={encoded}")).await;
    browser.arrives_at(&bye).await;
    browser.open(&format!("{site}/protected/index.shtml")).await;
    browser.arrives_at(&format!("{}u/login", outside.issuer())).await;
    // A worker of Apache outlives a parent that is killed.
    let pid = std::fs::read_to_string(folder.path().join("httpd.pid")).unwrap();
    let stopped =
        std::process::Command::new("sh").args(["-c", &format!("kill -TERM {}", pid.trim())]).status();
    assert!(stopped.unwrap().success());
    tokio::time::timeout(Duration::from_secs(20), apache.wait()).await.unwrap().unwrap();
}
