//! What the rules about words say of each other: an alias, the words that are allowed, and those that are counted.
//!
//! A word of a list is itself, and an alias stands for a word of a list (docs/decisions/0044). Each rule by itself may be
//! well formed and the two of them not: that is found here.

use nsc_core::{nearest, sign_of};

use super::{KNOWN_METRICS, KnownMetric, Rule, RuleError, RuleSet};

/// Of one field: which words are allowed, and what a source's own words stand for.
const WORDS: [(&str, &str); 2] = [
    ("entry_type_allowed", "entry_type_alias"),
    ("payment_status_allowed", "payment_status_alias"),
];
/// The statuses that B-3 and B-4 count.
const COUNTED: [&str; 2] = ["payment_failed_status", "payment_refunded_status"];

/// An alias that the allowed words contradict.
pub(super) struct Contradiction<'a> {
    /// The rule of the alias and the one of the allowed words.
    pub(super) rules: [&'a Rule; 2],
    /// What is wrong.
    pub(super) error: RuleError,
}

impl RuleSet {
    /// Aliases that would quarantine, or turn into something else, what they are to mend.
    pub(super) fn contradictions(&self) -> Vec<Contradiction<'_>> {
        let mut found = Vec::new();
        for (allowed, alias) in WORDS {
            let rules = self
                .optional("silver", allowed)
                .zip(self.optional("silver", alias));
            let Some((allowed, alias)) = rules else { continue };
            // What is no list of pairs is said of the rule by itself.
            let pairs = alias.aliases().unwrap_or_default();
            let problems = pairs.iter().filter_map(|pair| problem_of(pair, allowed));
            // A file may hold one of the two, and the other is stored.
            let is_of_list = alias.place.is_none() && allowed.place.is_some();
            let said = |problem: String| {
                if is_of_list {
                    allowed.malformed(format!("of {}, {problem}", named(alias)))
                } else {
                    alias.malformed(problem)
                }
            };
            found.extend(problems.map(|problem| Contradiction {
                rules: [alias, allowed],
                error: said(problem),
            }));
        }
        found
    }

    /// What makes no rule unusable and is most likely not meant, a sentence each: rules that no pipeline looks up, words
    /// that no row can have or that every row is quarantined for.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut found: Vec<String> = self.iter().filter_map(without_use).collect();
        if let Some(rule) = self.optional("silver", "entry_type_allowed") {
            let unsigned = rule.allowed_values.iter().filter(|word| sign_of(word).is_none());
            found.extend(unsigned.map(|word| {
                format!(
                    "{} allows {word}, which has no sign: its entries are quarantined",
                    named(rule)
                )
            }));
        }
        if let Some(allowed) = self.optional("silver", "payment_status_allowed") {
            for rule in COUNTED.iter().filter_map(|metric| self.optional("ops", metric)) {
                let words = rule.allowed_values.iter();
                let strange = words.filter(|word| !allowed.allowed_values.contains(word));
                found.extend(strange.map(|word| {
                    let said = format!(
                        "{} counts {word}, which {} does not allow",
                        named(rule),
                        named(allowed)
                    );
                    asked(said, nearest(word, texts(allowed)))
                }));
            }
        }
        found
    }
}

fn problem_of((word, means): &(String, String), allowed: &Rule) -> Option<String> {
    let words = &allowed.allowed_values;
    if words.contains(word) {
        return Some(format!(
            "{word}={means} gives another meaning to {word}, which {} allows as it is",
            named(allowed)
        ));
    }
    if words.contains(means) {
        return None;
    }
    let said = format!(
        "{word}={means} stands for {means}, which is none of the words of {}: {}",
        named(allowed),
        words.join(" ")
    );
    Some(asked(said, nearest(means, texts(allowed))))
}

/// A rule that no pipeline looks up: a misspelt metric or source, most likely.
fn without_use(rule: &Rule) -> Option<String> {
    let said = format!("{} is looked up by no pipeline", named(rule));
    if KnownMetric::of(rule).is_some() {
        return rule
            .problem_of_source()
            .map(|problem| format!("{said}: {problem}"));
    }
    let of_domain = KNOWN_METRICS.iter().filter(|known| known.domain == rule.domain);
    let meant = nearest(rule.metric_and_source().0, of_domain.map(|known| known.metric));
    Some(asked(said, meant))
}

