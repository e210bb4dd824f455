#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use super::queue::{Answer, Job, Queue};
use super::recipe::{ITERATIONS_MAX, PARALLELISM_MAX};
use super::thread::{Desk, Work, compute};
use super::*;
use argon2::Block;

const SETTINGS: PoolSettings =
    PoolSettings { threads: 2, queue_max: 64, deadline: Duration::from_mins(1), memory_kib: 256, memory_kib_max: 1024 };
const CHEAP: Cost = Cost { memory_kib: 256, iterations: 2, parallelism: 1 };

fn password(text: &str) -> Password {
    Password::new(text.as_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from_digit(half.into(), 16).unwrap())
        .collect()
}

/// Vectors of the reference implementation (phc-winner-argon2, test.c, Argon2id version 19).
#[tokio::test]
async fn a_hash_is_argon2id_as_the_reference_computes_it() {
    let pool = HashPool::start(SETTINGS).unwrap();
    let two_lanes = Cost { parallelism: 2, ..CHEAP };
    for (reason, cost, text, salt, expected) in [
        ("one lane", CHEAP, "password", "somesalt", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
        (
            "two lanes",
            two_lanes,
            "password",
            "somesalt",
            "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037",
        ),
        (
            "one lane, in used memory",
            CHEAP,
            "password",
            "somesalt",
            "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
        ),
    ] {
        let hashed = pool.hash(password(text), salt.as_bytes(), cost).await.unwrap();
        assert_eq!(hex(&hashed.output), expected, "{reason}");
    }
    pool.close().await;
}

#[tokio::test]
async fn only_the_password_that_was_hashed_verifies() {
    let pool = HashPool::start(SETTINGS).unwrap();
    let salt = [7; 16];
    let output = pool.hash(password("correct horse"), &salt, CHEAP).await.unwrap().output;
    let dearer = Cost { iterations: 3, ..CHEAP };
    for (reason, text, salt, cost, is_match) in [
        ("the same", "correct horse", [7; 16], CHEAP, true),
        ("another password", "correct horsf", [7; 16], CHEAP, false),
        ("no password", "", [7; 16], CHEAP, false),
        ("another salt", "correct horse", [8; 16], CHEAP, false),
        ("another cost", "correct horse", [7; 16], dearer, false),
    ] {
        let verified = pool.verify(password(text), &salt, &output, cost).await.unwrap();
        assert_eq!(verified.is_match, is_match, "{reason}");
    }
}

/// Made by argon2-cffi: more memory than the threads keep, so it gets room of its own.
#[tokio::test]
async fn a_dearer_job_gets_room_and_the_next_does_not_keep_it() {
    let pool = HashPool::start(PoolSettings { threads: 1, ..SETTINGS }).unwrap();
    let dear = Cost { memory_kib: 600, iterations: 2, parallelism: 2 };
    for _ in 0..2 {
        let hashed = pool.hash(password("password"), b"somesalt", dear).await.unwrap();
        assert_eq!(hex(&hashed.output), "315512790365423ca233275d7818a92b8df1a41351e3b451753e6b9dddf004ac");
        let hashed = pool.hash(password("password"), b"somesalt", CHEAP).await.unwrap();
        assert_eq!(hex(&hashed.output), "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe");
    }
}

#[tokio::test]
async fn another_recipe_verifies_on_the_same_threads() {
    let pool = HashPool::start(SETTINGS).unwrap();
    let recipe = Recipe::Pbkdf2 { hmac: Pbkdf2Hmac::Sha256, iterations: 1000 };
    let output = pool.hash(password("correct horse"), b"salt", recipe.clone()).await.unwrap().output;
    for (reason, text, is_match) in [("the same", "correct horse", true), ("another", "correct horsf", false)] {
        let verified = pool.verify(password(text), b"salt", &output, recipe.clone()).await.unwrap();
        assert_eq!(verified.is_match, is_match, "{reason}");
    }
    let long = Password::new(vec![b'x'; recipe::SHA_CRYPT_PASSWORD_BYTES_MAX + 1]);
    let rounds = Recipe::Sha512Crypt { rounds: 1000 };
    let verified = pool.verify(long, b"salt", &[0; 64], rounds).await;
    assert_eq!(verified.unwrap_err(), HashFault::BadInput, "every round would hash all of it");
}

#[tokio::test]
async fn what_is_out_of_bounds_never_waits() {
    let pool = HashPool::start(SETTINGS).unwrap();
    let cost = |memory_kib, iterations, parallelism| Cost { memory_kib, iterations, parallelism };
    for (reason, cost) in [
        ("more memory than a job may have", cost(1025, 2, 1)),
        ("no iteration", cost(256, 0, 1)),
        ("minutes of iterations", cost(256, ITERATIONS_MAX + 1, 1)),
        ("no lane", cost(256, 2, 0)),
        ("too many lanes", cost(1024, 2, PARALLELISM_MAX + 1)),
        ("less memory than lanes need", cost(15, 2, 2)),
    ] {
        assert_eq!(pool.hash(password("x"), &[0; 16], cost).await.unwrap_err(), HashFault::BadCost, "{reason}");
    }
    let long = Password::new(vec![b'x'; PASSWORD_BYTES_MAX + 1]);
    assert_eq!(pool.hash(long, &[0; 16], CHEAP).await.unwrap_err(), HashFault::BadInput, "a long password");
    for (reason, salt, expected) in [
        ("a short salt", 7, 32),
        ("a long salt", SALT_BYTES_MAX + 1, 32),
        ("a short output", 16, 3),
        ("a long output", 16, OUTPUT_BYTES_MAX + 1),
    ] {
        let verified = pool.verify(password("x"), &vec![0; salt], &vec![0; expected], CHEAP).await;
        assert_eq!(verified.unwrap_err(), HashFault::BadInput, "{reason}");
    }
}

#[tokio::test]
async fn every_thread_is_of_the_idle_class_and_the_queue_is_not() {
    let pool = HashPool::start(SETTINGS).unwrap();
    // Each thread is in its class before it takes work; with more jobs than one begins, both have taken some.
    let jobs = (0..8).map(|_| pool.hash(password("x"), &[0; 16], CHEAP));
    for job in jobs {
        job.await.unwrap();
    }
    let class = |name: &str| loop {
        if let Some(policy) = find_policy(name) {
            return policy;
        }
    };
    assert_eq!(class("hash-queue"), libc::SCHED_OTHER);
    for name in ["hash0", "hash1"] {
        // A thread that had no job yet may still be writing its memory.
        while class(name) != libc::SCHED_IDLE {
            std::thread::yield_now();
        }
    }
}

/// The scheduling policy of a thread of this process: field 41 of its `stat`.
fn find_policy(name: &str) -> Option<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok()).find_map(|stat| {
        let (head, fields) = stat.rsplit_once(") ")?;
        head.ends_with(&format!("({name}")).then(|| fields.split(' ').nth(38).unwrap().parse().unwrap())
    })
}

