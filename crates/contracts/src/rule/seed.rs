//! The rules file: strict YAML, or a JSON array of rules, checked as a whole before anything is stored.
//! Follows lakehouse contract 4, "Rules seed".

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use schemars::{JsonSchema, Schema, schema_for};
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::{KnownMetric, Place, Rule, RuleError};

/// The rules file this build ships (`config/rules.yaml`).
pub const DEFAULT_RULES_YAML: &str = include_str!("../../../../config/rules.yaml");

/// The one version of the file's format there is.
const FORMAT_VERSION: u32 = 1;

/// Rules by which the pipelines judge; `nsc rules sync FILE` stores them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    /// Of the form of the file.
    #[schemars(range(min = 1, max = 1))]
    version: u32,
    /// The rules; no id, and no domain with its metric, twice.
    #[schemars(length(min = 1))]
    rules: Vec<FileRule>,
}

/// One rule.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
struct FileRule {
    /// Names this definition for ever; a changed definition needs another one (`--bump`).
    rule_id: String,
    /// What it is about: a table, or a part of the controls.
    domain: String,
    /// What it says of that.
    metric: String,
    /// The value that is compared with.
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    threshold: Option<Number>,
    /// The values from which it is a warning, a critical breach, or the run fails.
    severity_map: Option<FileSeverities>,
    /// The words that are allowed.
    allowed_values: Option<Vec<String>>,
    /// For people.
    comment: Option<String>,
}

/// Rules by which the pipelines judge: `{version, rules}`, or a bare array of rules.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(title = "rules.yaml")]
#[expect(dead_code, reason = "it describes the two forms that a file may have")]
enum EitherForm {
    File(RulesFile),
    Array(Vec<FileRule>),
}

/// The JSON schema of a rules file, for an editor or a check before a sync.
#[must_use]
pub fn rules_schema() -> Schema {
    schema_for!(EitherForm)
}

/// A struct rather than a map: unknown and repeated keys are errors with their line.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Severities", description = "From which value on it is how grave.")]
struct FileSeverities {
    /// A warning.
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    warn: Option<Number>,
    /// A critical breach.
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    crit: Option<Number>,
    /// The run fails.
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    fail: Option<Number>,
}

/// A finite number of 0 or more, refused in the visitor, where YAML still knows field and line.
#[derive(Clone, Copy)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_f64(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of 0 or more")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        if value.is_finite() && value >= 0.0 {
            Ok(Number(value))
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        // Exact for every threshold a double can hold; beyond 2^53 the double is what is stored anyway.
        Ok(Number(value as f64))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        u64::try_from(value)
            .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            .and_then(|v| self.visit_u64(v))
    }
}

/// The file's rules: `{version, rules}` in YAML, or a bare JSON array, which has no version of its own.
fn file_rules(text: &str) -> Result<Vec<FileRule>, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('[') {
        // JSON is YAML, and read so it keeps its lines in errors.
        return serde_yaml_ng::from_str(text).map_err(|e| e.to_string());
    }
    let parsed: RulesFile = serde_yaml_ng::from_str(text).map_err(|e| e.to_string())?;
    if parsed.version == FORMAT_VERSION {
        Ok(parsed.rules)
    } else {
        Err(format!(
            "version is {}, this program reads version {FORMAT_VERSION}",
            parsed.version
        ))
    }
}

/// Reads a rules file. `file` is the name errors give it.
///
/// # Errors
/// When it is not YAML or JSON of the documented form (with the line), when a rule is malformed, when a `rule_id` or a
/// domain and metric stand in it twice, or when it holds no rule.
pub fn parse_rules(file: &str, text: &str) -> Result<Vec<Rule>, RuleError> {
    let refuse = |problem: String| RuleError::File {
        file: file.to_owned(),
        problem,
    };
    let found = file_rules(text).map_err(refuse)?;
    if found.is_empty() {
        return Err(refuse("it holds no rule".to_owned()));
    }
    let places = Places::of(text, found.len());
    let mut rules = Vec::with_capacity(found.len());
    for (at, file_rule) in found.into_iter().enumerate() {
        let is_empty = file_rule.allowed_values.as_ref().is_some_and(Vec::is_empty);
        let mut rule = Rule::from(file_rule);
        rule.place = Some(Place {
            file: file.to_owned(),
            at: places.name(at),
        });
        refuse_unusable(&rule, is_empty)?;
        rules.push(rule);
    }
    refuse_duplicates(file, &places, &rules)?;
    Ok(rules)
}

