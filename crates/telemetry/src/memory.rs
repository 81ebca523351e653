//! The most memory this process has held.

/// Peak resident memory so far, where the system says (Linux: `VmHWM` of `/proc/self/status`).
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    high_water_mark(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::high_water_mark;

    #[test]
    fn the_line_of_the_kernel_is_read() {
        assert_eq!(
            high_water_mark("Name:\tnsc\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(high_water_mark("Name:\tnsc\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_held_some() {
        assert!(super::peak_memory_bytes().is_some_and(|b| b > 100_000));
    }
}
