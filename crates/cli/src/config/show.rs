//! `nsc config show`: every key, its effective value, where it came from.

use super::keys::{self, Key, Kind};
use super::layers::Shown;
use super::{Config, credentials};
use crate::output::{Cell, Column, Listing};

const MASK: &str = "********";

/// The effective configuration as rows; secrets are masked, not measured.
pub(crate) fn listing(config: &Config) -> Listing {
    let mut listing = Listing {
        columns: ["key", "value", "origin", "meaning"].map(Column::text).into(),
        rows: Vec::new(),
    };
    for key in keys::ALL {
        let shown = config.in_force.get(key.name);
        let value = shown.and_then(|shown| value_of(key, shown));
        let origin = shown.map_or("not set", |shown| &shown.origin);
        listing.push([
            Cell::text(key.name),
            value.map_or(Cell::Null, Cell::Text),
            Cell::text(origin),
            Cell::text(key.about),
        ]);
        if key.name == keys::LEASE.name {
            for (option, setting) in &config.lake.storage {
                listing.push([
                    Cell::Text(format!("{}.{option}", keys::STORAGE)),
                    Cell::text(MASK),
                    Cell::Text(setting.origin.to_string()),
                    Cell::text(keys::STORAGE_ABOUT),
                ]);
            }
        }
    }
    listing
}

fn value_of(key: &Key, shown: &Shown) -> Option<String> {
    let value = shown.value.as_deref()?;
    Some(match key.kind {
        Kind::Secret => MASK.to_owned(),
        Kind::Address => without_secrets(value),
        _ => value.to_owned(),
    })
}

/// A URL may carry a signature in its query. One with a user in it was refused when it was read; should one come here
/// all the same, nothing of it is shown. (A local path without a colon is no URL.)
fn without_secrets(address: &str) -> String {
    if credentials::stand_in(address) && address.contains(':') {
        return MASK.to_owned();
    }
    match address.split_once('?') {
        Some((url, _)) => format!("{url}?{MASK}"),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn an_address_is_shown_without_what_lets_somebody_in() {
        for (address, shown) in [
            ("https://issuer.example/v2", "https://issuer.example/v2"),
            (
                "https://issuer.example/keys?sig=s3cret",
                "https://issuer.example/keys?********",
            ),
            ("https://user:s3cret@collector:4318", "********"),
            ("https://user:s3cret@bad host", "********"),
            ("a:9092,user:s3cret@b:9092", "********"),
            (
                "abfss://c@a.dfs.core.windows.net/lake",
                "abfss://c@a.dfs.core.windows.net/lake",
            ),
            ("./lake@home", "./lake@home"),
        ] {
            assert_eq!(without_secrets(address), shown);
        }
    }
}
