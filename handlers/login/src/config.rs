//! `[auth]`: what a password costs us and whoever guesses it.
//!
//! The parameters of Argon2 are those of new hashes; each stored hash carries its own, and is made anew at the next login
//! when they differ. They and the number of threads decide how much memory the hash pool keeps: [`Auth::pool_settings`]
//! holds that against the machine before anything starts.

use std::fmt;
use std::time::Duration;

use sigid_core::settings::{Key, Problems, Section, Values};
use sigid_io::hash_pool::recipe::ARGON2_WORK_KIB_MAX;
use sigid_io::hash_pool::{Cost, PoolSettings, machine};

use crate::limits::LimitSettings;

/// The checked section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Of new hashes.
    pub cost: Cost,
    /// 0: one for each core.
    pub hash_threads: usize,
    pub hash_queue_max: usize,
    pub hash_deadline: Duration,
    /// 0: [`MEMORY_SHARE`] of the machine.
    pub hash_memory_max_mib: u64,
    /// Characters of a new password.
    pub password_length_min: usize,
    /// Whether people may make accounts for themselves.
    pub registration_enabled: bool,
    pub limits: LimitSettings,
}

/// What part of the machine's memory the hash pool may have, when the file does not say: a quarter.
const MEMORY_SHARE: u64 = 4;
/// What it may have where the system does not tell its memory.
const MEMORY_MIB_UNKNOWN: u64 = 256;
/// No imported hash gets more than this, in KiB.
pub const HASH_MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// What Argon2 needs for each lane.
const LANE_KIB_MIN: i64 = 8;

pub static SECTION: Section = Section {
    name: "auth",
    doc: "Passwords: how they are hashed, what a new one must be, and what guessing costs.",
    keys: &[
        Key::integer(
            "argon2_memory_kib",
            (8192, 1_048_576),
            19_456,
            "Memory of an Argon2id hash. A changed parameter reaches each account at its next login.",
        ),
        Key::integer("argon2_iterations", (1, 64), 2, "Passes over that memory."),
        Key::integer("argon2_parallelism", (1, 64), 1, "Lanes of that memory; one thread computes them in turn."),
        Key::integer(
            "hash_threads",
            (0, 1024),
            0,
            "Threads that hash, at the lowest priority; 0 is one for each core. Each keeps argon2_memory_kib.",
        ),
        Key::integer("hash_queue_max", (1, 65_536), 64, "Passwords that wait for a thread; the next is answered 503."),
        Key::integer(
            "hash_deadline_ms",
            (100, 60_000),
            5000,
            "From a password to its hash; what was not begun is answered 503.",
        ),
        Key::integer(
            "hash_memory_max_mib",
            (0, 1_048_576),
            0,
            "What the hash threads may have together; 0 is a quarter of the machine. What they do not keep is for imported hashes that want more.",
        ),
        Key::integer("password_length_min", (8, 64), 8, "Characters of a new password."),
        Key::boolean(
            "registration_enabled",
            true,
            "Whether people may make accounts for themselves. A tenant can refuse them where this allows it, never the other way round.",
        ),
        Key::integer(
            "brute_force_max_attempts",
            (1, 1000),
            10,
            "Failed logins of an identifier before strangers are locked out of it.",
        ),
        Key::integer(
            "brute_force_lockout_secs",
            (1, 86_400),
            900,
            "For how long; failures further apart do not add up.",
        ),
        Key::integer(
            "password_verify_ip_budget_per_minute",
            (1, 1_000_000),
            60,
            "Units that an IPv4 address or an IPv6 /64 may spend on verifying passwords; a success costs one.",
        ),
        Key::integer("password_verify_ip_failure_cost", (1, 1000), 10, "Units that a failure costs."),
        Key::integer(
            "registration_rate_limit_per_minute",
            (1, 1_000_000),
            20,
            "Registrations and recoveries that an address may ask for.",
        ),
    ],
};

