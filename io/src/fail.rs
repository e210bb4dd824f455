//! Fail points: named places at which a development run makes an await fail, stall, or lose its connection.
//!
//! Every await on the database, the feed and the pools has one ([`Point`]), so that a test can fail each of them once
//! and look at what is left: was the reply clean, is the state whole, does service return by itself. Without
//! `--fail-file` (development only, refused in production) a point is one look at an empty `Option`, on cold paths
//! only; no shard has one.
//!
//! The file is read anew at each point, so what it says holds from the moment it is written. One line a rule:
//!
//! ```text
//! # point[@pool]=action[*count][+skip]
//! tx.commit@all=error*1
//! *@feed=drop-connection*1+3
//! ```
//!
//! `*` is every point; without `@pool` every pool is meant; `+skip` lets so many hits pass first, and `*count` ends
//! the rule after so many. A changed file begins to count anew. Every strike adds a line `point@pool=action` to
//! FILE.hits before it has its effect, so that who waited for an answer knows whether it struck.
//!
//! Alternatives rejected: a cable to PostgreSQL that breaks (there is one in the tests; it cannot aim at one
//! statement), compiling points in by a feature (what is tested would not be what runs), a global registry.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::backend::BoxFuture;
use crate::pg::PgFault;

/// A place that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A connection is being opened; the pools are those of the planes, `feed`, `listen` and `lock`.
    Connect,
    /// A fresh connection of a pool is being prepared.
    PoolSetup,
    /// A connection is taken from the pool.
    PoolTake,
    /// A statement is prepared.
    Prepare,
    /// A statement outside of any transaction: checks at boot, the doorbell.
    Alone,
    /// BEGIN, which travels with the first statement.
    TxBegin,
    /// A statement that gives rows.
    TxQuery,
    /// A statement that changes rows.
    TxExecute,
    /// Before COMMIT is sent.
    TxCommit,
    /// COMMIT was done, and its answer is lost.
    TxCommitted,
    /// LISTEN is sent.
    ListenSubscribe,
    /// A ring arrives.
    ListenRing,
    /// The process lock of local coordination is asked for.
    LockTake,
    /// The connection that holds it is asked whether it lives.
    LockProbe,
    /// The feed's owner takes its turn: a poll, a ring, a refresh that somebody waits for.
    FeedTurn,
    /// The window is read.
    FeedWindow,
    /// What the window names is loaded.
    FeedNamed,
    /// Everything is loaded.
    FeedLoad,
    /// Shards are told and acknowledge.
    FeedPublish,
    /// The doorbell is rung for what this process pushed.
    FeedBell,
    /// The doorbell is rung after a change was committed.
    OutboxBell,
    /// An assertion is marked as used.
    ReplayConsume,
    /// The private halves of the signing keys are read.
    KeysRead,
    /// A password is given to the threads that hash; the pool is called `hash`.
    HashRun,
    /// A letter was handed to the provider, and that is not known yet; the pool is that of jobs.
    MailSent,
}

impl Point {
    /// All of them, in their order.
    pub const ALL: [Self; 25] = [
        Self::Connect,
        Self::PoolSetup,
        Self::PoolTake,
        Self::Prepare,
        Self::Alone,
        Self::TxBegin,
        Self::TxQuery,
        Self::TxExecute,
        Self::TxCommit,
        Self::TxCommitted,
        Self::ListenSubscribe,
        Self::ListenRing,
        Self::LockTake,
        Self::LockProbe,
        Self::FeedTurn,
        Self::FeedWindow,
        Self::FeedNamed,
        Self::FeedLoad,
        Self::FeedPublish,
        Self::FeedBell,
        Self::OutboxBell,
        Self::ReplayConsume,
        Self::KeysRead,
        Self::HashRun,
        Self::MailSent,
    ];

    /// As the file names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "pg.connect",
            Self::PoolSetup => "pool.setup",
            Self::PoolTake => "pool.take",
            Self::Prepare => "pg.prepare",
            Self::Alone => "pg.alone",
            Self::TxBegin => "tx.begin",
            Self::TxQuery => "tx.query",
            Self::TxExecute => "tx.execute",
            Self::TxCommit => "tx.commit",
            Self::TxCommitted => "tx.committed",
            Self::ListenSubscribe => "listen.subscribe",
            Self::ListenRing => "listen.ring",
            Self::LockTake => "lock.take",
            Self::LockProbe => "lock.probe",
            Self::FeedTurn => "feed.turn",
            Self::FeedWindow => "feed.window",
            Self::FeedNamed => "feed.named",
            Self::FeedLoad => "feed.load",
            Self::FeedPublish => "feed.publish",
            Self::FeedBell => "feed.bell",
            Self::OutboxBell => "outbox.bell",
            Self::ReplayConsume => "replay.consume",
            Self::KeysRead => "keys.read",
            Self::HashRun => "hash.run",
            Self::MailSent => "mail.sent",
        }
    }
}

