//! The reader of the feed: the one owner of the tables in a process.
//!
//! ```text
//!  doorbell ─┐
//!  poll ─────┼─> read the window (one statement: cursor, clock, rows) ─> reload what it names ─> publish
//!  refresh ──┘                                      push (this process revoked) ────────────────> publish
//! ```
//!
//! The window: the cursor is the snapshot (`pg_current_snapshot`) of the statement that read last, and the
//! next look takes the rows whose transactions that snapshot could not see. A transaction that commits
//! late is found by the look after its commit, whatever came before it; one that stays open delays
//! nothing, and nothing is read twice. Rejected: a sequence number (skips late commits), waiting for the
//! horizon (one open transaction anywhere stalls every revocation), and re-reading all above the horizon
//! (the same open transaction makes every look longer).
//!
//! A full load happens at start, when the timeline or the system id changes (failover, restore), when the database
//! has recovered from a crash, when the window is too wide ([`WINDOW_ROWS_MAX`]) and after an outage longer than
//! [`OUTAGE_MAX`], well below the feed's retention. (A crash: a transaction that wrote nothing durable, such as a ring
//! of the doorbell, is in a cursor as seen, and its id is given out again after the recovery. Its second owner's rows
//! would be passed over for ever.) A failed read changes nothing: age grows, and past
//! `edge.max_stale_ms` the hot path stops answering from memory.

mod sql;

use sigid_edge::feed::{ACKNOWLEDGE_DEADLINE, Command, FeedLost, Publisher};
use sigid_edge::tables::{Change, Mark};
use sigid_io::clock::{self, Clock};
use sigid_io::fail::Point;
use sigid_io::metrics::{self, Counter, Gauge};
use sigid_io::pg::{self, PgFault, Pools, Scope};
use sigid_io::shard::ShardSenders;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::outbox::{FEED_CHANNEL, News};

/// Rows of one look; more is a full load.
pub const WINDOW_ROWS_MAX: i64 = 50_000;
/// Without a read for this long, the window may have lost rows: a full load.
pub const OUTAGE_MAX: Duration = Duration::from_hours(6);
/// Rests between two rings of the doorbell by this process.
const RING_REST: Duration = Duration::from_millis(5);

/// The reader, before it runs.
pub struct Reader {
    pools: Pools,
    clock: Clock,
    publisher: Publisher,
    commands: mpsc::Receiver<Command>,
    rings: mpsc::Receiver<()>,
    poll: Duration,
    position: Option<Position>,
    counters: Counters,
    bell: Arc<Notify>,
}

/// Where the last read ended.
struct Position {
    cursor: String,
    origin: (i64, String),
    read_ms: i64,
}

struct Counters {
    reads: Counter,
    failures: Counter,
    loads: Counter,
    rows: Counter,
    sizes: [Gauge; 4],
}

/// Somebody who waits for a command's outcome.
type Waiting = oneshot::Sender<Result<(), FeedLost>>;

/// What one look at the database gives.
struct Window {
    cursor: String,
    origin: (i64, String),
    database_ms: i64,
    rows: Vec<sql::FeedRow>,
}

impl Reader {
    /// `rings` is the doorbell's receiver; `poll` the longest wait between two looks.
    pub fn new(
        pools: Pools,
        clock: Clock,
        publisher: Publisher,
        commands: mpsc::Receiver<Command>,
        rings: mpsc::Receiver<()>,
        poll: Duration,
    ) -> Self {
        let size =
            |table| metrics::gauge("sigid_table_entries", "Entries of the tables in memory.", &[("table", table)]);
        let counters = Counters {
            reads: metrics::counter("sigid_feed_reads_total", "Looks at the feed.", &[("outcome", "ok")]),
            failures: metrics::counter("sigid_feed_reads_total", "Looks at the feed.", &[("outcome", "failed")]),
            loads: metrics::counter("sigid_feed_full_loads_total", "Full loads of the tables.", &[]),
            rows: metrics::counter("sigid_feed_rows_total", "Feed rows applied.", &[]),
            sizes: publisher_sizes(&publisher).map(size),
        };
        Self { pools, clock, publisher, commands, rings, poll, position: None, counters, bell: Arc::new(Notify::new()) }
    }

