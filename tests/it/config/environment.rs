//! Environment variables win over the file.

use crate::support::ask::token;
use crate::support::cli;
use crate::support::cluster::{APP, Database, OWNER};
use crate::support::seed::client;
use crate::support::server::Start;
use crate::support::site::Site;

const NOWHERE: &str = "postgresql:///x?host=/nowhere&user=sigid_app";

#[tokio::test]
async fn every_plane_has_a_url_of_its_own_in_the_environment() {
    let site = Site::new().await;
    let good = site.database.url(APP);
    // The file alone leads nowhere; the environment cures it.
    let environment = ["DATABASE_IDENTITY_URL", "DATABASE_AUTH_URL", "DATABASE_CONTROL_URL", "DATABASE_ASYNC_URL"]
        .map(|name| (name, good.clone()));
    let start = Start { environment: environment.to_vec(), ..Start::default() };
    let server = site.start(site.settings().text("database.url", NOWHERE), &start).await;
    server.ask(token(&client("service"), &[])).await.expect(200);
    drop(server);
    // The file alone is good; one variable spoils it, for the plane that it names.
    for (name, plane) in
        [("DATABASE_AUTH_URL", "auth"), ("DATABASE_CONTROL_URL", "control"), ("DATABASE_ASYNC_URL", "async")]
    {
        let (directory, _) = site.furnish(site.settings());
        let config = directory.join("sigid.toml");
        let ended =
            cli::run(&["serve", "-c", config.to_str().unwrap()], &[(name, NOWHERE), ("SIGID_RUNTIME_PLANE", plane)]);
        assert_eq!(ended.code, 69, "{name}: {}", ended.err);
        let other = if plane == "auth" { "control" } else { "auth" };
        let start = Start {
            environment: vec![(name, NOWHERE.to_owned()), ("SIGID_RUNTIME_PLANE", other.to_owned())],
            ..Start::default()
        };
        let mut server = site.start(site.another_port(), &start).await;
        assert!(server.stop().await.success(), "{name} does not concern {other}");
    }
}

#[tokio::test]
async fn the_file_s_own_plane_urls_are_overridden_too() {
    let site = Site::new().await;
    let settings = site.settings().text("database.auth_url", NOWHERE);
    let start = Start { environment: vec![("DATABASE_AUTH_URL", site.database.url(APP))], ..Start::default() };
    let server = site.start(settings, &start).await;
    server.ask(token(&client("service"), &[])).await.expect(200);
}

#[tokio::test]
async fn migration_takes_its_url_from_the_environment() {
    for name in ["MIGRATION_DATABASE_URL", "MAINTENANCE_DATABASE_URL"] {
        let site = Site::new().await;
        let empty = Database::copy("template1").await;
        let mut settings = site.settings().text("database.url", empty.url(APP)).without("database.migration_url");
        if name == "MIGRATION_DATABASE_URL" {
            settings = settings.text("database.migration_url", NOWHERE);
        }
        let (directory, _) = site.furnish(settings);
        let config = directory.join("sigid.toml");
        let migrate = ["migrate", "-c", config.to_str().unwrap()];
        assert_ne!(cli::run(&migrate, &[]).code, 0, "{name}: without it");
        cli::run(&migrate, &[(name, &empty.url(OWNER))]).expect(0);
    }
}

#[tokio::test]
async fn a_plane_that_is_none_is_refused() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    let config = directory.join("sigid.toml");
    let ended = cli::run(&["serve", "-c", config.to_str().unwrap()], &[("SIGID_RUNTIME_PLANE", "everything")]);
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert!(ended.err.contains("SIGID_RUNTIME_PLANE") || ended.err.contains("deployment.plane"), "{}", ended.err);
}

#[tokio::test]
async fn a_public_database_in_the_environment_needs_production() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    let config = directory.join("sigid.toml");
    let url = "postgres://sigid:secret@db.example.com/sigid";
    let ended = cli::run(&["serve", "-c", config.to_str().unwrap()], &[("DATABASE_AUTH_URL", url)]);
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert!(!ended.err.contains("secret"), "the password is not shown: {}", ended.err);
}
