//! Which cores this process may use, keeping a thread on one, and letting it run soon.

/// The cores this process may run on.
#[allow(unsafe_code, reason = "sched_getaffinity")]
pub(crate) fn allowed_cores() -> Vec<usize> {
    // SAFETY: cpu_set_t is plain data for which all-zero bytes are valid; the kernel writes at most its size.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) != 0 {
            return Vec::new();
        }
        set
    };
    // SAFETY: CPU_ISSET reads one bit of the set for indexes below CPU_SETSIZE.
    (0..libc::CPU_SETSIZE as usize).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
}

/// Pins this thread; a refusal only costs locality.
#[allow(unsafe_code, reason = "sched_setaffinity")]
pub(crate) fn pin(core: usize) {
    // SAFETY: cpu_set_t is plain data for which all-zero bytes are valid; the call only reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// What a shard asks of the scheduler: short turns, soon. A slice of the least length lets a thread that wakes run before
/// one with longer slices has used its own up (Linux 6.12 and later; earlier kernels pass it over).
const SHARD_SLICE_NS: u64 = 100_000;

/// `struct sched_attr` of sched_setattr(2), as its first version has it.
#[repr(C)]
#[derive(Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// Makes this thread one of short turns; a refusal only costs latency on a machine that has other work.
#[allow(unsafe_code, reason = "sched_setattr")]
pub(crate) fn prefer_latency() {
    let attributes =
        SchedAttr { size: size_of::<SchedAttr>() as u32, runtime_ns: SHARD_SLICE_NS, ..SchedAttr::default() };
    // SAFETY: the kernel reads `size` bytes of the structure, which outlives the call; pid 0 names this thread.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, reason = "sched_getattr")]
    fn a_shard_asks_for_short_turns() {
        let slice = std::thread::spawn(|| {
            prefer_latency();
            let mut read = SchedAttr::default();
            let size = size_of::<SchedAttr>() as u32;
            // SAFETY: the kernel writes at most `size` bytes into the structure, which outlives the call.
            let status = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut read, size, 0) };
            (status, read.policy, read.runtime_ns)
        });
        let (status, policy, runtime_ns) = slice.join().unwrap();
        assert_eq!((status, policy), (0, libc::SCHED_OTHER as u32));
        assert!(runtime_ns == SHARD_SLICE_NS || runtime_ns == 0, "{runtime_ns}: an older kernel says nothing of it");
    }
}
