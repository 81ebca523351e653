//! Typed reading of a rule: what a pipeline asks of it, with an error that names the rule when it cannot answer.

use nsc_core::Money;
use serde::Serialize;

use super::{KnownMetric, Rule, RuleError, RuleShape};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// To be looked at.
    Warn,
    /// A breach.
    Critical,
}

impl Severity {
    /// As the tables store it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "WARN",
            Self::Critical => "CRITICAL",
        }
    }

    /// Read back; `None` for any other text.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        [Self::Warn, Self::Critical]
            .into_iter()
            .find(|s| s.name() == text)
    }
}

impl Rule {
    /// The threshold.
    ///
    /// # Errors
    /// When there is none, or it is negative or not a number.
    pub fn threshold(&self) -> Result<f64, RuleError> {
        let value = self
            .threshold
            .ok_or_else(|| self.malformed("it has no threshold".to_owned()))?;
        self.usable("threshold", value)
    }

    /// The threshold as exact money.
    ///
    /// # Errors
    /// As [`Rule::threshold`], and when the number is not exact in two decimals.
    pub fn threshold_money(&self) -> Result<Money, RuleError> {
        let value = self.threshold()?;
        // The shortest decimal that reads back as the stored double is the number the operator wrote.
        Money::parse(&value.to_string())
            .map_err(|e| self.malformed(format!("threshold {value} is not an amount: {e}")))
    }

    /// `severity_map.warn`; `None` when the rule knows no warning.
    ///
    /// # Errors
    /// When it is negative or not a number.
    pub fn warn(&self) -> Result<Option<f64>, RuleError> {
        self.level("warn")
    }

    /// `severity_map.crit`; `None` when the rule does not set it.
    ///
    /// # Errors
    /// When it is negative or not a number.
    pub fn crit(&self) -> Result<Option<f64>, RuleError> {
        self.level("crit")
    }

    /// `severity_map.fail`, else the threshold: above it the run stops.
    ///
    /// # Errors
    /// When there is neither, or it is negative or not a number.
    pub fn fail(&self) -> Result<f64, RuleError> {
        match self.level("fail")? {
            Some(value) => Ok(value),
            None => self.threshold(),
        }
    }

    /// The allowed values.
    ///
    /// # Errors
    /// When there are none, or one is blank.
    pub fn allowed(&self) -> Result<&[String], RuleError> {
        if self.allowed_values.is_empty() {
            return Err(self.malformed("it has no allowed_values".to_owned()));
        }
        if self.allowed_values.iter().any(|v| nsc_core::is_blank(v)) {
            return Err(self.malformed("allowed_values holds a blank value".to_owned()));
        }
        Ok(&self.allowed_values)
    }

    /// The values of a set that may be empty.
    ///
    /// # Errors
    /// When one is blank.
    pub fn any_values(&self) -> Result<&[String], RuleError> {
        if self.allowed_values.is_empty() {
            return Ok(&[]);
        }
        self.allowed()
    }

