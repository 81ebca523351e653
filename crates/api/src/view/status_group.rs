//! The many statuses of the source, in the few groups an operator thinks in.

use serde::Serialize;
use utoipa::ToSchema;

/// What a status comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StatusGroup {
    /// The money has moved.
    Success,
    /// It will not.
    Fail,
    /// It may yet.
    InProgress,
    /// It has moved back.
    Refunded,
    /// No status, or one that nobody has grouped.
    Unknown,
}

impl StatusGroup {
    /// The group of a status, compared exactly.
    pub(super) fn of(status: Option<&str>) -> Self {
        match status.unwrap_or_default() {
            "SETTLED" | "COMPLETED" | "SUCCESS" | "SUCCEEDED" | "PAID" => Self::Success,
            "FAILED" | "CANCELLED" | "CANCELED" | "REJECTED" | "DECLINED" => Self::Fail,
            "CREATED" | "PENDING" | "PROCESSING" | "AUTHORIZED" => Self::InProgress,
            "REFUNDED" => Self::Refunded,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StatusGroup;

    #[test]
    fn the_groups_are_those_of_the_contract() {
        let json = |status| serde_json::to_string(&StatusGroup::of(status)).unwrap_or_default();
        for (group, statuses) in [
            (
                "\"SUCCESS\"",
                &["SETTLED", "COMPLETED", "SUCCESS", "SUCCEEDED", "PAID"] as &[_],
            ),
            (
                "\"FAIL\"",
                &["FAILED", "CANCELLED", "CANCELED", "REJECTED", "DECLINED"],
            ),
            (
                "\"IN_PROGRESS\"",
                &["CREATED", "PENDING", "PROCESSING", "AUTHORIZED"],
            ),
            ("\"REFUNDED\"", &["REFUNDED"]),
            (
                "\"UNKNOWN\"",
                &["", "paid", "PAID ", "ON_HOLD", "PARTIALLY_REFUNDED"],
            ),
        ] {
            for status in statuses {
                assert_eq!(json(Some(*status)), group, "{status}");
            }
        }
        assert_eq!(json(None), "\"UNKNOWN\"");
    }
}
