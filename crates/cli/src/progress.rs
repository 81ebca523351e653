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
        let hidden = self.0.is_hidden();
        // A terminal that is gone: a bar that cannot be drawn there ends the process when it is suspended.
        if !hidden && self.0.clear().is_err() {
            self.0.set_draw_target(ProgressDrawTarget::hidden());
        }
        if hidden {
            io::stderr().write_all(line)?;
        } else {
            self.0.suspend(|| io::stderr().write_all(line))?;
        }
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

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

    use super::{LogBesideBars, count_bar};

    /// A terminal whose window was closed.
    #[derive(Debug)]
    struct Gone;

    impl TermLike for Gone {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn write_line(&self, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn write_str(&self, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn clear_line(&self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_terminal_that_is_gone_ends_the_bars_and_nothing_else() {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(Gone)));
        let bar = count_bar(&bars, "work", 10);
        bar.inc(1);
        let mut log = LogBesideBars::new(&bars);
        log.write_all(b"").unwrap();
        log.write_all(b"a line of the log beside bars\n").unwrap();
        assert!(bars.is_hidden());
        bar.inc(1);
        bar.finish();
    }
}
