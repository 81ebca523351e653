//! A program that shows a long result page by page, on the terminal of whoever looks at it.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::environment::Environment;

/// Shows what is more than the terminal holds, and ends by itself where it is less.
const DEFAULT: &str = "less -FRX";

/// What the environment names: `NSC_PAGER`, else `PAGER`, else `less`; `cat` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PagerCommand(Vec<String>);

impl PagerCommand {
    /// Reads the environment.
    pub(crate) fn of(env: &Environment) -> Option<Self> {
        let named = env.get("NSC_PAGER").or_else(|| env.get("PAGER"));
        let words = named.unwrap_or(DEFAULT).split_whitespace();
        let words: Vec<String> = words.map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            None | Some("cat") => None,
            Some(_) => Some(Self(words)),
        }
    }

    /// Starts it; `None` where there is no such program: then the result is simply printed.
    pub(super) fn start(&self) -> Option<Pager> {
        let (program, arguments) = self.0.split_first()?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .ok()?;
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
        self.child.wait().map(drop)
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
        let of = |env: Environment| PagerCommand::of(&env).map(|command| command.0.join(" "));
        let both = |ours: &str| of([("PAGER", "more"), ("NSC_PAGER", ours)].into());
        assert_eq!(of([].into()).as_deref(), Some("less -FRX"));
        assert_eq!(of([("PAGER", "more")].into()).as_deref(), Some("more"));
        assert_eq!(both("most -s").as_deref(), Some("most -s"));
        assert_eq!(both("cat"), None);
        assert_eq!(of([("PAGER", "cat")].into()), None);
    }

    #[test]
    fn whoever_leaves_the_pager_has_seen_enough() {
        let command = |words: &[&str]| PagerCommand(words.iter().map(|w| (*w).to_owned()).collect());
        let mut pager = command(&["true"]).start().unwrap();
        for _ in 0..100 {
            pager.write_all(&[b'x'; 1 << 16]).unwrap();
        }
        pager.end().unwrap();
        assert!(command(&["no-such-pager"]).start().is_none());
    }
}
