//! What ends a person's session ends it everywhere: SigID's own cookie and the applications' cookies alike, on every shard
//! of two nodes within the bound. Each end is watched on connections to all of them, which had seen the cookies good, so
//! that every shard remembers a yes; and somebody else stays signed in meanwhile.

use std::time::Instant;

use super::BOUND;
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, count, leads_to, make};
use crate::admin::user::admin_reads;
use crate::session_check::{edge_cookie, make_applications, start};
use crate::support::ask::Ask;
use crate::support::cluster::OWNER;
use crate::support::connect::Conn;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until_true;

const ANN: &str = "ann@example.com";
const SHOP_PORT: u16 = 9443;
const BANK_PORT: u16 = 9444;

/// Two nodes, and a connection to each of their shards.
struct Nodes {
    site: Site,
    first: Server,
    _second: Server,
    here: Vec<Conn>,
    there: Vec<Conn>,
    bystander: Held,
}

/// What somebody holds who is signed in: at SigID, at `shop` of tenant `one` and at `bank` of tenant `two`.
struct Held {
    session: String,
    shop: String,
    bank: String,
}

impl Held {
    async fn of(browser: &mut Browser) -> Self {
        let session = format!("__Host-sigid={}", browser.session().unwrap());
        let shop = edge_cookie(browser, "shop", SHOP_PORT).await;
        let bank = edge_cookie(browser, "bank", BANK_PORT).await;
        Self { session, shop, bank }
    }

    async fn is_at_sigid(&self, conn: &Conn) -> bool {
        let reply = conn.ask(Ask::get("/account/sessions").header("cookie", &self.session)).await;
        assert!([200, 303].contains(&reply.status), "{}", reply.text());
        reply.status == 200
    }

    async fn is_at_shop(&self, conn: &Conn) -> bool {
        is_checked(conn, "shop", &self.shop).await
    }

    async fn is_at_bank(&self, conn: &Conn) -> bool {
        is_checked(conn, "bank", &self.bank).await
    }

    async fn is_anywhere(&self, conn: &Conn) -> bool {
        self.is_at_sigid(conn).await || self.is_at_shop(conn).await || self.is_at_bank(conn).await
    }

    async fn assert_holds(&self, nodes: &Nodes, reason: &str) {
        for conn in nodes.conns() {
            let seen = (self.is_at_sigid(conn).await, self.is_at_shop(conn).await, self.is_at_bank(conn).await);
            assert_eq!(seen, (true, true, true), "{reason}");
        }
    }
}

async fn is_checked(conn: &Conn, client: &str, cookie: &str) -> bool {
    let reply = conn.ask(Ask::get(format!("/session/check?client_id={client}")).header("cookie", cookie)).await;
    assert!([200, 401].contains(&reply.status), "{}", reply.status);
    assert_eq!(reply.header("x-auth-subject").is_some(), reply.status == 200, "no name with a no");
    reply.status == 200
}

impl Nodes {
    async fn start() -> Self {
        let site = Site::new().await;
        for email in [ANN, "bob@example.com"] {
            make(&site, email).await;
        }
        make_applications(&site, [SHOP_PORT, BANK_PORT]);
        let first = site.serve_unbudgeted().await;
        let second = site.serve_with(site.another_port()).await;
        let (here, there) = (first.connect_each().await, second.connect_each().await);
        assert!(here.len() >= 2 && there.len() >= 2, "two shards each");
        let bystander = Held::of(&mut Browser::signed_in(&first, "bob@example.com", PASSWORD).await).await;
        Self { site, first, _second: second, here, there, bystander }
    }

    fn conns(&self) -> impl Iterator<Item = &Conn> {
        self.here.iter().chain(&self.there)
    }

    /// Somebody who has signed in at the first node, and whom every shard has seen.
    async fn sign_in(&self) -> (Browser, Held) {
        self.sign_in_with(PASSWORD).await
    }

