//! Who looks at what in the lake, written down before it is shown.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use nsc_core::{Clock, ErrorCode, OperatorMessage, SystemClock};
use serde_json::json;

/// A file with one JSON object a look: `at`, `actor`, `root`, `statement`. It only grows, and several processes may write to
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
    pub(crate) fn record(&self, root: &str, statement: &str) -> Result<(), OperatorMessage> {
        let at = SystemClock.now().to_string();
        let look = json!({"at": at, "actor": self.actor, "root": root, "statement": statement});
        // In one piece, or the lines of two processes could stand in each other.
        let line = format!("{look}\n");
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .and_then(|mut file| {
                file.write_all(line.as_bytes())?;
                file.sync_data()
            });
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
        let refused = LookLog::new(dir.path().join("absent/looks.jsonl"), "kim".to_owned());
        let error = refused.record("/lake", "SELECT 1").unwrap_err();
        assert_eq!(error.code(), ErrorCode::LookNotRecorded);
    }
}
