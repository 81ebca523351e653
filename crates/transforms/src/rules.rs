//! Thresholds as exact decimals, and the severity they give.
//!
//! A rule's numbers are stored as doubles (contract, `dim_rule_scd2`). A [`Threshold`] takes the double's shortest
//! decimal text, `0.001`, as the exact number meant, and every comparison with it is one of integers.

use nsc_contracts::rule::{Rule, Severity};

use crate::TransformError;

/// A rule's number, exactly: `mantissa / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Threshold {
    mantissa: i128,
    scale: u32,
}

impl Threshold {
    /// The number the rule's author wrote.
    ///
    /// # Errors
    /// When it is not finite.
    pub fn from_f64(value: f64) -> Result<Self, TransformError> {
        if !value.is_finite() {
            return Err(TransformError::Threshold(value));
        }
        // Rust prints the shortest text that reads back as the same double, without an exponent.
        let text = value.abs().to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        // 17 significant digits at most. Past 30 decimals the digits are far below anything compared here; a 1 in
        // their place keeps the number on its side of every value it is compared with.
        let (kept, cut) = fraction.split_at_checked(30).unwrap_or((fraction, ""));
        let rest = if cut.bytes().any(|b| b != b'0') { "1" } else { "" };
        let digits = whole
            .bytes()
            .chain(kept.bytes())
            .chain(rest.bytes())
            .map(|b| i128::from(b - b'0'));
        let mantissa = digits.fold(0_i128, |n, d| n.saturating_mul(10).saturating_add(d));
        let scale = u32::try_from(kept.len() + rest.len()).unwrap_or(0);
        Ok(Self {
            mantissa: if value < 0.0 { -mantissa } else { mantissa },
            scale,
        })
    }

    /// The largest whole number of 10^-`scale` that is not above the threshold: `x > t` is `x > floor`.
    #[must_use]
    pub fn floor_at(self, scale: u32) -> i128 {
        if scale >= self.scale {
            return 10_i128
                .saturating_pow(scale - self.scale)
                .saturating_mul(self.mantissa);
        }
        self.mantissa
            .div_euclid(10_i128.saturating_pow(self.scale - scale))
    }

    /// The smallest whole number of 10^-`scale` that is not below the threshold: `x >= t` is `x >= ceil`.
    #[must_use]
    pub fn ceil_at(self, scale: u32) -> i128 {
        let floor = self.floor_at(scale);
        let whole = scale >= self.scale
            || self
                .mantissa
                .rem_euclid(10_i128.saturating_pow(self.scale - scale))
                == 0;
        if whole { floor } else { floor.saturating_add(1) }
    }

    /// `units` of 10^-`scale` `>=` the threshold.
    #[must_use]
    pub fn is_reached_by(self, units: i128, scale: u32) -> bool {
        units >= self.ceil_at(scale)
    }
}

impl std::fmt::Display for Threshold {
    /// The decimal text, as it stands in the rule.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let scale = self.scale as usize;
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

/// A rule of `dim_rule_scd2` that grades a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeverityRule {
    /// The rule.
    pub rule_id: String,
    /// `threshold`.
    pub threshold: Threshold,
    /// `severity_map.warn`.
    pub warn: Option<Threshold>,
    /// `severity_map.crit`.
    pub crit: Option<Threshold>,
}

impl SeverityRule {
    /// A rule from the numbers of its row.
    ///
    /// # Errors
    /// When one of them is not finite.
    pub fn new(
        rule_id: impl Into<String>,
        threshold: f64,
        warn: Option<f64>,
        crit: Option<f64>,
    ) -> Result<Self, TransformError> {
        Ok(Self {
            rule_id: rule_id.into(),
            threshold: Threshold::from_f64(threshold)?,
            warn: warn.map(Threshold::from_f64).transpose()?,
            crit: crit.map(Threshold::from_f64).transpose()?,
        })
    }

    /// A rule as `dim_rule_scd2` states it.
    ///
    /// # Errors
    /// When it has no usable threshold, or a number in it is not usable: the error names the rule.
    pub fn of(rule: &Rule) -> Result<Self, TransformError> {
        Self::new(&rule.rule_id, rule.threshold()?, rule.warn()?, rule.crit()?)
    }

    /// Pipeline A: `>=` crit is CRITICAL, else `>=` warn is WARN, else with no map `>=` threshold is CRITICAL.
    #[must_use]
    pub fn reached(&self, units: i128, scale: u32) -> Option<Severity> {
        let over = |t: Option<Threshold>| t.is_some_and(|t| t.is_reached_by(units, scale));
        if over(self.crit) {
            return Some(Severity::Critical);
        }
        if over(self.warn) {
            return Some(Severity::Warn);
        }
        let no_map = self.warn.is_none() && self.crit.is_none();
        (no_map && self.threshold.is_reached_by(units, scale)).then_some(Severity::Critical)
    }
}

#[cfg(test)]
mod tests {
    use nsc_contracts::rule::Severity;

    use super::{SeverityRule, Threshold};

    fn at(value: f64) -> Threshold {
        Threshold::from_f64(value).unwrap()
    }

    #[test]
    fn a_threshold_is_the_decimal_that_was_written() {
        for (value, text, floor6, ceil6) in [
            (0.001, "0.001", 1_000, 1_000),
            (0.0, "0", 0, 0),
            (0.1, "0.1", 100_000, 100_000),
            (300.0, "300", 300_000_000, 300_000_000),
            (0.000_000_5, "0.0000005", 0, 1),
            (-0.000_000_5, "-0.0000005", -1, 0),
            (-1.5, "-1.5", -1_500_000, -1_500_000),
            (0.01, "0.01", 10_000, 10_000),
        ] {
            let t = at(value);
            assert_eq!(
                (t.to_string().as_str(), t.floor_at(6), t.ceil_at(6)),
                (text, floor6, ceil6),
                "{value}"
            );
        }
        assert_eq!(at(1e300).ceil_at(6), i128::MAX);
        assert_eq!(at(-1e300).floor_at(0), -i128::MAX);
        assert_eq!((at(1e-300).floor_at(6), at(1e-300).ceil_at(6)), (0, 1));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Threshold::from_f64(bad).is_err());
        }
    }

    #[test]
    fn comparisons_hold_at_the_edge() {
        assert!(at(0.001).is_reached_by(1_000, 6) && !at(0.001).is_reached_by(999, 6));
        assert!(at(0.0).is_reached_by(0, 2) && !at(0.0).is_reached_by(-1, 2));
        assert!(at(0.005).is_reached_by(1, 2) && !at(0.005).is_reached_by(0, 2));
    }

    #[test]
    fn severity_follows_the_map_and_the_threshold_only_without_one() {
        let mapped = SeverityRule::new("r", 0.0, Some(300.0), Some(600.0)).unwrap();
        assert_eq!(
            [299, 300, 599, 600].map(|v| mapped.reached(v, 0)),
            [
                None,
                Some(Severity::Warn),
                Some(Severity::Warn),
                Some(Severity::Critical)
            ]
        );
        let plain = SeverityRule::new("r", 3.0, None, None).unwrap();
        assert_eq!(
            [2, 3].map(|v| plain.reached(v, 0)),
            [None, Some(Severity::Critical)]
        );
        let only_warn = SeverityRule::new("r", 1.0, Some(5.0), None).unwrap();
        assert_eq!(
            [4, 9].map(|v| only_warn.reached(v, 0)),
            [None, Some(Severity::Warn)]
        );
    }
}
