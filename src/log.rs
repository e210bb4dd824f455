//! The log: structured lines on standard error, for people or as JSON.
//!
//! Lines are handed to a thread of their own through a bounded queue, so that neither a shard nor a
//! request waits for a slow terminal; what does not fit is dropped and counted.

use crate::config::{LogFormat, Telemetry};
use sigid_io::metrics::{self, Counter};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines waiting to be written.
pub const LINES_MAX: usize = 16 * 1024;

/// Flushes what waits when dropped.
pub struct Log {
    _guard: WorkerGuard,
    errors: ErrorCounter,
    dropped: Counter,
}

impl Log {
    /// Moves the lines that were lost into the metric.
    pub fn count(&self) {
        let lost = self.errors.dropped_lines() as u64;
        self.dropped.add(lost.saturating_sub(self.dropped.value()));
    }
}

/// Starts the log; a second start in a process keeps the first's format.
pub fn start(telemetry: &Telemetry) -> Log {
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES_MAX).lossy(true).finish(std::io::stderr());
    let errors = writer.error_counter();
    // Below us, warnings are about peers: anybody could fill the log with them.
    let filter = EnvFilter::new(format!("{},h2=error,rustls=error,tokio_postgres=error", telemetry.log_level.as_str()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    let _ = match telemetry.log_format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Human => builder.with_ansi(false).finish().try_init(),
    };
    let dropped =
        metrics::counter("sigid_log_lines_dropped_total", "Log lines dropped because the queue was full.", &[]);
    Log { _guard: guard, errors, dropped }
}
