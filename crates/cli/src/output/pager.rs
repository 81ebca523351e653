//! A program that shows a long result page by page, on the terminal of whoever looks at it.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::environment::Environment;

/// Shows what is more than the terminal holds, and ends by itself where it is less.
const DEFAULT: &str = "less -FRX";
/// For a `less` of the operator's that is told nothing else.
const LESS: (&str, &str) = ("LESS", "FRX");

/// What the environment names: `NSC_PAGER`, else `PAGER`, else `less`; `cat` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PagerCommand {
    line: String,
    /// The operator has named it, and it is a line for a shell.
    is_named: bool,
    has_less: bool,
}

impl PagerCommand {
    /// Reads the environment.
    pub(crate) fn of(env: &Environment) -> Option<Self> {
        let named = env.get("NSC_PAGER").or_else(|| env.get("PAGER"));
        let line = named.unwrap_or(DEFAULT).trim();
        (line != "cat" && !line.is_empty()).then(|| Self {
            line: line.to_owned(),
            is_named: named.is_some(),
            has_less: env.get(LESS.0).is_some(),
        })
    }

    /// Starts it; `None` where there is no such program: then the result is simply printed.
    pub(super) fn start(&self) -> Option<Pager> {
        let mut command = if self.is_named {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(&self.line);
            shell
        } else {
            let mut words = self.line.split(' ');
            let mut program = Command::new(words.next()?);
            program.args(words);
            program
        };
        if !self.has_less {
            command.env(LESS.0, LESS.1);
        }
        let mut child = command.stdin(Stdio::piped()).spawn().ok()?;
        let input = child.stdin.take().map(BufWriter::new);
        Some(Pager { child, input })
    }
}

/// A pager that runs. Whoever has seen enough ends it; what comes then is nobody's any more and is no error.
#[derive(Debug)]
pub(super) struct Pager {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
}

impl Pager {
    fn unless_left<T>(&mut self, done: io::Result<T>, all: T) -> io::Result<T> {
        match done {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.leave();
                Ok(all)
            }
            done => done,
        }
    }

    /// Drops the pipe without writing what is left in the buffer.
    fn leave(&mut self) {
        if let Some(input) = self.input.take() {
            drop(input.into_parts());
        }
    }

    /// Waits until it was looked at.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.leave();
        let ended = self.child.wait()?;
        if !ended.success() {
            tracing::warn!(%ended, "the pager failed; NSC_PAGER=cat prints without one");
        }
        Ok(())
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else {
            return Ok(bytes.len());
        };
        let written = input.write(bytes);
        self.unless_left(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(input) = &mut self.input else {
            return Ok(());
        };
        let flushed = input.flush();
        self.unless_left(flushed, ())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::PagerCommand;
    use crate::environment::Environment;

    #[test]
    fn the_environment_names_the_pager_or_says_that_there_is_none() {
        let of = |env: Environment| PagerCommand::of(&env).map(|command| command.line);
        let both = |ours: &str| of([("PAGER", "more"), ("NSC_PAGER", ours)].into());
        assert_eq!(of([].into()).as_deref(), Some("less -FRX"));
        assert_eq!(of([("PAGER", "more")].into()).as_deref(), Some("more"));
        assert_eq!(both("most -s").as_deref(), Some("most -s"));
        assert_eq!(both("cat"), None);
        assert_eq!(of([("PAGER", "cat")].into()), None);
    }

    #[test]
    fn whoever_leaves_the_pager_has_seen_enough() {
        let command = |line: &str, is_named| PagerCommand {
            line: line.to_owned(),
            is_named,
            has_less: false,
        };
        let mut pager = command("head -c 5 | wc -c >/dev/null", true).start().unwrap();
        for _ in 0..100 {
            pager.write_all(&[b'x'; 1 << 16]).unwrap();
        }
        pager.end().unwrap();
        assert!(command("no-such-pager -x", false).start().is_none());
    }
}
