//! A hash thread and the desk at which it gets its work.
//!
//! The owner of a desk locks it twice for each job, to take it and to lay it back; `hash-queue` gives only to a desk
//! whose last job it has collected, so the two never want the lock for long.

use super::queue::Queue;
use super::recipe::Recipe;
use crate::clock::monotonic_us;
use argon2::Block;
use std::collections::TryReserveError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::thread::{JoinHandle, Thread};
use zeroize::{Zeroize as _, Zeroizing};

/// Everything a hash needs, its output's room included, so that the hash thread allocates nothing.
pub(super) struct Work {
    pub recipe: Recipe,
    pub password: Zeroizing<Vec<u8>>,
    pub salt: Vec<u8>,
    pub output: Vec<u8>,
    /// Reserved and not yet written, where the thread keeps too little.
    room: Vec<Block>,
}

impl Work {
    pub fn new(recipe: Recipe, password: Zeroizing<Vec<u8>>, salt: Vec<u8>, output_bytes: usize) -> Self {
        Self { recipe, password, salt, output: vec![0; output_bytes], room: Vec::new() }
    }

    /// Reserves what is needed beyond `kept_kib`; `hash-queue` does it for what it lays on a desk.
    pub fn make_room(&mut self, kept_kib: u32) -> Result<(), TryReserveError> {
        let needed_kib = self.recipe.argon2_kib();
        if needed_kib > kept_kib { self.room.try_reserve_exact(needed_kib as usize) } else { Ok(()) }
    }
}

/// Work that lies on its desk again.
pub(super) struct Finished {
    pub work: Work,
    pub worked_us: u64,
    pub end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    Panicked,
}

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Given(Work),
    Finished(Finished),
}

#[derive(Default)]
pub(super) struct Desk {
    slot: Mutex<Slot>,
    has_work: AtomicBool,
    is_closed: AtomicBool,
    owner: OnceLock<Thread>,
}

impl Desk {
    /// Lays work on a free desk. Its owner does not look at it before, so this never waits.
    pub fn give(&self, work: Work) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot::Given(work);
        self.has_work.store(true, Ordering::Release);
        self.ring();
    }

    /// Takes finished work away, if there is some and its owner is not just there.
    pub fn collect(&self) -> Option<Finished> {
        let mut slot = match self.slot.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        match std::mem::take(&mut *slot) {
            Slot::Finished(finished) => Some(finished),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Sends the owner home once it has no work.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.ring();
    }

    fn ring(&self) {
        if let Some(owner) = self.owner.get() {
            owner.unpark();
        }
    }

    /// The owner's side: waits for work; `None` when closed.
    fn take(&self) -> Option<Work> {
        loop {
            if let Some(work) = self.find_given() {
                return Some(work);
            }
            if self.is_closed.load(Ordering::Acquire) {
                return None;
            }
            std::thread::park();
        }
    }

    pub(super) fn find_given(&self) -> Option<Work> {
        if !self.has_work.swap(false, Ordering::Acquire) {
            return None;
        }
        match std::mem::take(&mut *self.slot.lock().unwrap_or_else(PoisonError::into_inner)) {
            Slot::Given(work) => Some(work),
            Slot::Empty | Slot::Finished(_) => None,
        }
    }

    pub(super) fn lay_back(&self, finished: Finished) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot::Finished(finished);
    }
}

/// Starts the owner of a desk with `memory_kib` of its own.
pub(super) fn start(index: usize, memory_kib: u32, desk: &Arc<Desk>, queue: Arc<Queue>) -> io::Result<JoinHandle<()>> {
    let blocks = memory_kib as usize;
    let mut memory: Vec<Block> = Vec::new();
    memory.try_reserve_exact(blocks).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let owned = desk.clone();
    let thread = std::thread::Builder::new().name(format!("hash{index}")).spawn(move || {
        // Written once here, so that no hash waits for the kernel to find pages.
        memory.resize(blocks, Block::new());
        if let Err(error) = become_idle() {
            tracing::warn!(%error, index, "a hash thread keeps its priority; logins may slow down everything else");
        }
        while let Some(work) = owned.take() {
            owned.lay_back(compute(work, &mut memory));
            queue.ring();
        }
    })?;
    let _ = desk.owner.set(thread.thread().clone());
    Ok(thread)
}

pub(super) fn compute(mut work: Work, memory: &mut [Block]) -> Finished {
    let began_us = monotonic_us();
    let Work { recipe, password, salt, output, room } = &mut work;
    // Within what is reserved, so nothing is allocated here.
    room.resize(room.capacity(), Block::new());
    let memory = if room.is_empty() { memory } else { room.as_mut_slice() };
    let hash = || recipe.compute(password, salt, output, memory);
    // The memory may be half written then; the next job overwrites all that it reads.
    let end = match catch_unwind(AssertUnwindSafe(hash)) {
        Ok(Ok(())) => End::Done,
        Ok(Err(_)) => End::Failed,
        Err(_) => End::Panicked,
    };
    password.as_mut_slice().zeroize();
    Finished { work, worked_us: monotonic_us().saturating_sub(began_us), end }
}

/// Puts this thread into the class that runs when nobody else wants the core. There is no way back without rights.
#[allow(unsafe_code, reason = "sched_setscheduler")]
fn become_idle() -> io::Result<()> {
    // SAFETY: sched_param is plain data for which all-zero bytes are valid (and the priority that SCHED_IDLE wants);
    // the call reads it, and pid 0 names the calling thread.
    let status = unsafe {
        let parameter: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter)
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
