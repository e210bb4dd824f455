//! What the machine could do if a sign-in were nothing but its hash: Argon2id on every core, by the bare crate with its
//! memory reused, and where Debian's program `argon2` is installed, by libargon2 as that calls it.
//!
//! Both run in rounds between those of the sign-ins, on the same cores, with the same parameters, and the machine to
//! themselves; sign-ins share it with the generator and with PostgreSQL, whose time is told apart. A start of the program is
//! part of its figure: some 2 ms of 40. libargon2 takes its memory from the system for each hash, as it always does.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::fault::Fault;
use crate::procfs::{self, Times};

/// `--argon2`: memory in KiB, passes, lanes.
pub fn cost(text: &str) -> Result<[u32; 3], String> {
    let numbers: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    let numbers = numbers.map_err(|e| e.to_string())?;
    let cost: [u32; 3] = numbers.try_into().map_err(|_| "write KIB,PASSES,LANES".to_owned())?;
    params(cost).map(|_| cost).map_err(|e| e.to_string())
}

fn params([memory_kib, passes, lanes]: [u32; 3]) -> Result<Params, argon2::Error> {
    Params::new(memory_kib, passes, lanes, Some(OUTPUT_BYTES))
}

/// What one round did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hashed {
    pub per_second: f64,
    pub cpu_us_per_hash: f64,
}

/// Every core's hasher.
pub struct Bare {
    cost: [u32; 3],
    memories: Vec<Vec<Block>>,
    program: Option<PathBuf>,
}

impl Bare {
    pub fn new(cost: [u32; 3]) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memories = (0..cores).map(|_| vec![Block::new(); cost[0] as usize]).collect();
        Self { cost, memories, program: find_program() }
    }

    pub fn cores(&self) -> usize {
        self.memories.len()
    }

    /// The crate, for so long.
    pub async fn hash(self, time: Duration) -> Result<(Self, Hashed), Fault> {
        off_the_runtime(move || {
            let mut bare = self;
            let params = params(bare.cost).map_err(|e| Fault::local("--argon2", e))?;
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hashers = bare.memories.iter_mut().map(|memory| {
                let argon2 = &argon2;
                move |output: &mut [u8; OUTPUT_BYTES]| {
                    let done = argon2.hash_password_into_with_memory(PASSWORD, SALT, output, &mut *memory);
                    done.map(|()| None).map_err(|e| Fault::local("argon2", e))
                }
            });
            let hashed = all_cores(hashers.collect(), time)?;
            Ok((bare, hashed))
        })
        .await
    }

    /// Debian's program, for so long; None where it is not installed, or makes another hash than the crate.
    pub async fn hash_by_program(&self, time: Duration) -> Result<Option<Hashed>, Fault> {
        let Some(program) = self.program.clone() else { return Ok(None) };
        let (cost, cores) = (self.cost, self.cores());
        off_the_runtime(move || {
            if run(&program, cost)? != by_crate(cost)? {
                return Ok(None);
            }
            let hasher = || {
                let program = &program;
                move |_: &mut [u8; OUTPUT_BYTES]| run(program, cost).map(Some)
            };
            all_cores((0..cores).map(|_| hasher()).collect(), time).map(Some)
        })
        .await
    }
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Fault::local("hashes", e))?
}

/// Each hasher on a thread of its own, again and again.
fn all_cores<H>(hashers: Vec<H>, time: Duration) -> Result<Hashed, Fault>
where
    H: FnMut(&mut [u8; OUTPUT_BYTES]) -> Result<Option<String>, Fault> + Send,
{
    let begun = Instant::now();
    let mut done = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            hashers.into_iter().map(|hasher| scope.spawn(move || again(hasher, begun, time))).collect();
        for thread in threads {
            done.push(thread.join().map_err(|_| Fault::Local("a thread of the hashes ended".to_owned()))?);
        }
        Ok::<(), Fault>(())
    })?;
    let (mut rate, mut hashes, mut cpu_ns) = (0.0, 0, 0);
    for one in done {
        let (count, seconds, times) = one?;
        rate += count as f64 / seconds;
        hashes += count;
        cpu_ns += times.cpu_ns;
    }
    Ok(Hashed { per_second: rate, cpu_us_per_hash: cpu_ns as f64 / 1e3 / hashes.max(1) as f64 })
}

/// Whole hashes in the time they took, the last one included: no half of a hash is counted or lost.
fn again(
    mut hasher: impl FnMut(&mut [u8; OUTPUT_BYTES]) -> Result<Option<String>, Fault>,
    begun: Instant,
    time: Duration,
) -> Result<(u64, f64, Times), Fault> {
    let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    let before = procfs::own_thread_times(own).unwrap_or_default();
    let mut output = [0; OUTPUT_BYTES];
    let mut count = 0;
    while begun.elapsed() < time || count == 0 {
        hasher(&mut output)?;
        std::hint::black_box(&output);
        count += 1;
    }
    let times = procfs::own_thread_times(own).unwrap_or_default().since(before);
    Ok((count, begun.elapsed().as_secs_f64(), times))
}

fn by_crate(cost: [u32; 3]) -> Result<String, Fault> {
    let mut output = [0; OUTPUT_BYTES];
    let params = params(cost).map_err(|e| Fault::local("--argon2", e))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(PASSWORD, SALT, &mut output).map_err(|e| Fault::local("argon2", e))?;
    Ok(output.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    }))
}

/// One hash by the program, in hexadecimal digits.
fn run(program: &Path, [memory_kib, passes, lanes]: [u32; 3]) -> Result<String, Fault> {
    let failed = |e: std::io::Error| Fault::local(&program.display().to_string(), e);
    let salt = String::from_utf8_lossy(SALT);
    let numbers = [passes, memory_kib, lanes, OUTPUT_BYTES as u32].map(|number| number.to_string());
    let mut command = Command::new(program);
    command.args([&*salt, "-id", "-r"]);
    command.args(["-t", "-k", "-p", "-l"].iter().zip(&numbers).flat_map(|(name, value)| [*name, value.as_str()]));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(PASSWORD).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn find_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join("argon2")).find(|file| file.is_file())
}

const PASSWORD: &[u8] = b"correct horse battery staple";
const SALT: &[u8] = b"sixteen bytes :)";
const OUTPUT_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_three_numbers_that_argon2_takes() {
        assert_eq!(cost("19456,2,1"), Ok([19_456, 2, 1]));
        for (text, why) in [("19456,2", "two"), ("a,2,1", "no number"), ("8,0,1", "no pass"), ("7,1,1", "too little")] {
            assert!(cost(text).is_err(), "{why}");
        }
    }

    #[tokio::test]
    async fn both_ways_hash_on_every_core() {
        let (bare, hashed) = Bare::new([64, 1, 1]).hash(Duration::from_millis(20)).await.unwrap();
        assert!(hashed.per_second > 1.0 && hashed.cpu_us_per_hash > 0.0, "{hashed:?}");
        // Where the program is there, it makes the same hash.
        let by_program = bare.hash_by_program(Duration::from_millis(20)).await.unwrap();
        assert_eq!(by_program.is_some(), bare.program.is_some());
    }
}
