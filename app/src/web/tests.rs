//! The conditions of pages on loopback, each asked of the whole router; behind it is a real agent with a new profile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use tower::ServiceExt as _;

use super::Prefilled;
use super::server::{Shared, TOKEN, router};
use crate::agent::face_for_test;

const ADDRESSES: [&str; 2] = ["127.0.0.1:4321", "[::1]:4321"];
const HOST: &str = ADDRESSES[0];
const ORIGIN: &str = "http://127.0.0.1:4321";
/// Stands for what is private.
const MARKER: &str = "https://marker.example";

struct Pages {
    _folder: tempfile::TempDir,
    shared: Arc<Shared>,
    router: Router,
    token: String,
}

impl Pages {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let face = face_for_test(folder.path()).await;
        let addresses = ADDRESSES.iter().map(|it| it.parse::<SocketAddr>().unwrap()).collect();
        let prefilled = Prefilled { service: Some(MARKER.to_owned()), policy: None };
        let shared = Arc::new(Shared::new(addresses, face, prefilled));
        let token = {
            let mut sessions = shared.sessions();
            let secret = sessions.new_link(Instant::now()).unwrap();
            sessions.exchange(&secret, Instant::now()).unwrap().unwrap()
        };
        Self { _folder: folder, router: router(Arc::clone(&shared)), shared, token }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
    }

    async fn status(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        self.ask(method, path, headers, body).await.status().as_u16()
    }

    /// As the script of a page asks.
    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, &[("host", HOST), (TOKEN, &self.token), ("sec-fetch-site", "same-origin")], "")
            .await
    }

    async fn post(&self, path: &str, body: &str) -> Response {
        let mut headers = well_meant();
        headers.push((TOKEN, &self.token));
        self.ask(Method::POST, path, &headers, body).await
    }
}

/// The headers of a change that one of our pages wants, but for the token.
fn well_meant() -> Vec<(&'static str, &'static str)> {
    vec![("host", HOST), ("origin", ORIGIN), ("sec-fetch-site", "same-origin"), ("content-type", "application/json")]
}

