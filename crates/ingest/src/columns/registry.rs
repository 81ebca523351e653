//! The columns of one load: those the table has, and those its lines bring, in the order of first sight.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::{DataType, Schema};
use nsc_contracts::{ColumnType, TableContract};

use super::names::{EXTRA, MAX_NAME_BYTES, encoded, looks_numbered, numbered};

/// Columns a table may grow by beyond its contract.
const MAX_NEW_COLUMNS: usize = 1_000;

/// The load fields a line may carry itself; also the first columns of every registry, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadField {
    IngestedAt,
    SourceExtractedAt,
    BatchId,
    SourceSystem,
}

impl LoadField {
    pub(crate) const ALL: [Self; 4] = [
        Self::IngestedAt,
        Self::SourceExtractedAt,
        Self::BatchId,
        Self::SourceSystem,
    ];

    /// Whether a value of a row tells its delivery from others of the same content: a system's name does not.
    pub(crate) const fn marks_delivery(self) -> bool {
        !matches!(self, Self::SourceSystem)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::IngestedAt => "ingested_at",
            Self::SourceExtractedAt => "source_extracted_at",
            Self::BatchId => "batch_id",
            Self::SourceSystem => "source_system",
        }
    }
}

/// Columns of the contract that no field of a source may feed.
const OURS: [&str; 4] = ["_corrupt_record", "source_ref", "ingest_date", "load_id"];

/// Where a field's value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// In the column of this index.
    Column(usize),
    /// In the JSON object of the `_extra` column.
    Extra,
}

/// Another part of the load failed: nothing of it will be kept.
#[derive(Debug)]
pub(crate) struct Aborted;

/// The columns of one load, shared by the threads that parse it.
#[derive(Debug)]
pub(crate) struct Registry {
    state: Mutex<State>,
    turn: Condvar,
}

/// The `_extra` column comes only when a value needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    Absent,
    Stored,
    New,
}

#[derive(Debug)]
struct State {
    /// Columns by index: the four load fields, `_extra`, then text columns.
    columns: Vec<Arc<str>>,
    /// Text columns fields may feed, by exact name.
    exact: HashMap<Arc<str>, usize>,
    /// Every name taken, in lower case.
    taken: HashSet<String>,
    /// Columns beyond the contract, `_extra` aside.
    beyond: usize,
    /// First index beyond the contract.
    declared: usize,
    /// First index that did not exist in the table when the load began.
    known: usize,
    extra: Extra,
    /// Chunks parsed ahead of their turn.
    ahead: BTreeSet<u64>,
    /// The first chunk that is still being parsed; only it may add columns.
    turn: u64,
    aborted: bool,
}

/// Index of the `_extra` column.
pub(crate) const EXTRA_COLUMN: usize = LoadField::ALL.len();

