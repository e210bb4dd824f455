//! How tables learn: one owner applies what is read from the database and hands snapshots out.
//!
//! The owner (the loop that reads the feed, in `platform`) holds a [`Publisher`]. Everybody else has
//! a [`Feed`]: the latest snapshot, "read again now" ([`Feed::refresh`], many waiters share one
//! read, and one that arrives during a read waits for the next, because its row may be newer), and
//! "this process just revoked something" ([`Feed::push`], done when every shard has said so).
//!
//! [`Freshness`] is the monotonic age of the last complete read; past `edge.max_stale_ms` the hot
//! path stops answering from memory.

use crate::shard::EdgeMessage;
use crate::tables::{Change, Tables};
use sigid_core::marks::MarkKey;
use sigid_io::clock;
use sigid_io::shard::{Control, ShardSenders};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Commands waiting for the owner.
pub const COMMANDS_MAX: usize = 4096;
/// A database that has not answered within this is out of reach for who waits; the reader itself goes on.
pub const REFRESH_DEADLINE: Duration = Duration::from_secs(1);
/// A shard that does not take a snapshot within this is stalled, and the push fails.
pub const ACKNOWLEDGE_DEADLINE: Duration = Duration::from_secs(2);

/// Memory is too old and the database out of reach, or a shard did not acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedLost;

/// When the tables were last read completely.
#[derive(Clone, Debug)]
pub struct Freshness {
    read_ms: Arc<AtomicI64>,
    is_held: Arc<AtomicBool>,
    max_stale_ms: i64,
}

impl Freshness {
    pub fn new(max_stale_ms: i64) -> Self {
        Self { read_ms: Arc::new(AtomicI64::new(i64::MIN / 2)), is_held: Arc::default(), max_stale_ms }
    }

    /// `began_ms`: the monotonic time at which the read began; what was true then is known.
    pub fn set_read(&self, began_ms: i64) {
        self.read_ms.fetch_max(began_ms, Relaxed);
    }

    pub fn age_ms(&self) -> i64 {
        clock::monotonic_ms().saturating_sub(self.read_ms.load(Relaxed))
    }

    /// While held, nothing is fresh: this process may no longer be the one that serves.
    pub fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Relaxed);
    }

    pub fn is_fresh(&self) -> bool {
        self.age_ms() <= self.max_stale_ms && !self.is_held.load(Relaxed)
    }
}

/// What the owner is asked to do.
pub enum Command {
    Refresh(oneshot::Sender<Result<(), FeedLost>>),
    Push(Vec<Change>, oneshot::Sender<Result<(), FeedLost>>),
}

/// Everybody's handle.
#[derive(Clone)]
pub struct Feed {
    commands: mpsc::Sender<Command>,
    tables: watch::Receiver<Arc<Tables>>,
    pub freshness: Freshness,
}

impl Feed {
    pub fn tables(&self) -> Arc<Tables> {
        self.tables.borrow().clone()
    }

    /// Snapshots as they come.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Tables>> {
        self.tables.clone()
    }

    /// Reads what was committed up to now; what an administrator did a moment ago is then known.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn refresh(&self) -> Result<(), FeedLost> {
        let (done, wait) = oneshot::channel();
        let asked = async {
            self.commands.send(Command::Refresh(done)).await.map_err(|_| FeedLost)?;
            wait.await.map_err(|_| FeedLost)?
        };
        tokio::time::timeout(REFRESH_DEADLINE, asked).await.map_err(|_| FeedLost)?
    }

    /// Current tables: as they are while fresh, read again when not.
    ///
    /// # Errors
    /// They are too old and the database did not answer.
    pub async fn fresh_tables(&self) -> Result<Arc<Tables>, FeedLost> {
        if !self.freshness.is_fresh() {
            self.refresh().await?;
        }
        if self.freshness.is_fresh() { Ok(self.tables()) } else { Err(FeedLost) }
    }

    /// Tells every shard of this process and waits until each has it.
    ///
    /// # Errors
    /// A shard did not acknowledge in time.
    pub async fn push(&self, changes: Vec<Change>) -> Result<(), FeedLost> {
        let (done, wait) = oneshot::channel();
        self.commands.send(Command::Push(changes, done)).await.map_err(|_| FeedLost)?;
        wait.await.map_err(|_| FeedLost)?
    }
}