fn texts(rule: &Rule) -> impl Iterator<Item = &str> {
    rule.allowed_values.iter().map(String::as_str)
}

fn named(rule: &Rule) -> String {
    format!("{} ({})", rule.rule_id, rule.subject())
}

/// A sentence with the word that was most likely meant.
pub(super) fn asked(said: String, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("{said}; is {meant} meant?"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::UtcMicros;

    use super::super::{Rule, RuleSet, RuleVersion, default_rules};

    /// The shipped rules with the values of one of them changed.
    fn with(changes: &[(&str, &[&str])]) -> RuleSet {
        let mut rules = default_rules().unwrap();
        for (metric, values) in changes {
            let rule = rules.iter_mut().find(|r| r.subject() == *metric).unwrap();
            rule.allowed_values = values.iter().map(|v| (*v).to_owned()).collect();
        }
        in_force(rules)
    }

    fn in_force(rules: Vec<Rule>) -> RuleSet {
        let opened = rules.into_iter().map(|rule| RuleVersion {
            rule,
            effective_start: UtcMicros::new(0),
            effective_end: None,
            is_current: true,
        });
        RuleSet::current(&opened.collect::<Vec<_>>()).unwrap()
    }

    fn problems(changes: &[(&str, &[&str])]) -> String {
        let said = with(changes).problems();
        said.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn an_alias_stands_for_an_allowed_word_and_is_none_itself() {
        const TYPES: &str = "silver.entry_type_alias";
        const STATUSES: &str = "silver.payment_status_alias";
        assert_eq!(
            problems(&[(TYPES, &["BUY=CHARGE"]), (STATUSES, &["READY=PENDING"])]),
            ""
        );
        let said = problems(&[(TYPES, &["BUY=CHARG"])]);
        assert!(
            said.contains(
                "BUY=CHARG stands for CHARG, which is none of the words of silver_entry_type_allowed_v1"
            ) && said.ends_with("MINT BURN; is CHARGE meant?"),
            "{said}"
        );
        let said = problems(&[(TYPES, &["CHARGE=MINT"])]);
        assert!(
            said.contains("CHARGE=MINT gives another meaning to CHARGE"),
            "{said}"
        );
        assert!(problems(&[(STATUSES, &["READY=PNDING"])]).contains("is PENDING meant?"));
        assert!(problems(&[(STATUSES, &["SETTLED=PAID"])]).contains("gives another meaning to SETTLED"));
        // Once the list no longer has the word, it is the source's own.
        let without = (
            "silver.payment_status_allowed",
            &["PAID", "PENDING", "FAILED", "CANCELLED", "REFUNDED"][..],
        );
        assert_eq!(problems(&[(STATUSES, &["SETTLED=PAID"]), without]), "");
    }

    #[test]
    fn what_no_row_can_match_is_a_warning() {
        let said = |changes: &[(&str, &[&str])]| with(changes).warnings().join("\n");
        assert_eq!(said(&[]), "");
        assert_eq!(
            said(&[("ops.payment_failed_status", &["FAILED", "CANCELED"])]),
            "ops_payment_failed_status_v1 (ops.payment_failed_status) counts CANCELED, which silver_payment_status_allowed_v2 \
             (silver.payment_status_allowed) does not allow; is CANCELLED meant?"
        );
        assert!(
            said(&[("silver.entry_type_allowed", &["CHARGE", "AIRDROP"])])
                .contains("AIRDROP, which has no sign")
        );
    }

    #[test]
    fn a_rule_that_no_pipeline_looks_up_is_named_with_the_one_that_was_meant() {
        let mut rules = default_rules().unwrap();
        let mut stray = rules.remove(0);
        stray.metric = "freshnes_sec".into();
        rules.push(stray.clone());
        stray.metric = "freshness_sec@user_wallets".into();
        rules.push(stray);
        let said = in_force(rules).warnings();
        assert_eq!(said.len(), 2);
        assert!(
            said[0].ends_with("is looked up by no pipeline; is freshness_sec meant?"),
            "{said:?}"
        );
        assert!(
            said[1].contains("user_wallets is no source of dq.freshness_sec"),
            "{said:?}"
        );
    }
}
