//! A clock of nanoseconds and a timer that keeps to microseconds. Tokio's own timer rounds to a millisecond,
//! which at a thousand requests a second would be the largest latency in the report.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::fault::Fault;

/// Nanoseconds since the run began; 0 before it.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    pub fn from(start: Instant) -> Self {
        Self(start)
    }

    pub fn now_ns(&self) -> u64 {
        Instant::now().saturating_duration_since(self.0).as_nanos() as u64
    }

    pub fn at(&self, ns: u64) -> Instant {
        self.0 + Duration::from_nanos(ns)
    }
}

pub struct Timer {
    fd: AsyncFd<OwnedFd>,
    /// Turn the loop instead of sleeping: a core that never halts wakes nobody late.
    spin: bool,
}

impl Timer {
    #[expect(
        deprecated,
        reason = "its replacement is unsafe for the sake of types that lie about their descriptor; an OwnedFd cannot"
    )]
    pub fn new(spin: bool) -> Result<Self, Fault> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(|e| Fault::local("timerfd", e))?;
        let fd = AsyncFd::with_interest(fd, Interest::READABLE).map_err(|e| Fault::local("timerfd", e))?;
        Ok(Self { fd, spin })
    }

    /// Short sleeps are a turn of the loop: setting the timer would take longer.
    pub async fn sleep_ns(&self, ns: u64) -> std::io::Result<()> {
        if self.spin || ns < TURN_NS {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let once = Itimerspec { it_interval: timespec(0), it_value: timespec(ns) };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.fd.readable().await?;
            let mut expirations = [0u8; 8];
            match rustix::io::read(self.fd.get_ref(), &mut expirations) {
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                read => return read.map(|_| ready.clear_ready()).map_err(Into::into),
            }
        }
    }
}

fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as _ }
}

const TURN_NS: u64 = 4_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn spinning_lets_others_run() {
        let timer = Timer::new(true).unwrap();
        let other = tokio::spawn(async {});
        timer.sleep_ns(1_000_000_000).await.unwrap();
        timer.sleep_ns(1_000_000_000).await.unwrap();
        assert!(other.is_finished());
    }

    #[tokio::test]
    async fn never_wakes_early_and_can_be_used_again() {
        let timer = Timer::new(false).unwrap();
        for _ in 0..20 {
            let before = Instant::now();
            timer.sleep_ns(200_000).await.unwrap();
            assert!(before.elapsed() >= Duration::from_micros(200));
        }
    }
}
