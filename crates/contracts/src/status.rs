//! What a run became, and what a control says: the words of reports, of `gold.pipeline_state` and of the verdict columns.

/// The run has begun; of one that is no longer there, that it died.
pub const STARTED: &str = "started";
/// The run has done what it was to do.
pub const SUCCESS: &str = "success";
/// The run has ended with an error.
pub const FAILURE: &str = "failure";
/// The run was told to stop.
pub const INTERRUPTED: &str = "interrupted";
/// The report of the run cannot be read.
pub const UNREADABLE: &str = "unreadable";
/// A chain went on without this step.
pub const SKIPPED: &str = "skipped";

/// What a control says of what it judged; how grave a finding is, [`crate::rule::Severity`] says.
pub mod verdict {
    /// Everything that was judged is in order.
    pub const OK: &str = "ok";
    /// The numbers are there and were not judged: the day is gated.
    pub const SUPPRESSED: &str = "suppressed";
    /// There was nothing to judge.
    pub const NO_DATA: &str = "no_data";
}
