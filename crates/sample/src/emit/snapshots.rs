//! Lines of `user_wallets`.

use crate::clock_text::Arrival;
use crate::error::SampleError;
use crate::source::Source;
use crate::text::{push_money, push_padded};
use crate::world::World;

const WALLETS: Source = Source::UserWallets;

/// A snapshot of one wallet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    /// It holds every entry before this instant.
    pub(crate) at_us: i64,
    pub(crate) wallet: usize,
    /// How many seconds later it is loaded.
    pub(crate) lag_s: usize,
    /// The load's microseconds.
    pub(crate) micros: u32,
    /// By how much it deliberately differs from the ledger.
    pub(crate) off_cents: i64,
    /// Whether it is written twice.
    pub(crate) repeated: bool,
}

impl World<'_> {
    /// Writes a snapshot of a wallet as it stands.
    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot) {
        let extracted = self.today.clock.index(snapshot.at_us);
        let arrival = Arrival {
            extracted,
            ingested: extracted + snapshot.lag_s,
            micros: snapshot.micros,
        };
        self.snapshot_line(snapshot, arrival);
        if snapshot.off_cents != 0 {
            self.note("snapshot_drift", WALLETS);
        }
        if snapshot.repeated {
            self.note("dup_identical_snapshot", WALLETS);
            self.snapshot_line(snapshot, arrival);
            self.journal.duplicates[WALLETS] += 1;
        }
    }

    /// A snapshot is extracted at its very instant, to the microsecond, unlike the other lines.
    fn snapshot_line(&mut self, snapshot: &Snapshot, arrival: Arrival) {
        let wallet = snapshot.wallet;
        let clock = &self.today.clock;
        let out = self.out.line(WALLETS);
        out.extend_from_slice(b"{\"user_id\":\"");
        self.accounts.push_id(out, wallet);
        out.extend_from_slice(b"\",\"balance\":\"");
        push_money(
            out,
            i128::from(self.accounts.available[wallet] + snapshot.off_cents),
        );
        out.extend_from_slice(b"\",\"frozen_amount\":\"");
        push_money(out, i128::from(self.accounts.frozen[wallet]));
        match self.accounts.updated[wallet] {
            0 => out.extend_from_slice(b"\",\"updated_at\":null,\"ingested_at\":\""),
            updated_us => {
                out.extend_from_slice(b"\",\"updated_at\":\"");
                clock.push_instant(out, updated_us);
                out.extend_from_slice(b"\",\"ingested_at\":\"");
            }
        }
        out.extend_from_slice(clock.second(arrival.ingested));
        out.push(b'.');
        push_padded(out, u64::from(arrival.micros), 6);
        out.extend_from_slice(b"Z\",\"source_extracted_at\":\"");
        clock.push_instant(out, snapshot.at_us);
        out.extend_from_slice(b"\",\"batch_id\":\"");
        out.extend_from_slice(clock.batch(arrival.ingested));
        out.extend_from_slice(b"\",\"source_system\":\"account-svc\"}\n");
    }

    /// Snapshots of every wallet that has them, at one end of the day.
    pub(crate) fn snapshot_all(
        &mut self,
        at_us: i64,
        first_lag_s: usize,
        with_off_balance: bool,
    ) -> Result<(), SampleError> {
        let wallets = self.accounts.count();
        for wallet in 0..wallets {
            let micros = self.draws.micros();
            if Some(wallet) == self.unseen {
                continue;
            }
            let off_cents = if with_off_balance {
                self.off_cents(wallet)
            } else {
                0
            };
            // They take a minute and a half to load.
            let lag_s = first_lag_s + wallet * 90 / wallets;
            self.snapshot(&Snapshot {
                at_us,
                wallet,
                lag_s,
                micros,
                off_cents,
                repeated: false,
            });
            if wallet.is_multiple_of(8192) {
                self.out.checkpoint()?;
            }
        }
        Ok(())
    }

    /// A snapshot of some wallet during the day.
    pub(crate) fn snapshot_some(&mut self, at_us: i64) -> Result<(), SampleError> {
        let wallets = self.accounts.count();
        let mut wallet = self.draws.below(wallets);
        let micros = self.draws.micros();
        if Some(wallet) == self.unseen {
            wallet = (wallet + 1) % wallets;
        }
        let lag_s = 1 + self.draws.below(4);
        let repeated = self.faults.take_snapshot();
        self.snapshot(&Snapshot {
            at_us,
            wallet,
            lag_s,
            micros,
            off_cents: 0,
            repeated,
        });
        self.out.checkpoint()
    }

    fn off_cents(&self, wallet: usize) -> i64 {
        self.off_balance
            .iter()
            .find(|&&(off, _)| off == wallet)
            .map_or(0, |&(_, cents)| cents)
    }
}
