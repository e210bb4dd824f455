//! A row for each fail point: what reaches it, and what that act says when it strikes.

use std::time::Duration;

use sigid_io::fail::{Action, Point};

use super::start;
use super::world::{Prepared, World, assert_clean, rule};
use crate::support::ask::{introspect, token};
use crate::support::forge;
use crate::support::seed::client;
use crate::support::settings::Settings;
use crate::support::wait::{until, until_true};

/// What reaches a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A token is revoked at this node.
    Revoke,
    /// A client authenticates with an assertion, which counts once.
    Assertion,
    /// A token is revoked at the other node, of which this one hears.
    Elsewhere,
    /// A process starts.
    Start,
    /// A process holds the lock of local coordination.
    Lock,
    /// A signing key is rotated.
    Rotate,
}

/// What the request says whose await failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// It is refused, cleanly.
    No,
    /// It is answered as ever: what failed was a courtesy, or was tried again.
    Yes,
    /// Whichever await was the first to come there, a request's or one behind it.
    Either,
}

struct Row {
    pool: &'static str,
    act: Act,
    says: Says,
    /// Only a connection that is new gets there; these are ended first.
    renews: &'static str,
}

const fn row(pool: &'static str, act: Act, says: Says) -> Row {
    Row { pool, act, says, renews: "" }
}

/// No `_`: a new point needs its row.
fn rows(point: Point) -> Vec<Row> {
    match point {
        Point::Connect => vec![
            Row { renews: "sigid-all", ..row("all", Act::Revoke, Says::Either) },
            Row { renews: "sigid-feed", ..row("feed", Act::Elsewhere, Says::Yes) },
            Row { renews: "sigid-listen", ..row("listen", Act::Elsewhere, Says::Yes) },
        ],
        Point::PoolSetup | Point::Prepare => vec![
            Row { renews: "sigid-all", ..row("all", Act::Revoke, Says::Either) },
            Row { renews: "sigid-feed", ..row("feed", Act::Elsewhere, Says::Yes) },
        ],
        Point::PoolTake | Point::TxBegin => {
            vec![row("all", Act::Revoke, Says::No), row("feed", Act::Elsewhere, Says::Yes)]
        }
        Point::Alone => vec![row("all", Act::Revoke, Says::Yes), row("feed", Act::Revoke, Says::Yes)],
        Point::TxQuery => vec![row("all", Act::Assertion, Says::No), row("feed", Act::Elsewhere, Says::Yes)],
        Point::TxExecute => vec![row("all", Act::Revoke, Says::No), row("all", Act::Assertion, Says::No)],
        Point::TxCommit | Point::TxCommitted => vec![
            row("all", Act::Revoke, Says::No),
            row("all", Act::Assertion, Says::No),
            row("feed", Act::Elsewhere, Says::Yes),
        ],
        Point::ListenSubscribe => vec![Row { renews: "sigid-listen", ..row("listen", Act::Elsewhere, Says::Yes) }],
        Point::ListenRing => vec![row("listen", Act::Elsewhere, Says::Yes)],
        Point::LockTake | Point::LockProbe => vec![row("lock", Act::Lock, Says::Yes)],
        Point::FeedTurn | Point::FeedWindow => vec![row("feed", Act::Elsewhere, Says::Yes)],
        Point::FeedNamed => vec![row("feed", Act::Rotate, Says::Either)],
        Point::FeedLoad => vec![row("feed", Act::Start, Says::No)],
        Point::FeedPublish => vec![row("feed", Act::Revoke, Says::Either), row("feed", Act::Elsewhere, Says::Yes)],
        Point::FeedBell => vec![row("feed", Act::Revoke, Says::Yes)],
        Point::OutboxBell => vec![row("all", Act::Revoke, Says::Yes)],
        Point::ReplayConsume => vec![row("all", Act::Assertion, Says::No)],
        Point::KeysRead => vec![row("all", Act::Rotate, Says::Either)],
        // `people` sweeps them: a hash of each deed, and what a provider took.
        Point::HashRun | Point::MailSent => Vec::new(),
    }
}

fn rows_of(acts: &[Act]) -> Vec<(Point, Row)> {
    let all = Point::ALL.into_iter().flat_map(|point| rows(point).into_iter().map(move |row| (point, row)));
    all.filter(|(_, row)| acts.contains(&row.act)).collect()
}

/// One row: the point strikes once, the answer is as the row says, and afterwards all is well.
async fn strike(world: &World, point: Point, row: &Row, action: Action) {
    let rule = rule(point, row.pool, action, "*1");
    eprintln!("{rule}: {:?}", row.act);
    let prepared = if row.renews.is_empty() && row.act != Act::Elsewhere {
        let prepared = world.prepare(row.act).await;
        world.points().arm(&rule);
        act(world, row, &prepared, &rule).await;
        until_true(&format!("{rule} to strike"), async || !world.points().hits().is_empty()).await;
        prepared
    } else {
        // An ended connection may serve once more before that is known, and a poll may come before the doorbell.
        world.points().arm(&rule);
        until(&format!("{rule} to strike"), async || {
            let prepared = world.prepare(row.act).await;
            if !row.renews.is_empty() {
                world.break_connections(row.renews).await;
            }
            act(world, row, &prepared, &rule).await;
            (!world.points().hits().is_empty()).then_some(prepared)
        })
        .await
    };
    world.points().disarm();
    until_true("the second attempt", async || world.try_act(row.act, &prepared).await).await;
    world.assert_whole(&prepared).await;
}

async fn act(world: &World, row: &Row, prepared: &Prepared, rule: &str) {
    if row.act == Act::Elsewhere {
        return world.revoke_elsewhere(prepared).await;
    }
    let is_done = world.try_act(row.act, prepared).await;
    let has_struck = !world.points().hits().is_empty();
    match row.says {
        Says::No if has_struck => assert!(!is_done, "{rule}: was answered as if nothing had happened"),
        Says::Yes => assert!(is_done, "{rule}: was refused"),
        Says::No | Says::Either => {}
    }
}

