//! Rows under titles.

use nsc_query::Rows;

/// One part of an explanation.
#[derive(Debug, Clone)]
pub struct Section {
    /// What the rows are.
    pub title: &'static str,
    /// The rows; none says that nothing was found.
    pub rows: Rows,
    /// Few and wide rows, which people read a line per value.
    pub is_wide: bool,
}

/// An explanation, part after part.
#[derive(Debug, Clone, Default)]
pub struct Sections(Vec<Section>);

impl Sections {
    /// The parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[Section] {
        &self.0
    }

    /// Takes the parts of some titles out of others.
    pub(crate) fn take(&mut self, others: &mut Self, titles: &[&str]) {
        let parts = std::mem::take(&mut others.0);
        let (taken, left) = parts.into_iter().partition(|part| titles.contains(&part.title));
        self.append(Self(taken));
        others.0 = left;
    }

    /// The parts of others after these.
    pub(crate) fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn push(&mut self, title: &'static str, rows: Rows) {
        self.0.push(Section {
            title,
            rows,
            is_wide: false,
        });
    }

    pub(crate) fn push_records(&mut self, title: &'static str, rows: Rows) {
        self.0.push(Section {
            title,
            rows,
            is_wide: true,
        });
    }
}
