//! How often a hot answer allocates. The figure is exact and the same on every machine.

#![allow(clippy::print_stdout, reason = "the figures are for people to read")]

mod support;

use sigid_edge::shard::Memo;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::World;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counted for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code, reason = "a global allocator cannot be written without")]
// SAFETY: every call is handed to the system's allocator as it came; counting touches thread-local integers that
// need neither allocation nor destruction.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller's promises about the layout are passed on.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller's promises about pointer and layout are passed on.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: the caller's promises about pointer, layout and size are passed on.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn note(bytes: usize) {
    COUNT.set(COUNT.get() + 1);
    BYTES.set(BYTES.get() + bytes as u64);
}

/// Runs per figure; the first one is not counted.
const RUNS: u64 = 1000;

fn main() {
    let world = World::new();
    let mut memo = Memo::default();
    println!("{:>12} {:>10}", "allocations", "bytes");
    print("cached answer", || world.ask_live(&mut memo));
    print("cached answer, first on its connection", || world.ask_live(&mut Memo::default()));
    print("answer with the signature known", || {
        world.shard.replies.borrow_mut().remove(world.digest);
        world.ask_live(&mut memo);
    });
    print("token minted", || drop(world.mint()));
}

fn print(what: &str, mut work: impl FnMut()) {
    work();
    let before = (COUNT.get(), BYTES.get());
    for _ in 0..RUNS {
        work();
    }
    let (count, bytes) = (COUNT.get() - before.0, BYTES.get() - before.1);
    println!("{:>12.2} {:>10.0}  {what}", count as f64 / RUNS as f64, bytes as f64 / RUNS as f64);
}