async fn text(answer: Response) -> String {
    String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

/// Everything that is answered without a token.
const FOR_EVERYBODY: [&str; 17] = [
    "/",
    "/welcome",
    "/login",
    "/waiting",
    "/reset",
    "/devices",
    "/contacts",
    "/contacts/bob",
    "/c/00ff",
    "/c/00ff/details",
    "/to/bob",
    "/new",
    "/search",
    "/record",
    "/record/bob",
    "/settings",
    "/recovery",
];
/// What is answered with one only.
const PRIVATE: [&str; 30] = [
    "/file/00ff",
    "/page/record",
    "/page/record/bob",
    "/page/settings",
    "/page/recovery",
    "/part/record",
    "/part/alarm",
    "/part/notices",
    "/part/history",
    "/page/",
    "/page/welcome",
    "/page/reset",
    "/page/devices",
    "/page/contacts",
    "/page/c/00ff",
    "/page/c/00ff/details",
    "/page/new",
    "/page/search",
    "/part/side",
    "/part/popup",
    "/part/messages/00ff",
    "/part/members/00ff",
    "/part/reset/00ff",
    "/part/names/00ff",
    "/part/moving/00ff",
    "/part/keeping/00ff",
    "/part/picture/00ff",
    "/portrait/00ff/00ff",
    "/part/receipts",
    "/events",
];
const CHANGES: [&str; 42] = [
    "/do/send",
    "/do/react",
    "/do/receipts",
    "/do/notifications",
    "/do/take-back",
    "/do/read",
    "/do/new",
    "/do/let-in",
    "/do/take-out",
    "/do/title",
    "/do/timer",
    "/do/mute",
    "/do/pin",
    "/do/draft",
    "/do/typing",
    "/do/stop-file",
    "/do/unsent-seen",
    "/do/admin",
    "/do/leave",
    "/do/put-away",
    "/do/no-picture",
    "/do/search",
    "/do/confirm",
    "/do/refuse",
    "/do/remove",
    "/do/decide",
    "/do/report",
    "/do/add",
    "/do/signup",
    "/do/lock",
    "/do/password",
    "/do/reset-wait",
    "/do/reset",
    "/do/lock-after",
    "/do/sign-out",
    "/do/recovery-make",
    "/do/recovery-show",
    "/do/recovery-set",
    "/do/recovery-drop",
    "/do/veto",
    "/do/fetch-history",
    "/do/accept-reset",
];

/// W2 to W4, W6: of all combinations exactly one is let through.
#[tokio::test]
async fn of_host_origin_site_type_and_token_all_five_have_to_be_right() {
    let pages = Pages::open().await;
    let hosts =
        [Some(HOST), Some("evil.example"), Some("127.0.0.1"), Some("0.0.0.0:4321"), Some("localhost:4321"), None];
    let origins = [Some(ORIGIN), Some("http://evil.example"), Some("http://127.0.0.1:1"), Some("null"), None];
    let sites = [Some("same-origin"), Some("same-site"), Some("cross-site"), Some("none"), None];
    let types = [Some("application/json"), Some("application/x-www-form-urlencoded"), Some("text/plain"), None];
    let tokens = [Some(pages.token.as_str()), Some("guessed"), None];
    let (mut let_through, mut tried) = (0, 0);
    for host in hosts {
        for origin in origins {
            for site in sites {
                for kind in types {
                    for token in tokens {
                        let all = [
                            ("host", host),
                            ("origin", origin),
                            ("sec-fetch-site", site),
                            ("content-type", kind),
                            (TOKEN, token),
                        ];
                        let headers: Vec<_> =
                            all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                        let status = pages.status(Method::POST, "/do/start-over", &headers, "{}").await;
                        let wanted = match (host, origin, site, kind, token) {
                            (host, ..) if host != Some(HOST) => 421,
                            (_, origin, ..) if origin != Some(ORIGIN) => 403,
                            (_, _, site, ..) if site != Some("same-origin") => 403,
                            (_, _, _, kind, _) if kind != Some("application/json") => 415,
                            (.., token) if token != Some(pages.token.as_str()) => 401,
                            _ => 200,
                        };
                        assert_eq!(status, wanted, "{host:?} {origin:?} {site:?} {kind:?}");
                        let_through += u32::from(status == 200);
                        tried += 1;
                    }
                }
            }
        }
    }
    assert_eq!((let_through, tried), (1, 1_800));
}

/// W2 (attack 58): another name, a name that looks like it, another port, two hosts; and no body tells anything.
#[tokio::test]
async fn only_the_address_itself_is_a_host_and_nobody_else_gets_a_body() {
    let pages = Pages::open().await;
    for host in
        ["evil.example", "127.evil.com:4321", "0.0.0.0:4321", "127.0.0.1", "127.0.0.1:4322", "localhost:4321", ""]
    {
        for path in ["/", "/events", "/page/", "/assets/app.js", "/nowhere"] {
            let answer = pages.ask(Method::GET, path, &[("host", host), (TOKEN, &pages.token)], "").await;
            assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host} {path}");
            assert_eq!(text(answer).await, "", "{host} {path}");
        }
    }
    let twice = [("host", HOST), ("host", "evil.example"), (TOKEN, &pages.token)];
    assert_eq!(pages.status(Method::GET, "/", &twice, "").await, 421);
    for host in ADDRESSES {
        assert_eq!(pages.status(Method::GET, "/", &[("host", host)], "").await, 200, "{host}");
    }
}

/// W3: each loopback address is a site of its own.
#[tokio::test]
async fn an_origin_has_to_be_that_of_the_host_asked() {
    let pages = Pages::open().await;
    let mut headers = well_meant();
    headers.push((TOKEN, &pages.token));
    headers[0] = ("host", ADDRESSES[1]);
    assert_eq!(pages.status(Method::POST, "/do/start-over", &headers, "{}").await, 403);
    headers[1] = ("origin", "http://[::1]:4321");
    assert_eq!(pages.status(Method::POST, "/do/start-over", &headers, "{}").await, 200);
}

