//! How many passwords a second all cores verify: the bare Argon2 crate with its memory reused, the hash pool, and the
//! service that a login asks.
//!
//! Each round is the same number of hashes with the same parameters on the same cores, so the ratios carry over to other
//! machines; the machine should have nothing else to do, since the pool's threads run when nobody else wants the core.
//! The ratio of processor time holds on a busy machine too.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "the ratios are for people to read")]

use argon2::{Algorithm, Argon2, Block, Params, Version};
use criterion::{Criterion, SamplingMode, Throughput};
use sigid_io::backend;
use sigid_io::clock::monotonic_us;
use sigid_io::hash_pool::{Cost, HashPool, Password, PoolSettings, machine};
use sigid_login::password::{LENGTH_FLOOR, Passwords, Verdict};
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// What `[auth]` has when nobody says otherwise.
const COST: Cost = Cost { memory_kib: 19_456, iterations: 2, parallelism: 1 };
/// Hashes of a round, for each core.
const HASHES_PER_CORE: usize = 8;
const PASSWORD: &[u8] = b"correct horse battery staple";
const SALT: [u8; 16] = [7; 16];

fn main() {
    let cores = machine::cores();
    let count = cores * HASHES_PER_CORE;
    let mut memories = vec![vec![Block::new(); COST.memory_kib as usize]; cores];
    let settings = PoolSettings {
        threads: cores,
        queue_max: count,
        deadline: Duration::from_mins(5),
        memory_kib: COST.memory_kib,
        memory_kib_max: COST.memory_kib,
    };
    let pool = Arc::new(HashPool::start(settings).unwrap());
    let passwords = Arc::new(Passwords::new(pool.clone(), COST, LENGTH_FLOOR));
    let runtime = backend::runtime(1).unwrap();
    let stored: Arc<str> = runtime.block_on(passwords.hash(&password())).unwrap().into();

    let mut spent = [Spent::default(); 3];
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("passwords");
    group.throughput(Throughput::Elements(count as u64)).sample_size(10).sampling_mode(SamplingMode::Flat);
    let mut measure = |index: usize, name: &str, round: &mut dyn FnMut()| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let (began_us, began_cpu_s) = (monotonic_us(), cpu_s());
                (0..times).for_each(|_| round());
                let took = Duration::from_micros(monotonic_us() - began_us);
                spent[index].add(count as u64 * times, took, cpu_s() - began_cpu_s);
                took
            });
        });
    };
    measure(0, "argon2_bare", &mut || hash_bare(&mut memories));
    measure(1, "pool", &mut || {
        let jobs = (0..count).map(|_| {
            let pool = pool.clone();
            async move { pool.hash(password(), &SALT, COST).await.map(drop).unwrap() }
        });
        run_all(&runtime, jobs);
    });
    measure(2, "verify", &mut || {
        let jobs = (0..count).map(|_| {
            let (passwords, stored) = (passwords.clone(), stored.clone());
            async move {
                let verdict = passwords.verify(Some(&stored), &password()).await.unwrap();
                assert_eq!(verdict, Verdict::Match { upgrade: false });
            }
        });
        run_all(&runtime, jobs);
    });
    group.finish();
    let [bare, pool, verify] = spent;
    println!("\n{cores} cores, hashes a second: {bare}; {pool} in the pool; {verify} verified");
    for (name, other) in [("pool", pool), ("verify", verify)] {
        println!("{:>7.3}  {name} / bare, hashes a second; at least 0.95", other.per_second() / bare.per_second());
        println!(
            "{:>7.3}  {name} / bare, processor time of a hash; at most 1.05",
            other.cpu_per_hash() / bare.cpu_per_hash()
        );
    }
}

/// What all rounds of one way took.
#[derive(Clone, Copy, Default)]
struct Spent {
    hashes: u64,
    wall_s: f64,
    cpu_s: f64,
}

impl Spent {
    fn add(&mut self, hashes: u64, wall: Duration, cpu_s: f64) {
        self.hashes += hashes;
        self.wall_s += wall.as_secs_f64();
        self.cpu_s += cpu_s;
    }

    fn per_second(&self) -> f64 {
        self.hashes as f64 / self.wall_s
    }

    fn cpu_per_hash(&self) -> f64 {
        self.cpu_s / self.hashes as f64
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ({:.1} ms of a core each)", self.per_second(), self.cpu_per_hash() * 1000.0)
    }
}

/// The processor time of all threads of this process: fields 14 and 15 of its `stat`, in hundredths of a second.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

fn password() -> Password {
    Password::new(PASSWORD.to_vec())
}

/// Each core its share, in memory of its own.
fn hash_bare(memories: &mut [Vec<Block>]) {
    let params = Params::new(COST.memory_kib, COST.iterations, COST.parallelism, None).unwrap();
    let argon2 = &Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    std::thread::scope(|scope| {
        for memory in memories {
            scope.spawn(move || {
                let mut output = [0; 32];
                for _ in 0..HASHES_PER_CORE {
                    argon2
                        .hash_password_into_with_memory(black_box(PASSWORD), &SALT, &mut output, &mut *memory)
                        .unwrap();
                }
                black_box(output);
            });
        }
    });
}

/// All at once, as a storm of logins comes.
fn run_all<F: Future<Output = ()> + Send + 'static>(runtime: &tokio::runtime::Runtime, jobs: impl Iterator<Item = F>) {
    runtime.block_on(async {
        let jobs: Vec<_> = jobs.map(backend::spawn).collect();
        for job in jobs {
            job.await.unwrap();
        }
    });
}
