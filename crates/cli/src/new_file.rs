//! A file that a command was told to write: it is there whole, or what was there before still is.

use std::fmt::Display;
use std::path::Path;

use nsc_core::ErrorCode;

use crate::failure::OperatorMessage;

/// The error of a file that cannot be written.
pub(crate) fn unwritable(path: &Path, reason: impl Display) -> OperatorMessage {
    OperatorMessage::new(
        ErrorCode::OutputUnwritable,
        format!("{} cannot be written", path.display()),
    )
    .with_detail(reason)
}

#[cfg(feature = "lakehouse")]
pub(crate) use whole::NewFile;

#[cfg(feature = "lakehouse")]
mod whole {
    use std::path::{Path, PathBuf};

    use super::unwritable;
    use crate::failure::OperatorMessage;

    /// A file on its way: it lies beside the one that is wanted, and is gone when it is dropped before it has taken its place.
    #[derive(Debug)]
    pub(crate) struct NewFile<'a> {
        wanted: &'a Path,
        unfinished: PathBuf,
    }

    impl<'a> NewFile<'a> {
        /// For a file of that name. Nothing is made yet.
        pub(crate) fn of(wanted: &'a Path) -> Self {
            let name = wanted.file_name().unwrap_or_default().to_string_lossy();
            Self {
                wanted,
                unfinished: wanted.with_file_name(format!(".{name}.{}.part", std::process::id())),
            }
        }

        /// Where its content goes.
        pub(crate) fn path(&self) -> &Path {
            &self.unfinished
        }

        /// Puts it into its place, at once.
        pub(crate) fn finish(self) -> Result<(), OperatorMessage> {
            std::fs::rename(&self.unfinished, self.wanted).map_err(|e| unwritable(self.wanted, e))
        }
    }

    impl Drop for NewFile<'_> {
        fn drop(&mut self) {
            // There is none when it has been finished.
            std::fs::remove_file(&self.unfinished).ok();
        }
    }
}
