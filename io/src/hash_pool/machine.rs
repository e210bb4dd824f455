//! How much memory and how many cores the pool may count on.

use std::fs;

/// The cores that this process may run on.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The bytes of memory that this process may count on: the machine's, or the limit of its control group where that is
/// less. `None` where the system does not say.
pub fn find_memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse_total(&text));
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

/// `MemTotal:       24682948 kB`
fn parse_total(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_the_machine_is_read() {
        for (reason, text, expected) in [
            ("as the kernel writes it", "MemTotal:       24682948 kB\nMemFree: 1 kB\n", Some(24_682_948 * 1024)),
            ("not the first line", "MemFree: 1 kB\nMemTotal: 2 kB\n", Some(2048)),
            ("no such line", "MemFree: 1 kB\n", None),
            ("another unit", "MemTotal: 2 MB\n", None),
            ("no number", "MemTotal: many kB\n", None),
            ("past every number", "MemTotal: 18446744073709551615 kB\n", None),
        ] {
            assert_eq!(parse_total(text), expected, "{reason}");
        }
    }

    #[test]
    fn this_machine_says_what_it_has() {
        assert!(find_memory_bytes().is_some_and(|bytes| bytes > 1024 * 1024));
        assert!(cores() > 0);
    }
}
