//! Which known names a misspelt one may have been meant to be.

/// The nearest of the known names; `None` when none is near.
///
/// Near is a slip or two of the hand, or a word more, less or in another number (`user_wallets`, `OIDC_ROLE_CLAIM`).
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(name, known).into_iter().next()
}

/// The known names that are near, the nearest first.
#[must_use]
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| Some((distance(name, candidate)?, candidate)))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

fn distance(name: &str, known: &str) -> Option<usize> {
    let slips = strsim::osa_distance(name, known);
    let allowed = if known.len() < 10 { 1 } else { 2 };
    if slips <= allowed {
        return Some(slips);
    }
    let beyond = |longer: &str, shorter: &str| {
        let rest = longer
            .strip_prefix(shorter)
            .and_then(|rest| rest.strip_prefix('_'));
        // Two words at least, else any `KAFKA_...` would be near to something.
        rest.is_some_and(|rest| !rest.contains('_')) && shorter.contains('_')
    };
    (beyond(name, known) || beyond(known, name)).then_some(allowed + 1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_and_a_word_more_or_less_are_near_and_the_nearest_wins() {
        let known = ["user_wallets_raw", "payment_orders_raw", "orders_raw", "PAID"];
        let of = |name| nearest(name, known);
        assert_eq!(of("user_wallets"), Some("user_wallets_raw"));
        assert_eq!(of("user_walets_raw"), Some("user_wallets_raw"));
        assert_eq!(of("PIAD"), Some("PAID"));
        assert_eq!(of("orders_rwa"), Some("orders_raw"));
        assert_eq!([of("PENDING"), of("orders"), of("")], [None; 3]);
    }
}
