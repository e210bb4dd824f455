//! The process: its ready line, its health command, who may share what with it.

use crate::support::cli;
use crate::support::relay::{Relay, State};
use crate::support::site::Site;
use crate::support::wait::until_true;

#[tokio::test]
async fn the_health_command_asks_the_direct_listener() {
    let site = Site::new().await;
    let relay = Relay::new();
    let settings = site.through(&relay).set("edge.max_stale_ms", 500).set("edge.poll_ms", 100);
    let mut server = site.serve_with(settings).await;
    let config = server.config();
    let health = || cli::run(&["health", "-c", config.to_str().unwrap()], &[]);
    assert_eq!(health().expect(0).trim(), "ready");
    relay.set(State::Cut);
    until_true("unreadiness", async || !server.is_ready().await).await;
    assert_eq!(health().code, 1, "not ready");
    relay.set(State::Whole);
    until_true("readiness", async || server.is_ready().await).await;
    health().expect(0);
    assert!(server.stop().await.success());
    assert_eq!(health().code, 69, "nobody answers");
}

#[tokio::test]
async fn local_coordination_is_for_one_process() {
    let site = Site::new().await;
    let settings = site.settings().text("deployment.coordination", "local");
    let mut first = site.serve_with(settings.clone()).await;
    let (directory, _) = site.furnish(site.another_port().text("deployment.coordination", "local"));
    let second = cli::run(&["serve", "-c", directory.join("sigid.toml").to_str().unwrap()], &[]);
    assert_ne!(second.code, 0);
    assert!(second.err.contains("deployment.coordination"), "{}", second.err);
    assert!(first.stop().await.success());
    let mut third = site.serve_with(settings).await;
    assert!(third.stop().await.success());
}

#[tokio::test]
async fn a_root_key_of_another_installation_is_refused() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    std::fs::write(directory.join("root.key"), "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n").unwrap();
    let ended = cli::run(&["serve", "-c", directory.join("sigid.toml").to_str().unwrap()], &[]);
    assert_ne!(ended.code, 0);
    assert!(ended.err.contains("root key"), "{}", ended.err);
}

#[tokio::test]
async fn hash_threads_that_would_keep_too_much_memory_are_refused() {
    let site = Site::new().await;
    let settings = site.settings().set("auth.hash_threads", 64).set("auth.hash_memory_max_mib", 256);
    let (directory, furnished) = site.furnish(settings);
    let config = furnished.write(&directory);
    let ended = cli::run(&["serve", "-c", config.to_str().unwrap()], &[]);
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert!(
        ended.err.contains("auth.argon2_memory_kib: 64 hash threads keep 1216 MiB, and may have 256"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn the_command_line_explains_itself() {
    for (arguments, code) in [
        (&["--version"][..], 0),
        (&["--help"], 0),
        (&["serve", "--help"], 0),
        (&["admin", "client", "create", "--help"], 0),
        (&[], 64),
        (&["explode"], 64),
        (&["serve", "--port", "1"], 64),
        (&["migrate"], 64),
    ] {
        let ended = cli::run(arguments, &[]);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.err);
        assert_eq!(ended.out.is_empty(), code != 0, "{arguments:?}");
    }
}
