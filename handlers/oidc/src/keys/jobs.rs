//! The job: rotation when due, destruction and removal when over.

use sigid_platform::outbox::Act;

use super::{Done, Fault, KeyRoom};

/// How often it runs: every ten minutes. Nothing depends on the exact moment.
pub const EVERY_S: u64 = 600;

/// One run. May run on every node at once: the advisory lock lets one work, and the others find nothing to do.
pub async fn tick(room: &KeyRoom<'_>, act: Act<'_>) -> Result<Vec<Done>, Fault> {
    let mut done = room.rotate_due(act).await?;
    done.extend(room.clean(act).await?);
    Ok(done)
}