/// What is wrong with a rule by itself.
fn refuse_unusable(rule: &Rule, is_empty: bool) -> Result<(), RuleError> {
    if is_empty && !KnownMetric::of(rule).is_some_and(|k| k.shape.may_be_empty()) {
        return Err(rule.malformed("it has an empty allowed_values".to_owned()));
    }
    rule.check()?;
    rule.cannot_answer().map_or(Ok(()), Err)
}

/// The shipped rules.
///
/// # Errors
/// Never in a released build: a test reads the shipped file.
pub fn default_rules() -> Result<Vec<Rule>, RuleError> {
    parse_rules("config/rules.yaml (shipped)", DEFAULT_RULES_YAML)
}

impl From<FileRule> for Rule {
    fn from(r: FileRule) -> Self {
        let levels = r.severity_map.unwrap_or_default();
        let levels = [
            ("warn", levels.warn),
            ("crit", levels.crit),
            ("fail", levels.fail),
        ];
        let severity_map: BTreeMap<String, f64> = levels
            .into_iter()
            .filter_map(|(name, value)| value.map(|v| (name.to_owned(), v.0)))
            .collect();
        Self {
            rule_id: r.rule_id,
            domain: r.domain,
            metric: r.metric,
            threshold: r.threshold.map(|t| t.0),
            severity_map,
            allowed_values: r.allowed_values.unwrap_or_default(),
            comment: r.comment,
            place: None,
        }
    }
}

fn refuse_duplicates(file: &str, places: &Places, rules: &[Rule]) -> Result<(), RuleError> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (at, rule) in rules.iter().enumerate() {
        for what in [
            format!("rule_id {}", rule.rule_id),
            format!("the metric {}", rule.subject()),
        ] {
            if let Some(&before) = seen.get(&what)
                && let Some(other) = rules.get(before)
            {
                let named = |rule: &Rule, at| format!("{} ({})", rule.rule_id, places.name(at));
                let (first, second) = (named(other, before), named(rule, at));
                return Err(RuleError::Duplicate {
                    file: file.to_owned(),
                    what,
                    first,
                    second,
                });
            }
            seen.insert(what, at);
        }
    }
    Ok(())
}

/// Where each rule stands in its file.
struct Places {
    /// The line of each rule's id, where each has a line of its own; else nothing is claimed.
    lines: Vec<usize>,
}

