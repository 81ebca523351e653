//! Which version of a table was the newest at an instant.

use futures::TryStreamExt;
use nsc_core::UtcMicros;

use crate::{LakeError, Table};

impl Table {
    /// The newest version committed at or before `at`; `None` when the table did not exist then, or the commits
    /// of that time have been cleaned up.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn version_at(&self, at: UtcMicros) -> Result<Option<u64>, LakeError> {
        let name = self.name();
        let fail = |e| LakeError::delta(&name, e);
        // Newest first, one commit per version.
        let mut commits = self.delta().history(None);
        let mut version = self.version();
        while let Some(commit) = commits.try_next().await.map_err(fail)? {
            let committed = commit
                .timestamp
                .map(|millis| UtcMicros::new(millis.saturating_mul(1000)));
            if committed.is_some_and(|t| t <= at) {
                return Ok(Some(version));
            }
            let Some(before) = version.checked_sub(1) else {
                return Ok(None);
            };
            version = before;
        }
        Ok(None)
    }
}
