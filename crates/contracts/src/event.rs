//! The two events of the serving half as data (serving contract 1): fields, aliases, topics, and the
//! rules that make a JSON object an event or a violation. Knows no JSON text: whoever reads one hands over its
//! members as [`JsonValue`]s, numbers as written.

mod contract;
mod names;
mod profile;
mod read;
mod typed;
mod value;
mod violation;

pub use contract::{EventContract, EventField, EventKind, FieldType};
pub use names::{EventAliases, FieldNames, Members};
pub use profile::{
    DEFAULT_PROFILES_YAML, EventProfile, KindOverrides, ProfileError, ProfileOverrides, convert_profiles,
    default_profiles, parse_profiles,
};
pub use typed::{Event, LedgerEntryEvent, PaymentOrderEvent};
pub use value::JsonValue;
pub use violation::{Violation, ViolationClass};

#[cfg(test)]
mod tests;
