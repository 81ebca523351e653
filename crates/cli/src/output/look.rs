//! How results look to people: as wide as their terminal, in the time zone they work in.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;

use crate::language::Language;
use crate::terminal::Terminal;

/// What a table is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns of the terminal; `None` for a pipe or file.
    pub(crate) width: Option<u16>,
    /// The zone times are shown in.
    pub(crate) zone: Zone,
    /// The language of headings and sentences.
    pub(crate) language: Language,
    /// Whether what is grave stands out.
    pub(crate) has_color: bool,
    /// Rows are records, a line per value, whether or not they would fit.
    pub(crate) as_records: bool,
}

impl Look {
    /// On this terminal, in the zone and the language that are configured.
    pub(crate) const fn of(terminal: Terminal, zone: Zone, language: Language) -> Self {
        Self {
            width: terminal.stdout_width,
            zone,
            language,
            has_color: terminal.stdout_color,
            as_records: false,
        }
    }

    /// On this terminal, for what holds no time.
    pub(crate) const fn without_times(terminal: Terminal) -> Self {
        Self {
            width: terminal.stdout_width,
            zone: Zone::UTC,
            language: terminal.language,
            has_color: terminal.stdout_color,
            as_records: false,
        }
    }

    /// The same in less room.
    pub(crate) fn narrower(self, by: u16) -> Self {
        Self {
            width: self.width.map(|width| width.saturating_sub(by)),
            ..self
        }
    }

    /// The same in a file.
    pub(crate) const fn in_a_file(self) -> Self {
        Self {
            width: None,
            has_color: false,
            ..self
        }
    }

    #[cfg(test)]
    pub(crate) const fn of_a_pipe() -> Self {
        Self {
            width: None,
            zone: Zone::UTC,
            language: Language::English,
            has_color: false,
            as_records: false,
        }
    }
}

/// A time zone, by its name in the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zone(Tz);

impl Zone {
    /// The zone of machines.
    pub(crate) const UTC: Self = Self(Tz::UTC);

    /// An instant that is written down in UTC as this zone's clocks show it, with its offset; what is no instant is left as
    /// it is.
    pub(crate) fn shown(self, instant: &str) -> String {
        match DateTime::parse_from_rfc3339(instant) {
            Ok(at) => at
                .with_timezone(&self.0)
                .to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Err(_) => instant.to_owned(),
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let zone = text.parse().map(Self);
        zone.map_err(|_| "expected the name of a time zone such as Asia/Seoul or UTC".to_owned())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Zone;

    #[test]
    fn an_instant_is_shown_by_the_clock_of_the_zone_and_stays_the_same_instant() {
        let seoul: Zone = "Asia/Seoul".parse().unwrap();
        for (utc, shown) in [
            ("2026-01-05T15:00:00Z", "2026-01-06T00:00:00+09:00"),
            ("2026-01-05T15:00:00.000001Z", "2026-01-06T00:00:00.000001+09:00"),
            ("1970-01-01T00:00:00Z", "1970-01-01T09:00:00+09:00"),
            ("2026-01-05", "2026-01-05"),
            ("-", "-"),
        ] {
            assert_eq!(seoul.shown(utc), shown);
            assert_eq!(Zone::UTC.shown(utc), utc);
        }
        assert!("KST9".parse::<Zone>().is_err() && "".parse::<Zone>().is_err());
    }
}
