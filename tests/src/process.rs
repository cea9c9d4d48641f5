//! What the kernel says about a running process: processor time and memory.
//!
//! Linux only, like the product's journal. A process that has ended but was not yet waited for still tells its
//! processor time, which is how a whole run is measured up to its last instruction.

use std::fs;
use std::time::Duration;

/// Kernel ticks of processor time per second; fixed at 100 for programs on Linux whatever the kernel's own rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time used so far by all threads of `pid`.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let fields = stat(pid)?;
    let ticks: f64 = [11, 12].iter().filter_map(|&at: &usize| fields.get(at)?.parse::<f64>().ok()).sum();
    Some(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

/// True once the process has ended, whether or not somebody waited for it.
pub fn has_ended(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields.first().is_some_and(|state| state == "Z" || state == "X"))
}

/// Highest resident memory so far, bytes.
pub fn peak_resident_bytes(pid: u32) -> Option<u64> {
    status_kib(pid, "VmHWM:").map(|kib| kib * 1024)
}

/// Resident memory now, bytes.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    status_kib(pid, "VmRSS:").map(|kib| kib * 1024)
}

/// Fields of `/proc/PID/stat` after the command's name, which may itself hold spaces and brackets.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn status_kib(pid: u32, key: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_has_not_ended() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).unwrap() > 100_000);
        assert!(peak_resident_bytes(pid).unwrap() >= resident_bytes(pid).unwrap() / 2);
        assert!(cpu_time(pid).is_some());
        assert!(!has_ended(pid));
    }
}
