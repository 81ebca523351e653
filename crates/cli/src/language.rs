//! The language people are answered in; machines are answered in one.

use std::fmt;
use std::str::FromStr;

use crate::environment::Environment;

/// English or Korean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Language {
    /// English.
    #[default]
    English,
    /// Korean.
    Korean,
}

impl Language {
    /// The variable that says it.
    pub(crate) const VARIABLE: &'static str = "NSC_LANG";

    /// What the environment says, for what is printed before or without a configuration: English where it says nothing usable.
    pub(crate) fn of_environment(env: &Environment) -> Self {
        env.get(Self::VARIABLE)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    }

    /// One of two texts.
    pub(crate) const fn pick(self, english: &'static str, korean: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Korean => korean,
        }
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // As LANG has it: ko_KR.UTF-8.
        let language = text.split(['_', '.', '-']).next().unwrap_or_default();
        match language.to_ascii_lowercase().as_str() {
            "en" => Ok(Self::English),
            "ko" => Ok(Self::Korean),
            _ => Err("expected en or ko".to_owned()),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("en", "ko"))
    }
}
