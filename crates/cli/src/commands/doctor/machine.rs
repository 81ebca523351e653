//! Memory, disk, clock.

use std::path::Path;

use nsc_core::UtcMicros;

use super::Findings;
use crate::app::App;
use crate::config::rounded;

/// Less free space than this will not hold a day's work.
const LEAST_FREE_BYTES: u64 = 2 << 30;
/// Nothing of this project was built before.
const EARLIEST: &str = "2026-01-01T00:00:00Z";

pub(super) fn memory_and_disk(app: &App, findings: &mut Findings) {
    let limit = app.config.resources.memory_limit.value;
    match available_memory() {
        Some(available) if available < limit.bytes() => findings.warn(
            "memory",
            format!(
                "{} available, resources.memory_limit is {limit}: lower it or free some",
                rounded(available)
            ),
        ),
        Some(available) => findings.ok(
            "memory",
            format!("{} available, the engine may use {limit}", rounded(available)),
        ),
        None => findings.ok("memory", format!("the engine may use {limit}")),
    }
    let root = &app.config.lake.root.value;
    if !root.contains("://") {
        disk("disk", Path::new(root), findings);
    }
    if let Some(dir) = &app.config.resources.spill_dir {
        disk("spill disk", &dir.value, findings);
    }
}

fn disk(check: &str, dir: &Path, findings: &mut Findings) {
    // The directory may not exist yet; the nearest one above it is on the same disk.
    let existing = dir
        .ancestors()
        .find(|d| d.exists())
        .filter(|d| !d.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match rustix::fs::statvfs(existing) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let detail = format!("{} free at {}", rounded(free), existing.display());
            if free < LEAST_FREE_BYTES {
                findings.warn(check, detail)
            } else {
                findings.ok(check, detail)
            }
        }
        Err(e) => findings.warn(check, format!("{}: {e}", existing.display())),
    }
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

pub(super) fn clock(now: UtcMicros, findings: &mut Findings) {
    let earliest = UtcMicros::parse(EARLIEST).unwrap_or(now);
    if now < earliest {
        findings.warn(
            "clock",
            format!("it says {now}, before {EARLIEST}: set the machine's clock"),
        );
    } else {
        findings.ok("clock", format!("{now}, business day {}", now.date_kst()));
    }
}
