//! When requests are due, and which is next. Pure: the clock and the end are passed in.
//!
//! The due moment of request *i* follows from *i* alone; neither the server's pace nor our own can shift it.
//! Rejected: sleeping "1/rate" between sends, which slows down with the server and hides its stalls.

use std::collections::VecDeque;

/// Due moments of one generator thread: every `threads`-th of the whole schedule.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    rate: f64,
    threads: u64,
    thread: u64,
}

impl Pace {
    pub fn new(rate: f64, threads: usize, thread: usize) -> Self {
        Self { rate, threads: threads as u64, thread: thread as u64 }
    }

    /// Nanoseconds since the start. An f64 keeps the whole of a run of days to well under a microsecond.
    pub fn due_ns(&self, index: u64) -> u64 {
        let position = index * self.threads + self.thread;
        (position as f64 * 1e9 / self.rate) as u64
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// To be sent now: it was due at this moment.
    Due(u64),
    /// Its deadline has passed while nobody could send it.
    Overdue(u64),
    /// Nothing before this moment.
    NotYet(u64),
    /// Every request of the run has been taken.
    Ended,
}

#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    next: u64,
    /// Taken, but the connection they were meant for was gone: they go first.
    returned: VecDeque<u64>,
    deadline_ns: u64,
}

impl Schedule {
    pub fn new(pace: Pace, deadline_ns: u64) -> Self {
        Self { pace, next: 0, returned: VecDeque::new(), deadline_ns }
    }

    /// The next request at `now_ns` of a run that ends at `end_ns`.
    pub fn take(&mut self, now_ns: u64, end_ns: u64) -> Taken {
        let due_ns = match self.returned.pop_front() {
            Some(due_ns) => due_ns,
            None => match self.advance(now_ns, end_ns) {
                Ok(due_ns) => due_ns,
                Err(nothing) => return nothing,
            },
        };
        if due_ns.saturating_add(self.deadline_ns) <= now_ns {
            return Taken::Overdue(due_ns);
        }
        Taken::Due(due_ns)
    }

    /// Only what nobody may send any more; the rest stays for a stream that becomes free.
    pub fn take_overdue(&mut self, now_ns: u64, end_ns: u64) -> Option<u64> {
        let first = self.returned.front().copied().unwrap_or_else(|| self.pace.due_ns(self.next));
        if first.saturating_add(self.deadline_ns) > now_ns {
            return None;
        }
        match self.take(now_ns, end_ns) {
            Taken::Overdue(due_ns) => Some(due_ns),
            _ => None,
        }
    }

    pub fn give_back(&mut self, due_ns: u64) {
        self.returned.push_back(due_ns);
    }

    pub fn is_exhausted(&self, end_ns: u64) -> bool {
        self.returned.is_empty() && self.pace.due_ns(self.next) >= end_ns
    }

    fn advance(&mut self, now_ns: u64, end_ns: u64) -> Result<u64, Taken> {
        let due_ns = self.pace.due_ns(self.next);
        if due_ns >= end_ns {
            return Err(Taken::Ended);
        }
        if due_ns > now_ns {
            return Err(Taken::NotYet(due_ns));
        }
        self.next += 1;
        Ok(due_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn schedule(rate: f64) -> Schedule {
        Schedule::new(Pace::new(rate, 1, 0), 100 * MS)
    }

    #[test]
    fn a_stalled_server_shifts_no_due_moment() {
        let mut schedule = schedule(1000.0);
        assert_eq!(schedule.take(0, 1000 * MS), Taken::Due(0));
        assert_eq!(schedule.take(0, 1000 * MS), Taken::NotYet(MS));
        // Nobody could send for 50 ms: all fifty are still there, each with its own moment.
        let late: Vec<Taken> = (0..50).map(|_| schedule.take(50 * MS, 1000 * MS)).collect();
        let expected: Vec<Taken> = (1..=50).map(|i| Taken::Due(i * MS)).collect();
        assert_eq!(late, expected);
        assert_eq!(schedule.take(50 * MS, 1000 * MS), Taken::NotYet(51 * MS));
    }

    #[test]
    fn every_request_of_the_run_is_taken_once() {
        let mut schedule = schedule(1000.0);
        let (mut due, mut overdue) = (0, 0);
        loop {
            match schedule.take(500 * MS, 300 * MS) {
                Taken::Due(_) => due += 1,
                Taken::Overdue(_) => overdue += 1,
                Taken::NotYet(_) => panic!("everything is in the past"),
                Taken::Ended => break,
            }
        }
        assert_eq!((due, overdue), (0, 300), "deadlines of 100 ms have passed for all of them");
        assert!(schedule.is_exhausted(300 * MS));
    }

    #[test]
    fn overdue_ones_are_told_apart_from_those_that_can_still_be_sent() {
        let mut schedule = schedule(1000.0);
        let mut gone = 0;
        while schedule.take_overdue(120 * MS, 1000 * MS).is_some() {
            gone += 1;
        }
        assert_eq!(gone, 21, "due at 0..=20 ms, deadline 100 ms");
        assert_eq!(schedule.take(120 * MS, 1000 * MS), Taken::Due(21 * MS));
    }

    #[test]
    fn what_was_given_back_goes_first_and_keeps_its_moment() {
        let mut schedule = schedule(1000.0);
        assert_eq!(schedule.take(0, 2 * MS), Taken::Due(0));
        schedule.give_back(0);
        assert!(!schedule.is_exhausted(0));
        assert_eq!(schedule.take(MS, 2 * MS), Taken::Due(0));
        assert_eq!(schedule.take(MS, 2 * MS), Taken::Due(MS));
        assert_eq!(schedule.take(MS, 2 * MS), Taken::Ended);
    }

    #[test]
    fn threads_share_one_schedule_without_overlap() {
        let whole = Pace::new(3000.0, 1, 0);
        let mut parts: Vec<u64> =
            (0..3).flat_map(|t| (0..10).map(move |i| Pace::new(3000.0, 3, t).due_ns(i))).collect();
        parts.sort_unstable();
        assert_eq!(parts, (0..30).map(|i| whole.due_ns(i)).collect::<Vec<_>>());
    }

    #[test]
    fn the_millionth_request_is_due_when_it_should() {
        assert_eq!(Pace::new(1000.0, 1, 0).due_ns(1_000_000), 1_000_000 * MS);
        let week = 86_400 * 7 * 1000;
        assert_eq!(Pace::new(1000.0, 1, 0).due_ns(week), week * MS);
    }
}
