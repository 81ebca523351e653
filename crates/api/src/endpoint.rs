//! The routes as data: their paths, what each is called in metrics and audit rows, and which are guarded.

/// The longest id there can be, in characters (contract section 1: longer ones are never stored).
pub const MAX_ID_CHARS: usize = 255;

/// Names of query parameters that any route knows.
pub(crate) const QUERY_NAMES: [&str; 4] = ["from", "to", "limit", "cursor"];

/// Where a request went. One table: what is not in it is neither routed nor described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tx,
    PaymentOrder,
    WalletTx,
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
    /// No route, or none below `/admin`. One name for all of them: clients invent paths.
    Unknown,
}

impl Endpoint {
    /// Every one that answers something of its own.
    pub(crate) const ROUTED: [Self; 7] = [
        Self::Tx,
        Self::PaymentOrder,
        Self::WalletTx,
        Self::Healthz,
        Self::Readyz,
        Self::Metrics,
        Self::OpenApi,
    ];

    pub(crate) fn of(matched: Option<&str>) -> Self {
        let known = Self::ROUTED
            .into_iter()
            .find(|endpoint| Some(endpoint.label()) == matched);
        known.unwrap_or(Self::Unknown)
    }

    /// The path as it is routed and described; also the name in metrics and log lines.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Tx => "/admin/tx/{tx_id}",
            Self::PaymentOrder => "/admin/payment-orders/{order_id}",
            Self::WalletTx => "/admin/wallets/{wallet_id}/tx",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is for administrators: guarded and audited. Deny by default: only what a machine asks is open.
    pub(crate) const fn is_guarded(self) -> bool {
        !matches!(self, Self::Healthz | Self::Readyz | Self::Metrics | Self::OpenApi)
    }

    /// In audit rows.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::Tx => "ADMIN_TX_LOOKUP",
            Self::PaymentOrder => "ADMIN_ORDER_LOOKUP",
            Self::WalletTx => "ADMIN_WALLET_TX_LOOKUP",
            _ => "UNKNOWN",
        }
    }

    /// What kind of thing is asked for, and the parameter that names it.
    pub(crate) const fn resource(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Tx => Some(("TX", "tx_id")),
            Self::PaymentOrder => Some(("PAYMENT_ORDER", "order_id")),
            Self::WalletTx => Some(("WALLET", "wallet_id")),
            _ => None,
        }
    }
}

/// The id's segment of an admin path, as it was sent: `/admin/KIND/ID...`.
pub(crate) fn id_segment(path: &str) -> &str {
    path.split('/').nth(3).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, id_segment};

    #[test]
    fn the_id_is_the_segment_after_its_kind() {
        assert_eq!(id_segment("/admin/tx/a%2Fb"), "a%2Fb");
        assert_eq!(id_segment("/admin/wallets/w-1/tx"), "w-1");
        assert_eq!(id_segment("/admin"), "");
    }

    #[test]
    fn a_path_nobody_made_has_the_one_label_of_its_kind() {
        assert_eq!(Endpoint::of(None).label(), "unknown");
        assert_eq!(Endpoint::of(Some("/admin/{*rest}")).label(), "unknown");
    }
}
