//! The lake as schemas of the engine: a table is opened when a query names it, at its newest version.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use nsc_contracts::{Layer, TableContract};
use nsc_lake::Lake;

/// One layer of the lake.
#[derive(Debug)]
struct LayerSchema {
    lake: Lake,
    layer: Layer,
}

/// Makes `bronze`, `silver` and `gold` known to a session.
pub(super) fn register(ctx: &SessionContext, lake: &Lake) -> Result<()> {
    let state = ctx.state();
    let name = &state.config().options().catalog.default_catalog;
    let catalog = ctx
        .catalog(name)
        .ok_or_else(|| DataFusionError::Internal(format!("no catalog {name}")))?;
    for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
        catalog.register_schema(
            layer.name(),
            Arc::new(LayerSchema {
                lake: lake.clone(),
                layer,
            }),
        )?;
    }
    Ok(())
}

impl LayerSchema {
    fn contract(&self, name: &str) -> Option<&'static TableContract> {
        nsc_contracts::tables().find(|t| t.layer == self.layer && t.name == name)
    }
}

#[async_trait]
impl SchemaProvider for LayerSchema {
    fn table_names(&self) -> Vec<String> {
        nsc_contracts::tables()
            .filter(|t| t.layer == self.layer)
            .map(|t| t.name.to_owned())
            .collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(contract) = self.contract(name) else {
            return Ok(None);
        };
        let external = |e: nsc_lake::LakeError| DataFusionError::External(Box::new(e));
        match self.lake.existing(contract).await.map_err(external)? {
            Some(table) => Ok(Some(table.scan_all().map_err(external)?)),
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.contract(name).is_some()
    }
}