impl Places {
    fn of(text: &str, count: usize) -> Self {
        let is_id = |line: &str| {
            line.trim_start_matches(|c: char| c.is_whitespace() || "-[{\"'".contains(c))
                .starts_with("rule_id")
        };
        let lines: Vec<usize> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| is_id(line))
            .map(|(n, _)| n + 1)
            .collect();
        let is_complete = lines.len() == count;
        Self {
            lines: if is_complete { lines } else { Vec::new() },
        }
    }

    /// The place of a rule.
    fn name(&self, at: usize) -> String {
        match self.lines.get(at) {
            Some(line) => format!("line {line}"),
            None => format!("rule {} of the file", at + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{default_rules, parse_rules};

    fn refused(rules: &str) -> String {
        parse_rules("rules.yaml", &format!("version: 1\nrules:\n{rules}"))
            .unwrap_err()
            .to_string()
    }

    const ONE: &str = "  - rule_id: a\n    domain: dq\n    metric: x\n    threshold: 1\n";

    /// The rules of the contract's table: id, subject, threshold, and limits or words, as they stand there.
    fn of_the_contract() -> Vec<[String; 4]> {
        let page = include_str!("../../../../docs/contract/lakehouse.md");
        let begun = page.split_once("| rule_id | domain.metric |").unwrap().1;
        let rows = begun.lines().skip(2).take_while(|line| line.starts_with('|'));
        rows.flat_map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [ids, subjects, threshold, said] = cells[..] else {
                panic!("{row}");
            };
            let both = ids.split(", ").zip(subjects.split(", "));
            both.map(|(id, subject)| [id, subject, threshold, said].map(str::to_owned))
                .collect::<Vec<_>>()
        })
        .collect()
    }

    #[test]
    fn the_shipped_file_is_the_table_of_the_contract() {
        let rules = default_rules().unwrap();
        let shipped: Vec<[String; 4]> = rules
            .iter()
            .map(|r| {
                let limits = r
                    .severity_map
                    .iter()
                    .rev()
                    .map(|(level, limit)| format!("{level} {limit}"));
                let said = [limits.collect::<Vec<_>>().join(", "), r.allowed_values.join(" ")].concat();
                let threshold = r.threshold.map(|t| t.to_string()).unwrap_or_default();
                [r.rule_id.clone(), r.subject().to_string(), threshold, said]
            })
            .collect();
        let mut wanted = of_the_contract();
        for rule in &mut wanted {
            // What may stand there instead, and what pairs look like.
            let said = rule[3].split(" (").next().unwrap();
            rule[3] = said.strip_prefix("none;").map_or(said, |_| "").to_owned();
        }
        let sorted = |mut rules: Vec<[String; 4]>| {
            rules.sort();
            rules
        };
        assert_eq!(sorted(shipped), sorted(wanted));
        assert!(rules.iter().all(|r| r.comment.is_some()));
    }

    #[test]
    fn a_json_array_of_rules_is_a_rules_file() {
        let json = r#"[
            {"rule_id": "a", "domain": "dq", "metric": "x", "threshold": 300, "severity_map": {"warn": 300, "crit": 600.5}},
            {"rule_id": "b", "domain": "silver", "metric": "entry_type_allowed", "threshold": null, "severity_map": null,
             "allowed_values": ["CHARGE"], "comment": "why"}
        ]"#;
        let yaml = "version: 1\nrules:\n\
            - {rule_id: a, domain: dq, metric: x, threshold: 300, severity_map: {warn: 300, crit: 600.5}}\n\
            - {rule_id: b, domain: silver, metric: entry_type_allowed, allowed_values: [CHARGE], comment: why}\n";
        let read = |text: &str| {
            let mut rules = parse_rules("rules", text).unwrap();
            rules.iter_mut().for_each(|rule| rule.place = None);
            rules
        };
        assert_eq!(read(json), read(yaml));
        assert_eq!(read(&format!("\u{feff}{json}")), read(yaml));
        let refused = |text: &str| parse_rules("rules.json", text).unwrap_err().to_string();
        for (text, problem) in [
            ("[]", "it holds no rule"),
            ("[{\"rule_id\": \"a\"}]", "missing field `domain` at line 1"),
            (
                "[{\"rule_id\": \"a\", \"is_current\": true}]",
                "unknown field `is_current`",
            ),
            ("[1]", "at line 1"),
            ("[", "at line "),
            (
                r#"[{"rule_id": "a", "domain": "dq", "metric": "x", "threshold": "300"}]"#,
                "a number of 0 or more",
            ),
        ] {
            assert!(refused(text).contains(problem), "{text}: {}", refused(text));
        }
        let twice = json.replace("\"b\"", "\"a\"");
        assert!(refused(&twice).contains("a (line 2) and a (line 3)"));
        let in_one_line = twice.replace('\n', " ");
        assert!(refused(&in_one_line).contains("a (rule 1 of the file) and a (rule 2 of the file)"));
    }

    #[test]
    fn what_the_format_does_not_know_is_refused_with_its_line() {
        let said = [
            refused(&format!("{ONE}    treshold: 2\n")),
            refused(&format!("{ONE}    threshold: 2\n")),
            refused(&format!("{ONE}    severity_map: {{ warn: 1, warn: 2 }}\n")),
            refused(&format!("{ONE}    severity_map: {{ critical: 1 }}\n")),
            refused(&ONE.replace('1', ".nan")),
            refused(&ONE.replace('1', ".inf")),
            refused(&ONE.replace('1', "-1")),
            refused(&ONE.replace('1', "many")),
            refused(&format!("{ONE}    allowed_values: []\n")),
            refused(&format!("{ONE}    severity_map: {{ warn: 2, crit: 1 }}\n")),
            refused(&format!("{ONE}{ONE}")),
            refused(&format!("{ONE}{}", ONE.replace("rule_id: a", "rule_id: b"))),
            refused(&format!(
                "{ONE}{}",
                ONE.replace("rule_id: a", "rule_id: b")
                    .replace(": x", ": freshness_sec@user_wallets")
            )),
            refused(
                &ONE.replace("dq\n", "ledger\n")
                    .replace(": x", ": gate_tags")
                    .replace("threshold: 1", "allowed_values: [SOURCE_STAL]"),
            ),
            refused("  []\n"),
            parse_rules("rules.yaml", "version: 2\nrules: []\n")
                .unwrap_err()
                .to_string(),
            parse_rules("rules.yaml", "rules: [\n").unwrap_err().to_string(),
            parse_rules("rules.yaml", "").unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }
}
