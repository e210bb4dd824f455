//! The order in which rows are held. Whoever waits for an account must not yet hold what hangs on it: a look from outside,
//! which refuses to wait, finds that free.

use tokio_postgres::Client;

use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, between, leads_to, make};
use crate::fault::drill::people::{SHOP, SHOP_ADDRESS};
use crate::support::ask::{Ask, escape, form};
use crate::support::cluster::OWNER;
use crate::support::connect::exchange_over;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until_true;

const ANN: &str = "ann@example.com";

/// Until a statement of the server's waits for a row.
async fn until_it_waits(look: &Client) {
    let sql = "select count(*) from pg_stat_activity
               where datname = current_database() and wait_event_type = 'Lock' and application_name like 'sigid-%'";
    until_true("a statement that waits", async || look.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0).await;
}

/// Holds the account as `how` says, lets `ask` run into it, and sees that `row` is free; then lets go.
async fn assert_free(site: &Site, how: &str, ask: impl Future<Output = u16> + Send + 'static, row: &str) -> u16 {
    let (holder, look) = (site.database.connect(OWNER).await, site.database.connect(OWNER).await);
    holder.batch_execute("begin").await.unwrap();
    holder.batch_execute(&format!("select 1 from identity.users where email_key = '{ANN}' for {how}")).await.unwrap();
    let asked = tokio::spawn(ask);
    until_it_waits(&look).await;
    let free = look.batch_execute(&format!("{row} for update nowait")).await;
    assert!(free.is_ok(), "held before the account: {row}: {free:?}");
    holder.batch_execute("commit").await.unwrap();
    asked.await.unwrap()
}

fn make_shop(site: &Site) {
    let shop = ["--redirect-uri", "https://localhost:9443/callback", "--token-endpoint-auth-method", "none"];
    let create = ["client", "create", "--tenant", "one", "--client-id", SHOP];
    site.admin(&[&create[..], &shop].concat()).expect(0);
}

fn to_shop() -> String {
    format!("/session/start?client_id={SHOP}&return_to={}", escape(SHOP_ADDRESS))
}

async fn serve(site: &Site) -> Server {
    // Long enough to look at who waits.
    let settings = site.settings().set("database.statement_timeout_secs", 15);
    let start = crate::support::server::Start { arguments: vec!["--budgets", "off"], ..Default::default() };
    site.start(settings, &start).await
}

#[tokio::test]
async fn a_recovery_holds_the_account_before_its_link() {
    let site = Site::new().await;
    let server = serve(&site).await;
    make(&site, ANN).await;
    let made = site.admin(&["user", "setup-link", ANN]).json();
    let link = made["setup_link"].as_str().unwrap().split_once("link=").unwrap().1.to_owned();
    let mut ann = Browser::open(&server).await;
    let token = ann.token(&format!("/setup?link={link}")).await;
    let (send, ask, authority) = ann.ready("/setup", &link).await;
    let fields = [("csrf", token.as_str()), ("link", &link), ("new_password", NEW_PASSWORD)];
    let ask = ask.body(form(&fields));
    let press = async move { exchange_over(send, &ask, &authority).await.unwrap().status };
    let status = assert_free(&site, "no key update", press, "select 1 from auth.links").await;
    assert_eq!(status, 303);
    leads_to(&ann.sign_in(ANN, NEW_PASSWORD).await, "/account");
}

#[tokio::test]
async fn the_way_to_an_application_holds_the_account_before_the_session() {
    let site = Site::new().await;
    make_shop(&site);
    let server = serve(&site).await;
    make(&site, ANN).await;
    let mut ann = Browser::signed_in(&server, ANN, PASSWORD).await;
    let (send, ask, authority) = ann.ready("/logout", "").await;
    let ask = Ask { headers: ask.headers, ..Ask::get(to_shop()) };
    let enter = async move { exchange_over(send, &ask, &authority).await.unwrap().status };
    // As an administrator's command does.
    let status = assert_free(&site, "update", enter, "select 1 from auth.sessions").await;
    assert_eq!(status, 303);
}

/// What PostgreSQL's word for a circle becomes.
const CIRCLE: &str = "must be tried again";
const ROUNDS: usize = 12;

/// Somebody who signs in and does the same again and again; what is refused is refused.
async fn keep_at_it(server: &Server, path: &'static str, fields: &'static [(&'static str, &'static str)]) {
    for _ in 0..ROUNDS {
        let mut ann = Browser::open(server).await;
        ann.sign_in(ANN, PASSWORD).await;
        let page = ann.get(path).await;
        if page.status == 200 && page.text().contains(CSRF) {
            let token = between(page.text(), CSRF, "\"").to_owned();
            ann.send(path, &[&[("csrf", token.as_str())], fields].concat()).await;
        }
    }
}

const CSRF: &str = "name=\"csrf\" value=\"";

async fn command(site: &Site, verb: &'static str) {
    let (directory, _) = site.furnish(site.settings());
    let config = directory.join("sigid.toml");
    let run = move || crate::support::cli::admin(&config, &["user", verb, ANN]);
    let ended = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(!ended.err.contains(CIRCLE), "{verb}: {}", ended.err);
    // A link is made for an account that is active.
    assert!(ended.code == 0 || verb == "setup-link", "{verb}: {}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_to_one_account_at_once_never_waits_in_a_circle() {
    let site = Site::new().await;
    make_shop(&site);
    let server = serve(&site).await;
    make(&site, ANN).await;
    let enter = async {
        for _ in 0..ROUNDS {
            let mut ann = Browser::open(&server).await;
            ann.sign_in(ANN, PASSWORD).await;
            ann.get(&to_shop()).await;
        }
    };
    let administrate = async {
        for _ in 0..ROUNDS / 2 {
            for verb in ["disable", "enable", "setup-link"] {
                command(&site, verb).await;
            }
        }
    };
    let forget = async {
        let mut ann = Browser::open(&server).await;
        for _ in 0..ROUNDS {
            ann.post("/recover", &[("email", ANN)]).await;
        }
    };
    tokio::join!(
        administrate,
        forget,
        keep_at_it(&server, "/account/sessions", &[("end", "others")]),
        keep_at_it(&server, "/logout", &[]),
        keep_at_it(&server, "/account", &[("name", "Ann")]),
        keep_at_it(&server, "/account/email", &[("new_email", "new@example.com"), ("current_password", PASSWORD)]),
        enter,
    );
    assert!(!server.log().contains(CIRCLE), "{}", server.log());
}
