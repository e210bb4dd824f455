//! Wall-clock time, corrected to the database's clock; deadlines use the monotonic clock instead.
//!
//! Every node corrects its clock by the offset it measured to the database, so that "issued at or
//! before" means the same everywhere. In development a file may shift the clock for tests; the
//! shift moves this node and what it believes of the database alike.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A node's clock. Clones share the corrections.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Corrections>);

#[derive(Debug, Default)]
struct Corrections {
    database_offset_ms: AtomicI64,
    shift_ms: AtomicI64,
}

impl Clock {
    pub fn new() -> Self {
        Self::default()
    }

    /// Unix time in milliseconds.
    pub fn now_ms(&self) -> i64 {
        system_ms() + self.0.database_offset_ms.load(Relaxed) + self.0.shift_ms.load(Relaxed)
    }

    /// Unix time in seconds.
    pub fn now_s(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// The moment as `timestamptz` takes it.
    pub fn now(&self) -> SystemTime {
        system_time(self.now_s())
    }

    /// How far this machine's clock is behind the database's, in milliseconds.
    pub fn database_offset_ms(&self) -> i64 {
        self.0.database_offset_ms.load(Relaxed)
    }

    pub fn set_database_offset_ms(&self, offset_ms: i64) {
        self.0.database_offset_ms.store(offset_ms, Relaxed);
    }

    /// Reads the shift (whole seconds, may be negative) from `file` now and then each second, on a
    /// thread of its own. Development only. A missing or unreadable file means no shift.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn follow_offset_file(&self, file: PathBuf) -> std::io::Result<()> {
        self.read_offset_file(&file);
        let clock = self.clone();
        std::thread::Builder::new().name("clock-offset".into()).spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                clock.read_offset_file(&file);
            }
        })?;
        Ok(())
    }

    fn read_offset_file(&self, file: &PathBuf) {
        let shift_s = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<i64>().ok()).unwrap_or(0);
        self.0.shift_ms.store(shift_s.saturating_mul(1000), Relaxed);
    }
}

/// This machine's own wall clock, uncorrected, in Unix milliseconds.
pub fn system_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Unix seconds as a `SystemTime`; times before 1970 become 1970.
pub fn system_time(unix_s: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(unix_s).unwrap_or(0))
}

/// A `SystemTime` as Unix seconds; times before 1970 become 0.
pub fn unix_s(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Coarse readings for the hot path: a few nanoseconds each, a few milliseconds late.
impl Clock {
    /// Unix seconds, from the kernel's coarse clock.
    pub fn coarse_now_s(&self) -> i64 {
        let (seconds, nanos) = read(libc::CLOCK_REALTIME_COARSE);
        let ms = seconds * 1000 + nanos / 1_000_000;
        (ms + self.0.database_offset_ms.load(Relaxed) + self.0.shift_ms.load(Relaxed)).div_euclid(1000)
    }
}

/// Milliseconds since an arbitrary start; never goes back, is never shifted.
pub fn monotonic_ms() -> i64 {
    let (seconds, nanos) = read(libc::CLOCK_MONOTONIC_COARSE);
    seconds * 1000 + nanos / 1_000_000
}

/// Microseconds since an arbitrary start, precise: for measuring how long something took.
pub fn monotonic_us() -> u64 {
    let (seconds, nanos) = read(libc::CLOCK_MONOTONIC);
    u64::try_from(seconds * 1_000_000 + nanos / 1000).unwrap_or(0)
}

#[allow(unsafe_code, reason = "clock_gettime")]
fn read(clock: libc::clockid_t) -> (i64, i64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec, which the call fills.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec, time.tv_nsec)
}