/// `[auth]`.
pub fn check(values: &Values, problems: &mut Problems) -> Auth {
    check_cost(values, problems);
    check_budget(values, problems);
    Auth {
        cost: Cost {
            memory_kib: values.count("argon2_memory_kib"),
            iterations: values.count("argon2_iterations"),
            parallelism: values.count("argon2_parallelism"),
        },
        hash_threads: values.count("hash_threads"),
        hash_queue_max: values.count("hash_queue_max"),
        hash_deadline: Duration::from_millis(values.count("hash_deadline_ms")),
        hash_memory_max_mib: values.count("hash_memory_max_mib"),
        password_length_min: values.count("password_length_min"),
        registration_enabled: values.boolean("registration_enabled"),
        limits: LimitSettings {
            brute_force_max_attempts: values.count("brute_force_max_attempts"),
            brute_force_lockout_s: values.count("brute_force_lockout_secs"),
            ip_budget_per_minute: values.count("password_verify_ip_budget_per_minute"),
            ip_failure_cost: values.count("password_verify_ip_failure_cost"),
            registrations_per_minute: values.count("registration_rate_limit_per_minute"),
            is_off: false,
        },
    }
}

/// Lanes want memory, and memory times passes is time.
fn check_cost(values: &Values, problems: &mut Problems) {
    let number = |name| values.count::<i64>(name);
    let (memory_kib, iterations) = (number("argon2_memory_kib"), number("argon2_iterations"));
    let lanes_kib = number("argon2_parallelism") * LANE_KIB_MIN;
    if is_doubted(values, problems, &["argon2_memory_kib", "argon2_iterations", "argon2_parallelism"]) {
        return;
    }
    if memory_kib < lanes_kib {
        let what = format!("{memory_kib} is too little for the lanes of argon2_parallelism");
        values.refuse(problems, "argon2_memory_kib", what, format!("use {lanes_kib} or more"));
    }
    let work_max = i64::try_from(ARGON2_WORK_KIB_MAX).unwrap_or(i64::MAX);
    if memory_kib * iterations > work_max {
        let what = format!("{iterations} passes over {memory_kib} KiB take seconds");
        values.refuse(problems, "argon2_iterations", what, format!("use {} or less", work_max / memory_kib.max(1)));
    }
}

/// Somebody who mistypes once must be able to sign in.
fn check_budget(values: &Values, problems: &mut Problems) {
    let (budget, cost) = ("password_verify_ip_budget_per_minute", "password_verify_ip_failure_cost");
    let (budget_value, cost_value) = (values.count::<i64>(budget), values.count::<i64>(cost));
    if !is_doubted(values, problems, &[budget, cost]) && cost_value > budget_value {
        let what = format!("{cost_value} is more than {budget}, {budget_value}");
        values.refuse(problems, cost, what, format!("use {budget_value} or less"));
    }
}

fn is_doubted(values: &Values, problems: &Problems, names: &[&str]) -> bool {
    names.iter().any(|name| problems.mentions(&values.path(name)))
}

/// The hash pool would keep more than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryFault {
    threads: usize,
    kept_mib: u64,
    allowed_mib: u64,
}

impl fmt::Display for MemoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, kept_mib, allowed_mib } = self;
        write!(
            f,
            "auth.argon2_memory_kib: {threads} hash threads keep {kept_mib} MiB, and may have {allowed_mib}; lower it or auth.hash_threads, or raise auth.hash_memory_max_mib"
        )
    }
}

impl std::error::Error for MemoryFault {}

impl Auth {
    /// The pool of this process, on this machine.
    ///
    /// # Errors
    /// Its threads would keep more memory than they may have.
    pub fn pool_settings(&self) -> Result<PoolSettings, MemoryFault> {
        self.fit(machine::cores(), machine::find_memory_bytes().map(|bytes| bytes / (1024 * 1024)))
    }

