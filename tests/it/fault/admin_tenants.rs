//! What a tenant decides about sign-in: each await of the command fails once, and the decision is whole or was not made.

use super::admin::{Desk, OWN};
use crate::account::people::count;
use std::cell::Cell;

#[tokio::test]
async fn what_a_tenant_decides_is_decided_whole_or_not() {
    let desk = Desk::new().await;
    let close = |_| ["tenant", "methods", "one", "--close"].map(str::to_owned).to_vec();
    let told = "select count(*) from async.events where event_type = 'tenant.sign_in_changed'";
    let heard = "select count(*) from async.feed where kind = 1";
    let before = count(&desk.site, heard).await;
    let turns = Cell::new(0);
    desk.sweep("error", OWN, close, async |_, ended, hit| {
        turns.set(turns.get() + 1);
        let shown = desk.give(&["tenant", "methods", "one"]).json();
        assert_eq!(shown["closed"], ended.code == 0 || hit.starts_with("tx.committed"), "{hit}: exit {}", ended.code);
        assert_eq!(desk.give(&["tenant", "methods", "one", "--close"]).json()["closed"], true, "{hit}: once more");
        assert_eq!(desk.give(&["tenant", "methods", "one", "--default"]).json()["closed"], false, "{hit}");
        assert_eq!(count(&desk.site, told).await, 2 * turns.get(), "{hit}: an event for each change");
        assert_eq!(count(&desk.site, heard).await - before, 2 * turns.get(), "{hit}: and news");
    })
    .await;
    assert!(turns.get() > 3, "the command has awaits of its own");
}
