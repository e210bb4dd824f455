//! Password hashes on threads of their own: bytes in, bytes out, a bounded wait.
//!
//! Ours are Argon2id (RFC 9106); a [`Recipe`] says how else, for what was imported. A hash costs more than a thousand introspections and tens of megabytes, so it runs neither on a shard nor in the
//! backend. A fixed number of threads (`hash0`, `hash1` ...) do nothing else, each under SCHED_IDLE, which was
//! measured to be the one class that never stalled a shard, and each with its memory made once and used again. What
//! waits for them is a queue of a fixed length: a full one refuses at once, and a job that could not begin before
//! its deadline is never begun. The asker has an answer by the deadline, whatever the threads do.
//!
//! ```text
//!  askers (tokio) ── inbox ──> hash-queue ──> desk 0 <─> hash0   SCHED_IDLE
//!         ^                     (normal)  ──> desk 1 <─> hash1   SCHED_IDLE
//!         └────── oneshot ─────────┘
//! ```
//!
//! **Nobody waits for an idle thread.** A thread under SCHED_IDLE can be off its core for a second while the shards
//! are busy. Were it to hold a lock just then (of a queue, of the runtime it wakes, of the allocator), everybody who
//! wants that lock would stand still with it. So the hash threads share nothing with the askers: each has a desk, and
//! one thread of normal priority, `hash-queue`, lays work on it and takes it away. That thread only ever *tries* the
//! desk's lock; a failed try means that the owner has it and will ring when it is done. A hash thread allocates
//! nothing, frees nothing, wakes no task and writes no log line: the work comes with its output buffer, and with room
//! where it needs more than the thread keeps, and goes back whole.
//!
//! There is one exception, scrypt, whose crate allocates its memory itself. For as long as accounts imported with scrypt
//! have not signed in once, a hash thread may be preempted with an arena of the allocator locked. The memory of such a
//! job is within the same bound as every other.
//!
//! Memory: each thread keeps [`PoolSettings::memory_kib`], enough for our own hashes. A dearer job, which only an
//! imported hash is, gets room of its own up to [`PoolSettings::memory_kib_max`] while it lies on a desk, so the threads
//! together never have more than [`PoolSettings::memory_bytes_max`].
//!
//! Limits: [`PoolSettings`], and [`PASSWORD_BYTES_MAX`], [`SALT_BYTES_MAX`], [`OUTPUT_BYTES_MAX`] and those of [`recipe`]
//! for one job: parameters may come out of a stored hash.
//!
//! Attacks considered: a login storm (queue, deadline, class); a stored hash that asks for gigabytes or minutes
//! (refused before it waits); a peer that goes away (its job is not begun); passwords in memory (wiped as soon as
//! they are hashed; the working memory is not wiped, the next job overwrites it); a comparison that tells where it
//! differs (constant time); a job that panics (caught, counted, the thread lives on).
//!
//! Rejected: tokio's blocking pool (hundreds of threads of normal priority), nice 19 and SCHED_BATCH (stalled shards
//! for tens of milliseconds), lanes in parallel (a login would take several cores; they are computed in turn).

pub mod machine;
mod queue;
pub mod recipe;
#[cfg(test)]
mod tests;
mod thread;

pub use recipe::{Argon2Kind, Argon2Version, Pbkdf2Hmac, Recipe, SignerKey};

use crate::backend::wait_blocking;
use crate::fail::{Fail, Point};
use crate::pg::PgFault;
use queue::{Job, Queue};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;
use thread::{Desk, Work};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// The longest password.
pub const PASSWORD_BYTES_MAX: usize = 4096;
/// The longest salt.
pub const SALT_BYTES_MAX: usize = 256;
/// The longest output that [`HashPool::verify`] compares.
pub const OUTPUT_BYTES_MAX: usize = 128;

/// What [`HashPool::hash`] gives.
pub const OUTPUT_BYTES: usize = 32;

/// How much the pool is and how long it lets wait.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    pub threads: usize,
    /// Jobs that wait; those being worked on are not counted.
    pub queue_max: usize,
    /// From submission to the answer.
    pub deadline: Duration,
    /// What each thread keeps from the start.
    pub memory_kib: u32,
    /// The dearest job; what it needs beyond `memory_kib` it has while it is worked on.
    pub memory_kib_max: u32,
}

impl PoolSettings {
    /// What the threads hold together from the start.
    pub fn memory_bytes(&self) -> u64 {
        self.threads.max(1) as u64 * u64::from(self.memory_kib) * 1024
    }

    /// What the threads may come to hold together, each at a dearest job beside what it keeps.
    pub fn memory_bytes_max(&self) -> u64 {
        let beside = if self.memory_kib_max > self.memory_kib { self.memory_kib_max } else { 0 };
        self.memory_bytes() + self.threads.max(1) as u64 * u64::from(beside) * 1024
    }
}

/// The parameters of one hash (RFC 9106 section 3.1: `m`, `t`, `p`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