    /// The first full load; nothing is served before it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn load(&mut self) -> Result<(), PgFault> {
        self.read().await
    }

    /// From now on these shards are told too.
    ///
    /// # Errors
    /// A shard did not take the first snapshot.
    pub async fn attach(&mut self, shards: ShardSenders<sigid_edge::shard::EdgeMessage>) -> Result<(), FeedLost> {
        self.publisher.attach(shards).await
    }

    /// Reads until every [`sigid_edge::feed::Feed`] is gone.
    pub async fn run(mut self) {
        let ringer = sigid_io::backend::spawn(ring(self.pools.clone(), self.bell.clone()));
        // Pushes do not put the next look off.
        let mut looks = tokio::time::interval(self.poll);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let command = tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => Some(command),
                    None => break,
                },
                _ = self.rings.recv() => None,
                _ = looks.tick() => None,
            };
            self.turn(command).await;
        }
        ringer.abort();
    }

    /// One turn: pushes first, then one read for everybody who waits for one.
    async fn turn(&mut self, first: Option<Command>) {
        let mut refreshes: Vec<Waiting> = Vec::new();
        let mut pushes = Vec::new();
        let (mut is_push_only, mut next) = (first.is_some(), first);
        loop {
            match next {
                Some(Command::Refresh(done)) => refreshes.push(done),
                Some(Command::Push(changes, done)) => pushes.push((changes, done)),
                None => break,
            }
            next = self.commands.try_recv().ok();
        }
        is_push_only &= refreshes.is_empty();
        if !pushes.is_empty() {
            self.push(pushes).await;
        }
        if is_push_only {
            return;
        }
        let outcome = self.read().await.map_err(|error| {
            self.counters.failures.inc();
            tracing::warn!(%error, "the feed could not be read");
            FeedLost
        });
        for done in refreshes {
            let _ = done.send(outcome);
        }
    }

    async fn push(&mut self, pushes: Vec<(Vec<Change>, Waiting)>) {
        let (changes, waiting): (Vec<_>, Vec<_>) = pushes.into_iter().unzip();
        let outcome = match self.pools.feed().fail().reach_within(Point::FeedPublish, ACKNOWLEDGE_DEADLINE).await {
            Ok(()) => self.publisher.apply(changes.into_iter().flatten().collect()).await,
            Err(_) => Err(FeedLost),
        };
        self.bell.notify_one();
        for done in waiting {
            let _ = done.send(outcome);
        }
    }

    async fn read(&mut self) -> Result<(), PgFault> {
        self.pools.feed().fail().reach(Point::FeedTurn).await?;
        let began_ms = clock::monotonic_ms();
        let is_late = |position: &Position| began_ms - position.read_ms > OUTAGE_MAX.as_millis() as i64;
        let window = match self.position.take_if(|position| is_late(position)) {
            Some(_) => None,
            None => self.read_window().await?,
        };
        match window {
            Some(window) => self.apply_window(window, began_ms).await?,
            None => self.load_all(began_ms).await?,
        }
        self.counters.reads.inc();
        self.publisher.forget_expired_marks(self.clock.now_s());
        self.publisher.freshness.set_read(began_ms);
        for (gauge, (_, size)) in self.counters.sizes.iter().zip(self.publisher.tables.sizes()) {
            gauge.set(size as i64);
        }
        Ok(())
    }

    /// `None` when a full load is due instead.
    async fn read_window(&mut self) -> Result<Option<Window>, PgFault> {
        let Some(position) = &self.position else { return Ok(None) };
        self.pools.feed().reach(Point::FeedWindow).await?;
        let mut tx = self.pools.feed().begin(Scope::System("feed")).await?;
        let asked_ms = clock::system_ms();
        let window = sql::read_window(&mut tx, &position.cursor, WINDOW_ROWS_MAX).await?;
        self.correct_clock(asked_ms, window.database_ms);
        tx.commit().await?;
        let is_same = window.origin == position.origin;
        Ok((is_same && (window.rows.len() as i64) < WINDOW_ROWS_MAX).then_some(window))
    }

    async fn apply_window(&mut self, window: Window, began_ms: i64) -> Result<(), PgFault> {
        let changes = if window.rows.is_empty() { Vec::new() } else { self.changes_of(&window.rows).await? };
        self.counters.rows.add(window.rows.len() as u64);
        self.publish(changes).await?;
        self.position = Some(Position { cursor: window.cursor, origin: window.origin, read_ms: began_ms });
        Ok(())
    }

    /// What the rows name, as it is now; a row that is not there any more was deleted.
    async fn changes_of(&self, rows: &[sql::FeedRow]) -> Result<Vec<Change>, PgFault> {
        let mut named = sql::Named::default();
        let mut changes = Vec::new();
        for row in rows {
            match &row.news {
                Some(News::Tenant(tenant)) => named.tenants.push(*tenant),
                Some(News::Client(_, client)) => named.clients.push(client.clone()),
                Some(News::Key(kid)) => named.keys.push(kid.clone()),
                Some(News::Mark(mark)) => {
                    changes.push(Change::Mark(mark.key, Mark { at_s: mark.at_s, expires_s: mark.expires_s }));
                }
                None => tracing::warn!(id = row.id, "a feed row of a kind that this build does not know"),
            }
        }
        if !named.is_empty() {
            self.pools.feed().reach(Point::FeedNamed).await?;
            let mut tx = self.pools.feed().begin(Scope::System("feed")).await?;
            changes.extend(sql::load_named(&mut tx, &named).await?);
            tx.commit().await?;
        }
        Ok(changes)
    }

    /// Everything. The cursor is taken first, so what commits during the load is read again after it.
    async fn load_all(&mut self, began_ms: i64) -> Result<(), PgFault> {
        self.pools.feed().reach(Point::FeedLoad).await?;
        let mut tx = self.pools.feed().begin(Scope::System("feed")).await?;
        let asked_ms = clock::system_ms();
        let window = sql::read_position(&mut tx).await?;
        self.correct_clock(asked_ms, window.database_ms);
        let changes = sql::load_all(&mut tx, self.clock.now_s()).await?;
        tx.commit().await?;
        self.publisher.replace(changes).await.map_err(|FeedLost| STALLED)?;
        self.counters.loads.inc();
        self.position = Some(Position { cursor: window.cursor, origin: window.origin, read_ms: began_ms });
        Ok(())
    }

    async fn publish(&mut self, changes: Vec<Change>) -> Result<(), PgFault> {
        self.pools.feed().fail().reach_within(Point::FeedPublish, ACKNOWLEDGE_DEADLINE).await?;
        self.publisher.apply(changes).await.map_err(|FeedLost| STALLED)
    }

    /// The database's clock is the nodes' common one. Its reading is dated to the middle of the question; a slow
    /// answer says too little to move a clock by.
    fn correct_clock(&self, asked_ms: i64, database_ms: i64) {
        let answered_ms = clock::system_ms();
        if answered_ms - asked_ms <= CLOCK_ROUND_TRIP_MS_MAX {
            self.clock.set_database_offset_ms(database_ms - i64::midpoint(asked_ms, answered_ms));
        }
    }
}

/// A reading of the database's clock that took longer is not used.
const CLOCK_ROUND_TRIP_MS_MAX: i64 = 100;

const STALLED: PgFault = PgFault::Unreachable("a shard did not take the new tables");

fn publisher_sizes(publisher: &Publisher) -> [&'static str; 4] {
    publisher.tables.sizes().map(|(table, _)| table)
}

/// Rings for other nodes when this process pushed; many pushes are one ring.
async fn ring(pools: Pools, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        let rung = async {
            pools.feed().reach(Point::FeedBell).await?;
            pg::notify(pools.feed(), FEED_CHANNEL).await
        };
        if let Err(error) = rung.await {
            tracing::warn!(%error, "the feed's doorbell was not rung; other nodes will poll");
        }
        tokio::time::sleep(RING_REST).await;
    }
}
