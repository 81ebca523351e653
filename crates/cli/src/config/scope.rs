//! Which half of the configuration a command goes by. What is wrong with the other half is said and stops nothing: its
//! variables (`AUTH_MODE`, `KAFKA_...`) may be those of other software on the machine.

/// What a command reads of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Tables and runs.
    Lakehouse,
    /// Brokers, database, API.
    Serving,
    /// All of it, to be shown.
    All,
}

impl Scope {
    /// Whether the serving half must be usable.
    pub(super) const fn has_serving(self) -> bool {
        matches!(self, Self::Serving | Self::All)
    }

    /// Whether the lakehouse half must be usable.
    pub(super) const fn has_lakehouse(self) -> bool {
        matches!(self, Self::Lakehouse | Self::All)
    }
}
