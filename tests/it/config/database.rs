//! The database that a process meets: its level, the role, and what row-level security lets through.

use crate::support::ask::{introspect, revoke, token};
use crate::support::cli::{self, Ended};
use crate::support::cluster::{APP, Database, OWNER};
use crate::support::seed::client;
use crate::support::settings::Settings;
use crate::support::site::Site;

fn run(site: &Site, command: &str, settings: Settings) -> Ended {
    let (directory, _) = site.furnish(settings);
    cli::run(&[command, "-c", directory.join("sigid.toml").to_str().unwrap()], &[])
}

fn settings(site: &Site, database: &Database) -> Settings {
    site.settings().text("database.url", database.url(APP)).text("database.migration_url", database.url(OWNER))
}

#[tokio::test]
async fn migrating_is_a_step_of_its_own_and_may_be_repeated() {
    let site = Site::new().await;
    let empty = Database::copy("template1").await;
    let settings = settings(&site, &empty);
    let behind = run(&site, "serve", settings.clone());
    assert_eq!(behind.code, 1, "{}", behind.err);
    assert!(behind.err.contains("sigid migrate"), "says what to run: {}", behind.err);
    let (directory, _) = site.furnish(settings.clone());
    let config = directory.join("sigid.toml");
    let plan = cli::run(&["migrate", "--plan", "-c", config.to_str().unwrap()], &[]).expect(0);
    assert!(plan.contains("create table auth.marks") || plan.contains("create table auth.signing_keys"), "{plan}");
    let tables = async || -> i64 {
        let client = empty.connect(OWNER).await;
        client.query_one("select count(*) from pg_tables where schemaname = 'auth'", &[]).await.unwrap().get(0)
    };
    assert_eq!(tables().await, 0, "a plan changes nothing");
    let done = run(&site, "migrate", settings.clone()).expect(0);
    assert!(done.contains("applied "), "{done}");
    assert!(tables().await > 0);
    for _ in 0..2 {
        let again = run(&site, "migrate", settings.clone()).expect(0);
        assert!(again.contains("nothing to do"), "{again}");
    }
    let plan = cli::run(&["migrate", "--plan", "-c", config.to_str().unwrap()], &[]).expect(0);
    assert!(plan.contains("nothing to do"), "{plan}");
}

#[tokio::test]
async fn the_first_requests_of_a_new_installation_are_served() {
    let site = Site::new().await;
    let empty = Database::copy("template1").await;
    let settings = settings(&site, &empty);
    run(&site, "migrate", settings.clone()).expect(0);
    let (directory, _) = site.furnish(settings.clone());
    let config = directory.join("sigid.toml");
    cli::admin(&config, &["tenant", "create", "first"]).expect(0);
    let made = cli::admin(&config, &["client", "create", "--grant-type", "client_credentials"]).json();
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    let first = crate::support::seed::Credential { id: text("client_id"), secret: text("client_secret") };
    // While the server makes the partitions of these days, what is written must not fall between them.
    let server = site.serve_with(settings).await;
    let conn = server.connect().await;
    for turn in 0..20 {
        let issued = conn.ask(token(&first, &[])).await.token();
        let reply = conn.ask(revoke(&first, &issued)).await;
        assert_eq!(reply.status, 200, "revocation {turn}: {}", reply.text());
        assert!(!conn.ask(introspect(&first, &issued)).await.is_active(), "{turn}");
    }
    cli::admin(&config, &["client", "disable", &first.id]).expect(0);
}

#[tokio::test]
async fn two_migrations_at_once_are_as_good_as_one() {
    let site = Site::new().await;
    let empty = Database::copy("template1").await;
    let (directory, _) = site.furnish(settings(&site, &empty));
    let config = directory.join("sigid.toml");
    let start = || {
        let config = config.clone();
        std::thread::spawn(move || cli::run(&["migrate", "-c", config.to_str().unwrap()], &[]))
    };
    let runs = [start(), start(), start()].map(|run| run.join().unwrap());
    assert!(runs.iter().all(|ended| ended.code == 0), "{runs:?}");
    let applied = runs.iter().filter(|ended| ended.out.contains("applied ")).count();
    assert_eq!(applied, 1, "{runs:?}");
}

#[tokio::test]
async fn a_database_that_is_ahead_or_changed_is_refused_by_all() {
    for (reason, change, said) in [
        (
            "ahead",
            "insert into public.sigid_migrations (name, sha256) values ('999912312359_later', 'x')",
            "999912312359_later",
        ),
        ("changed", "update public.sigid_migrations set sha256 = 'x'", "202611240900_edge_foundation"),
    ] {
        let site = Site::new().await;
        site.database.connect(OWNER).await.batch_execute(change).await.unwrap();
        for command in ["serve", "migrate"] {
            let ended = run(&site, command, site.settings());
            assert_eq!(ended.code, 1, "{reason}: {command}: {}", ended.err);
            assert!(ended.err.contains(said), "{reason}: {command} names it: {}", ended.err);
        }
        assert_eq!(site.admin(&["tenant", "list"]).code, 1, "{reason}: admin");
    }
}

