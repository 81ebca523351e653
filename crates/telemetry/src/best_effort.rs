//! A writer that never fails: what cannot be written is lost.

use std::io::{self, Write};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// A full disk or a reader that is gone must cost a log line and nothing else: on an error the library prints to
/// stderr, which panics when stderr is what has failed, in whatever thread wanted to say something.
#[derive(Debug, Clone)]
pub(crate) struct BestEffort<W>(pub(crate) W);

impl<W: Write> Write for BestEffort<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Whole or lost: nobody above would try again.
        let _ = self.0.write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for BestEffort<W> {
    type Writer = BestEffort<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        BestEffort(self.0.make_writer())
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        BestEffort(self.0.make_writer_for(meta))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::BestEffort;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_lost_without_an_error() {
        let mut writer = BestEffort(Full);
        assert!(writer.write_all(b"a line\n").is_ok());
        assert!(writer.flush().is_ok());
    }

    #[test]
    fn a_line_that_can_be_written_is_written() {
        let mut written = Vec::new();
        BestEffort(&mut written).write_all(b"a line\n").unwrap();
        assert_eq!(written, b"a line\n");
    }
}