/// W3 (attack 59): what a page elsewhere makes a browser load; only a person may come from there.
#[tokio::test]
async fn nothing_is_loaded_into_a_page_of_another_site() {
    let pages = Pages::open().await;
    for path in ["/", "/assets/app.js", "/page/", "/events"] {
        for (mode, kind) in
            [("no-cors", "script"), ("navigate", "iframe"), ("cors", "empty"), ("websocket", "websocket")]
        {
            for site in ["cross-site", "same-site"] {
                let headers = [
                    ("host", HOST),
                    ("sec-fetch-site", site),
                    ("sec-fetch-mode", mode),
                    ("sec-fetch-dest", kind),
                    (TOKEN, &pages.token),
                ];
                assert_eq!(pages.status(Method::GET, path, &headers, "").await, 403, "{path} {mode} {kind}");
            }
        }
    }
    let comes = [
        ("host", HOST),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    assert_eq!(pages.status(Method::GET, "/", &comes, "").await, 200);
}

/// W5.
#[tokio::test]
async fn a_start_secret_is_exchanged_once_and_only_by_our_own_page() {
    let pages = Pages::open().await;
    let secret = pages.shared.sessions().new_link(Instant::now()).unwrap();
    let body = format!("{{\"secret\":\"{secret}\"}}");
    let mut foreign = well_meant();
    foreign[1] = ("origin", "http://evil.example");
    assert_eq!(pages.status(Method::POST, "/start", &foreign, &body).await, 403);
    let first = pages.ask(Method::POST, "/start", &well_meant(), &body).await;
    assert_eq!(first.status(), StatusCode::OK);
    let token = serde_json::from_str::<serde_json::Value>(&text(first).await).unwrap();
    let headers = [("host", HOST), (TOKEN, token["token"].as_str().unwrap())];
    assert_eq!(pages.status(Method::GET, "/page/welcome", &headers, "").await, 200);
    assert_eq!(pages.status(Method::POST, "/start", &well_meant(), &body).await, 401);
}

/// W6, W8, W9: on answers of every kind, refusals too.
#[tokio::test]
async fn every_answer_has_the_headers_and_none_sets_a_cookie_or_lets_another_site_in() {
    let pages = Pages::open().await;
    let mut answers = vec![
        pages.get("/").await,
        pages.get("/assets/app.css").await,
        pages.get("/page/welcome").await,
        pages.get("/page/devices").await,
        pages.get("/events").await,
        pages.get("/nowhere").await,
        pages.post("/do/start-over", "{}").await,
        pages.post("/do/start-over", "no JSON").await,
        pages.post("/", "{}").await,
        pages.ask(Method::GET, "/", &[("host", "evil.example")], "").await,
        pages.ask(Method::GET, "/page/", &[("host", HOST)], "").await,
        pages.ask(Method::POST, "/do/send", &[("host", HOST)], "").await,
        pages.ask(Method::OPTIONS, "/do/send", &[("host", HOST), ("origin", "http://evil.example")], "").await,
    ];
    answers.push(pages.ask(Method::POST, "/start", &well_meant(), "{\"secret\":\"x\"}").await);
    let wanted = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("x-frame-options", "DENY"),
    ];
    for answer in answers {
        let headers = answer.headers();
        for (name, value) in wanted {
            assert_eq!(headers.get(name).unwrap(), value, "{}", answer.status());
        }
        let policy = headers["content-security-policy"].to_str().unwrap();
        let of_design = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
                         form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
        assert!(policy.starts_with(of_design) && policy.contains("require-trusted-types-for 'script'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let permissions = headers["permissions-policy"].to_str().unwrap();
        assert!(
            permissions.split(", ").all(|it| it.ends_with("=()")) && permissions.contains("camera=()"),
            "{permissions}"
        );
        assert!(!headers.contains_key("set-cookie"));
        assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
    }
}

/// W6: the right host and the right page, and no token.
#[tokio::test]
async fn without_a_token_there_is_nothing_private_to_have() {
    let pages = Pages::open().await;
    for path in PRIVATE {
        assert_eq!(pages.status(Method::GET, path, &[("host", HOST)], "").await, 401, "{path}");
        assert_eq!(
            pages.status(Method::GET, path, &[("host", HOST), ("cookie", &pages.token)], "").await,
            401,
            "{path}"
        );
    }
    for path in CHANGES {
        assert_eq!(pages.status(Method::POST, path, &well_meant(), "{}").await, 401, "{path}");
        assert_eq!(pages.status(Method::GET, path, &[("host", HOST)], "").await, 401, "{path}");
    }
}

/// W7: the shells are the same bytes for everybody and on every page.
#[tokio::test]
async fn what_everybody_gets_is_the_same_for_everybody() {
    let pages = Pages::open().await;
    assert!(text(pages.get("/page/welcome").await).await.contains(MARKER), "the marker is there to be found");
    let shell = text(pages.get("/").await).await;
    assert!(!shell.contains(MARKER) && !shell.contains("<script>") && !shell.contains("style="), "{shell}");
    for path in FOR_EVERYBODY {
        let answer = pages.ask(Method::GET, path, &[("host", HOST)], "").await;
        assert_eq!(text(answer).await, shell, "{path}");
    }
    for path in ["/nowhere", "/assets/app.js", "/assets/app.css", "/page/welcome", "/start"] {
        assert!(!text(pages.ask(Method::GET, path, &[("host", HOST)], "").await).await.contains(MARKER), "{path}");
    }
}

/// W12: locked by its person, or by itself.
#[tokio::test]
async fn a_locked_page_has_no_token_any_more() {
    let pages = Pages::open().await;
    assert_eq!(pages.get("/page/welcome").await.status(), StatusCode::OK);
    assert_eq!(pages.post("/do/lock", "{}").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(pages.get("/page/welcome").await.status(), StatusCode::UNAUTHORIZED);
}

/// No page is written for a profile that has no account: it leads to where one is opened.
#[tokio::test]
async fn who_has_no_account_is_led_to_where_one_is_opened() {
    let pages = Pages::open().await;
    for path in [
        "/page/",
        "/page/devices",
        "/page/contacts",
        "/page/c/00ff",
        "/page/c/00ff/details",
        "/page/to/bob",
        "/page/new",
        "/page/search",
        "/page/help",
        "/page/record",
        "/page/record/bob",
        "/page/settings",
        "/page/recovery",
    ] {
        let answer = pages.get(path).await;
        assert_eq!(answer.headers()["trefoil-go"], "/welcome", "{path}");
    }
    let form = text(pages.get("/page/welcome").await).await;
    for needed in ["name=\"handle\"", "name=\"password\"", "name=\"name\"", "autocomplete=\"new-password\""] {
        assert!(form.contains(needed), "{form}");
    }
}

#[tokio::test]
async fn a_weak_password_and_a_handle_without_a_service_are_told_and_change_nothing() {
    let pages = Pages::open().await;
    let answer = pages.post("/do/signup", r#"{"handle":"bob","password":"short","name":"laptop"}"#).await;
    assert_eq!(answer.headers()["trefoil-code"], "password.weak");
    assert!(text(answer).await.contains("This password is too short"));
    let answer = pages.post("/do/signup", r#"{"handle":"b!","password":"long enough","name":"laptop"}"#).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(pages.get("/page/").await.headers()["trefoil-go"], "/welcome");
}

/// W12: only what the page offers, and from the next request on.
#[tokio::test]
async fn nobody_can_choose_that_pages_never_lock() {
    let pages = Pages::open().await;
    for wrong in ["0", "1000000", "-5", "18446744073709551616", "", "half"] {
        let body = format!("{{\"minutes\":\"{wrong}\"}}");
        assert_eq!(pages.post("/do/lock-after", &body).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(pages.shared.sessions().locks_after_min(), 30);
    assert_eq!(pages.post("/do/lock-after", r#"{"minutes":"5"}"#).await.status(), StatusCode::OK);
    assert_eq!(pages.shared.sessions().locks_after_min(), 5);
}

#[tokio::test]
async fn a_password_that_was_typed_in_two_ways_or_is_weak_changes_nothing() {
    let pages = Pages::open().await;
    let answer = pages.post("/do/password", r#"{"password":"correct horse","again":"correct hose"}"#).await;
    assert_eq!(answer.headers()["trefoil-code"], "password.differs");
    let answer = pages.post("/do/password", r#"{"password":"short","again":"short"}"#).await;
    assert_eq!(answer.headers()["trefoil-code"], "password.weak");
}

/// Words that nobody is writing down are nowhere to be had.
#[tokio::test]
async fn there_are_no_words_of_a_recovery_key_that_nobody_is_making() {
    let pages = Pages::open().await;
    for path in ["/do/recovery-show", "/do/recovery-ask"] {
        assert_eq!(pages.post(path, "{}").await.headers()["trefoil-code"], "recovery.gone", "{path}");
    }
    let answer = pages.post("/do/recovery-set", r#"{"first":"a","second":"b"}"#).await;
    assert_eq!(answer.headers()["trefoil-code"], "recovery.gone");
}
