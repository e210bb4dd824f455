//! Without a list: the first await of a request fails, then the second, and so on, until the request meets none that
//! fails. What the database does for others meanwhile is not meant: the rule names the pool of requests.

use super::points::Act;
use super::world::World;
use crate::support::wait::until_true;

/// The fault that each request met, and whether it was answered all the same.
async fn sweep(act: Act, action: &str) -> Vec<(String, bool)> {
    let world = World::new().await;
    let mut met = Vec::new();
    for skip in 0.. {
        let prepared = world.prepare(act).await;
        world.points().arm(&format!("*@all={action}*1+{skip}"));
        let is_done = world.try_act(act, &prepared).await;
        let hits = world.points().hits();
        world.points().disarm();
        until_true("the second attempt", async || world.try_act(act, &prepared).await).await;
        world.assert_whole(&prepared).await;
        let Some(hit) = hits.first() else { break };
        met.push((hit.split('@').next().unwrap().to_owned(), is_done));
    }
    met
}

#[tokio::test]
async fn a_revocation_survives_the_loss_of_each_of_its_awaits() {
    const NEEDED: [&str; 4] = ["tx.begin", "tx.execute", "tx.commit", "tx.committed"];
    for action in ["error", "drop-connection"] {
        let met = sweep(Act::Revoke, action).await;
        for (point, is_done) in &met {
            assert!(!is_done || !NEEDED.contains(&point.as_str()), "{action}: {point}: done although not durable");
        }
        // A broken connection's successor prepares its statements anew, so what is met moves.
        if action == "error" {
            let is_met = |point: &&str| met.iter().any(|(met, _)| met == point);
            assert!(NEEDED.iter().chain(&["outbox.bell"]).all(is_met), "to the end: {met:?}");
        }
    }
}

#[tokio::test]
async fn an_assertion_survives_the_loss_of_each_of_its_awaits() {
    for action in ["error", "drop-connection"] {
        let met = sweep(Act::Assertion, action).await;
        assert!(met.len() >= 6, "{action}: {met:?}");
        assert!(action != "error" || met.last().unwrap().0 == "tx.committed", "to the end: {met:?}");
        // A connection that is opened or prepared behind the request's back may have met the fault in its place.
        let is_needed = |point: &str| point.starts_with("tx.") || point.starts_with("replay.");
        let is_wrong = |(point, is_done): &&(String, bool)| *is_done && is_needed(point);
        let wrong: Vec<_> = met.iter().filter(is_wrong).collect();
        assert!(wrong.is_empty(), "{action}: somebody was let in whose mark was not durable: {wrong:?}");
    }
}
