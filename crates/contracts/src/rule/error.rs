//! What can be wrong with rules.

use std::fmt;

use nsc_core::{ErrorCode, OperatorError, UtcMicros};

use super::RuleSet;

/// One field of a definition that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Field, e.g. `severity_map.warn`.
    pub field: String,
    /// Stored value.
    pub from: String,
    /// Wanted value.
    pub to: String,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.field, self.from, self.to)
    }
}

/// A rule that is missing, malformed or changed under its id. Never answered by a silent default.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// No rule for a metric a run needs.
    #[error("no rule for {subject} is in force{}", At(*as_of))]
    Missing {
        /// `domain.metric`, with `@source` when one was asked for.
        subject: String,
        /// Instant of the lookup.
        as_of: UtcMicros,
    },
    /// A rule that does not say something usable.
    #[error("rule {rule_id} ({subject}) is malformed: {problem}")]
    Malformed {
        /// The rule.
        rule_id: String,
        /// `domain.metric`.
        subject: String,
        /// What is wrong.
        problem: String,
    },
    /// The rules file does not parse.
    #[error("rules file {file} is not usable: {problem}")]
    File {
        /// Name of the file.
        file: String,
        /// What is wrong, with the line where it is known.
        problem: String,
    },
    /// Two rules of one file share what must be unique.
    #[error("rules file {file} has {what} twice: {first} and {second}")]
    Duplicate {
        /// Name of the file.
        file: String,
        /// What is shared, e.g. `rule_id dq_freshness_default`.
        what: String,
        /// Where it stands first.
        first: String,
        /// Where it stands again.
        second: String,
    },
    /// Two versions of one metric are in force at once; the table has been tampered with.
    #[error("two rules for {subject} are in force{}: {first} and {second}", At(*as_of))]
    Ambiguous {
        /// `domain.metric`.
        subject: String,
        /// Instant of the lookup.
        as_of: UtcMicros,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// The file defines a stored rule id differently.
    #[error("rule {rule_id} is stored with another definition")]
    Changed {
        /// The rule.
        rule_id: String,
        /// From the stored to the wanted definition.
        changes: Vec<FieldChange>,
    },
    /// The file names a rule id that was closed.
    #[error("rule {rule_id} was closed at {closed_at} and cannot be opened again under the same id")]
    Closed {
        /// The rule.
        rule_id: String,
        /// When it went out of force.
        closed_at: UtcMicros,
    },
    /// The sync's time lies before the history it would add to.
    #[error("the rules of {subject} already have a version from {latest}, after {now}")]
    TimeBeforeHistory {
        /// `domain.metric`.
        subject: String,
        /// Last instant the stored history speaks of.
        latest: UtcMicros,
        /// The sync's time.
        now: UtcMicros,
    },
}

/// The instant of a lookup; the end of time stands for "the current ones" and is not shown.
struct At(UtcMicros);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == RuleSet::END_OF_TIME {
            Ok(())
        } else {
            write!(f, " at {}", self.0)
        }
    }
}

impl OperatorError for RuleError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Missing { .. } => ErrorCode::RuleMissing,
            Self::Malformed { .. } | Self::File { .. } | Self::Duplicate { .. } | Self::Ambiguous { .. } => {
                ErrorCode::RuleMalformed
            }
            Self::Changed { .. } | Self::Closed { .. } => ErrorCode::RuleChanged,
            Self::TimeBeforeHistory { .. } => ErrorCode::InvalidWindow,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Changed { changes, .. } => Some(
                changes
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Missing { .. } => {
                "Run `nsc rules sync`, then `nsc rules check`; for the past, `nsc rules history` shows since when."
            }
            Self::Malformed { .. } => {
                "Correct the rule in the rules file under a new rule_id and run `nsc rules sync FILE`."
            }
            Self::File { .. } => {
                "`nsc rules check FILE` reads a file without storing it; config/rules.yaml is an example."
            }
            Self::Duplicate { .. } => {
                "Keep one of the two: a rule_id names one definition, a metric has one rule."
            }
            Self::Ambiguous { .. } => "`nsc rules history` shows every version; close one of the two.",
            Self::Changed { .. } | Self::Closed { .. } => {
                "Give the changed rule a new rule_id, or let `nsc rules sync --bump` store it under the next _vN: the definitions of the file are then the ones in force."
            }
            Self::TimeBeforeHistory { .. } => "Leave --now out, or give a time after the last change.",
        };
        Some(text.to_owned())
    }
}
