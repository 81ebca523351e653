//! A table with its columns in the order of its contract: the scan has the partition's column last.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;
use nsc_contracts::TableContract;

/// A projection of a table that is shown as the table.
#[derive(Debug)]
pub(crate) struct InOrder(ViewTable);

impl InOrder {
    /// The contract's columns first, then those that lines have brought.
    pub(crate) fn of(
        rows: Arc<dyn TableProvider>,
        contract: &TableContract,
    ) -> Result<Arc<dyn TableProvider>> {
        let schema = rows.schema();
        let has = |name: &str| schema.field_with_name(name).is_ok();
        let declared = contract.columns.iter().map(|c| c.name).filter(|name| has(name));
        let is_declared = |name: &str| contract.columns.iter().any(|c| c.name == name);
        let others = schema
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .filter(|name| !is_declared(name));
        let name = TableReference::partial(contract.layer.name(), contract.name);
        let columns = declared
            .chain(others)
            .map(|column| Expr::Column(Column::new(Some(name.clone()), column)));
        let columns: Vec<Expr> = columns.collect();
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(rows), None)?;
        let plan = plan.project(columns)?.build()?;
        Ok(Arc::new(Self(ViewTable::new(plan, None))))
    }
}

#[async_trait]
impl TableProvider for InOrder {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        self.0.get_logical_plan()
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.0.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.scan(state, projection, filters, limit).await
    }
}
