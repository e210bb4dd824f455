//! Where the free streams of one generator thread wait for requests, and requests for a free stream.
//!
//! A stream that finds a due request takes it at once; otherwise it takes a seat, and the pacer hands the next
//! request to whoever has waited longest, which spreads a light load over all connections. A request nobody
//! could send before its deadline is recorded as failed: it was due, so it counts.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::record::{Kind, Passage, Recorder};
use crate::schedule::{Schedule, Taken};
use crate::timer::{Clock, Timer};

/// A request to be sent now.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    pub due_ns: u64,
    pub stream_was_free: bool,
}

/// One stream's place to wait.
#[derive(Default)]
pub struct Seat {
    given: RefCell<VecDeque<Due>>,
    /// How often it stands in the line: once for each stream of a connection that is driven as one.
    places: Cell<usize>,
    called: Notify,
}

impl Seat {
    pub fn places(&self) -> usize {
        self.places.get()
    }

    pub async fn called(&self) {
        self.called.notified().await;
    }

    pub fn next_given(&self) -> Option<Due> {
        self.given.borrow_mut().pop_front()
    }
}

/// Every request of the run has been taken.
pub struct RunIsOver;

/// How the connections of this thread are: what an unsendable request failed of.
pub struct Health {
    pub up: Cell<usize>,
    pub last: Cell<Kind>,
}

pub struct Line {
    /// None: a closed loop, in which a request is due when a stream is free.
    schedule: RefCell<Option<Schedule>>,
    seats: RefCell<VecDeque<Rc<Seat>>>,
    seated: Notify,
    clock: Clock,
    end_ns: Arc<AtomicU64>,
    recorder: Recorder,
    pub health: Health,
}

enum Turn {
    Wait { ns: u64 },
    NobodyFree,
    Ended,
}

impl Line {
    pub fn new(schedule: Option<Schedule>, clock: Clock, end_ns: Arc<AtomicU64>, recorder: Recorder) -> Self {
        Self {
            schedule: RefCell::new(schedule),
            seats: RefCell::default(),
            seated: Notify::new(),
            clock,
            end_ns,
            recorder,
            health: Health { up: Cell::new(0), last: Cell::new(Kind::Connect) },
        }
    }

    pub fn is_closed_loop(&self) -> bool {
        self.schedule.borrow().is_none()
    }

    /// The next request for the stream of `seat`; None when the run has none left.
    pub async fn claim(&self, seat: &Rc<Seat>) -> Option<Due> {
        match self.claim_now() {
            Ok(Some(due)) => return Some(due),
            Ok(None) => {}
            Err(RunIsOver) => return None,
        }
        self.sit(seat, 1);
        seat.called().await;
        seat.next_given()
    }

    /// The next request for a stream that is free; None when nothing is due.
    pub fn claim_now(&self) -> Result<Option<Due>, RunIsOver> {
        match self.take() {
            // Somebody seated would have been called by now: then it is the pacer that is late.
            Taken::Due(due_ns) => Ok(Some(Due { due_ns, stream_was_free: !self.seats.borrow().is_empty() })),
            Taken::NotYet(_) => Ok(None),
            Taken::Overdue(_) | Taken::Ended => Err(RunIsOver),
        }
    }

    /// Waits for so many requests.
    pub fn sit(&self, seat: &Rc<Seat>, places: usize) {
        if places > 0 {
            self.seats.borrow_mut().extend(std::iter::repeat_n(seat, places).map(Rc::clone));
            seat.places.update(|there| there + places);
            self.seated.notify_one();
        }
    }

    /// Waits no more; what was given to it already.
    pub fn leave(&self, seat: &Rc<Seat>) -> Vec<Due> {
        self.seats.borrow_mut().retain(|other| !Rc::ptr_eq(other, seat));
        seat.places.set(0);
        seat.given.borrow_mut().drain(..).collect()
    }

    /// The connection was gone before the request could be sent: another one will.
    pub fn give_back(&self, due: Due) {
        match self.schedule.borrow_mut().as_mut() {
            Some(schedule) => schedule.give_back(due.due_ns),
            None => return,
        }
        self.seated.notify_one();
    }

    /// Serves the seats until every request of the run has been taken.
    pub async fn pace(&self, timer: &Timer) -> std::io::Result<()> {
        loop {
            match self.turn() {
                Turn::Wait { ns } => timer.sleep_ns(ns.min(LOOK_UP_NS)).await?,
                Turn::NobodyFree => {
                    // Either somebody sits down, or it is time to look for overdue requests.
                    let _ = timeout(Duration::from_nanos(LOOK_UP_NS), self.seated.notified()).await;
                }
                Turn::Ended => return Ok(()),
            }
        }
    }

    /// After the last stream has gone: what came back too late to be sent again has failed.
    pub fn give_up(&self) {
        if self.is_closed_loop() {
            return;
        }
        while let Taken::Due(due_ns) = self.take() {
            self.record_unsent(due_ns, self.clock.now_ns());
        }
    }

    fn turn(&self) -> Turn {
        loop {
            if self.seats.borrow().is_empty() {
                return self.turn_without_seats();
            }
            match self.take() {
                Taken::Due(due_ns) => self.hand_out(Due { due_ns, stream_was_free: true }),
                Taken::NotYet(due_ns) => return Turn::Wait { ns: due_ns.saturating_sub(self.clock.now_ns()) },
                Taken::Overdue(_) => {}
                Taken::Ended => return self.dismiss(),
            }
        }
    }

    fn turn_without_seats(&self) -> Turn {
        let (now_ns, end_ns) = (self.clock.now_ns(), self.end_ns.load(Ordering::Relaxed));
        let mut schedule = self.schedule.borrow_mut();
        let Some(schedule) = schedule.as_mut() else {
            return if now_ns < end_ns { Turn::Wait { ns: end_ns - now_ns } } else { Turn::Ended };
        };
        while let Some(due_ns) = schedule.take_overdue(now_ns, end_ns) {
            self.record_unsent(due_ns, now_ns);
        }
        if schedule.is_exhausted(end_ns) { Turn::Ended } else { Turn::NobodyFree }
    }

    fn hand_out(&self, due: Due) {
        let seat = self.seats.borrow_mut().pop_front();
        if let Some(seat) = seat {
            seat.given.borrow_mut().push_back(due);
            seat.places.update(|there| there.saturating_sub(1));
            seat.called.notify_one();
        }
    }

    fn dismiss(&self) -> Turn {
        for seat in self.seats.borrow_mut().drain(..) {
            seat.places.set(0);
            seat.called.notify_one();
        }
        Turn::Ended
    }

    /// Never `Overdue`: those are recorded on the way.
    fn take(&self) -> Taken {
        loop {
            let (now_ns, end_ns) = (self.clock.now_ns(), self.end_ns.load(Ordering::Relaxed));
            let taken = match self.schedule.borrow_mut().as_mut() {
                Some(schedule) => schedule.take(now_ns, end_ns),
                None if now_ns < end_ns => Taken::Due(now_ns),
                None => Taken::Ended,
            };
            match taken {
                Taken::Overdue(due_ns) => self.record_unsent(due_ns, now_ns),
                other => return other,
            }
        }
    }

    fn record_unsent(&self, due_ns: u64, now_ns: u64) {
        let kind = if self.health.up.get() > 0 { Kind::Timeout } else { self.health.last.get() };
        let passage = Passage { due_ns, sent_ns: None, done_ns: now_ns, stream_was_free: false };
        self.recorder.record(&passage, Err(kind));
    }
}

/// How long the pacer may sleep before it looks whether the end has moved.
const LOOK_UP_NS: u64 = 50_000_000;