    async fn sign_in_with(&self, password: &str) -> (Browser, Held) {
        let mut browser = Browser::signed_in(&self.first, ANN, password).await;
        let held = Held::of(&mut browser).await;
        held.assert_holds(self, "signed in").await;
        (browser, held)
    }

    /// Over on every shard of both nodes within the bound counted from `began`, and for good.
    async fn assert_ends(&self, began: Instant, reason: &str, held: &Held) {
        for conn in self.conns() {
            until_true(reason, async || !held.is_anywhere(conn).await).await;
        }
        assert!(began.elapsed() < BOUND, "{reason}: {:?}", began.elapsed());
        for conn in self.conns() {
            assert!(!held.is_anywhere(conn).await, "{reason}: it stays over");
        }
        self.bystander.assert_holds(self, reason).await;
    }

    /// The same for what the first node was asked to end: there it is over with the answer.
    async fn assert_ends_at_once(&self, reason: &str, held: &Held) {
        let began = Instant::now();
        for conn in &self.here {
            assert!(!held.is_anywhere(conn).await, "{reason}: after the answer");
        }
        self.assert_ends(began, reason, held).await;
    }
}

#[tokio::test]
async fn what_its_person_ends_is_over_everywhere() {
    let nodes = Nodes::start().await;

    let (mut here, ended) = nodes.sign_in().await;
    here.post("/logout", &[]).await.expect(200);
    nodes.assert_ends_at_once("signed out", &ended).await;

    let (mut here, kept) = nodes.sign_in().await;
    let (_, ended) = nodes.sign_in().await;
    let id = ended.session.strip_prefix("__Host-sigid=").unwrap().split_once('.').unwrap().0;
    let id = format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]);
    here.post("/account/sessions", &[("end", &id)]).await.expect(200);
    nodes.assert_ends_at_once("ended in the account page", &ended).await;
    kept.assert_holds(&nodes, "from where it was ended").await;

    let (_, ended) = nodes.sign_in().await;
    here.post("/account/sessions", &[("end", "others")]).await.expect(200);
    nodes.assert_ends_at_once("all others", &ended).await;
    kept.assert_holds(&nodes, "from where they were ended").await;

    let (_, ended) = nodes.sign_in().await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    leads_to(&here.post("/account/password", &fields).await, "/account/password?notice=password_changed");
    nodes.assert_ends_at_once("a new password: another browser", &ended).await;
    nodes.assert_ends_at_once("a new password: what this browser held", &kept).await;
    let renewed = Held::of(&mut here).await;
    renewed.assert_holds(&nodes, "the browser that changed it goes on").await;

    let (mut here, ended) = nodes.sign_in_with(NEW_PASSWORD).await;
    let reply = here.post("/account/deletion", &[("current_password", NEW_PASSWORD)]).await;
    leads_to(&reply, "/login?notice=deletion_begun&next=%2Faccount%2Fdeletion");
    nodes.assert_ends_at_once("a deletion: this browser", &ended).await;
    nodes.assert_ends_at_once("a deletion: another browser", &renewed).await;
}

#[tokio::test]
async fn what_an_operator_ends_is_over_everywhere() {
    let nodes = Nodes::start().await;
    let user = |verb: &str, more: &[&str]| nodes.site.admin(&[&["user", verb, ANN], more].concat());

    let (_, ended) = nodes.sign_in().await;
    user("disable", &[]).expect(0);
    nodes.assert_ends(Instant::now(), "disabled", &ended).await;
    user("enable", &[]).expect(0);
    nodes.assert_ends(Instant::now(), "enabled: what ended stays so", &ended).await;

    let (_, ended) = nodes.sign_in().await;
    admin_reads(&nodes.site, &["user", "set-password", ANN], &format!("{NEW_PASSWORD}\n")).expect(0);
    nodes.assert_ends(Instant::now(), "another password", &ended).await;

    let (_, ended) = nodes.sign_in_with(NEW_PASSWORD).await;
    user("delete", &[]).expect(0);
    nodes.assert_ends(Instant::now(), "erased", &ended).await;
}

