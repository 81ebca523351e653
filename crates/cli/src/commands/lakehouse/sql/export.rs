//! The rows of a statement as a file: CSV, Parquet or an Excel workbook, whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use nsc_query::Engine;
use parquet::arrow::ArrowWriter;
use tokio::signal::unix::SignalKind;

use super::workbook::Workbook;
use crate::failure::{OperatorMessage, Outcome};
use crate::new_file::{NewFile, unwritable};
use crate::output::{BatchCells, CsvSink, RowSink, Zone, columns_of};
use crate::signals;

/// Where rows go, and in which form.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Csv { has_mark: bool },
    Parquet,
    Xlsx,
}

impl Target {
    /// The form follows from the end of the name. `has_mark` puts the mark of UTF-8 before a CSV.
    pub(super) fn of(path: PathBuf, has_mark: bool) -> Result<Self, OperatorMessage> {
        let end = path
            .extension()
            .and_then(|end| end.to_str())
            .map(str::to_ascii_lowercase);
        let form = match end.as_deref() {
            Some("csv") => Form::Csv { has_mark },
            Some("parquet") => Form::Parquet,
            Some("xlsx") => Form::Xlsx,
            _ => {
                return Err(OperatorMessage::usage(format!(
                    "{} is no name of a .csv, .parquet or .xlsx file",
                    path.display()
                ))
                .with_hint("The end of the name says which form is written, as in --out supply.xlsx."));
            }
        };
        if has_mark && !matches!(form, Form::Csv { .. }) {
            return Err(OperatorMessage::usage("--csv-bom is for a .csv file"));
        }
        Ok(Self { path, form })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a statement and writes its rows; returns how many, or nothing when it was told to stop. A file of that name is
    /// replaced once all rows are written.
    pub(super) async fn write(&self, engine: &Engine, text: &str, zone: Zone) -> Outcome<Option<u64>> {
        let stop = signals::told_to_stop(&[
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ])?;
        let mut batches = engine.stream(text).await?;
        if matches!(self.form, Form::Parquet) {
            super::refuse_namesakes(batches.schema())?;
        }
        let file = NewFile::of(&self.path)?;
        let written = async {
            let mut rows = self.begin(file.path(), batches.schema(), zone)?;
            let mut count = 0;
            while let Some(batch) = batches.next_batch().await? {
                rows.batch(&batch)?;
                count += batch.num_rows() as u64;
                // Rows that come without a wait would leave no moment for being told to stop.
                tokio::task::yield_now().await;
            }
            rows.end()?;
            file.finish()?;
            Ok(count)
        };
        tokio::select! {
            biased;
            _ = stop => Ok(None),
            written = written => written.map(Some),
        }
    }

    fn begin(&self, path: &Path, schema: &SchemaRef, zone: Zone) -> Outcome<Rows<'_>> {
        let file = File::create(path).map_err(|e| self.failed(&e))?;
        let mut out = BufWriter::new(file);
        let form = match self.form {
            Form::Csv { has_mark } => {
                if has_mark {
                    out.write_all("\u{feff}".as_bytes())
                        .map_err(|e| self.failed(&e))?;
                }
                let sink = CsvSink::begin_file(out, &columns_of(schema)).map_err(|e| self.failed(&e))?;
                Writer::Csv(sink)
            }
            Form::Parquet => {
                let writer = ArrowWriter::try_new(out, SchemaRef::clone(schema), None);
                Writer::Parquet(Box::new(writer.map_err(|e| self.failed(&e))?))
            }
            Form::Xlsx => {
                let workbook = Workbook::begin(schema, zone).map_err(|e| self.failed(&e))?;
                Writer::Xlsx(Box::new(workbook), out)
            }
        };
        Ok(Rows {
            target: self,
            writer: form,
        })
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> OperatorMessage {
        unwritable(&self.path, error)
    }
}

/// Rows on their way into a file.
struct Rows<'a> {
    target: &'a Target,
    writer: Writer,
}

enum Writer {
    Csv(CsvSink<BufWriter<File>>),
    Parquet(Box<ArrowWriter<BufWriter<File>>>),
    Xlsx(Box<Workbook>, BufWriter<File>),
}

impl Rows<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Outcome {
        let failed = |e: &dyn std::fmt::Display| self.target.failed(e);
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(batch).map_err(|e| failed(&e))?,
            Writer::Csv(sink) => {
                let cells = BatchCells::new(batch).map_err(super::unprintable)?;
                for row in cells.rows() {
                    sink.row(row.map_err(super::unprintable)?)
                        .map_err(|e| failed(&e))?;
                }
            }
            Writer::Xlsx(workbook, _) => {
                let cells = BatchCells::new(batch).map_err(super::unprintable)?;
                for row in cells.rows() {
                    workbook
                        .row(&row.map_err(super::unprintable)?)
                        .map_err(|e| failed(&e))?;
                }
            }
        }
        Ok(())
    }

    fn end(self) -> Outcome {
        let target = self.target;
        let failed = |e: &dyn std::fmt::Display| target.failed(e);
        match self.writer {
            Writer::Parquet(writer) => drop(writer.close().map_err(|e| failed(&e))?),
            Writer::Csv(mut sink) => {
                sink.end().map_err(|e| failed(&e))?;
                sink.into_inner().flush().map_err(|e| failed(&e))?;
            }
            Writer::Xlsx(workbook, mut out) => {
                workbook.end(&mut out).map_err(|e| failed(&e))?;
                out.flush().map_err(|e| failed(&e))?;
            }
        }
        Ok(())
    }
}