impl Registry {
    /// The columns of a table at the start of a load.
    pub(crate) fn new(contract: &TableContract, stored: &Schema) -> Self {
        let mut state = State {
            columns: LoadField::ALL
                .iter()
                .map(|f| Arc::from(f.name()))
                .chain([Arc::from(EXTRA)])
                .collect(),
            exact: HashMap::new(),
            taken: contract
                .columns
                .iter()
                .map(|c| c.name.to_lowercase())
                .chain([EXTRA.to_owned()])
                .collect(),
            beyond: 0,
            declared: 0,
            known: 0,
            extra: if stored.index_of(EXTRA).is_ok() {
                Extra::Stored
            } else {
                Extra::Absent
            },
            ahead: BTreeSet::new(),
            turn: 0,
            aborted: false,
        };
        let load_field = |name: &str| LoadField::ALL.iter().any(|f| f.name() == name);
        for column in contract
            .columns
            .iter()
            .filter(|c| c.ty == ColumnType::Text && !OURS.contains(&c.name) && !load_field(c.name))
        {
            state.add(column.name.into());
        }
        state.declared = state.columns.len();
        for field in stored.fields() {
            let name = field.name().as_str();
            let declared = contract.columns.iter().any(|c| c.name == name);
            if !declared && name != EXTRA && field.data_type() == &DataType::Utf8 {
                state.add(name.into());
                state.beyond += 1;
            }
        }
        state.known = state.columns.len();
        Self {
            state: Mutex::new(state),
            turn: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a field is kept. A field never seen before is given its column in the order of the chunks: the
    /// caller waits until every earlier chunk has been parsed.
    pub(crate) fn field(&self, chunk: u64, field: &str) -> Result<Target, Aborted> {
        self.find(chunk, field, 1)
    }

    /// Where the text of a load field is kept that cannot stand in its own column.
    pub(crate) fn set_aside(&self, chunk: u64, field: LoadField) -> Result<Target, Aborted> {
        self.find(chunk, field.name(), 2)
    }

    fn find(&self, chunk: u64, field: &str, from: usize) -> Result<Target, Aborted> {
        let name = encoded(field);
        let from = if looks_numbered(&name) { 2 } else { from };
        let mut state = self.lock();
        loop {
            if name.len() > MAX_NAME_BYTES {
                return Ok(state.surplus());
            }
            match state.existing(&name, from) {
                Ok(index) => return Ok(Target::Column(index)),
                Err(_) if state.beyond >= MAX_NEW_COLUMNS => return Ok(state.surplus()),
                Err(_) if state.aborted => return Err(Aborted),
                Err(free) if state.turn >= chunk => {
                    state.beyond += 1;
                    return Ok(Target::Column(state.add(free.into())));
                }
                Err(_) => state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Says that a chunk will add no more columns.
    pub(crate) fn parsed(&self, chunk: u64) {
        let mut state = self.lock();
        state.ahead.insert(chunk);
        while state.ahead.first() == Some(&state.turn) {
            state.ahead.pop_first();
            state.turn += 1;
        }
        drop(state);
        self.turn.notify_all();
    }

    /// Ends the load: whoever waits for a turn is told so.
    pub(crate) fn abort(&self) {
        self.lock().aborted = true;
        self.turn.notify_all();
    }

    /// The columns whose field has their very name: the load fields and the contract's.
    pub(crate) fn fields(&self) -> Vec<(usize, Arc<str>)> {
        let state = self.lock();
        state
            .columns
            .iter()
            .take(state.declared)
            .enumerate()
            .filter(|(i, _)| *i != EXTRA_COLUMN)
            .map(|(i, n)| (i, Arc::clone(n)))
            .collect()
    }

    /// The names of the columns from an index on.
    pub(crate) fn names(&self, from: usize) -> Vec<Arc<str>> {
        self.lock().columns.get(from..).unwrap_or_default().to_vec()
    }

    /// The columns that came with this load in the order of first sight, `_extra` last.
    pub(crate) fn added(&self) -> Vec<String> {
        let state = self.lock();
        let new = state
            .columns
            .get(state.known..)
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string);
        new.chain((state.extra == Extra::New).then(|| EXTRA.to_owned()))
            .collect()
    }
}

impl State {
    fn surplus(&mut self) -> Target {
        if self.extra == Extra::Absent {
            self.extra = Extra::New;
        }
        Target::Extra
    }

    fn add(&mut self, name: Arc<str>) -> usize {
        let index = self.columns.len();
        self.taken.insert(name.to_lowercase());
        self.exact.insert(Arc::clone(&name), index);
        self.columns.push(name);
        index
    }

    /// The column a field has, or the name of the one it would get.
    fn existing(&self, name: &str, from: usize) -> Result<usize, String> {
        let mut number = from;
        loop {
            let tried = numbered(name, number);
            if let Some(index) = self.exact.get(tried.as_str()) {
                return Ok(*index);
            }
            if !self.taken.contains(&tried.to_lowercase()) {
                return Err(tried);
            }
            number += 1;
        }
    }
}