#[tokio::test]
async fn each_await_of_a_request_fails_once_and_the_second_attempt_succeeds() {
    for act in [Act::Revoke, Act::Assertion] {
        strike_each(act, &[Action::Error, Action::DropConnection]).await;
    }
}

async fn strike_each(act: Act, actions: &[Action]) {
    let world = World::new().await;
    for (point, row) in rows_of(&[act]) {
        for action in actions {
            strike(&world, point, &row, *action).await;
        }
    }
}

#[tokio::test]
async fn each_await_of_a_revocation_that_hangs_is_given_up_at_its_deadline() {
    strike_each(Act::Revoke, &[Action::Stall]).await;
}

#[tokio::test]
async fn each_await_of_an_assertion_that_hangs_is_given_up_at_its_deadline() {
    strike_each(Act::Assertion, &[Action::Stall]).await;
}

#[tokio::test]
async fn each_await_of_the_feed_fails_once_and_a_revocation_elsewhere_is_in_time() {
    strike_each(Act::Elsewhere, &[Action::Error, Action::DropConnection]).await;
}

#[tokio::test]
async fn each_await_of_the_feed_hangs_once_and_a_revocation_elsewhere_is_in_time() {
    strike_each(Act::Elsewhere, &[Action::Stall]).await;
}

/// The points of the feed that every look passes; a new client is told by the one that reloads.
const EVERY_LOOK: [Point; 5] = [Point::FeedTurn, Point::FeedWindow, Point::PoolTake, Point::TxBegin, Point::TxCommit];

async fn a_feed_that_stays_broken(action: Action) {
    let soon = |settings: Settings| settings.set("edge.max_stale_ms", 1000).set("edge.poll_ms", 100);
    let world = World::with(soon).await;
    for point in EVERY_LOOK {
        let rule = rule(point, "feed", action, "");
        eprintln!("{rule}");
        world.points().arm(&rule);
        let made = world.create_client();
        assert_clean(&world.ask(token(&made, &[])).await);
        world.assert_goes_silent().await;
        assert_clean(&world.ask(token(&client("service"), &[])).await);
        assert!(!world.first.is_ready().await, "readiness follows");
        world.points().disarm();
        let issued = until("the new client", async || {
            let reply = world.ask(token(&made, &[])).await;
            (reply.status == 200).then(|| reply.token())
        })
        .await;
        assert!(world.ask(introspect(&made, &issued)).await.is_active());
        world.assert_whole(&Prepared::Nothing).await;
    }
}

#[tokio::test]
async fn a_feed_that_stays_broken_is_silence_at_the_bound_and_service_returns() {
    a_feed_that_stays_broken(Action::Error).await;
}

#[tokio::test]
async fn a_feed_that_hangs_is_silence_at_the_bound_and_service_returns() {
    a_feed_that_stays_broken(Action::Stall).await;
}

#[tokio::test]
async fn a_rotation_whose_news_fail_once_leaves_a_node_that_signs() {
    let world = World::new().await;
    let kid = |issued: &str| forge::read(issued).0["kid"].as_str().unwrap().to_owned();
    for (point, row) in rows_of(&[Act::Rotate]) {
        for action in [Action::Error, Action::DropConnection, Action::Stall] {
            let rule = rule(point, row.pool, action, "*1");
            eprintln!("{rule}");
            let before = world.ask(token(&client("service"), &[])).await.token();
            world.points().arm(&rule);
            world.site.admin(&["key", "rotate", "--now"]).expect(0);
            let after = until("a token by the new key", async || {
                let reply = world.ask(token(&client("service"), &[])).await;
                if reply.status != 200 {
                    assert_clean(&reply);
                    return None;
                }
                Some(reply.token()).filter(|issued| kid(issued) != kid(&before))
            })
            .await;
            until_true(&format!("{rule} to strike"), async || !world.points().hits().is_empty()).await;
            world.points().disarm();
            for issued in [&before, &after] {
                until_true("old and new", async || world.ask(introspect(&client("api"), issued)).await.is_active())
                    .await;
            }
            world.assert_whole(&Prepared::Nothing).await;
        }
    }
}

#[tokio::test]
async fn the_process_lock_is_lost_and_held_again_by_itself() {
    let world = World::with(|settings| settings.text("deployment.coordination", "local")).await;
    let rows = rows_of(&[Act::Lock]);
    assert_eq!(rows.len(), 2);
    for action in [Action::Error, Action::DropConnection, Action::Stall] {
        // The probe fails, so the lock counts as lost; taking it again fails too, once.
        let rules = rows.iter().map(|(point, row)| rule(*point, row.pool, action, "*1"));
        world.points().arm(&rules.collect::<Vec<_>>().join("\n"));
        until_true("both strikes", async || world.points().hits().len() == 2).await;
        world.points().disarm();
        world.assert_whole(&Prepared::Nothing).await;
    }
}

#[tokio::test]
async fn a_full_load_that_fails_refuses_the_start() {
    let rows = rows_of(&[Act::Start]);
    assert_eq!(rows.len(), 1);
    for (point, row) in rows {
        assert_eq!(row.says, Says::No);
        for action in [Action::Error, Action::DropConnection] {
            start::assert_refused_once(&rule(point, row.pool, action, "*1")).await;
        }
    }
}

#[tokio::test]
async fn a_full_load_that_is_slow_is_awaited() {
    // Every read of the tables takes most of a second, as on a machine that has more to do.
    start::assert_starts("feed.load@feed=stall*1", Duration::from_millis(700)).await;
}
