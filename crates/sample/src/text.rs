//! Numbers into reusable byte buffers, without the formatting machinery: the hot path of the files.

const PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut table = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        table[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    table
}

/// `number` in decimal, with zeros in front up to `width` digits (20 at the most).
pub(crate) fn push_padded(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number >= 100 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if number >= 10 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[number as usize]);
    } else if number > 0 || width == 0 {
        start -= 1;
        digits[start] = b'0' + number as u8;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

/// `number` in decimal.
pub(crate) fn push_unsigned(out: &mut Vec<u8>, number: u64) {
    push_padded(out, number, 1);
}

/// Hundredths as an amount: `123456` is `1234.56`.
pub(crate) fn push_money(out: &mut Vec<u8>, cents: i128) {
    if cents < 0 {
        out.push(b'-');
    }
    match u64::try_from(cents.unsigned_abs()) {
        Ok(small) => {
            push_unsigned(out, small / 100);
            out.push(b'.');
            out.extend_from_slice(&PAIRS[(small % 100) as usize]);
        }
        // Past 64 bits only the few deliberately huge amounts go.
        Err(_) => {
            let magnitude = cents.unsigned_abs();
            out.extend_from_slice((magnitude / 100).to_string().as_bytes());
            out.push(b'.');
            out.extend_from_slice(&PAIRS[(magnitude % 100) as usize]);
        }
    }
}

/// [`push_money`] as a text of its own.
pub(crate) fn money(cents: i128) -> String {
    let mut out = Vec::with_capacity(24);
    push_money(&mut out, cents);
    ascii(out)
}

/// Only digits and punctuation were pushed, so nothing is ever replaced.
pub(crate) fn ascii(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(number: u64, width: usize) -> String {
        let mut out = Vec::new();
        push_padded(&mut out, number, width);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn numbers_are_padded_to_their_width_and_never_cut() {
        for (number, width) in [
            (0, 1),
            (0, 6),
            (7, 1),
            (7, 2),
            (10, 1),
            (99, 3),
            (100, 1),
            (12_345, 3),
            (u64::MAX, 12),
        ] {
            assert_eq!(padded(number, width), format!("{number:0width$}"));
        }
    }

    #[test]
    fn money_has_two_places_at_any_size() {
        assert_eq!(money(0), "0.00");
        assert_eq!(money(5), "0.05");
        assert_eq!(money(-5), "-0.05");
        assert_eq!(money(123_456), "1234.56");
        assert_eq!(
            money(123_456_789_012_345_678_901_234_567_890),
            "1234567890123456789012345678.90"
        );
    }
}
