//! Which cores this process may use, and keeping a thread on one.

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