/// What a struck point does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The await ends with a fault; the connection stays good.
    Error,
    /// The await does not end, for as long as the file stays as it is; what bounds it in earnest bounds it here.
    Stall,
    /// The connection breaks. Where a point holds none, the same as an error.
    DropConnection,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Stall => "stall",
            Self::DropConnection => "drop-connection",
        }
    }
}

/// The fail points of a process, or of one pool of it. By default none ever strikes. Cheap to clone.
#[derive(Clone, Default)]
pub struct Fail {
    armed: Option<Arc<Armed>>,
    pool: &'static str,
}

impl Fail {
    /// Points that do what `file` says at the moment they are reached.
    pub fn follow(file: PathBuf) -> Self {
        Self { armed: Some(Arc::new(Armed { file, rules: Mutex::default() })), pool: "" }
    }

    /// The same points, as those of this pool.
    #[must_use]
    pub fn of(&self, pool: &'static str) -> Self {
        Self { armed: self.armed.clone(), pool }
    }

    /// What happens here, now.
    pub fn at(&self, point: Point) -> Option<Strike> {
        let armed = self.armed.as_ref()?;
        let (action, text) = armed.strike(point, self.pool)?;
        Some(Strike { action, text, armed: armed.clone() })
    }

    /// For a place that holds no connection.
    ///
    /// # Errors
    /// A strike that is none of time.
    pub async fn reach(&self, point: Point) -> Result<(), PgFault> {
        match self.at(point) {
            Some(strike) => strike.endure().await,
            None => Ok(()),
        }
    }

    /// The same where `deadline` bounds what is awaited.
    ///
    /// # Errors
    /// A strike.
    pub async fn reach_within(&self, point: Point, deadline: Duration) -> Result<(), PgFault> {
        match self.at(point) {
            Some(strike) => strike.endure_within(deadline).await,
            None => Ok(()),
        }
    }
}

/// One hit of a rule.
pub struct Strike {
    pub action: Action,
    text: Arc<str>,
    armed: Arc<Armed>,
}

impl Strike {
    /// The same where something bounds what is awaited.
    pub(crate) fn endure_within(self, deadline: Duration) -> BoxFuture<'static, Result<(), PgFault>> {
        Box::pin(async move { tokio::time::timeout(deadline, self.endure()).await.unwrap_or(Err(PgFault::Timeout)) })
    }

    /// Suffers it: at once, or for as long as the file stays as it is. Boxed, so that what is rare makes no future
    /// large that is not.
    pub(crate) fn endure(self) -> BoxFuture<'static, Result<(), PgFault>> {
        Box::pin(async move {
            match self.action {
                Action::Error => Err(PgFault::Other("a fail point".into())),
                Action::DropConnection => Err(PgFault::Unreachable("a fail point broke the connection")),
                Action::Stall => {
                    while self.armed.read() == *self.text {
                        tokio::time::sleep(LOOK_EVERY).await;
                    }
                    Ok(())
                }
            }
        })
    }
}

struct Armed {
    file: PathBuf,
    rules: Mutex<Rules>,
}

#[derive(Default)]
struct Rules {
    text: Arc<str>,
    rules: Vec<Rule>,
}

impl Armed {
    fn read(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap_or_default()
    }

