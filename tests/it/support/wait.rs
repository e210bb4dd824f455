//! Waiting: for something that can be seen, with a deadline. The only place of the tests that sleeps.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine, short enough to end a run.
pub const DEADLINE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Lets time pass: for a fault that lasts, and for a load that has its beat. Nothing may be concluded from it.
#[allow(dead_code, reason = "for drills")]
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// This machine's clock, in Unix seconds.
pub fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Looks until `look` gives something. Panics at the deadline, saying what was awaited.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "in vain awaited: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same for a condition.
pub async fn until_true(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    until(what, async || is_so().await.then_some(())).await;
}

/// The same for tests' own threads and setup, which have no runtime.
pub fn until_blocking<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "in vain awaited: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The rest between two questions of somebody who is in no hurry, and leaves the machine to others.
pub async fn pause() {
    tokio::time::sleep(LOOK_EVERY).await;
}

/// Ends a future at the deadline.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let Ok(done) = tokio::time::timeout(DEADLINE, future).await else { panic!("took too long: {what}") };
    done
}