#[tokio::test]
async fn the_server_refuses_roles_that_row_level_security_does_not_bind() {
    let site = Site::new().await;
    let pid = std::process::id();
    let owner = site.database.connect(OWNER).await;
    let role = async |name: &str, rights: &str| {
        let name = format!("it_{name}_{pid}");
        owner.batch_execute(&format!("create role {name} login {rights}")).await.unwrap();
        name
    };
    let bypass = role("bypass", "bypassrls").await;
    let member = role("member", "").await;
    owner.batch_execute(&format!("grant {OWNER} to {member}")).await.unwrap();
    let heir = role("heir", "").await;
    owner
        .batch_execute(&format!("alter table control.tenants owner to {heir}; grant usage on schema control to {heir}"))
        .await
        .unwrap();
    for (reason, user) in [
        ("the superuser that owns all", OWNER),
        ("BYPASSRLS", &bypass),
        ("a member of the owner", &member),
        ("owner of a table", &heir),
    ] {
        let settings = site.settings().text("database.url", site.database.url(user));
        let ended = run(&site, "serve", settings);
        assert_eq!(ended.code, 78, "{reason}: {}", ended.err);
        assert!(ended.err.contains("role") && ended.err.contains("database"), "{reason}: {}", ended.err);
    }
}

#[tokio::test]
async fn each_plane_may_have_a_role_that_can_no_more_than_its_plane() {
    let site = Site::new().await;
    let pid = std::process::id();
    let url = |plane: &str| site.database.url(&format!("it_{plane}_{pid}"));
    let settings = site
        .settings()
        .text("database.identity_url", url("identity"))
        .text("database.auth_url", url("auth"))
        .text("database.control_url", url("control"))
        .text("database.async_url", url("async"));
    // Migrating creates the logins.
    let said = run(&site, "migrate", settings.clone()).expect(0);
    assert!(said.contains(&format!("it_auth_{pid}")), "{said}");
    let server = site.serve_with(settings.clone()).await;
    let (service, api) = (client("service"), client("api"));
    let conn = server.connect().await;
    let issued = conn.ask(token(&service, &[])).await.token();
    assert!(conn.ask(introspect(&api, &issued)).await.is_active());
    conn.ask(revoke(&service, &issued)).await.expect(200);
    assert!(!conn.ask(introspect(&api, &issued)).await.is_active());
    let (directory, _) = site.furnish(settings);
    cli::admin(&directory.join("sigid.toml"), &["client", "disable", "service"]).expect(0);
    crate::support::wait::until_true("the disabled client", async || {
        conn.ask(token(&service, &[])).await.status == 401
    })
    .await;
    let role = async |plane: &str| site.database.connect(&format!("it_{plane}_{pid}")).await;
    for (plane, statement) in [
        ("auth", "update control.clients set state = 'active'"),
        ("auth", "delete from auth.marks"),
        ("auth", "select * from async.events"),
        ("control", "select sealed_private from auth.signing_keys"),
        ("identity", "select * from auth.signing_keys"),
        ("identity", "select * from control.client_secrets"),
        ("async", "update control.clients set state = 'active'"),
    ] {
        let error = role(plane).await.query(statement, &[]).await.expect_err(statement);
        assert_eq!(error.code().unwrap().code(), "42501", "{plane}: {statement}: {error}");
    }
}

#[tokio::test]
async fn without_a_scope_the_server_s_role_sees_nothing() {
    let site = Site::new().await;
    let app = site.database.connect(APP).await;
    let count = async |table: &str| -> i64 {
        app.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0)
    };
    let tables = [
        "control.tenants",
        "control.clients",
        "control.client_secrets",
        "control.client_audiences",
        "async.events",
        "async.feed",
        "auth.marks",
    ];
    for table in tables {
        assert_eq!(count(table).await, 0, "{table}");
    }
    let owner = site.database.connect(OWNER).await;
    let two: String =
        owner.query_one("select tenant_id::text from control.tenants where slug = 'two'", &[]).await.unwrap().get(0);
    app.batch_execute(&format!("begin; set local app.tenant = '{two}'")).await.unwrap();
    assert_eq!(count("control.clients").await, 2, "one tenant's own");
    let changed =
        app.execute("update control.clients set state = 'disabled' where client_id = 'service'", &[]).await.unwrap();
    assert_eq!(changed, 0, "another tenant's client cannot be reached");
    app.batch_execute("rollback").await.unwrap();
}

#[tokio::test]
async fn the_planes_must_share_one_database() {
    let site = Site::new().await;
    let other = Database::copy(crate::support::seed::TEMPLATE).await;
    let ended = run(&site, "serve", site.settings().text("database.auth_url", other.url(APP)));
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert!(ended.err.contains("different databases"), "{}", ended.err);
}

#[tokio::test]
async fn a_change_and_its_event_are_one() {
    let site = Site::new().await;
    let server = site.serve().await;
    let service = client("service");
    let issued = server.ask(token(&service, &[])).await.token();
    server.ask(revoke(&service, &issued)).await.expect(200);
    site.admin(&["client", "disable", "service"]).expect(0);
    let owner = site.database.connect(OWNER).await;
    let rows = owner.query("select event_type, actor, subject, data::text from async.events", &[]).await.unwrap();
    let events: Vec<[String; 4]> = rows.iter().map(|row| [0, 1, 2, 3].map(|at| row.get(at))).collect();
    let find = |kind: &str| events.iter().filter(|event| event[0] == kind).count();
    assert_eq!(find("token.revoked"), 1, "{events:?}");
    assert!(events.iter().any(|event| event[0].starts_with("client.disabled") && event[2] == "service"), "{events:?}");
    let text = format!("{events:?}");
    assert!(!text.contains(&service.secret) && !text.contains(&issued), "no secret in an event");
}
