//! One HTTP/1.1 connection of the load, kept up: connected again when it is lost, while its streams wait.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::client::{Connected, Requests, Target};
use crate::line::Line;
use crate::record::{Passage, Recorder};
use crate::timer::Clock;

pub struct Link {
    state: RefCell<State>,
    changed: Notify,
}

enum State {
    Down,
    Up {
        generation: u64,
        requests: Requests,
    },
    /// The run is over: nobody need wait.
    Closed,
}

impl Link {
    pub fn down() -> Rc<Self> {
        Rc::new(Self { state: RefCell::new(State::Down), changed: Notify::new() })
    }

    /// A connection newer than `seen`, waiting for it; None when the run is over.
    pub async fn requests(&self, seen: u64) -> Option<(u64, Requests)> {
        loop {
            // Registered before looking: a change in between is not missed.
            let changed = self.changed.notified();
            match &*self.state.borrow() {
                State::Up { generation, requests } if *generation > seen => {
                    return Some((*generation, requests.clone()));
                }
                State::Closed => return None,
                State::Up { .. } | State::Down => {}
            }
            changed.await;
        }
    }

    pub fn close(&self) {
        self.set(State::Closed);
    }

    fn set(&self, state: State) {
        *self.state.borrow_mut() = state;
        self.changed.notify_waiters();
    }

    fn is_closed(&self) -> bool {
        matches!(*self.state.borrow(), State::Closed)
    }
}

/// What keeps links up.
pub struct Keeper {
    pub target: Target,
    pub line: Rc<Line>,
    pub recorder: Recorder,
    pub clock: Clock,
}

impl Keeper {
    /// Connects, drives the connection until it ends, connects again. `first` was connected before the run.
    pub async fn keep(self: Rc<Self>, link: Rc<Link>, first: Option<Connected>) {
        let mut next = first;
        let mut generation = 0;
        while !link.is_closed() {
            let connected = match next.take() {
                Some(connected) => Some(connected),
                None => self.connect().await,
            };
            match connected {
                Some(connected) if !link.is_closed() => {
                    generation += 1;
                    self.drive(&link, generation, connected).await;
                }
                _ => tokio::time::sleep(BACKOFF).await,
            }
        }
    }

    async fn drive(&self, link: &Link, generation: u64, connected: Connected) {
        self.recorder.note_link(|links| links.opened += 1);
        link.set(State::Up { generation, requests: connected.requests });
        self.line.health.up.update(|up| up + 1);
        let ended = connected.wire.await;
        self.line.health.up.update(|up| up.saturating_sub(1));
        if link.is_closed() {
            return;
        }
        self.line.health.last.set(crate::record::Kind::Reset);
        link.set(State::Down);
        self.recorder.note_link(|links| {
            links.lost += 1;
            links.why = Some(ended.map_or_else(|why| why, |()| "the server closed the connection".to_owned()));
        });
    }

    /// In a closed loop a failed attempt stands for the request that could not be made.
    async fn connect(&self) -> Option<Connected> {
        let due_ns = self.clock.now_ns();
        let (kind, why) = match self.target.connect().await {
            Ok(connected) => return Some(connected),
            Err(failed) => failed,
        };
        self.line.health.last.set(kind);
        self.recorder.note_link(|links| {
            links.failed += 1;
            links.why = Some(format!("{}: {why}", kind.label()));
        });
        if self.line.is_closed_loop() {
            let passage = Passage { due_ns, sent_ns: None, done_ns: self.clock.now_ns(), stream_was_free: true };
            self.recorder.record(&passage, Err(kind));
        }
        None
    }
}

const BACKOFF: Duration = Duration::from_millis(50);
