//! Rules: the thresholds and allowed values the controls judge by, and their history (`gold.dim_rule_scd2`).
//!
//! Nothing here is stored or timed: [`parse_rules`] reads a rules file, [`plan_sync`] says which versions a sync
//! closes and opens, [`RuleSet`] is what was in force at an instant. Reading and writing the table is the lake's.

mod check;
mod definition;
mod error;
mod known;
mod reading;
mod seed;
mod set;
mod sync;
mod version;
mod words;

pub use definition::{Place, Rule};
pub use error::{FieldChange, RuleError};
pub use known::{KNOWN_METRICS, KnownMetric, RuleShape, TAGS};
pub use reading::Severity;
pub use seed::{DEFAULT_RULES_YAML, default_rules, parse_rules, rules_schema};
pub use set::RuleSet;
pub use sync::{SyncPlan, plan_sync};
pub use version::RuleVersion;
