//! Texts for people, in the languages of the operators.

/// One sentence in both languages; neither is a translation to be filled in later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// English.
    pub en: &'static str,
    /// Korean.
    pub ko: &'static str,
}
