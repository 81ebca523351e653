//! A lake in a temporary directory, and what stands in its tables.

use std::io::Write;
use std::path::{Path, PathBuf};

use nsc_contracts::Source;
use nsc_core::UtcMicros;
use nsc_ingest::{IngestError, Input, LoadRequest, LoadSummary};
use nsc_lake::{Lake, LakeOptions, SessionOptions, session};

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) lake: Lake,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::open(dir.path().join("lake").to_str().unwrap(), LakeOptions::default()).unwrap();
        Self { dir, lake }
    }

    /// The same lake as another process finds it.
    pub(crate) fn opened_again(self) -> Self {
        let root = self.dir.path().join("lake");
        let lake = Lake::open(root.to_str().unwrap(), LakeOptions::default()).unwrap();
        Self { dir: self.dir, lake }
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) async fn load<I: Into<Input>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<LoadSummary, IngestError> {
        nsc_ingest::load(&self.lake, request(inputs), &()).await
    }

    /// The answer to a query over the ledger's Bronze table `t`, one line a row.
    pub(crate) async fn query(&self, sql: &str) -> Vec<String> {
        let table = self
            .lake
            .table(source().bronze_contract().unwrap())
            .await
            .unwrap();
        let context = session(&SessionOptions::default()).unwrap();
        context.register_table("t", table.scan_all().unwrap()).unwrap();
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let mut lines = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cell = |c: &std::sync::Arc<dyn arrow::array::Array>| {
                    arrow::util::display::array_value_to_string(c, row).unwrap()
                };
                lines.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
            }
        }
        lines
    }

    pub(crate) async fn rows(&self) -> usize {
        self.query("select count(*) from t").await[0].parse().unwrap()
    }

    pub(crate) async fn version(&self) -> u64 {
        self.lake
            .table(source().bronze_contract().unwrap())
            .await
            .unwrap()
            .version()
    }

    /// Data files on disk, committed or not.
    pub(crate) fn data_files(&self) -> usize {
        fn count(dir: &Path) -> usize {
            let Ok(entries) = std::fs::read_dir(dir) else {
                return 0;
            };
            entries
                .flatten()
                .map(|e| {
                    if e.path().is_dir() {
                        count(&e.path())
                    } else {
                        usize::from(e.path().extension().is_some_and(|x| x == "parquet"))
                    }
                })
                .sum()
        }
        count(&self.dir.path().join("lake/bronze"))
    }
}

pub(crate) fn source() -> &'static Source {
    Source::named("transaction_ledger").unwrap()
}

pub(crate) fn request<I: Into<Input>>(inputs: impl IntoIterator<Item = I>) -> LoadRequest {
    LoadRequest {
        source: source(),
        inputs: inputs.into_iter().map(Into::into).collect(),
        source_system: Some("test".to_owned()),
        batch_id: None,
        source_extracted_at: None,
        ingested_at: UtcMicros::parse("2026-01-05T00:00:00Z").unwrap(),
        clock: UtcMicros::parse("2026-01-05T00:00:00Z").unwrap(),
        force: false,
        verify: false,
        actor: "test@here".to_owned(),
    }
}

pub(crate) fn lines(range: std::ops::Range<usize>) -> String {
    range
        .map(|i| {
            format!(
                "{{\"tx_id\":\"tx-{i:08}\",\"wallet_id\":\"w{}\",\"amount\":{}.50,\"type\":\"CHARGE\"}}\n",
                i % 97,
                i
            )
        })
        .collect()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
