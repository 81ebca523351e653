//! The wallets, their balances and their ids; and the numbers given out so far.

use crate::emit::Holder;
use crate::text::ascii;
use crate::text::push_padded;

/// Balances of all wallets, in hundredths. Users come first, then merchants, then later sign-ups.
pub(crate) struct Accounts {
    pub(crate) available: Vec<i64>,
    pub(crate) frozen: Vec<i64>,
    /// When the wallet last changed; 0 when it never did.
    pub(crate) updated: Vec<i64>,
    /// Wallets that may act, in the order in which they were funded: merchants first.
    pub(crate) funded: Vec<usize>,
    first_merchant: usize,
    first_signed_up: usize,
}

impl Accounts {
    pub(crate) fn new(users: usize, merchants: usize) -> Self {
        let count = users + merchants;
        Self {
            available: vec![0; count],
            frozen: vec![0; count],
            updated: vec![0; count],
            funded: Vec::with_capacity(count),
            first_merchant: users,
            first_signed_up: count,
        }
    }

    /// Wallets so far.
    pub(crate) fn count(&self) -> usize {
        self.available.len()
    }

    /// Opens an empty wallet.
    pub(crate) fn sign_up(&mut self) -> usize {
        self.available.push(0);
        self.frozen.push(0);
        self.updated.push(0);
        self.count() - 1
    }

    /// Adds to the available balance; a negative amount takes from it.
    pub(crate) fn credit(&mut self, wallet: usize, cents: i64, at_us: i64) {
        self.available[wallet] += cents;
        self.updated[wallet] = at_us;
    }

    /// Moves money from available to frozen; a negative amount moves it back.
    pub(crate) fn freeze(&mut self, wallet: usize, cents: i64, at_us: i64) {
        self.credit(wallet, -cents, at_us);
        self.frozen[wallet] += cents;
    }

    /// Available and frozen together.
    pub(crate) fn total(&self, wallet: usize) -> i64 {
        self.available[wallet] + self.frozen[wallet]
    }

    /// The total of all wallets.
    pub(crate) fn grand_total(&self) -> i64 {
        self.available.iter().sum::<i64>() + self.frozen.iter().sum::<i64>()
    }

    /// Appends a wallet's id.
    pub(crate) fn push_id(&self, out: &mut Vec<u8>, wallet: usize) {
        if (self.first_merchant..self.first_signed_up).contains(&wallet) {
            out.push(b'm');
            push_padded(out, (wallet - self.first_merchant) as u64, 6);
        } else {
            out.push(b'u');
            push_padded(out, wallet as u64, 8);
        }
    }

    /// Appends the id of an entry's holder.
    pub(crate) fn push_id_of(&self, out: &mut Vec<u8>, holder: Holder) {
        match holder {
            Holder::Wallet(wallet) => self.push_id(out, wallet),
            Holder::Ghost { day, name } => out.extend_from_slice(format!("ghost-{day}-{name}").as_bytes()),
        }
    }

    /// A wallet's id.
    pub(crate) fn id(&self, wallet: usize) -> String {
        self.id_of(Holder::Wallet(wallet))
    }

    /// The id of an entry's holder.
    pub(crate) fn id_of(&self, holder: Holder) -> String {
        let mut out = Vec::with_capacity(12);
        self.push_id_of(&mut out, holder);
        ascii(out)
    }
}

/// The last number given out, of each kind.
#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) tx: u64,
    pub(crate) order: u64,
    pub(crate) commerce_order: u64,
    pub(crate) item: u64,
    pub(crate) hold: u64,
    pub(crate) bank: u64,
}

impl Numbers {
    /// Appends the newest entry's transaction id.
    pub(crate) fn push_tx_id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"tx-");
        push_padded(out, self.tx, 12);
    }

    /// The newest entry's transaction id.
    pub(crate) fn tx_id(&self) -> String {
        let mut out = Vec::with_capacity(15);
        self.push_tx_id(&mut out);
        ascii(out)
    }
}

/// An open hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hold {
    pub(crate) wallet: usize,
    pub(crate) cents: i64,
    pub(crate) number: u64,
}
