//! The ways of people, await by await: the first await of a deed on the database fails, then the second, until it meets
//! none that fails; then each hash that it asks for. Each time the answer is a clean 503 or the good one, the database
//! holds all of the deed or nothing of it, the second attempt succeeds, and nothing that is secret is said or logged.
//!
//! What a deed writes is not listed here. It is counted: over every table, before and after ([`town::COUNTS`]); a deed
//! without a fault shows what all of it is.
//!
//! The server serves the auth plane alone, so that its pool is used by the deed and nobody else; letters are the async
//! plane's, and have a sweep of their own ([`letters`]).

mod deeds;
mod feed;
mod letters;
mod order;
mod town;

use deeds::Deed;
use town::{Scene, Town};

use crate::support::wait::until_true;

/// What a fault may follow although all was done: the answer to COMMIT is lost.
const TOO_LATE: &str = "tx.committed";

/// Everything that may fail in a deed, one after the other.
async fn sweep(deed: Deed, action: &str) {
    let town = Town::new().await;
    let full = town.learn(deed).await;
    for place in ["*@auth", "hash.run@hash"] {
        for turn in 0.. {
            let rule = format!("{place}={action}*1+{turn}");
            if !try_with(&town, deed, &full, &rule).await {
                assert!(turn >= deed.awaits_min(place), "{deed:?}: {rule}: too few awaits to be true");
                break;
            }
        }
    }
    town.assert_silent_log();
}

/// One attempt with a fault, and one without. Whether there was a fault.
async fn try_with(town: &Town, deed: Deed, full: &[i64], rule: &str) -> bool {
    let mut scene = town.prepare(deed).await;
    let before = town.counts().await;
    town.points.arm(rule);
    let reply = scene.attempt().await;
    let hits = town.points.hits();
    town.points.disarm();
    let moved = town.moved_since(&before).await;
    let is_nothing = moved.iter().all(|count| *count == 0);
    let (is_done, is_good) = (moved == full, reply.status == deed.good());
    let hit = hits.first().map_or("no fault", |hit| hit.split('@').next().unwrap());
    let what = format!("{deed:?}: {rule}: {hit}");
    assert!(is_done || is_nothing, "{what}: half done: {moved:?} of {full:?}");
    if is_good {
        assert!(is_done, "{what}: said to be done, and is not");
    } else {
        assert!(!hits.is_empty(), "{what}: {} {}", reply.status, reply.text());
        town::assert_clean_page(&what, &reply);
        let may_be_done = is_nothing || hit == TOO_LATE || deed.looks_again();
        assert!(!is_done || may_be_done, "{what}: refused, and done");
    }
    town::assert_silent(&what, &reply, &scene);
    let was_done = is_done && !is_nothing;
    again(&what, deed, &mut scene, was_done).await;
    if !was_done {
        assert_eq!(town.moved_since(&before).await, full, "{what}: after the second attempt");
    }
    deed.prove(town, &mut scene).await;
    town.keep_secrets(&scene);
    !hits.is_empty()
}

/// The second attempt. What was done already is answered as the second presentation is.
async fn again(what: &str, deed: Deed, scene: &mut Scene, is_done: bool) {
    until_true(&format!("{what}: the second attempt"), async || {
        let reply = scene.attempt().await;
        reply.status == deed.good() || is_done && reply.status < 500
    })
    .await;
}

#[tokio::test]
async fn a_registration_is_whole_whichever_await_fails() {
    sweep(Deed::Register, "error").await;
}

#[tokio::test]
async fn a_look_at_a_link_uses_nothing_whichever_await_fails() {
    sweep(Deed::Look, "error").await;
}

#[tokio::test]
async fn a_confirmation_is_whole_whichever_await_fails() {
    sweep(Deed::Confirm, "error").await;
}

#[tokio::test]
async fn a_confirmation_is_whole_whenever_the_connection_breaks() {
    sweep(Deed::Confirm, "drop-connection").await;
}

#[tokio::test]
async fn a_confirmation_elsewhere_is_whole_whichever_await_fails() {
    sweep(Deed::ConfirmElsewhere, "error").await;
}

#[tokio::test]
async fn a_sign_in_is_whole_whichever_await_fails() {
    sweep(Deed::SignIn, "error").await;
}

#[tokio::test]
async fn a_sign_in_is_whole_whenever_the_connection_breaks() {
    sweep(Deed::SignIn, "drop-connection").await;
}

#[tokio::test]
async fn a_sign_in_whose_awaits_hang_is_given_up_whole() {
    sweep(Deed::SignIn, "stall").await;
}

#[tokio::test]
async fn a_sign_out_is_whole_whichever_await_fails() {
    sweep(Deed::SignOut, "error").await;
}

#[tokio::test]
async fn a_question_for_recovery_is_whole_whichever_await_fails() {
    sweep(Deed::AskRecovery, "error").await;
}

#[tokio::test]
async fn a_recovery_is_whole_whichever_await_fails() {
    sweep(Deed::Recover, "error").await;
}

#[tokio::test]
async fn a_recovery_is_whole_whenever_the_connection_breaks() {
    sweep(Deed::Recover, "drop-connection").await;
}

#[tokio::test]
async fn a_first_password_is_whole_whichever_await_fails() {
    sweep(Deed::SetUp, "error").await;
}

#[tokio::test]
async fn a_new_password_is_whole_whichever_await_fails() {
    sweep(Deed::ChangePassword, "error").await;
}

#[tokio::test]
async fn a_question_for_an_address_is_whole_whichever_await_fails() {
    sweep(Deed::AskAddress, "error").await;
}

#[tokio::test]
async fn a_new_address_is_whole_whichever_await_fails() {
    sweep(Deed::ProveAddress, "error").await;
}

#[tokio::test]
async fn an_address_taken_back_is_whole_whichever_await_fails() {
    sweep(Deed::TakeBack, "error").await;
}

#[tokio::test]
async fn a_session_ended_elsewhere_is_whole_whichever_await_fails() {
    sweep(Deed::EndSession, "error").await;
}

#[tokio::test]
async fn all_other_sessions_end_whole_whichever_await_fails() {
    sweep(Deed::EndOthers, "error").await;
}

#[tokio::test]
async fn a_deletion_is_whole_whichever_await_fails() {
    sweep(Deed::Delete, "error").await;
}

#[tokio::test]
async fn a_deletion_is_whole_whenever_the_connection_breaks() {
    sweep(Deed::Delete, "drop-connection").await;
}

#[tokio::test]
async fn an_account_is_kept_whole_whichever_await_fails() {
    sweep(Deed::Keep, "error").await;
}

#[tokio::test]
async fn the_way_to_an_application_is_whole_whichever_await_fails() {
    sweep(Deed::Enter, "error").await;
}

#[tokio::test]
async fn the_way_to_an_application_is_whole_whenever_the_connection_breaks() {
    sweep(Deed::Enter, "drop-connection").await;
}
