//! What a run is doing, told while it does it.

use std::fmt;
use std::sync::Arc;

/// Takes what is told.
type Told = dyn Fn(&str) + Send + Sync;

/// Whoever is told; nobody by default.
#[derive(Clone, Default)]
pub struct Progress {
    told: Option<Arc<Told>>,
    /// Which step of a chain is under way, such as `3 of 5`.
    place: Option<&'static str>,
}

impl Progress {
    /// Tells somebody, in a few words each time.
    pub fn to(told: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            told: Some(Arc::new(told)),
            place: None,
        }
    }

    /// The same for one step of a chain.
    pub(crate) fn at(&self, place: &'static str) -> Self {
        Self {
            told: self.told.clone(),
            place: Some(place),
        }
    }

    pub(crate) fn say(&self, pipeline: &str, what: &str) {
        if let Some(told) = &self.told {
            match self.place {
                Some(place) => told(&format!("{place} {pipeline}: {what}")),
                None => told(&format!("{pipeline}: {what}")),
            }
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
