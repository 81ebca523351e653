//! The sign of a ledger entry (seed 4.3, "amount_signed").

/// `+1`, `-1` or `0` for the entry types whose direction is known, `None` for any other.
///
/// Whether a type is *allowed* is a rule (`silver.entry_type_allowed`), not a matter of code: a type may be
/// allowed there and still have no sign here, which quarantines the row as `amount_signed_unavailable`.
#[must_use]
pub fn sign_of(entry_type: &str) -> Option<i8> {
    match entry_type {
        "CHARGE" | "RECEIVE" | "REFUND_IN" | "MINT" => Some(1),
        "PAYMENT" | "WITHDRAW" | "REFUND_OUT" | "BURN" => Some(-1),
        "HOLD" | "RELEASE" => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sign_of;

    #[test]
    fn signs_are_those_of_the_contract_and_compared_exactly() {
        let plus = ["CHARGE", "RECEIVE", "REFUND_IN", "MINT"].map(sign_of);
        let minus = ["PAYMENT", "WITHDRAW", "REFUND_OUT", "BURN"].map(sign_of);
        assert_eq!(plus, [Some(1); 4]);
        assert_eq!(minus, [Some(-1); 4]);
        assert_eq!(["HOLD", "RELEASE"].map(sign_of), [Some(0); 2]);
        assert_eq!(["charge", " CHARGE", "AIRDROP", ""].map(sign_of), [None; 4]);
    }
}
