//! A lock that a process holds for as long as it serves (`deployment.coordination = "local"`).
//!
//! A session-level advisory lock on a connection of its own. When the connection breaks, the database
//! gives the lock to whoever asks next; this process is told at once and tries to get it back.

use std::sync::Arc;
use std::time::Duration;

use super::connect::Driver;
use super::{PgFault, PgSettings, Plane, Target, Trust, dial};
use crate::fail::{Fail, Point};

/// Arbitrary, the same in every SigID.
const PROCESS_LOCK: i64 = 7_240_115_938_462;
const RETRY: Duration = Duration::from_millis(500);
/// How often, and within what time, the connection that holds the lock must answer.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Takes the lock, or `false` when another process holds it. `on_change` is told when it is lost and
/// when it is back.
///
/// # Errors
/// The database does not answer.
pub async fn hold_process_lock(
    settings: &PgSettings,
    plane: Plane,
    on_change: impl Fn(bool) + Send + 'static,
) -> Result<bool, PgFault> {
    let trust = Arc::new(Trust::new(settings.ca_pem_path.as_deref()));
    let url = &settings.target(plane).url;
    let fail = settings.fail.of("lock");
    let timeout = settings.connect_timeout;
    let target = Target::new(url, "sigid-lock", "", settings.require_ssl, timeout, &trust, fail.clone())?;
    let deadline = settings.statement_timeout;
    let Some(mut held) = take(&target, deadline, &fail).await? else { return Ok(false) };
    tokio::spawn(async move {
        loop {
            held.broken(&fail).await;
            on_change(false);
            held = loop {
                tokio::time::sleep(RETRY).await;
                if let Ok(Some(again)) = take(&target, deadline, &fail).await {
                    break again;
                }
            };
            on_change(true);
        }
    });
    Ok(true)
}

/// The connection that holds the lock.
struct Held {
    client: tokio_postgres::Client,
    driver: tokio::task::JoinHandle<()>,
}

impl Held {
    /// Ends when the connection does, or when it stops answering: the database may have given the lock away.
    async fn broken(&mut self, fail: &Fail) {
        loop {
            tokio::select! {
                _ = &mut self.driver => return,
                () = tokio::time::sleep(PROBE_EVERY) => {}
            }
            let probe = async {
                fail.reach(Point::LockProbe).await?;
                self.client.simple_query("").await.map_err(PgFault::from)
            };
            if !matches!(tokio::time::timeout(PROBE_EVERY, probe).await, Ok(Ok(_))) {
                self.driver.abort();
                return;
            }
        }
    }
}

async fn take(target: &Target, deadline: Duration, fail: &Fail) -> Result<Option<Held>, PgFault> {
    let (client, driver): (_, Driver) = dial(target).await?;
    let driver = tokio::spawn(async move {
        let _ = driver.await;
    });
    fail.reach_within(Point::LockTake, deadline).await?;
    let asked = client.query_one("select pg_catalog.pg_try_advisory_lock($1)", &[&PROCESS_LOCK]);
    let row = tokio::time::timeout(deadline, asked).await.map_err(|_| PgFault::Timeout)??;
    Ok(row.try_get::<_, bool>(0)?.then_some(Held { client, driver }))
}
