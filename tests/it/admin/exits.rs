//! Exit codes: 0 done, 1 refused, 64 usage, 69 unreachable, 78 configuration.

use crate::support::cli;
use crate::support::cluster::{Database, OWNER};
use crate::support::place;
use crate::support::site::Site;

#[tokio::test]
async fn every_command_ends_with_its_code() {
    let site = Site::new().await;
    let rows: &[(&str, &[&str], i32)] = &[
        ("done", &["tenant", "list"], 0),
        ("no noun", &[], 64),
        ("no verb", &["client"], 64),
        ("an unknown noun", &["clients", "list"], 64),
        ("an unknown verb", &["client", "explode"], 64),
        ("an unknown flag", &["client", "create", "--favourite-colour", "blue"], 64),
        ("an argument missing", &["client", "show"], 64),
        ("a slug that is none", &["tenant", "create", "Not A Slug"], 64),
        ("a client id that is none", &["client", "show", "a b"], 64),
        ("a number that is none", &["client", "rotate-secret", "service", "--grace", "soon"], 64),
        ("two moments at once", &["client", "rotate-secret", "service", "--grace", "5", "--now"], 64),
        ("update of nothing", &["client", "update", "service"], 64),
        ("revoke-before of nobody", &["token", "revoke-before"], 64),
        ("revoke-before of two", &["token", "revoke-before", "--client", "service", "--tenant", "one"], 64),
        ("an algorithm that is none", &["key", "rotate", "--alg", "HS256"], 64),
        ("a tenant twice", &["tenant", "create", "one"], 1),
        ("no such tenant", &["tenant", "disable", "three"], 1),
        ("no such client", &["client", "show", "nobody"], 1),
        ("no such client to disable", &["client", "disable", "nobody"], 1),
        ("no such client to delete", &["client", "delete", "nobody"], 1),
        ("no such client to revoke", &["token", "revoke-before", "--client", "nobody"], 1),
        ("no such user", &["token", "revoke-before", "--user", "nobody"], 1),
        ("no such key", &["key", "revoke", "nokey"], 1),
        ("a client twice", &["client", "create", "--tenant", "one", "--client-id", "service"], 1),
        ("which of two tenants", &["client", "create"], 1),
        ("a tenant that is not", &["client", "create", "--tenant", "three"], 1),
        ("a feature that is not built", &["client", "create", "--tenant", "one", "--jwks-uri", "https://a.example"], 1),
        ("a grant that is not", &["client", "create", "--tenant", "one", "--grant-type", "password"], 1),
        (
            "a public client without redirects",
            &["client", "create", "--tenant", "one", "--token-endpoint-auth-method", "none"],
            1,
        ),
        (
            "an audience that is taken",
            &["client", "create", "--tenant", "one", "--grant-type", "", "--audience", "https://api.one.example"],
            1,
        ),
        (
            "an audience with a fragment",
            &["client", "create", "--tenant", "one", "--grant-type", "", "--audience", "https://a.example#b"],
            1,
        ),
        ("a young key", &["key", "rotate"], 1),
    ];
    for (reason, arguments, code) in rows {
        let ended = site.admin(arguments);
        assert_eq!(ended.code, *code, "{reason}: {} {}", ended.out, ended.err);
        assert_eq!(ended.out.is_empty(), *code != 0, "{reason}: standard output is for answers: {}", ended.out);
        assert_eq!(ended.err.is_empty(), *code == 0, "{reason}: standard error is for refusals: {}", ended.err);
        if *code == 1 {
            assert_eq!(ended.err.lines().count(), 1, "{reason}: one line: {}", ended.err);
        }
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_69_and_a_broken_file_78() {
    let site = Site::new().await;
    let admin = |settings: crate::support::settings::Settings| {
        let (directory, _) = site.furnish(settings);
        cli::admin(&directory.join("sigid.toml"), &["tenant", "list"])
    };
    let nowhere = "postgresql:///x?host=/nowhere&user=sigid_app";
    assert_eq!(admin(site.settings().text("database.url", nowhere)).code, 69);
    let refused = "postgresql://sigid_app@127.0.0.1:1/x";
    assert_eq!(admin(site.settings().text("database.url", refused)).code, 69);
    let ended = admin(site.settings().set("database.max_connections", "\"many\""));
    assert_eq!(ended.code, 78);
    assert!(ended.err.contains("database.max_connections: "), "{}", ended.err);
    let missing = place::directory("empty").join("sigid.toml");
    assert_eq!(cli::admin(&missing, &["tenant", "list"]).code, 78);
    let owner = admin(site.settings().text("database.url", site.database.url(OWNER)));
    assert_eq!(owner.code, 78, "never as the owner: {}", owner.err);
    let empty = Database::copy("template1").await;
    let behind = admin(site.settings().text("database.url", empty.url("sigid_app")));
    assert_eq!(behind.code, 1);
    assert!(behind.err.contains("sigid migrate"), "says what to run: {}", behind.err);
}
