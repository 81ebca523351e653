//! What a stranger's token may cost.

/// The longest token that is looked at, in bytes: three times one of Entra ID with 200 groups.
pub const MAX_TOKEN_BYTES: usize = 48 * 1024;

/// Keys that are tried for one token. A forged one costs us as many verifications.
pub(crate) const MAX_TRIES: usize = 16;