/// The owner's side.
pub struct Publisher {
    pub tables: Tables,
    snapshots: watch::Sender<Arc<Tables>>,
    shards: Option<ShardSenders<EdgeMessage>>,
    /// Every shard has the tables as they are.
    is_acknowledged: bool,
    /// Marks by the second they may be forgotten; may name one twice.
    expiries: BTreeMap<i64, Vec<MarkKey>>,
    pub freshness: Freshness,
}

/// A feed and its owner's side, with the commands the owner must serve.
pub fn channel(issuer: &str, freshness: Freshness) -> (Feed, Publisher, mpsc::Receiver<Command>) {
    let tables = Tables::new(issuer);
    let (snapshots, receiver) = watch::channel(Arc::new(tables.clone()));
    let (sender, commands) = mpsc::channel(COMMANDS_MAX);
    let feed = Feed { commands: sender, tables: receiver, freshness: freshness.clone() };
    (
        feed,
        Publisher { tables, snapshots, shards: None, is_acknowledged: true, expiries: BTreeMap::new(), freshness },
        commands,
    )
}

impl Publisher {
    /// From now on these shards receive snapshots too; they get the present one at once.
    pub async fn attach(&mut self, shards: ShardSenders<EdgeMessage>) -> Result<(), FeedLost> {
        self.shards = Some(shards);
        self.publish().await
    }

    /// Applies changes and, when something moved, publishes and waits for the shards.
    ///
    /// # Errors
    /// A shard did not acknowledge in time.
    pub async fn apply(&mut self, changes: Vec<Change>) -> Result<(), FeedLost> {
        self.note_expiries(&changes);
        let has_moved = self.tables.apply(changes);
        if has_moved || !self.is_acknowledged { self.publish().await } else { Ok(()) }
    }

    fn note_expiries(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::Mark(key, mark) = change {
                self.expiries.entry(mark.expires_s).or_default().push(*key);
            }
        }
    }

    /// Forgets the marks that can concern nothing alive; nobody needs to be told.
    pub fn forget_expired_marks(&mut self, now_s: i64) {
        let later = self.expiries.split_off(&(now_s + 1));
        for key in std::mem::replace(&mut self.expiries, later).into_values().flatten() {
            self.tables.forget_mark(key, now_s);
        }
    }

    /// Replaces everything (a full load), keeping versions growing so that caches look again.
    ///
    /// # Errors
    /// A shard did not acknowledge in time.
    pub async fn replace(&mut self, changes: Vec<Change>) -> Result<(), FeedLost> {
        self.expiries.clear();
        self.note_expiries(&changes);
        let mut tables = Tables::new(&self.tables.issuer);
        tables.entities_version = self.tables.entities_version + 1;
        tables.marks_version = self.tables.marks_version + 1;
        tables.apply(changes);
        self.tables = tables;
        self.publish().await
    }

    /// The shards first: the backend's own no ("already revoked") must not be said before they say it too.
    async fn publish(&mut self) -> Result<(), FeedLost> {
        let snapshot = Arc::new(self.tables.clone());
        self.is_acknowledged = false;
        self.tell_shards(&snapshot).await?;
        self.is_acknowledged = true;
        // The old snapshot is dropped here, not on a shard.
        let _old = self.snapshots.send_replace(snapshot);
        Ok(())
    }

    async fn tell_shards(&self, snapshot: &Arc<Tables>) -> Result<(), FeedLost> {
        let Some(shards) = &self.shards else { return Ok(()) };
        let mut waits = Vec::with_capacity(shards.count());
        shards.send(|_| {
            let (acknowledge, wait) = oneshot::channel();
            waits.push(wait);
            Control::Service(EdgeMessage { tables: snapshot.clone(), acknowledge })
        });
        let due = Instant::now() + ACKNOWLEDGE_DEADLINE;
        for wait in waits {
            // A shard that has ended (shutdown) drops its end; it serves nothing any more.
            if tokio::time::timeout_at(due, wait).await.is_err() {
                return Err(FeedLost);
            }
        }
        Ok(())
    }
}
