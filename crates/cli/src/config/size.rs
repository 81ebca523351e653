//! A number of bytes as people write it.

use std::fmt;
use std::str::FromStr;

/// A size in bytes: `1073741824`, `512MiB`, `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(u64);

const UNITS: &[(&str, u32)] = &[("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl ByteSize {
    /// From bytes.
    pub(crate) const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes.
    pub(crate) const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a size such as 512MiB or 2GiB".to_owned();
        let (digits, shift) = match UNITS
            .iter()
            .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        {
            Some((digits, shift)) => (digits.trim_end(), shift),
            None => (text, 0),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(expected());
        }
        digits
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(1 << shift))
            .map(Self)
            .ok_or_else(expected)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = UNITS
            .iter()
            .find(|(_, shift)| self.0 >= 1 << shift && self.0.trailing_zeros() >= *shift);
        let (unit, shift) = fitting.copied().unwrap_or(("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

/// A size for people, to one decimal: `1.5 GiB`.
pub(crate) fn rounded(bytes: u64) -> String {
    let (unit, shift) = UNITS
        .iter()
        .find(|(_, shift)| bytes >= 1 << shift)
        .copied()
        .unwrap_or(("B", 0));
    if shift == 0 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 10 + (1 << (shift - 1))) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, rounded};

    #[test]
    fn sizes_read_as_they_are_written() {
        for (text, bytes) in [
            ("0", 0),
            ("512MiB", 512 << 20),
            ("2 GiB", 2 << 30),
            ("100B", 100),
            ("1025", 1025),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize::new(bytes)));
            assert_eq!(ByteSize::new(bytes).to_string().parse(), Ok(ByteSize::new(bytes)));
        }
        for bad in ["", "GiB", "-1", "1GB", "1.5GiB", "99999999999TiB", "1gib"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
        assert_eq!(ByteSize::new(3 << 29).to_string(), "1536MiB");
        assert_eq!(
            [rounded(0), rounded(1023), rounded(3 << 29)],
            ["0 B", "1023 B", "1.5 GiB"]
        );
    }
}