    fn fit(&self, cores: usize, machine_mib: Option<u64>) -> Result<PoolSettings, MemoryFault> {
        let threads = if self.hash_threads == 0 { cores.max(1) } else { self.hash_threads };
        let kept_kib = u64::from(self.cost.memory_kib);
        let allowed_mib = match self.hash_memory_max_mib {
            0 => machine_mib.map_or(MEMORY_MIB_UNKNOWN, |mib| mib / MEMORY_SHARE),
            mib => mib,
        };
        let share_kib = allowed_mib * 1024 / threads as u64;
        if share_kib < kept_kib {
            let kept_mib = (threads as u64 * kept_kib).div_ceil(1024);
            return Err(MemoryFault { threads, kept_mib, allowed_mib });
        }
        // A dearer job gets room beside what its thread keeps.
        let beside_kib = (share_kib - kept_kib).min(u64::from(HASH_MEMORY_KIB_MAX));
        Ok(PoolSettings {
            threads,
            queue_max: self.hash_queue_max,
            deadline: self.hash_deadline,
            memory_kib: self.cost.memory_kib,
            memory_kib_max: u32::try_from(beside_kib.max(kept_kib)).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use sigid_core::settings::{Table, Value, read};

    fn checked(settings: &[(&str, i64)]) -> (Auth, String) {
        let section: Table =
            settings.iter().map(|(name, value)| ((*name).to_owned(), Value::Integer(*value))).collect();
        let root = Table::from([("auth".to_owned(), Value::Table(section))]);
        let mut problems = Problems::default();
        let values = read(&SECTION, &root, &|_| None, &mut problems);
        let auth = check(&values, &mut problems);
        (auth, problems.to_string())
    }

    #[test]
    fn one_setting_bounds_another() {
        for (reason, settings, named) in [
            ("nothing written", [].as_slice(), None),
            ("lanes enough", &[("argon2_memory_kib", 8192), ("argon2_parallelism", 64)], None),
            ("much memory, few passes", &[("argon2_memory_kib", 1_048_576), ("argon2_iterations", 4)], None),
            (
                "much memory, many passes",
                &[("argon2_memory_kib", 1_048_576), ("argon2_iterations", 5)],
                Some("auth.argon2_iterations"),
            ),
            ("a failure costs all", &[("password_verify_ip_failure_cost", 60)], None),
            (
                "a failure costs more",
                &[("password_verify_ip_failure_cost", 61)],
                Some("auth.password_verify_ip_failure_cost"),
            ),
            ("short passwords", &[("password_length_min", 7)], Some("auth.password_length_min")),
            ("little memory", &[("argon2_memory_kib", 64)], Some("auth.argon2_memory_kib")),
        ] {
            let (_, problems) = checked(settings);
            match named {
                None => assert_eq!(problems, "", "{reason}"),
                Some(named) => assert!(problems.contains(named), "{reason}: {problems}"),
            }
        }
    }

    #[test]
    fn the_pool_fits_the_machine() {
        let fit = |settings: &[(&str, i64)], cores, mib| checked(settings).0.fit(cores, mib);
        let good = |settings: &[(&str, i64)], cores, mib| {
            let settings = fit(settings, cores, mib).unwrap();
            assert!(settings.memory_bytes_max() <= mib.unwrap_or(1024) * 1024 * 1024 / 4, "never more than its share");
            (settings.threads, settings.memory_kib, settings.memory_kib_max)
        };
        assert_eq!(good(&[], 4, Some(1024)), (4, 19_456, 65_536 - 19_456), "what is left is for imported hashes");
        assert_eq!(good(&[], 2, Some(65_536)), (2, 19_456, 1_048_576), "but for one, no more than a GiB");
        assert_eq!(good(&[], 4, Some(320)), (4, 19_456, 19_456), "nothing is left");
        assert_eq!(good(&[("hash_threads", 1)], 64, Some(1024)), (1, 19_456, 262_144 - 19_456), "fewer threads");
        assert_eq!(good(&[], 1, None), (1, 19_456, 262_144 - 19_456), "a system that does not tell");
        let set = fit(&[("hash_memory_max_mib", 76)], 4, Some(100_000)).unwrap();
        assert_eq!(
            (set.memory_kib_max, set.queue_max, set.deadline),
            (19_456, 64, Duration::from_secs(5)),
            "as it is set"
        );
    }

    #[test]
    fn a_pool_that_does_not_fit_says_what_would() {
        for (reason, settings, cores, mib) in [
            ("a small machine", [].as_slice(), 4, Some(256)),
            ("many threads", &[("hash_threads", 1000)], 4, Some(1024)),
            ("much memory", &[("argon2_memory_kib", 1_048_576)], 4, Some(8192)),
            ("a small share", &[("hash_memory_max_mib", 75)], 4, Some(100_000)),
            ("a system that does not tell", &[("hash_threads", 14)], 1, None),
        ] {
            let (auth, _) = checked(settings);
            let text = auth.fit(cores, mib).unwrap_err().to_string();
            assert!(
                text.starts_with("auth.argon2_memory_kib: ") && text.contains("auth.hash_memory_max_mib"),
                "{reason}: {text}"
            );
        }
    }
}
