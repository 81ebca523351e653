//! The six source tables, and a value kept for each of them.

use std::ops::{Index, IndexMut};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// One of the six source tables; each is one JSONL file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Balance snapshots.
    UserWallets,
    /// Ledger entries.
    TransactionLedger,
    /// Payment orders, every version of them.
    PaymentOrders,
    /// Commerce orders.
    Orders,
    /// Items of the commerce orders.
    OrderItems,
    /// Products the items name.
    Products,
}

impl Source {
    /// All six, in the order in which files and reports list them.
    pub const ALL: [Self; 6] = [
        Self::UserWallets,
        Self::TransactionLedger,
        Self::PaymentOrders,
        Self::Orders,
        Self::OrderItems,
        Self::Products,
    ];

    /// The table's name, which is also the stem of its file's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserWallets => "user_wallets",
            Self::TransactionLedger => "transaction_ledger",
            Self::PaymentOrders => "payment_orders",
            Self::Orders => "orders",
            Self::OrderItems => "order_items",
            Self::Products => "products",
        }
    }

    /// The name of the table's file in the output directory.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{}.jsonl", self.name())
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One value per source table; serialises as a JSON object keyed by table name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerSource<T>([T; 6]);

impl<T> PerSource<T> {
    /// The value `make` gives for each source, asked in the order of [`Source::ALL`].
    pub(crate) fn from_fn(make: impl FnMut(Source) -> T) -> Self {
        Self(Source::ALL.map(make))
    }

    /// Each source with its value, in the order of [`Source::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Source, &T)> {
        Source::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<Source> for PerSource<T> {
    type Output = T;

    fn index(&self, source: Source) -> &T {
        &self.0[source as usize]
    }
}

impl<T> IndexMut<Source> for PerSource<T> {
    fn index_mut(&mut self, source: Source) -> &mut T {
        &mut self.0[source as usize]
    }
}

impl<T: Serialize> Serialize for PerSource<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Source::ALL.len()))?;
        for (source, value) in self.iter() {
            map.serialize_entry(source.name(), value)?;
        }
        map.end()
    }
}