/// What is hashed; wiped when dropped, never printed.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The password itself. Each call is a place where it could leak.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password]")
    }
}

/// Where the time of a job went.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    pub queued_us: u64,
    pub worked_us: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Hashed {
    pub output: [u8; OUTPUT_BYTES],
    pub spent: Spent,
}

#[derive(Clone, Copy, Debug)]
pub struct Verified {
    pub is_match: bool,
    pub spent: Spent,
}

/// Why there is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFault {
    /// As many wait as may.
    Full,
    /// The deadline passed.
    Late,
    /// The pool is being closed.
    Closed,
    /// Parameters out of bounds.
    BadCost,
    /// Password, salt or expected output out of bounds.
    BadInput,
    /// The computation failed or panicked.
    Failed,
}

impl HashFault {
    /// Whether the same job could succeed a moment later.
    pub fn is_busy(self) -> bool {
        match self {
            Self::Full | Self::Late | Self::Closed => true,
            Self::BadCost | Self::BadInput | Self::Failed => false,
        }
    }
}

impl fmt::Display for HashFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too many hashes wait",
            Self::Late => "the hash was not done in time",
            Self::Closed => "the hash pool is being closed",
            Self::BadCost => "the parameters of the hash are out of bounds",
            Self::BadInput => "the input of the hash is out of bounds",
            Self::Failed => "the hash failed",
        })
    }
}

impl std::error::Error for HashFault {}

/// The threads and their queue. Ends when closed or dropped.
pub struct HashPool {
    settings: PoolSettings,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    fail: Fail,
}

impl HashPool {
    /// Starts the threads; they make their memory before they take work.
    ///
    /// # Errors
    /// The system refused memory or threads.
    pub fn start(settings: PoolSettings) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(settings.queue_max));
        let pool = Self { settings, queue: queue.clone(), threads: Mutex::default(), fail: Fail::default() };
        let mut desks = Vec::new();
        for index in 0..settings.threads.max(1) {
            let desk = Arc::new(Desk::default());
            pool.keep(thread::start(index, settings.memory_kib, &desk, queue.clone())?);
            desks.push(desk);
        }
        pool.keep(queue::start(&queue, desks, settings.memory_kib)?);
        Ok(pool)
    }

    /// The same pool; development's fail points make it refuse, or answer late.
    #[must_use]
    pub fn with_fail(mut self, fail: &Fail) -> Self {
        self.fail = fail.of("hash");
        self
    }

    pub fn settings(&self) -> &PoolSettings {
        &self.settings
    }

    /// Hashes a password with a salt.
    ///
    /// # Errors
    /// Each [`HashFault`]; an answer comes within the deadline.
    pub async fn hash(&self, password: Password, salt: &[u8], recipe: impl Into<Recipe>) -> Result<Hashed, HashFault> {
        let (output, spent) = self.compute(password, salt, OUTPUT_BYTES, recipe.into()).await?;
        let output = output.as_slice().try_into().map_err(|_| HashFault::Failed)?;
        Ok(Hashed { output, spent })
    }

    /// Hashes a password as `expected` was, and compares in constant time.
    ///
    /// # Errors
    /// Each [`HashFault`]; an answer comes within the deadline.
    pub async fn verify(
        &self,
        password: Password,
        salt: &[u8],
        expected: &[u8],
        recipe: impl Into<Recipe>,
    ) -> Result<Verified, HashFault> {
        let (output, spent) = self.compute(password, salt, expected.len(), recipe.into()).await?;
        Ok(Verified { is_match: output.ct_eq(expected).into(), spent })
    }

    /// Refuses what comes and what waits, lets what was begun end, and waits for the threads.
    pub async fn close(&self) {
        self.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        wait_blocking(move || {
            for thread in threads {
                // A panic of its own would have been caught in the thread.
                let _ = thread.join();
            }
        })
        .await;
    }

    async fn compute(
        &self,
        password: Password,
        salt: &[u8],
        output_bytes: usize,
        recipe: Recipe,
    ) -> Result<(Vec<u8>, Spent), HashFault> {
        recipe.check(self.settings.memory_kib_max, salt.len(), output_bytes)?;
        if password.0.len() > recipe.password_bytes_max() {
            return Err(HashFault::BadInput);
        }
        self.fail.reach_within(Point::HashRun, self.settings.deadline).await.map_err(|fault| match fault {
            PgFault::Timeout => HashFault::Late,
            _ => HashFault::Full,
        })?;
        let work = Work::new(recipe, password.0, salt.to_vec(), output_bytes);
        let (asker, answer) = oneshot::channel();
        let due = Instant::now() + self.settings.deadline;
        self.queue.submit(Job::new(work, due, asker))?;
        match tokio::time::timeout_at(due.into(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(HashFault::Closed),
            Err(_late) => Err(HashFault::Late),
        }
    }

    fn keep(&self, thread: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.queue.close();
    }
}
