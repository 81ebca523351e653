//! Who looks at what in the lake, written down before it is shown.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nsc_core::{Clock, ErrorCode, OperatorMessage, SystemClock};
use serde_json::json;

/// A file with one JSON object a look: `at`, `actor`, `root`, and `statement`, the query or the command. It only grows, and several processes may write to
/// one.
#[derive(Debug, Clone)]
pub struct LookLog {
    file: PathBuf,
    actor: String,
}

impl LookLog {
    /// Of whoever is called `actor`. Nothing is opened yet.
    #[must_use]
    pub fn new(file: PathBuf, actor: String) -> Self {
        Self { file, actor }
    }

    /// Writes a look down; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written down: then there is nothing to be shown.
    pub fn record(&self, root: &str, statement: &str) -> Result<(), OperatorMessage> {
        let at = SystemClock.now().to_string();
        let look = json!({"at": at, "actor": self.actor, "root": root, "statement": statement});
        let written = self.write(&look.to_string());
        written.map_err(|e| {
            OperatorMessage::new(
                ErrorCode::LookNotRecorded,
                format!("the look cannot be recorded in {}", self.file.display()),
            )
            .with_detail(e)
            .with_hint("Nothing is shown without a record: make query.looks_file (NSC_LOOKS_FILE) writable.")
        })
    }
}

impl LookLog {
    fn write(&self, look: &str) -> io::Result<()> {
        // A pipe that nobody reads would be waited for.
        if std::fs::metadata(&self.file).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other("it is there and no regular file"));
        }
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(&self.file)?;
        // A line that was cut, by a full disk say, must not spoil the one behind it.
        let mut line = String::new();
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != [b'\n'] {
                line.push('\n');
            }
        }
        line.push_str(look);
        line.push('\n');
        // In one piece, or the lines of two processes could stand in each other.
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::{ErrorCode, OperatorError};

    use super::LookLog;

    #[test]
    fn a_look_is_a_line_behind_those_that_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("looks.jsonl");
        let log = LookLog::new(file.clone(), "kim@desk".to_owned());
        log.record("/lake", "SELECT 1").unwrap();
        log.record("/lake", "SELECT '\n'").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let looks: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(looks.len(), 2);
        assert_eq!(looks[1]["statement"], "SELECT '\n'");
        assert_eq!(looks[0]["actor"], "kim@desk");
        // What was cut stays by itself.
        std::fs::write(&file, "{\"at\":\"cut").unwrap();
        log.record("/lake", "SELECT 2").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("{\"at\":\"cut\n{") && text.ends_with("}\n"),
            "{text}"
        );
        let directory = LookLog::new(dir.path().to_owned(), "kim".to_owned());
        assert!(directory.record("/lake", "SELECT 1").is_err());
        let refused = LookLog::new(dir.path().join("absent/looks.jsonl"), "kim".to_owned());
        let error = refused.record("/lake", "SELECT 1").unwrap_err();
        assert_eq!(error.code(), ErrorCode::LookNotRecorded);
    }
}
