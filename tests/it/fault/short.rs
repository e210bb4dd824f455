//! The short forms of four drills; `./dev drill` has them all, at length.

use std::time::Duration;

use super::drill::{Drill, Length, run};
use crate::support::cluster;

async fn short(drill: Drill, rounds: u32) {
    let outcome = run(drill, Length { rounds, hold: Duration::from_secs(2) }).await;
    eprintln!("{outcome}");
    assert_eq!(outcome.violations, 0, "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_under_load_loses_nothing() {
    short(Drill::Kill, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_cut_under_load_loses_nothing_and_is_silent_at_the_bound() {
    short(Drill::Feed, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_is_killed_and_revocations_cross() {
    short(Drill::Nodes, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_half_there_after_a_kill_and_a_restart_of_the_database() {
    // The one test that restarts PostgreSQL, on a cluster of its own.
    cluster::plan(Drill::People.plan().unwrap());
    short(Drill::People, 3).await;
}
