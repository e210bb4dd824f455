//! One plane of a process, and the epoll driver.

use crate::support::ask::{Ask, introspect, revoke, token};
use crate::support::seed::client;
use crate::support::server::Start;
use crate::support::site::Site;

#[tokio::test]
async fn a_process_serves_its_plane_and_health() {
    let site = Site::new().await;
    for (plane, serves_tokens) in [("control", false), ("async", false), ("auth", true)] {
        let start = Start { environment: vec![("SIGID_RUNTIME_PLANE", plane.to_owned())], ..Start::default() };
        let mut server = site.start(site.another_port(), &start).await;
        let conn = server.connect().await;
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(conn.ask(Ask::get(path)).await.status, 200, "{plane} {path}");
        }
        let status = |serves| if serves { 200 } else { 404 };
        let issued = conn.ask(token(&client("service"), &[])).await;
        assert_eq!(issued.status, status(serves_tokens), "{plane}");
        assert_eq!(conn.ask(introspect(&client("api"), "x")).await.status, status(serves_tokens), "{plane}");
        assert_eq!(conn.ask(Ask::get("/.well-known/jwks.json")).await.status, status(serves_tokens), "{plane}");
        assert!(server.stop().await.success(), "{plane}");
    }
}

#[tokio::test]
async fn the_epoll_driver_serves_alike_and_says_so() {
    let site = Site::new().await;
    let start = Start { environment: vec![("MONOIO_FORCE_LEGACY_DRIVER", "1".to_owned())], ..Start::default() };
    let mut server = site.start(site.settings(), &start).await;
    let (service, api) = (client("service"), client("api"));
    let conns = server.connect_each().await;
    for conn in &conns {
        let issued = conn.ask(token(&service, &[])).await.token();
        assert!(conn.ask(introspect(&api, &issued)).await.is_active());
        conn.ask(revoke(&service, &issued)).await.expect(200);
        for conn in &conns {
            assert!(!conn.ask(introspect(&api, &issued)).await.is_active());
        }
    }
    let serving: Vec<_> = server.log_lines().into_iter().filter(|line| line.get("io_uring").is_some()).collect();
    assert_eq!(serving.len(), 1, "said once");
    assert_eq!(serving[0]["io_uring"], false);
    drop(conns);
    assert!(server.stop().await.success());
}