#[tokio::test]
async fn a_suspended_member_is_out_of_that_tenant_everywhere_and_of_no_other() {
    let nodes = Nodes::start().await;
    let (mut ann, held) = nodes.sign_in().await;
    for (verb, reason) in [("suspend", "suspended"), ("remove", "removed")] {
        let shop = held_at_shop(&nodes, &mut ann).await;
        nodes.site.admin(&["user", verb, ANN, "--tenant", "one"]).expect(0);
        let began = Instant::now();
        for conn in nodes.conns() {
            until_true(reason, async || !is_checked(conn, "shop", &shop).await).await;
        }
        assert!(began.elapsed() < BOUND, "{reason}: {:?}", began.elapsed());
        for conn in nodes.conns() {
            let refused = conn.ask(Ask::get(to_shop()).header("cookie", &held.session)).await;
            assert_eq!(refused.status, 403, "{reason}: the session opens the way back on no node");
            assert!(!refused.headers.contains_key("set-cookie"), "{reason}");
            assert!(!is_checked(conn, "shop", &shop).await && !held.is_at_shop(conn).await, "{reason}: it stays over");
            assert!(held.is_at_sigid(conn).await && held.is_at_bank(conn).await, "{reason}: there alone");
        }
        if verb == "suspend" {
            nodes.site.admin(&["user", "activate", ANN, "--tenant", "one"]).expect(0);
        }
    }
    nodes.bystander.assert_holds(&nodes, "another member").await;
}

fn to_shop() -> String {
    start("shop", &format!("https://localhost:{SHOP_PORT}/"))
}

/// A new cookie of the shop that every shard has seen.
async fn held_at_shop(nodes: &Nodes, browser: &mut Browser) -> String {
    let cookie = edge_cookie(browser, "shop", SHOP_PORT).await;
    for conn in nodes.conns() {
        assert!(is_checked(conn, "shop", &cookie).await, "a member");
    }
    cookie
}

/// Who has asked for a deletion may still sign in, to keep the account; that session goes with the account.
#[tokio::test]
async fn an_erased_account_leaves_no_session_behind() {
    let nodes = Nodes::start().await;
    let (mut ann, before) = nodes.sign_in().await;
    ann.post("/account/deletion", &[("current_password", PASSWORD)]).await.expect(303);
    let back = Browser::signed_in(&nodes.first, ANN, PASSWORD).await;
    let session = format!("__Host-sigid={}", back.session().unwrap());
    let page = async |conn: &Conn| conn.ask(Ask::get("/account/deletion").header("cookie", &session)).await.status;
    for conn in nodes.conns() {
        assert_eq!(page(conn).await, 200, "it can still be kept");
        let way = conn.ask(Ask::get(to_shop()).header("cookie", &session)).await;
        leads_to(&way, "/account/deletion");
        assert!(!way.headers.contains_key("set-cookie"), "an account that goes gets no cookie of an application");
    }
    let owner = nodes.site.database.connect(OWNER).await;
    let due = "update identity.users set deletes_at = now() - interval '1 second' where state = 'deleting'";
    assert_eq!(owner.execute(due, &[]).await.unwrap(), 1);
    // A third node: the job runs as it starts, and need not be waited for.
    let third = nodes.site.serve_with(nodes.site.another_port()).await;
    let job = ["job=\"account-erasure\"", "outcome=\"ok\""];
    until_true("the erasure", async || third.metrics().await.sum("sigid_job_runs_total", &job) > 0).await;
    let began = Instant::now();
    for conn in nodes.conns() {
        until_true("the end of the last session", async || page(conn).await == 303).await;
        assert!(!before.is_anywhere(conn).await, "nor does anything older come back");
    }
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let left = "select count(*) from identity.users where email_key = 'ann@example.com'";
    assert_eq!(count(&nodes.site, left).await, 0, "and there is no account");
    nodes.bystander.assert_holds(&nodes, "another account").await;
}
