//! Changes that are done again because another writer committed first.

use std::time::Duration;

use crate::LakeError;

/// Lost races after which a change is given up: with so many, somebody writes without pause.
const ATTEMPTS: u32 = 20;
/// The wait after the first lost race; after each further one it is as much longer.
const WAIT: Duration = Duration::from_millis(20);

/// The attempts at one change. Each begins with the newest version of its table.
///
/// ```ignore
/// let mut retry = Retry::default();
/// loop {
///     match lake.table(contract).await?.commit(change).await {
///         Err(e) if retry.is_worth_it(&e).await => {}
///         done => return done,
///     }
/// }
/// ```
#[derive(Debug, Default)]
pub struct Retry {
    lost: u32,
}

impl Retry {
    /// Whether doing the change again can succeed after an error: another writer was faster, and not for the twentieth
    /// time. Waits before it says yes.
    pub async fn is_worth_it(&mut self, error: &LakeError) -> bool {
        self.lost += 1;
        if !error.is_conflict() || self.lost >= ATTEMPTS {
            return false;
        }
        tracing::debug!(%error, lost = self.lost, "another writer was faster");
        tokio::time::sleep(WAIT * self.lost).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_lost_race_is_worth_another_attempt_and_not_for_ever() {
        let conflict = LakeError::Conflict {
            table: "t".to_owned(),
            reason: String::new(),
        };
        assert!(Retry::default().is_worth_it(&conflict).await);
        let mut retry = Retry { lost: ATTEMPTS - 1 };
        assert!(!retry.is_worth_it(&conflict).await);
        let missing = LakeError::Missing {
            table: "t".to_owned(),
        };
        assert!(!Retry::default().is_worth_it(&missing).await);
    }
}
