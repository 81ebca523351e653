//! The seeded stream of draws from which every decision of the world is taken.

use rand_mt::Mt;

/// A Mersenne Twister read 53 bits at a time. The stream is fixed by the seed alone, which is what
/// makes the files the same on every machine; the order of the draws is part of the format.
pub(crate) struct Draws(Mt);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        // The key is the seed's words, without leading zero words.
        Self(if high == 0 {
            Mt::new_with_key([low])
        } else {
            Mt::new_with_key([low, high])
        })
    }

    /// Uniform in `[0, 1)` with all 53 bits of a double drawn.
    pub(crate) fn unit(&mut self) -> f64 {
        let high = f64::from(self.0.next_u32() >> 5);
        let low = f64::from(self.0.next_u32() >> 6);
        (high * 67_108_864.0 + low) * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `0..count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }

    /// Uniform microseconds of a second.
    pub(crate) fn micros(&mut self) -> u32 {
        (self.unit() * 1_000_000.0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_streams() {
        let mut one_word = Draws::new(7);
        assert_eq!(one_word.unit(), 0.32383276483316237);
        assert_eq!(one_word.unit(), 0.15084917392450192);
        let mut zero = Draws::new(0);
        assert_eq!(zero.unit(), 0.8444218515250481);
        let mut two_words = Draws::new(1 << 40);
        assert_eq!(two_words.unit(), 0.1036394562812375);
    }
}