    fn strike(&self, point: Point, pool: &str) -> Option<(Action, Arc<str>)> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.read();
        if *text != *rules.text {
            *rules = Rules { rules: text.lines().filter_map(parse).collect(), text: text.into() };
        }
        let action = rules.rules.iter_mut().find_map(|rule| rule.hit(point, pool))?;
        self.note(point, pool, action);
        tracing::warn!(point = point.name(), pool, action = action.name(), "fail point");
        Some((action, rules.text.clone()))
    }

    fn note(&self, point: Point, pool: &str, action: Action) {
        let mut path = self.file.clone().into_os_string();
        path.push(".hits");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let noted = file.and_then(|mut file| writeln!(file, "{}@{pool}={}", point.name(), action.name()));
        if let Err(error) = noted {
            tracing::warn!(%error, "a fail point's strike could not be noted");
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    /// `None`: every point.
    point: Option<Point>,
    pool: Option<String>,
    action: Action,
    left: u32,
    skip: u32,
}

impl Rule {
    fn hit(&mut self, point: Point, pool: &str) -> Option<Action> {
        let is_meant = self.point.is_none_or(|meant| meant == point)
            && self.pool.as_deref().is_none_or(|meant| meant == pool)
            && self.left > 0;
        if !is_meant {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.left = self.left.saturating_sub(u32::from(self.left != u32::MAX));
        Some(self.action)
    }
}

/// One line; what says nothing is passed over, loudly unless it is meant to.
fn parse(line: &str) -> Option<Rule> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let rule = parse_rule(line);
    if rule.is_none() {
        tracing::error!(line, "a line of the fail file says nothing: point[@pool]=action[*count][+skip]");
    }
    rule
}

fn parse_rule(line: &str) -> Option<Rule> {
    let (place, what) = line.split_once('=')?;
    let (what, skip) = what.split_once('+').map_or(Some((what, 0)), |(what, skip)| Some((what, skip.parse().ok()?)))?;
    let (action, left) =
        what.split_once('*').map_or(Some((what, u32::MAX)), |(action, count)| Some((action, count.parse().ok()?)))?;
    let (point, pool) = place.split_once('@').map_or((place, None), |(point, pool)| (point, Some(pool.to_owned())));
    let actions = [Action::Error, Action::Stall, Action::DropConnection];
    Some(Rule {
        point: if point == "*" { None } else { Some(Point::ALL.into_iter().find(|known| known.name() == point)?) },
        pool,
        action: actions.into_iter().find(|known| known.name() == action)?,
        left,
        skip,
    })
}

/// Between two looks of a stalled point at its file.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_listed_once_under_its_own_name() {
        for (at, point) in Point::ALL.iter().enumerate() {
            assert_eq!(*point as usize, at, "{}", point.name());
        }
        let names: std::collections::BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }

    #[test]
    fn lines_are_read_or_passed_over() {
        let rule = |point, pool: Option<&str>, action, left, skip| {
            Some(Rule { point, pool: pool.map(str::to_owned), action, left, skip })
        };
        for (why, line, expected) in [
            ("for ever", "tx.begin=stall", rule(Some(Point::TxBegin), None, Action::Stall, u32::MAX, 0)),
            ("once", "tx.commit@all=error*1", rule(Some(Point::TxCommit), Some("all"), Action::Error, 1, 0)),
            ("later", "*@feed=drop-connection*2+7", rule(None, Some("feed"), Action::DropConnection, 2, 7)),
            ("skips without a count", "*=error+3", rule(None, None, Action::Error, u32::MAX, 3)),
            ("a remark", "# tx.begin=stall", None),
            ("nothing", "  ", None),
            ("no such point", "tx.nowhere=error", None),
            ("no such action", "tx.begin=explode", None),
            ("no number", "tx.begin=error*x", None),
            ("no action", "tx.begin", None),
        ] {
            assert_eq!(parse(line), expected, "{why}");
        }
    }

    #[test]
    fn a_rule_skips_then_strikes_then_is_over() {
        let mut rule = parse("tx.query@all=error*2+1").unwrap();
        let hits: Vec<bool> = (0..5).map(|_| rule.hit(Point::TxQuery, "all").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        let mut rule = parse("tx.query@all=error").unwrap();
        assert!(rule.hit(Point::TxQuery, "feed").is_none(), "another pool");
        assert!(rule.hit(Point::TxBegin, "all").is_none(), "another point");
        assert!((0..3).all(|_| rule.hit(Point::TxQuery, "all").is_some()), "for ever");
    }

    #[test]
    fn a_file_holds_from_the_moment_it_is_written_and_every_strike_is_noted() {
        let path = std::env::temp_dir().join(format!("sigid-fail-{}", std::process::id()));
        let hits = path.with_extension("hits");
        let fail = Fail::follow(path.clone()).of("all");
        assert!(fail.at(Point::TxBegin).is_none(), "there is no file yet");
        for turn in 0..2 {
            std::fs::write(&path, format!("# {turn}\ntx.begin=error*1")).unwrap();
            assert_eq!(fail.at(Point::TxBegin).map(|strike| strike.action), Some(Action::Error), "counts anew");
            assert!(fail.at(Point::TxBegin).is_none(), "once");
        }
        assert_eq!(std::fs::read_to_string(&hits).unwrap(), "tx.begin@all=error\n".repeat(2));
        assert!(Fail::default().at(Point::TxBegin).is_none(), "nothing is armed by default");
        std::fs::remove_file(path).unwrap();
        std::fs::remove_file(hits).unwrap();
    }
}
