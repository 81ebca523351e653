//! The process's environment, read once at start and passed down.

use std::collections::{BTreeMap, BTreeSet};

/// Names of variables that belong to other software, between commas: for this program they are not there.
pub(crate) const IGNORED_VARIABLES: &str = "NSC_IGNORED_VARIABLES";

/// The variables the process was started with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    readable: BTreeMap<String, String>,
    /// Names of those whose value is not UTF-8.
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// What this process was started with.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub(crate) fn of_this_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => _ = environment.readable.insert(name, value),
                Err(_) => _ = environment.unreadable.insert(name),
            }
        }
        environment.without_ignored()
    }

    /// Leaves out what [`IGNORED_VARIABLES`] names.
    fn without_ignored(mut self) -> Self {
        let ignored = self.readable.get(IGNORED_VARIABLES).cloned().unwrap_or_default();
        for name in ignored.split(',').map(str::trim) {
            self.readable.remove(name);
            self.unreadable.remove(name);
        }
        self
    }

    /// A variable's value; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.readable
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// Whether a variable is set to something that is no text.
    pub(crate) fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.contains(name)
    }

    /// Every variable that has a value.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.with_prefix("")
    }

    /// The variables whose name starts with `prefix`.
    pub(crate) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.readable
            .iter()
            .filter(move |(k, v)| k.starts_with(prefix) && !v.is_empty())
            .map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let readable = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Self {
            readable: readable.collect(),
            unreadable: BTreeSet::new(),
        }
        .without_ignored()
    }
}

#[cfg(test)]
impl Environment {
    /// With a variable whose value is no text.
    pub(crate) fn with_unreadable(mut self, name: &str) -> Self {
        self.unreadable.insert(name.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn a_variable_that_belongs_to_other_software_is_not_there() {
        let env = Environment::from([
            ("NSC_IGNORED_VARIABLES", "SERVICE_NAME, LOG_LEVEL"),
            ("SERVICE_NAME", "x"),
            ("LOG_LEVEL", "INFO"),
            ("NSC_ROOT", "lake"),
        ]);
        assert_eq!(env.get("SERVICE_NAME"), None);
        assert_eq!(env.get("LOG_LEVEL"), None);
        assert_eq!(env.get("NSC_ROOT"), Some("lake"));
    }
}
