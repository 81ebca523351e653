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
    pub(crate) struct NewFile {
        wanted: PathBuf,
        unfinished: PathBuf,
    }

    impl NewFile {
        /// For a file of that name: a link stays a link, and what it leads to is replaced. Nothing is made yet.
        ///
        /// # Errors
        /// Where there is something that is no regular file.
        pub(crate) fn of(name: &Path) -> Result<Self, OperatorMessage> {
            let wanted = behind_links(name)?;
            let name = wanted.file_name().unwrap_or_default().to_string_lossy();
            let unfinished = wanted.with_file_name(format!(".{name}.{}.part", std::process::id()));
            Ok(Self { wanted, unfinished })
        }

        /// Where its content goes.
        pub(crate) fn path(&self) -> &Path {
            &self.unfinished
        }

        /// Puts it into its place, at once.
        pub(crate) fn finish(self) -> Result<(), OperatorMessage> {
            std::fs::rename(&self.unfinished, &self.wanted).map_err(|e| unwritable(&self.wanted, e))
        }
    }

    /// The file itself.
    fn behind_links(path: &Path) -> Result<PathBuf, OperatorMessage> {
        let refused = |why: &str| unwritable(path, why);
        match (std::fs::metadata(path), std::fs::symlink_metadata(path)) {
            (Ok(there), _) if there.is_file() => {
                std::fs::canonicalize(path).map_err(|e| refused(&e.to_string()))
            }
            (Ok(_), _) => Err(refused("it is there and no regular file")),
            (Err(_), Ok(_)) => Err(refused("it is a link that leads nowhere")),
            (Err(_), Err(_)) => Ok(path.to_owned()),
        }
    }

    impl Drop for NewFile {
        fn drop(&mut self) {
            // There is none when it has been finished.
            std::fs::remove_file(&self.unfinished).ok();
        }
    }
}
