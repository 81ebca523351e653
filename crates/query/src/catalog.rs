//! The lake as schemas of the engine: a table is opened when a query names it, at its newest version.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use nsc_contracts::{Layer, TableContract};
use nsc_lake::Lake;

use crate::in_order::InOrder;

/// The view of the findings that are open: it belongs to the session, the lake has no such table.
pub const OPEN_FINDINGS: &str = "open_findings";
/// Its table, and how it follows from it: of the rows of one finding the newest counts, and a closed one is not open.
pub(crate) const FINDINGS: &str = "gold.exception_ledger";
const OPEN_FINDINGS_SQL: &str = "\
SELECT date_kst, domain, exception_type, severity, source_table, window_start_ts, window_end_ts, subject, metric,
       metric_value, message, rule_id, run_id, generated_at
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY date_kst, domain, exception_type, source_table, window_start_ts, window_end_ts, subject
        ORDER BY generated_at DESC) AS age
    FROM rows)
WHERE age = 1 AND state IS DISTINCT FROM 'CLEARED'";

/// One layer of the lake.
#[derive(Debug)]
struct LayerSchema {
    lake: Lake,
    layer: Layer,
}

/// Makes `bronze`, `silver`, `gold` and `ops` known to a session.
pub(crate) fn register(ctx: &SessionContext, lake: &Lake) -> Result<()> {
    let state = ctx.state();
    let name = &state.config().options().catalog.default_catalog;
    let catalog = ctx
        .catalog(name)
        .ok_or_else(|| DataFusionError::Internal(format!("no catalog {name}")))?;
    let of_layer = |layer| LayerSchema {
        lake: lake.clone(),
        layer,
    };
    for layer in LAYERS {
        catalog.register_schema(layer.name(), Arc::new(of_layer(layer)))?;
    }
    let anywhere = AnyLayer(LAYERS.map(of_layer).into());
    catalog.register_schema(
        &state.config().options().catalog.default_schema,
        Arc::new(anywhere),
    )?;
    Ok(())
}

const LAYERS: [Layer; 4] = [Layer::Bronze, Layer::Silver, Layer::Gold, Layer::Ops];

/// The table behind a name, with its layer or, where no two layers share it, without. A view is known by its table.
pub(crate) fn known(schema: Option<&str>, name: &str) -> Option<&'static TableContract> {
    let is_view = name == OPEN_FINDINGS && schema.is_none_or(|layer| layer == Layer::Gold.name());
    match schema {
        _ if is_view => nsc_contracts::table(FINDINGS),
        Some(layer) => nsc_contracts::open_tables().find(|t| t.layer.name() == layer && t.name == name),
        None => nsc_contracts::table(name),
    }
}

/// Names without a layer. It lists nothing, so that no table is shown twice.
#[derive(Debug)]
struct AnyLayer(Vec<LayerSchema>);

#[async_trait]
impl SchemaProvider for AnyLayer {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let layer = known(None, name).map(|contract| contract.layer);
        match self.0.iter().find(|schema| Some(schema.layer) == layer) {
            Some(schema) => schema.table(name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        known(None, name).is_some()
    }
}

impl LayerSchema {
    fn contract(&self, name: &str) -> Option<&'static TableContract> {
        known(Some(self.layer.name()), name)
    }

    fn is_view(&self, name: &str) -> bool {
        self.layer == Layer::Gold && name == OPEN_FINDINGS
    }
}

/// The view over the rows of the exception ledger.
async fn open_findings(rows: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let ctx = SessionContext::new();
    ctx.register_table("rows", rows)?;
    Ok(ctx.sql(OPEN_FINDINGS_SQL).await?.into_view())
}

#[async_trait]
impl SchemaProvider for LayerSchema {
    fn table_names(&self) -> Vec<String> {
        let view = (self.layer == Layer::Gold).then_some(OPEN_FINDINGS);
        let tables = nsc_contracts::open_tables().filter(|t| t.layer == self.layer);
        tables.map(|t| t.name).chain(view).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(contract) = self.contract(name) else {
            return Ok(None);
        };
        let external = |e: nsc_lake::LakeError| DataFusionError::External(Box::new(e));
        let Some(table) = self.lake.existing(contract).await.map_err(external)? else {
            return Ok(None);
        };
        let rows: Arc<dyn TableProvider> = table.scan_all().map_err(external)?;
        if self.is_view(name) {
            return open_findings(rows).await.map(Some);
        }
        InOrder::of(rows, contract).map(Some)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.contract(name).is_some()
    }
}
