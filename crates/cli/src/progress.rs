//! Progress on stderr, drawn only when a person looks at it, and a log that does not tear it.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::Terminal;

/// Where bars are drawn; hidden when stderr is not a terminal.
pub(crate) fn bars(terminal: Terminal) -> MultiProgress {
    let target = if terminal.stderr_is_terminal {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    MultiProgress::with_draw_target(target)
}

/// A bar that counts towards a known total of bytes.
pub(crate) fn byte_bar(bars: &MultiProgress, label: &str, total: u64) -> ProgressBar {
    styled(
        bars,
        label,
        ProgressBar::new(total),
        "{prefix} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}",
    )
}

/// A bar that counts towards a known total.
pub(crate) fn count_bar(bars: &MultiProgress, label: &str, total: u64) -> ProgressBar {
    styled(
        bars,
        label,
        ProgressBar::new(total),
        "{prefix} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta} {msg}",
    )
}

/// Something turning while the end is not known.
pub(crate) fn spinner(bars: &MultiProgress, label: &str) -> ProgressBar {
    let bar = styled(
        bars,
        label,
        ProgressBar::no_length(),
        "{spinner} {prefix} {elapsed} {msg}",
    );
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn styled(bars: &MultiProgress, label: &str, bar: ProgressBar, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bars.add(
        bar.with_style(style.progress_chars("=> "))
            .with_prefix(label.to_owned()),
    )
}

/// Writes log lines above the bars.
#[derive(Clone)]
pub(crate) struct LogBesideBars(MultiProgress);

impl LogBesideBars {
    pub(crate) fn new(bars: &MultiProgress) -> Self {
        Self(bars.clone())
    }
}

impl Write for LogBesideBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for LogBesideBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
