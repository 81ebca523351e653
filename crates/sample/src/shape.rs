//! The shape of a day and of a purchase: when things happen, how much they cost, who is popular.

use crate::calendar::{DAY_US, SECOND_US};
use crate::rng::Draws;

/// Traffic of each KST hour, relative to the others: quiet nights, a lunch and an evening peak.
const HOURLY_TRAFFIC: [f64; 24] = [
    0.45, 0.35, 0.3, 0.3, 0.3, 0.35, 0.5, 0.8, 1.0, 1.1, 1.2, 1.4, 1.6, 1.4, 1.2, 1.2, 1.2, 1.3, 1.6, 1.7,
    1.6, 1.4, 1.1, 0.7,
];
/// Steps of the curve.
const CURVE_STEPS: usize = 4096;
/// Room is left at both ends of the day for its opening and closing snapshots.
const FIRST_EVENT_US: i64 = 1_500_000;
const LAST_EVENT_US: i64 = DAY_US - 10 * SECOND_US;

/// When a share of the day's traffic has passed: the inverse of the cumulated traffic.
pub(crate) struct Curve(Vec<i64>);

impl Curve {
    pub(crate) fn new() -> Self {
        let total: f64 = HOURLY_TRAFFIC.iter().sum();
        let mut passed = vec![0.0];
        let mut sum = 0.0;
        for weight in HOURLY_TRAFFIC {
            sum += weight / total;
            passed.push(sum);
        }
        let mut points = Vec::with_capacity(CURVE_STEPS + 2);
        let (mut hour, mut last) = (0_usize, FIRST_EVENT_US);
        for i in 0..=CURVE_STEPS {
            let share = i as f64 / CURVE_STEPS as f64;
            while hour < 23 && passed[hour + 1] < share {
                hour += 1;
            }
            let within = (share - passed[hour]) / (passed[hour + 1] - passed[hour]);
            let of_day = ((hour as f64 + within) / 24.0).clamp(0.0, 1.0);
            last = (FIRST_EVENT_US as f64 + of_day * (LAST_EVENT_US - FIRST_EVENT_US) as f64) as i64;
            points.push(last);
        }
        // One more point, so that the very end of the day has a neighbour too.
        points.push(last);
        Self(points)
    }

    /// Microseconds into the day at which this share (0 to 1) of its traffic has passed.
    pub(crate) fn at(&self, share: f64) -> i64 {
        let scaled = share * CURVE_STEPS as f64;
        let step = scaled as usize;
        let (from, to) = (self.0[step], self.0[step + 1]);
        from + ((to - from) as f64 * (scaled - step as f64)) as i64
    }
}

/// Price points, drawn once: payments cluster on few amounts, as in a shop.
pub(crate) struct PricePoints(Vec<i64>);

impl PricePoints {
    pub(crate) const COUNT: usize = 4096;

    pub(crate) fn draw(draws: &mut Draws) -> Self {
        let prices = (0..Self::COUNT).map(|_| {
            let won = 1000.0 * 200_f64.powf(draws.unit().powf(1.6));
            // Most prices are whole hundreds of won, the others any hundredth.
            let cents = if draws.unit() < 0.7 {
                (won / 100.0) as i64 * 10_000
            } else {
                (won * 100.0) as i64
            };
            cents.max(1)
        });
        Self(prices.collect())
    }

    /// The price point of this index, in hundredths.
    pub(crate) fn cents(&self, index: usize) -> i64 {
        self.0[index]
    }

    /// A price point drawn from all of them.
    pub(crate) fn pick(&self, draws: &mut Draws) -> i64 {
        self.0[draws.below(Self::COUNT)]
    }
}

/// How popular the merchants are: few have most of the trade.
pub(crate) struct Popularity(Vec<u32>);

impl Popularity {
    const SLOTS: usize = 65_536;

    pub(crate) fn new(merchants: usize) -> Self {
        let weight = |i: usize| 1.0 / ((i + 1) as f64).powf(1.05);
        let total: f64 = (0..merchants).map(weight).sum();
        let mut slots = Vec::with_capacity(Self::SLOTS);
        let mut passed = 0.0;
        for i in 0..merchants {
            passed += weight(i) / total;
            while slots.len() < Self::SLOTS && (slots.len() as f64 + 0.5) / Self::SLOTS as f64 <= passed {
                slots.push(i as u32);
            }
        }
        // The weights may sum to a hair under one.
        slots.resize(Self::SLOTS, (merchants - 1) as u32);
        Self(slots)
    }

    /// A merchant, the popular ones more often.
    pub(crate) fn pick(&self, draws: &mut Draws) -> usize {
        self.0[draws.below(Self::SLOTS)] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_rises_from_the_first_to_the_last_event() {
        let curve = Curve::new();
        assert_eq!(curve.at(0.0), FIRST_EVENT_US);
        assert_eq!(curve.at(1.0), LAST_EVENT_US);
        assert!(curve.0.is_sorted());
    }

    #[test]
    fn every_slot_has_a_merchant_and_the_first_is_the_most_popular() {
        let popularity = Popularity::new(50);
        assert_eq!(popularity.0.len(), Popularity::SLOTS);
        let of = |merchant| popularity.0.iter().filter(|&&m| m == merchant).count();
        assert!(of(0) > of(1) && of(1) > of(49) && of(49) > 0);
    }
}