    /// What a source's words stand for, from `WORD=WORD`.
    ///
    /// # Errors
    /// When a value is not of that form, a word stands for two, or a word both stands for another and is stood for: a word is
    /// looked up once.
    pub fn aliases(&self) -> Result<Vec<(String, String)>, RuleError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for value in self.any_values()? {
            let pair = value
                .split_once('=')
                .filter(|(word, means)| !nsc_core::is_blank(word) && !nsc_core::is_blank(means))
                .filter(|(_, means)| !means.contains('=') && !value.contains(['\n', '\r']));
            let Some((word, means)) = pair else {
                return Err(self.malformed(format!("{value:?} is not SOURCE_WORD=CONTRACT_WORD")));
            };
            if pairs.iter().any(|(known, _)| known == word) {
                return Err(self.malformed(format!("{word} stands for two words")));
            }
            pairs.push((word.to_owned(), means.to_owned()));
        }
        match pairs
            .iter()
            .find(|(word, _)| pairs.iter().any(|(_, means)| means == word))
        {
            Some((word, _)) => Err(self.malformed(format!(
                "{word} stands for another word and is stood for: a word is looked up once"
            ))),
            None => Ok(pairs),
        }
    }

    /// The one allowed value of a rule that is a choice.
    ///
    /// # Errors
    /// When it has none, several, or one outside `choices`.
    pub fn choice(&self, choices: &[&str]) -> Result<&str, RuleError> {
        match self.allowed()? {
            [one] if choices.contains(&one.as_str()) => Ok(one),
            other => Err(self.malformed(format!(
                "allowed_values is {other:?}, it must be one of {choices:?}"
            ))),
        }
    }

    fn choices(&self, choices: &[&str]) -> Result<(), RuleError> {
        let stranger = self.allowed()?.iter().find(|v| !choices.contains(&v.as_str()));
        stranger.map_or(Ok(()), |value| {
            Err(self.malformed(format!(
                "allowed_values holds {value}, it takes some of {choices:?}"
            )))
        })
    }

    /// How bad a value is: at or above `crit` CRITICAL, else at or above `warn` WARN; with neither, at or above
    /// the threshold CRITICAL.
    ///
    /// # Errors
    /// When the rule has neither a severity map nor a threshold, or a number in it is not usable.
    pub fn severity_of(&self, value: f64) -> Result<Option<Severity>, RuleError> {
        let (warn, crit) = (self.warn()?, self.crit()?);
        if warn.is_none() && crit.is_none() {
            return Ok((value >= self.threshold()?).then_some(Severity::Critical));
        }
        if crit.is_some_and(|c| value >= c) {
            return Ok(Some(Severity::Critical));
        }
        Ok(warn.is_some_and(|w| value >= w).then_some(Severity::Warn))
    }

    /// Whether the rule can answer what a pipeline will ask.
    ///
    /// # Errors
    /// What the lookup during a run would report.
    pub fn answers(&self, shape: RuleShape) -> Result<(), RuleError> {
        match shape {
            RuleShape::Severity => self.severity_of(0.0).map(|_| ()),
            RuleShape::Money => self.threshold_money().map(|_| ()),
            RuleShape::Fail => self.fail().map(|_| ()),
            RuleShape::Values => self.allowed().map(|_| ()),
            RuleShape::SomeOf(choices) => self.choices(choices),
            RuleShape::OneOf(choices) => self.choice(choices).map(|_| ()),
            RuleShape::AnyValues => self.any_values().map(|_| ()),
            RuleShape::Aliases => self.aliases().map(|_| ()),
        }
    }

    /// What a pipeline that looks the rule up would stumble over.
    pub(super) fn cannot_answer(&self) -> Option<RuleError> {
        KnownMetric::of(self).and_then(|known| self.answers(known.shape).err())
    }

    /// The rule is not usable, said of the file it was read from where it was.
    pub(super) fn malformed(&self, problem: String) -> RuleError {
        let (rule_id, subject) = (self.rule_id.clone(), self.subject());
        match &self.place {
            Some(place) => RuleError::File {
                file: place.file.clone(),
                problem: format!("rule {rule_id} ({}), {subject}: {problem}", place.at),
            },
            None => RuleError::Malformed {
                rule_id,
                subject,
                problem,
            },
        }
    }

    fn level(&self, name: &str) -> Result<Option<f64>, RuleError> {
        self.severity_map
            .get(name)
            .map(|v| self.usable(&format!("severity_map.{name}"), *v))
            .transpose()
    }

    fn usable(&self, field: &str, value: f64) -> Result<f64, RuleError> {
        if value.is_finite() && value >= 0.0 {
            Ok(value)
        } else {
            Err(self.malformed(format!("{field} is {value}, it must be a number of 0 or more")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::tests::rule;
    use super::{Rule, RuleShape, Severity};

    fn said<T>(result: Result<T, super::RuleError>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn severity_follows_crit_then_warn_then_the_bare_threshold() {
        let mut r = rule("r", "dq.x", 10.0);
        r.severity_map = [("warn".to_owned(), 10.0), ("crit".to_owned(), 20.0)].into();
        let of = |r: &Rule, v| r.severity_of(v).unwrap();
        assert_eq!(
            [of(&r, 9.9), of(&r, 10.0), of(&r, 20.0)],
            [None, Some(Severity::Warn), Some(Severity::Critical)]
        );
        r.severity_map.clear();
        assert_eq!([of(&r, 9.9), of(&r, 10.0)], [None, Some(Severity::Critical)]);
    }

    #[test]
    fn what_a_rule_cannot_answer_names_the_rule() {
        let mut r = rule("r1", "dq.x", f64::NAN);
        assert_eq!(
            said(r.threshold()),
            "rule r1 (dq.x) is malformed: threshold is NaN, it must be a number of 0 or more"
        );
        assert!(said(r.crit()).contains("severity_map.crit is NaN"));
        r.threshold = Some(-1.0);
        assert!(said(r.threshold()).contains("threshold is -1"));
        r.threshold = None;
        r.severity_map.clear();
        assert!(said(r.threshold()).contains("it has no threshold"));
        assert!(said(r.fail()).contains("it has no threshold"));
        assert!(said(r.severity_of(1.0)).contains("it has no threshold"));
        assert!(said(r.allowed()).contains("it has no allowed_values"));
        r.allowed_values = vec![" ".into()];
        assert!(said(r.allowed()).contains("blank"));
        r.allowed_values = vec!["some".into()];
        assert!(said(r.answers(RuleShape::OneOf(&["closing", "any"]))).contains("must be one of"));
        r.allowed_values = vec!["closing".into(), "clsing".into()];
        assert!(
            said(r.answers(RuleShape::SomeOf(&["closing", "any"])))
                .contains("holds clsing, it takes some of")
        );
    }

    #[test]
    fn an_alias_is_one_word_for_one_other() {
        let of = |values: &[&str]| {
            let mut r = rule("r1", "silver.entry_type_alias", 0.0);
            r.allowed_values = values.iter().map(|v| (*v).to_owned()).collect();
            r.aliases()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of(&[]).unwrap(), []);
        assert_eq!(
            of(&["BUY=CHARGE", "buy=CHARGE", "구매=CHARGE"]).unwrap(),
            [
                pair("BUY", "CHARGE"),
                pair("buy", "CHARGE"),
                pair("구매", "CHARGE")
            ]
        );
        for (values, problem) in [
            (&["BUY"][..], "is not SOURCE_WORD=CONTRACT_WORD"),
            (&["=CHARGE"], "is not SOURCE_WORD=CONTRACT_WORD"),
            (&["BUY= "], "is not SOURCE_WORD=CONTRACT_WORD"),
            (&["A=B=C"], "is not SOURCE_WORD=CONTRACT_WORD"),
            (&["A=B\nC=D"], "is not SOURCE_WORD=CONTRACT_WORD"),
            (&["BUY=CHARGE", "BUY=PAYMENT"], "BUY stands for two words"),
            (&["A=B", "B=C"], "B stands for another word and is stood for"),
            (&["A=A"], "A stands for another word and is stood for"),
        ] {
            let said = said(of(values));
            assert!(
                said.contains(problem) && said.contains("rule r1"),
                "{values:?}: {said}"
            );
        }
    }

    #[test]
    fn money_thresholds_are_the_number_that_was_written() {
        assert_eq!(
            rule("r", "ledger.x", 0.1).threshold_money().unwrap().to_string(),
            "0.10"
        );
        assert_eq!(
            rule("r", "ledger.x", 1e15).threshold_money().unwrap().to_string(),
            "1000000000000000.00"
        );
        assert!(
            said(rule("r", "ledger.x", 0.001).threshold_money()).contains("more than two decimal places")
        );
    }
}
