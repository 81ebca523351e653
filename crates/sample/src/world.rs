//! The state of the world: everything the generator knows between two lines.

use crate::accounts::{Accounts, Hold, Numbers};
use crate::clock_text::{Arrival, Gap};
use crate::emit::Shelf;
use crate::faults::{Detail, FaultQueue, Journal};
use crate::options::Plan;
use crate::output::Output;
use crate::recent_payments::RecentPayments;
use crate::record::Record;
use crate::rng::Draws;
use crate::shape::{Curve, Popularity, PricePoints};
use crate::source::{PerSource, Source};
use crate::today::Today;
use crate::vocab::merchant_names;

/// Everything the generator knows.
pub(crate) struct World<'a> {
    pub(crate) plan: Plan,
    pub(crate) draws: Draws,
    pub(crate) out: Output<'a>,
    pub(crate) journal: Journal,
    pub(crate) today: Today,
    // What never changes.
    pub(crate) curve: Curve,
    pub(crate) popularity: Popularity,
    pub(crate) prices: PricePoints,
    pub(crate) merchants: Vec<String>,
    // What does.
    pub(crate) shelf: Shelf,
    pub(crate) accounts: Accounts,
    pub(crate) numbers: Numbers,
    pub(crate) recent: RecentPayments,
    pub(crate) holds: Vec<Hold>,
    /// MINT + CHARGE - BURN - WITHDRAW so far, in hundredths.
    pub(crate) supply: i64,
    // The fault mix.
    pub(crate) faults: FaultQueue,
    /// Bad lines so far.
    pub(crate) bad_numbers: PerSource<u64>,
    /// The wallet without a snapshot today, and its balance when the day began.
    pub(crate) unseen: Option<usize>,
    pub(crate) unseen_opening: i64,
    /// Wallets whose closing snapshot is off, and by how much.
    pub(crate) off_balance: Vec<(usize, i64)>,
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: Plan, out: Output<'a>) -> Self {
        let mut draws = Draws::new(plan.options.seed);
        let prices = PricePoints::draw(&mut draws);
        let shelf = Shelf::draw(plan.products, &mut draws);
        Self {
            today: Today::new(&plan, 0),
            curve: Curve::new(),
            popularity: Popularity::new(plan.merchants),
            merchants: merchant_names(plan.merchants),
            accounts: Accounts::new(plan.users, plan.merchants),
            draws,
            out,
            prices,
            shelf,
            plan,
            journal: Journal::default(),
            numbers: Numbers::default(),
            recent: RecentPayments::default(),
            holds: Vec::new(),
            supply: 0,
            faults: FaultQueue::empty(),
            bad_numbers: PerSource::default(),
            unseen: None,
            unseen_opening: 0,
            off_balance: Vec::new(),
        }
    }

    /// When a line about this instant is extracted and loaded, given the source's gap of the day.
    pub(crate) fn arrive(&mut self, at_us: i64, gap: Option<Gap>) -> Arrival {
        let extracted = self.today.clock.index(at_us) + 1;
        let mut ingested = extracted + 1 + self.draws.below(3);
        if let Some(gap) = gap.filter(|gap| gap.contains(ingested)) {
            // What piled up is loaded within a minute of the gap's end.
            ingested = gap.to + self.draws.below(45);
        }
        Arrival {
            extracted,
            ingested,
            micros: self.draws.micros(),
        }
    }

    /// The four load fields of a record.
    pub(crate) fn load_fields(&self, arrival: Arrival, system: &str) -> Record {
        let clock = &self.today.clock;
        let mut record = Record::default();
        record.text(
            "ingested_at",
            clock.instant(arrival.ingested, &format!(".{:06}", arrival.micros)),
        );
        record.text("source_extracted_at", clock.instant(arrival.extracted, ""));
        record.text("batch_id", String::from_utf8_lossy(clock.batch(arrival.ingested)));
        record.text("source_system", system);
        record
    }

    /// Notes the newest line of `source` as an injected one.
    pub(crate) fn note(&mut self, name: &'static str, source: Source) {
        self.journal.note(name, source, self.out.lines(source), None);
    }

    /// The same, with what a reader needs to find it by.
    pub(crate) fn note_with(
        &mut self,
        name: &'static str,
        source: Source,
        field: &'static str,
        value: String,
    ) {
        let detail = Detail::from([(field, value)]);
        self.journal
            .note(name, source, self.out.lines(source), Some(detail));
    }
}
