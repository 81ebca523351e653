//! Small worlds to look at.

use std::fs;
use std::path::Path;

use nsc_sample::{SampleOptions, SampleSummary, Source, generate};
use serde_json::Value;
use tempfile::TempDir;

/// A generated world; its files live as long as it does.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) summary: SampleSummary,
}

/// A small world of two days, changed to taste.
pub(crate) fn world(change: impl FnOnce(&mut SampleOptions)) -> World {
    let directory = TempDir::new().unwrap();
    let mut options = SampleOptions {
        seed: 7,
        wallets: 200,
        entries_per_day: 3000,
        days: 2,
        ..SampleOptions::new(directory.path())
    };
    change(&mut options);
    let summary = generate(&options, &mut |_| {}).unwrap();
    World { directory, summary }
}

impl World {
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn bytes(&self, source: Source) -> Vec<u8> {
        fs::read(self.path().join(source.file_name())).unwrap()
    }

    /// The lines of a source as text.
    pub(crate) fn lines(&self, source: Source) -> Vec<String> {
        let text = String::from_utf8(self.bytes(source)).unwrap();
        assert!(
            text.ends_with('\n') || text.is_empty(),
            "{}: no final line feed",
            source.name()
        );
        text.lines().map(str::to_owned).collect()
    }

    /// The lines of a source as JSON; for worlds without malformed ones.
    pub(crate) fn rows(&self, source: Source) -> Vec<Value> {
        self.lines(source)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The ledger of faults.
    pub(crate) fn faults(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("faults.json")).unwrap()).unwrap()
    }

    /// The checksum over all, then of each file the number of its lines and a checksum for each hundred of them.
    pub(crate) fn checksums(&self) -> String {
        let mut text = format!("all {}\n", self.fingerprint());
        for source in Source::ALL {
            let bytes = self.bytes(source);
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            text += &format!("{}: {} lines\n", source.name(), lines.len());
            for (hundred, lines) in lines.chunks(100).enumerate() {
                let checksum = blake3::hash(&lines.concat()).to_hex();
                text += &format!("  from {:>5}: {}\n", hundred * 100 + 1, &checksum[..16]);
            }
        }
        text
    }

    /// One checksum over the six files.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for source in Source::ALL {
            hasher.update(source.name().as_bytes());
            hasher.update(&self.bytes(source));
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// An amount in hundredths.
pub(crate) fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap();
    let (won, hundredths) = text.split_once('.').unwrap();
    assert_eq!(hundredths.len(), 2, "{text}");
    format!("{won}{hundredths}").parse().unwrap()
}

/// A field that is there and a string.
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}
