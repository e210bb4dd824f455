//! `user create|show|disable|enable|set-password|setup-link|delete|suspend|activate|remove`, `token revoke-before
//! --user`, and the first administrator: what the database holds afterwards.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::cli::{Ended, PROGRAM};
use crate::support::cluster::OWNER;
use crate::support::place;
use crate::support::settings::Settings;
use crate::support::site::Site;

/// `sigid admin --json ARGUMENTS` with something on its standard input.
pub fn admin_reads(site: &Site, arguments: &[&str], input: &str) -> Ended {
    admin_of(site, site.settings(), arguments, input)
}

fn admin_of(site: &Site, settings: Settings, arguments: &[&str], input: &str) -> Ended {
    let (directory, _) = site.furnish(settings);
    let config = directory.join("sigid.toml");
    let mut command = Command::new(PROGRAM);
    command.args(["admin", "-c", config.to_str().unwrap(), "--json"]).args(arguments);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An account with a password, a member of tenant `one`.
fn create(site: &Site, email: &str) -> Value {
    admin_reads(site, &["user", "create", "--email", email, "--tenant", "one", "--password-stdin"], PASSWORD).json()
}

/// One value of one row, as text.
async fn ask(database: &Client, sql: &str) -> String {
    let row = database.query_one(sql, &[]).await.unwrap();
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

async fn count(database: &Client, sql: &str) -> i64 {
    database.query_one(sql, &[]).await.unwrap().get(0)
}

/// The key of a mark: the beginning of SHA-256 over kind, tenant and id.
fn mark_key(kind: u8, tenant: &str, id: &str) -> String {
    let tenant: Vec<u8> = tenant.replace('-', "").as_bytes().chunks(2).map(hex).collect();
    let bytes = [&[kind][..], &tenant, id.as_bytes()].concat();
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    digest.as_ref().iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn hex(pair: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()
}

async fn marks(database: &Client, key: &str) -> i64 {
    count(database, &format!("select count(*) from auth.marks where mark_key = '\\x{key}'")).await
}

/// A session of the person, in which an application of tenant `one` was handed something, and a link that is open.
async fn sign_in(database: &Client, user: &str, one: &str) {
    let text = format!(
        "with made as (
             insert into auth.sessions (session_id, created_at, digest, user_id, authentications, acr, seen_at, expires_at)
             values ('01931e1e-0000-7000-8000-000000000001', to_timestamp(x'01931e1e0000'::bigint / 1000.0),
                     decode(repeat('07', 32), 'hex'), '{user}', '[]', 'x', now(), now() + interval '1 day')
             returning session_id, created_at)
         insert into auth.session_clients (session_id, created_at, client_id, tenant_id, sub)
         select session_id, created_at, 'spa', '{one}', 'x' from made;
         insert into auth.links (digest, created_at, expires_at, purpose, user_id, data)
         values (decode(repeat('08', 32), 'hex'), now(), now() + interval '1 hour', 'undo', '{user}',
                 jsonb_build_object('old_email', 'ann@old.example'))"
    );
    database.batch_execute(&text).await.unwrap();
}

async fn living(database: &Client, user: &str) -> (i64, i64) {
    let sessions = format!("select count(*) from auth.sessions where user_id = '{user}' and ended_at is null");
    let links = format!("select count(*) from auth.links where user_id = '{user}' and used_at is null");
    (count(database, &sessions).await, count(database, &links).await)
}

#[tokio::test]
async fn an_account_is_made_and_shown() {
    let site = Site::new().await;
    let claims = r#"{"given_name":"Ann","locale":"de"}"#;
    let arguments = [
        "user",
        "create",
        "--email",
        "Ann@One.Example",
        "--tenant",
        "one",
        "--password-stdin",
        "--email-verified",
        "--name",
        "Ann Example",
        "--claims",
        claims,
    ];
    let made = admin_reads(&site, &arguments, PASSWORD).json();
    assert_eq!(
        (&made["email"], &made["email_verified"], &made["state"]),
        (&json!("Ann@one.example"), &json!(true), &json!("active"))
    );
    assert_eq!(made["claims"], json!({ "given_name": "Ann", "locale": "de", "name": "Ann Example" }));
    assert!(made.get("setup_link").is_none(), "it has a password");
    assert_eq!(
        (&made["memberships"][0]["tenant"], &made["memberships"][0]["state"]),
        (&json!("one"), &json!("active"))
    );
    for name in [" ANN@one.example. ", made["user_id"].as_str().unwrap()] {
        let shown = site.admin(&["user", "show", name]).json();
        assert_eq!((&shown["user_id"], &shown["sessions"]), (&made["user_id"], &json!(0)), "{name}");
        assert!(shown["password_changed_at"].is_i64(), "{name}");
        assert!(!shown.to_string().contains("argon2"), "{name}: no hash is shown");
    }
    let database = site.database.connect(OWNER).await;
    let stored = ask(&database, "select password_hash from identity.users where email_key = 'ann@one.example'").await;
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    let sub = made["memberships"][0]["sub"].as_str().unwrap();
    assert!(sub.len() == 22 && sub != made["user_id"], "a subject of the tenant's own: {sub}");
    let event = "select count(*) from async.events where event_type = 'user.created' and actor = 'admin-cli'";
    assert_eq!(count(&database, event).await, 1);
}

#[tokio::test]
async fn an_account_without_password_gets_a_link_that_replaces_the_one_before() {
    let site = Site::new().await;
    let made = site.admin(&["user", "create", "--email", "ann@one.example"]).json();
    let first = made["setup_link"].as_str().unwrap();
    assert!(first.starts_with(&format!("{}/setup?link=sgd_u_", site.issuer)), "{first}");
    assert_eq!((&made["password_changed_at"], &made["memberships"]), (&Value::Null, &json!([])));
    let database = site.database.connect(OWNER).await;
    let open = "select count(*) from auth.links where purpose = 'setup' and used_at is null and expires_at > now()";
    assert_eq!(count(&database, open).await, 1);
    let value = first.split_once('=').unwrap().1;
    let kept = format!("select count(*) from auth.links where digest = sha256('{value}')");
    assert_eq!(count(&database, &kept).await, 1, "its digest is kept, and nothing more");
    let second =
        site.admin(&["user", "setup-link", "ann@one.example"]).json()["setup_link"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(count(&database, open).await, 1, "the first one is worthless");
    site.admin(&["user", "disable", "ann@one.example"]).expect(0);
    assert_eq!(count(&database, open).await, 0, "and a disabled account has none");
    assert_eq!(site.admin(&["user", "setup-link", "ann@one.example"]).code, 1);
}

#[tokio::test]
async fn what_makes_no_account() {
    let site = Site::new().await;
    create(&site, "ann@one.example");
    let email = |text: &'static str| vec!["user", "create", "--email", text];
    let password = |text: &'static str| [email(text), vec!["--password-stdin"]].concat();
    let rows: &[(&str, Vec<&str>, &str, i32)] = &[
        ("nobody", vec!["user", "create"], "", 64),
        ("the address has an account", email("ann@one.example"), "", 1),
        ("in another spelling too", email("ＡＮＮ@ONE.example."), "", 1),
        ("no address", email("ann"), "", 1),
        ("a second header", email("bob@one.example\nBcc: x@one.example"), "", 1),
        ("a password on the command line", [email("bob@one.example"), vec!["--password", "x"]].concat(), "", 64),
        ("no password though promised", password("bob@one.example"), "", 1),
        ("a short one", password("bob@one.example"), "short\n", 1),
        ("a common one", password("bob@one.example"), "password1\n", 1),
        ("the address itself", password("bob@one.example"), "bob@one.example\n", 1),
        ("no such tenant", [email("bob@one.example"), vec!["--tenant", "three"]].concat(), "", 1),
        ("no claims", [email("bob@one.example"), vec!["--claims", "[]"]].concat(), "", 64),
        (
            "a claim of somebody's own",
            [email("bob@one.example"), vec!["--claims", r#"{"role":"admin"}"#]].concat(),
            "",
            1,
        ),
        (
            "a claim of the wrong kind",
            [email("bob@one.example"), vec!["--claims", r#"{"birthdate":"soon"}"#]].concat(),
            "",
            1,
        ),
        ("a name that breaks the line", [email("bob@one.example"), vec!["--name", "a\nb"]].concat(), "", 1),
        ("show of nobody", vec!["user", "show", "bob@one.example"], "", 1),
        ("show of a name", vec!["user", "show", "bob"], "", 1),
        ("disable of nobody", vec!["user", "disable", "bob@one.example"], "", 1),
        ("delete of nobody", vec!["user", "delete", "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b"], "", 1),
        ("a password for nobody", vec!["user", "set-password", "bob@one.example"], PASSWORD, 1),
        ("a common one for somebody", vec!["user", "set-password", "ann@one.example"], "password1\n", 1),
        ("suspend of no member", vec!["user", "suspend", "ann@one.example", "--tenant", "two"], "", 1),
        (
            "activate of one who is active in no tenant of that name",
            vec!["user", "activate", "ann@one.example", "--tenant", "three"],
            "",
            1,
        ),
    ];
    for (reason, arguments, input, code) in rows {
        let ended = admin_reads(&site, arguments, input);
        assert_eq!(ended.code, *code, "{reason}: {} {}", ended.out, ended.err);
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "{reason}: {} {}", ended.out, ended.err);
        assert!(*code != 1 || ended.err.lines().count() == 1, "{reason}: one line: {}", ended.err);
        assert!(!ended.err.contains("password1"), "{reason}: a password is not repeated");
    }
    let database = site.database.connect(OWNER).await;
    assert_eq!(count(&database, "select count(*) from identity.users").await, 1, "and nobody was made on the way");
}

#[tokio::test]
async fn disabling_ends_everything_and_enabling_revives_nothing() {
    let site = Site::new().await;
    let made = create(&site, "ann@one.example");
    let (user, member) = (made["user_id"].as_str().unwrap(), &made["memberships"][0]);
    let (one, sub) = (member["tenant_id"].as_str().unwrap(), member["sub"].as_str().unwrap());
    let database = site.database.connect(OWNER).await;
    sign_in(&database, user, one).await;
    assert_eq!(site.admin(&["user", "show", user]).json()["sessions"], 1);
    let disabled = site.admin(&["user", "disable", "ann@one.example"]).json();
    assert_eq!(disabled["state"], "disabled");
    assert_eq!(living(&database, user).await, (0, 0), "sessions and links");
    assert_eq!(marks(&database, &mark_key(3, one, sub)).await, 1, "the subject in the tenant");
    let sessions = "select count(*) from async.feed where kind = 4";
    assert_eq!(count(&database, sessions).await, 2, "every node hears of the subject and of what was handed out");
    site.admin(&["user", "disable", user]).expect(0);
    assert_eq!(count(&database, sessions).await, 2, "twice is once");
    // A sign-in that had begun before, and ended after.
    sign_in_late(&database, user).await;
    let enabled = site.admin(&["user", "enable", user]).json();
    assert_eq!(enabled["state"], "active");
    assert_eq!(living(&database, user).await, (0, 0), "what slipped in is ended");
    let events =
        "select string_agg(event_type, ' ' order by event_type) from async.events where event_type like 'user.%'";
    assert_eq!(ask(&database, events).await, "user.created user.disabled user.enabled");
}

async fn sign_in_late(database: &Client, user: &str) {
    let text = format!(
        "insert into auth.sessions (session_id, created_at, digest, user_id, authentications, acr, seen_at, expires_at)
         values ('01931e1e-0000-7000-8000-000000000002', now(), decode(repeat('09', 32), 'hex'), '{user}', '[]', 'x', now(),
                 now() + interval '1 day')"
    );
    database.batch_execute(&text).await.unwrap();
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let site = Site::new().await;
    let made = create(&site, "ann@one.example");
    let user = made["user_id"].as_str().unwrap();
    let one = made["memberships"][0]["tenant_id"].as_str().unwrap();
    let database = site.database.connect(OWNER).await;
    sign_in(&database, user, one).await;
    let hash = format!("select password_hash from identity.users where user_id = '{user}'");
    let before = ask(&database, &hash).await;
    admin_reads(&site, &["user", "set-password", "ANN@one.example"], "another good password\n").expect(0);
    assert_ne!(ask(&database, &hash).await, before);
    assert_eq!(living(&database, user).await, (0, 0), "sessions and links");
}

#[tokio::test]
async fn an_erased_account_leaves_its_address_and_no_subject_behind() {
    let site = Site::new().await;
    let made = create(&site, "ann@one.example");
    let (user, member) = (made["user_id"].as_str().unwrap(), &made["memberships"][0]);
    let (one, sub) = (member["tenant_id"].as_str().unwrap(), member["sub"].as_str().unwrap());
    let database = site.database.connect(OWNER).await;
    sign_in(&database, user, one).await;
    assert_eq!(site.admin(&["user", "delete", user]).json()["state"], "deleted");
    assert_eq!(site.admin(&["user", "show", user]).code, 1);
    assert_eq!(living(&database, user).await, (0, 0));
    assert_eq!(count(&database, "select count(*) from auth.links where data::text like '%@%'").await, 0, "no address");
    assert_eq!(marks(&database, &mark_key(3, one, sub)).await, 1);
    let kept =
        format!("select state || coalesce(user_id::text, ', nobody') from identity.memberships where sub = '{sub}'");
    assert_eq!(ask(&database, &kept).await, "removed, nobody", "the subject is never given to somebody else");
    let again = create(&site, "ann@one.example");
    assert!(again["user_id"] != made["user_id"] && again["memberships"][0]["sub"] != member["sub"]);
}

#[tokio::test]
async fn a_membership_is_suspended_activated_and_removed_in_its_tenant_alone() {
    let site = Site::new().await;
    let made = create(&site, "ann@one.example");
    let member = &made["memberships"][0];
    let (one, sub) = (member["tenant_id"].as_str().unwrap(), member["sub"].as_str().unwrap());
    let act = |verb: &'static str| site.admin(&["user", verb, "ann@one.example", "--tenant", "one"]);
    let database = site.database.connect(OWNER).await;
    assert_eq!(act("suspend").json(), json!({ "tenant": "one", "sub": sub, "state": "suspended" }));
    assert_eq!(marks(&database, &mark_key(3, one, sub)).await, 1);
    act("suspend").expect(0);
    assert_eq!(marks(&database, &mark_key(3, one, sub)).await, 1, "twice is once");
    assert_eq!(act("activate").json()["state"], "active");
    assert_eq!(act("remove").json()["state"], "removed");
    assert_eq!(act("activate").code, 1, "what was removed stays so");
    assert_eq!(act("suspend").code, 1);
    let shown = site.admin(&["user", "show", "ann@one.example"]).json();
    assert_eq!(shown["state"], "active", "the account is nobody's to lock but the operator's");
    let events = "select string_agg(event_type, ' ' order by event_type) from async.events
                  where event_type like 'membership.%' and tenant_id is not null";
    assert_eq!(ask(&database, events).await, "membership.activated membership.removed membership.suspended");
}

#[tokio::test]
async fn tokens_of_a_person_are_revoked_in_every_tenant() {
    let site = Site::new().await;
    let made = create(&site, "ann@one.example");
    let member = &made["memberships"][0];
    let key = mark_key(3, member["tenant_id"].as_str().unwrap(), member["sub"].as_str().unwrap());
    let database = site.database.connect(OWNER).await;
    let done = site.admin(&["token", "revoke-before", "--user", "Ann@one.example", "--at", "1700000000"]).json();
    assert_eq!(done["revoked_before"], 1_700_000_000);
    let at = format!("select at_s from auth.marks where mark_key = '\\x{key}'");
    assert_eq!(count(&database, &at).await, 1_700_000_000);
    assert_eq!(site.admin(&["token", "revoke-before", "--user", "ann@one.example", "--at", "99999999999"]).code, 1);
    assert_eq!(site.admin(&["token", "revoke-before", "--user", "bob@one.example"]).code, 1);
}

/// Whatever the server's own role may do besides: administration works with the grants of its plane, which can read no
/// hash.
#[tokio::test]
async fn the_control_planes_role_is_enough() {
    let site = Site::new().await;
    let database = site.database.connect(OWNER).await;
    let role = format!("control_{}", site.database.name);
    database.batch_execute(&format!("create role {role} login in role sigid_control")).await.unwrap();
    let settings = || site.settings().text("database.control_url", site.database.url(&role));
    let file = place::directory("import").join("people.jsonl");
    let lines = [json!({ "email": "bob@one.example", "name": "Bob" }), json!({ "email": "ann@one.example" })];
    std::fs::write(&file, lines.map(|line| line.to_string()).join("\n")).unwrap();
    let file = file.to_str().unwrap();
    let rows: &[&[&str]] = &[
        &["user", "create", "--email", "ann@one.example", "--tenant", "one", "--password-stdin"],
        &["user", "create", "--email", "carl@one.example"],
        &["user", "show", "ann@one.example"],
        &["user", "suspend", "ann@one.example", "--tenant", "one"],
        &["user", "activate", "ann@one.example", "--tenant", "one"],
        &["user", "disable", "ann@one.example"],
        &["user", "enable", "ann@one.example"],
        &["user", "set-password", "ann@one.example"],
        &["user", "unlock", "ann@one.example"],
        &["user", "setup-link", "carl@one.example"],
        &["user", "import", "--tenant", "two", "--file", file],
        &["user", "export", "--tenant", "two"],
        &["token", "revoke-before", "--user", "ann@one.example"],
        &["user", "remove", "ann@one.example", "--tenant", "two"],
        &["user", "delete", "ann@one.example"],
    ];
    for arguments in rows {
        let ended = admin_of(&site, settings(), arguments, PASSWORD);
        assert_eq!(ended.code, 0, "{arguments:?}: {} {}", ended.out, ended.err);
    }
    let control = site.database.connect(&role).await;
    let refused = control.query("select password_hash from identity.users", &[]).await.unwrap_err();
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("42501"), "no right to read a hash");
    database.batch_execute(&format!("drop role {role}")).await.unwrap();
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let site = Site::new().await;
    let settings = || {
        let settings = site.settings().text("admin.bootstrap_email", "Root@one.example");
        settings.text("admin.bootstrap_name", "Ada Lovelace")
    };
    let server = site.serve_with(settings()).await;
    let out = std::fs::read_to_string(server.directory.join("out")).unwrap();
    assert!(out.contains(&format!("{}/setup?link=sgd_u_", site.issuer)), "a link for whoever started it: {out}");
    let log = std::fs::read_to_string(server.directory.join("log")).unwrap();
    assert!(!log.contains("sgd_u_"), "and in no log");
    let shown = site.admin(&["user", "show", "root@one.example"]).json();
    assert_eq!((&shown["email_verified"], &shown["password_changed_at"]), (&json!(true), &Value::Null));
    assert_eq!(shown["claims"], json!({ "name": "Ada Lovelace" }));
    drop(server);
    let again = site.serve_with(settings().set("server.port", crate::support::place::port())).await;
    let out = std::fs::read_to_string(again.directory.join("out")).unwrap();
    assert!(!out.contains("/setup?link="), "one that is there is left alone: {out}");
}

const PASSWORD: &str = "correct horse battery\n";
