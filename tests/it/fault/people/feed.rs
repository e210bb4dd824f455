//! A node that hears no news: what is answered from memory is refused at the bound, what asks the database goes on.

use crate::account::people::{Browser, PASSWORD, make};
use crate::fault::points_file::Points;
use crate::support::ask::escape;
use crate::support::server::Start;
use crate::support::site::Site;
use crate::support::wait::until_true;

use super::town::assert_clean_page;

const CHECK: &str = "/session/check?client_id=shop";

#[tokio::test]
async fn a_feed_that_stays_broken_lets_nobody_into_an_application_and_everybody_to_the_account() {
    let (site, points) = (Site::new().await, Points::new());
    let shop = ["--redirect-uri", "https://localhost:9443/callback", "--token-endpoint-auth-method", "none"];
    let create = ["client", "create", "--tenant", "one", "--client-id", "shop"];
    site.admin(&[&create[..], &shop].concat()).expect(0);
    let settings = site.settings().set("edge.max_stale_ms", 1000).set("edge.poll_ms", 100);
    let start = Start { arguments: vec!["--fail-file", points.path(), "--budgets", "off"], ..Start::default() };
    let server = site.start(settings, &start).await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let enter = format!("/session/start?client_id=shop&return_to={}", escape("https://localhost:9443/orders"));
    ann.get(&enter).await.expect(303);
    ann.get(CHECK).await.expect(200);
    for point in ["feed.turn", "feed.window", "pool.take", "tx.commit"] {
        for action in ["error", "stall"] {
            let rule = format!("{point}@feed={action}");
            points.arm(&rule);
            until_true(&format!("{rule}: the bound"), async || {
                let reply = ann.get(CHECK).await;
                assert!([200, 503].contains(&reply.status), "{rule}: {} {}", reply.status, reply.text());
                reply.status == 503
            })
            .await;
            let refused = ann.get(CHECK).await.expect(503);
            assert!(refused.header("retry-after").is_some(), "{rule}: {:?}", refused.headers);
            assert!(refused.headers.keys().all(|name| !name.as_str().starts_with("x-auth-")), "{rule}: says who it is");
            assert_clean_page(&rule, &ann.get(&enter).await);
            ann.get("/account").await.expect(200);
            points.disarm();
            until_true(&format!("{rule}: service"), async || ann.get(CHECK).await.status == 200).await;
            ann.get(&enter).await.expect(303);
        }
    }
}
