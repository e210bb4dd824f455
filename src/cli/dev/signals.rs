//! SIGTERM and Ctrl-C before the server handles them itself.
//!
//! A first start takes a moment, and a signal in it must not leave PostgreSQL running. The handlers are in place
//! before anything is started; whoever prepares asks between two steps, and again when the server is ready.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::fault::Fault;

#[derive(Clone)]
pub struct Signals(Arc<AtomicBool>);

impl Signals {
    /// From here on the two signals end nothing by themselves.
    #[expect(clippy::disallowed_methods, reason = "must hear signals before the server's runtime exists")]
    pub fn watch() -> Result<Self, Fault> {
        let system = |source| Fault::System { doing: "cannot watch for signals".into(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(system)?;
        let (terminate, interrupt) = {
            let _entered = runtime.enter();
            (signal(SignalKind::terminate()).map_err(system)?, signal(SignalKind::interrupt()).map_err(system)?)
        };
        let signals = Self(Arc::default());
        let arrived = signals.0.clone();
        let watch = move || {
            runtime.block_on(first_of(terminate, interrupt));
            arrived.store(true, Ordering::Release);
        };
        std::thread::Builder::new().name("dev-signals".into()).spawn(watch).map_err(system)?;
        Ok(signals)
    }

    pub fn have_arrived(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// For a signal that came before the server listened for it: sent once more.
    pub fn repeat(&self) {
        if self.have_arrived() {
            let kill = format!("kill -TERM {}", std::process::id());
            // Should it fail, the person in front presses Ctrl-C again, and the server hears it.
            let _ = Command::new("sh").args(["-c", &kill]).status();
        }
    }
}

async fn first_of(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