/// A queue whose one desk has no thread: the test is the thread, so nothing depends on time.
struct ByHand {
    queue: Arc<Queue>,
    desk: Arc<Desk>,
    thread: JoinHandle<()>,
}

impl ByHand {
    fn new(queue_max: usize) -> Self {
        let (queue, desk) = (Arc::new(Queue::new(queue_max)), Arc::new(Desk::default()));
        let thread = queue::start(&queue, vec![desk.clone()], 256).unwrap();
        Self { queue, desk, thread }
    }

    fn submit(&self, text: &str, due: Instant) -> Result<oneshot::Receiver<Answer>, HashFault> {
        let work = Work::new(CHEAP.into(), password(text).0, vec![0; 16], OUTPUT_BYTES);
        let (asker, answer) = oneshot::channel();
        self.queue.submit(Job::new(work, due, asker)).map(|()| answer)
    }

    /// What lies on the desk, as soon as something does.
    fn take(&self) -> Work {
        loop {
            if let Some(work) = self.desk.find_given() {
                return work;
            }
            std::thread::yield_now();
        }
    }

    fn finish(&self, work: Work) {
        self.desk.lay_back(compute(work, &mut vec![Block::new(); 256]));
        self.queue.ring();
    }

    fn end(self) {
        self.queue.close();
        self.thread.join().unwrap();
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_mins(10)
}

#[test]
fn a_full_queue_refuses_at_once_and_takes_again() {
    let by_hand = ByHand::new(2);
    let first = by_hand.submit("first", far()).unwrap();
    let work = by_hand.take();
    let second = by_hand.submit("second", far()).unwrap();
    let third = by_hand.submit("third", far()).unwrap();
    assert_eq!(by_hand.submit("fourth", far()).unwrap_err(), HashFault::Full, "one is worked on, two wait");
    by_hand.finish(work);
    assert!(first.blocking_recv().unwrap().is_ok());
    let work = by_hand.take();
    assert_eq!(work.password.as_slice(), b"second", "in the order of arrival");
    let fifth = by_hand.submit("fifth", far()).unwrap();
    for work in [work].into_iter().chain(std::iter::repeat_with(|| by_hand.take()).take(2)) {
        by_hand.finish(work);
    }
    for answer in [second, third, fifth] {
        assert!(answer.blocking_recv().unwrap().is_ok());
    }
    by_hand.end();
}

#[test]
fn a_job_that_is_late_before_it_begins_is_never_run() {
    let by_hand = ByHand::new(4);
    let _first = by_hand.submit("first", far()).unwrap();
    let work = by_hand.take();
    let late = by_hand.submit("late", Instant::now() + Duration::from_millis(1)).unwrap();
    assert_eq!(late.blocking_recv().unwrap().unwrap_err(), HashFault::Late, "refused while the desk is taken");
    let next = by_hand.submit("next", far()).unwrap();
    by_hand.finish(work);
    let work = by_hand.take();
    assert_eq!(work.password.as_slice(), b"next");
    by_hand.finish(work);
    assert!(next.blocking_recv().unwrap().is_ok());
    by_hand.end();
}

#[test]
fn a_job_whose_asker_went_away_is_never_run() {
    let by_hand = ByHand::new(4);
    let _first = by_hand.submit("first", far()).unwrap();
    let work = by_hand.take();
    drop(by_hand.submit("gone", far()).unwrap());
    let _next = by_hand.submit("next", far()).unwrap();
    by_hand.finish(work);
    let work = by_hand.take();
    assert_eq!(work.password.as_slice(), b"next");
    by_hand.finish(work);
    by_hand.end();
}

#[test]
fn closing_ends_what_was_begun_and_refuses_the_rest() {
    let by_hand = ByHand::new(4);
    let first = by_hand.submit("first", far()).unwrap();
    let work = by_hand.take();
    let waiting = by_hand.submit("waiting", far()).unwrap();
    by_hand.queue.close();
    assert_eq!(waiting.blocking_recv().unwrap().unwrap_err(), HashFault::Closed);
    assert_eq!(by_hand.submit("new", far()).unwrap_err(), HashFault::Closed);
    by_hand.finish(work);
    assert!(first.blocking_recv().unwrap().is_ok());
    by_hand.end();
}

#[test]
fn a_hashed_password_is_wiped() {
    let by_hand = ByHand::new(1);
    let _answer = by_hand.submit("hunter2", far()).unwrap();
    let finished = compute(by_hand.take(), &mut vec![Block::new(); 256]);
    assert_eq!(finished.work.password.as_slice(), [0; 7]);
    by_hand.desk.lay_back(finished);
    by_hand.queue.ring();
    by_hand.end();
}

#[tokio::test]
async fn the_asker_has_an_answer_by_the_deadline_whatever_the_threads_do() {
    let (queue, desk) = (Arc::new(Queue::new(4)), Arc::new(Desk::default()));
    let thread = queue::start(&queue, vec![desk.clone()], 256).unwrap();
    let settings = PoolSettings { deadline: Duration::from_millis(1), ..SETTINGS };
    let pool = HashPool { settings, queue, threads: Mutex::new(vec![thread]), fail: Fail::default() };
    // A busy machine may let the millisecond pass before the job is begun: then it is asked again.
    let work = loop {
        assert_eq!(pool.hash(password("begun"), &[0; 16], CHEAP).await.unwrap_err(), HashFault::Late);
        if let Some(work) = desk.find_given() {
            break work;
        }
    };
    let never_begun = pool.hash(password("waits"), &[0; 16], CHEAP).await;
    assert_eq!(never_begun.unwrap_err(), HashFault::Late);
    desk.lay_back(compute(work, &mut vec![Block::new(); 256]));
    pool.queue.ring();
    pool.close().await;
}

#[test]
fn the_memory_of_a_pool_is_known_before_it_starts() {
    let settings = PoolSettings { threads: 4, memory_kib: 19_456, memory_kib_max: 65_536, ..SETTINGS };
    assert_eq!(settings.memory_bytes(), 4 * 19 * 1024 * 1024);
    assert_eq!(settings.memory_bytes_max(), 4 * (19 + 64) * 1024 * 1024);
    let settings = PoolSettings { memory_kib_max: 19_456, ..settings };
    assert_eq!(settings.memory_bytes_max(), settings.memory_bytes(), "no job needs more than its thread keeps");
}

#[test]
fn a_password_is_not_printed() {
    assert_eq!(format!("{:?}", password("hunter2")), "[password]");
}
