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
    pub(crate) const ALL: [Self; 4] = [Self::IngestedAt, Self::SourceExtractedAt, Self::BatchId, Self::SourceSystem];

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
const OURS: [&str; 3] = ["_corrupt_record", "source_ref", "ingest_date"];

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
            columns: LoadField::ALL.iter().map(|f| Arc::from(f.name())).chain([Arc::from(EXTRA)]).collect(),
            exact: HashMap::new(),
            taken: contract.columns.iter().map(|c| c.name.to_lowercase()).chain([EXTRA.to_owned()]).collect(),
            beyond: 0,
            declared: 0,
            known: 0,
            extra: if stored.index_of(EXTRA).is_ok() { Extra::Stored } else { Extra::Absent },
            ahead: BTreeSet::new(),
            turn: 0,
            aborted: false,
        };
        let load_field = |name: &str| LoadField::ALL.iter().any(|f| f.name() == name);
        for column in contract.columns.iter().filter(|c| c.ty == ColumnType::Text && !OURS.contains(&c.name) && !load_field(c.name)) {
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
        Self { state: Mutex::new(state), turn: Condvar::new() }
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
        state.columns.iter().take(state.declared).enumerate().filter(|(i, _)| *i != EXTRA_COLUMN).map(|(i, n)| (i, Arc::clone(n))).collect()
    }

    /// The names of the columns from an index on.
    pub(crate) fn names(&self, from: usize) -> Vec<Arc<str>> {
        self.lock().columns.get(from..).unwrap_or_default().to_vec()
    }

    /// The columns that came with this load in the order of first sight, `_extra` last.
    pub(crate) fn added(&self) -> Vec<String> {
        let state = self.lock();
        let new = state.columns.get(state.known..).unwrap_or_default().iter().map(ToString::to_string);
        new.chain((state.extra == Extra::New).then(|| EXTRA.to_owned())).collect()
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

#[cfg(test)]
mod tests {
    use super::{Aborted, LoadField, Registry, Target};
    use arrow::datatypes::{DataType, Field, Schema};

    fn registry(stored: &[&str]) -> Registry {
        let contract = nsc_contracts::table("transaction_ledger_raw").unwrap();
        let mut fields: Vec<Field> = contract.columns.iter().map(|c| c.arrow_field()).collect();
        fields.extend(stored.iter().map(|n| Field::new(*n, DataType::Utf8, true)));
        Registry::new(contract, &Schema::new(fields))
    }

    fn name(registry: &Registry, field: &str) -> String {
        match registry.field(0, field) {
            Ok(Target::Column(i)) => registry.names(i)[0].to_string(),
            Ok(Target::Extra) => "_extra".to_owned(),
            Err(Aborted) => "aborted".to_owned(),
        }
    }

    #[test]
    fn contract_fields_keep_their_columns_and_case_variants_get_their_own() {
        let r = registry(&[]);
        for (field, column) in [
            ("amount", "amount"), ("Amount", "Amount__2"), ("AMOUNT", "AMOUNT__3"), ("Amount", "Amount__2"),
            ("newField", "newField"), ("newfield", "newfield__2"), ("newField", "newField"),
            ("İ", "İ"), ("i̇", "i̇__2"),
        ] {
            assert_eq!(name(&r, field), column, "{field}");
        }
        assert_eq!(r.added(), ["Amount__2", "AMOUNT__3", "newField", "newfield__2", "İ", "i̇__2"]);
    }

    #[test]
    fn no_field_feeds_a_column_of_ours() {
        let r = registry(&[]);
        for (field, column) in [
            ("source_ref", "source_ref__2"), ("ingest_date", "ingest_date__2"), ("_corrupt_record", "_corrupt_record__2"),
            ("_extra", "_extra__2"), ("Ingested_At", "Ingested_At__2"), ("source_ref__2", "source_ref__2__2"), ("_EXTRA", "_EXTRA__3"),
        ] {
            assert_eq!(name(&r, field), column, "{field}");
        }
        let Ok(Target::Column(i)) = r.set_aside(0, LoadField::IngestedAt) else { panic!() };
        assert_eq!(r.names(i)[0].as_ref(), "ingested_at__3", "Ingested_At__2 has the name but for its case");
    }

    #[test]
    fn a_later_load_finds_the_columns_of_an_earlier_one() {
        let r = registry(&["Amount__2", "newField", "newfield__2", "a_x0020_b"]);
        for (field, column) in [("newfield", "newfield__2"), ("Amount", "Amount__2"), ("AMOUNT", "AMOUNT__3"), ("a b", "a_x0020_b"), ("newField", "newField")] {
            assert_eq!(name(&r, field), column, "{field}");
        }
        assert_eq!(r.added(), ["AMOUNT__3"]);
    }

    #[test]
    fn a_table_grows_by_a_thousand_columns_and_no_more() {
        let r = registry(&["one"]);
        for i in 0..999 {
            assert_eq!(name(&r, &format!("f{i}")), format!("f{i}"));
        }
        assert_eq!(name(&r, "surplus"), "_extra");
        assert_eq!(name(&r, "f998"), "f998");
        assert_eq!((r.added().len(), r.added().last().map(String::as_str)), (1_000, Some("_extra")));
        assert_eq!(name(&registry(&["_extra"]), &"long".repeat(100)), "_extra");
        assert_eq!(name(&registry(&[]), &"long".repeat(100)), "_extra");
    }

    #[test]
    fn columns_are_added_in_the_order_of_the_chunks() {
        let r = std::sync::Arc::new(registry(&[]));
        let second = std::thread::spawn({
            let r = std::sync::Arc::clone(&r);
            move || r.field(1, "LATER").is_ok()
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(name(&r, "later"), "later");
        r.parsed(0);
        assert!(second.join().unwrap());
        assert_eq!(r.added(), ["later", "LATER__2"]);
        r.abort();
        assert!(r.field(9, "never").is_err());
    }
}
