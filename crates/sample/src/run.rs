//! A whole run: checks, days, files, summary.

use std::time::Instant;

use crate::error::SampleError;
use crate::options::{Plan, SampleOptions};
use crate::output::Output;
use crate::owned::{self, FAULTS_FILE};
use crate::report::{Expected, SampleSummary, write_faults};
use crate::world::World;

/// Writes the six files, and `faults.json` when faults are asked for, into the output directory.
///
/// `progress` is told the number of lines so far, about once per megabyte written. Memory grows with
/// the wallets, the open holds and the injected faults, never with the lines written.
///
/// # Errors
///
/// When an option makes no sense, the directory holds files that no run wrote, or it or a file cannot be written.
pub fn generate(
    options: &SampleOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<SampleSummary, SampleError> {
    let started = Instant::now();
    let plan = Plan::new(options)?;
    let unusable = |source| SampleError::OutputDirectory {
        path: options.out.clone(),
        source,
    };
    let foreign = owned::foreign(&options.out).map_err(unusable)?;
    if !foreign.is_empty() && !options.overwrite {
        return Err(SampleError::ForeignFiles {
            path: options.out.clone(),
            names: foreign,
        });
    }
    let out = Output::create(&options.out, progress)?;
    owned::begin(&options.out, options.faults).map_err(unusable)?;
    let mut world = World::new(plan, out);
    let days = (0..world.plan.days)
        .map(|index| world.day(index))
        .collect::<Result<Vec<_>, _>>()?;
    world.deliver_late_lines();
    world.out.finish()?;

    let by_source = world.out.counts();
    let lines = by_source.iter().map(|(_, count)| count).sum();
    let seconds = started.elapsed().as_secs_f64();
    let summary = SampleSummary {
        lines,
        seconds: (seconds * 100.0).round() / 100.0,
        lines_per_s: (lines as f64 / seconds.max(1e-9)) as u64,
        expected: Expected::new(&by_source, &world.journal),
        by_source,
        days,
    };
    if options.faults {
        let path = options.out.join(FAULTS_FILE);
        write_faults(&path, &world.plan, &world.journal, &summary)
            .map_err(|source| SampleError::WriteFile { path, source })?;
    }
    owned::end(&options.out, options.faults).map_err(unusable)?;
    Ok(summary)
}
