//! Which statements are allowed: one query, nothing that changes or reads anything else.

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use nsc_contracts::{Layer, TableContract};
use nsc_core::{ErrorCode, OperatorError, OperatorMessage, nearest};
use nsc_lake::LakeError;
use nsc_transforms::functions::TooManyDigits;

use crate::catalog::OPEN_FINDINGS;

/// Parses the text as exactly one allowed statement.
pub(crate) fn parse(text: &str) -> Result<Statement, OperatorMessage> {
    let failed = |e: &dyn std::fmt::Display| {
        let refusal =
            OperatorMessage::new(ErrorCode::Sql, "the statement is not SQL this engine understands")
                .with_detail(first_line(e));
        if text.trim_start().starts_with('\\') {
            refusal.with_hint("Commands that begin with a backslash are for the interactive session.")
        } else {
            refusal
        }
    };
    let parser = DFParserBuilder::new(text)
        .with_dialect(&PostgreSqlDialect {})
        .build();
    let mut statements = parser
        .and_then(|mut p| p.parse_statements())
        .map_err(|e| failed(&e))?;
    match (statements.pop_front(), statements.len()) {
        (None, _) => {
            Err(OperatorMessage::usage("no statement was given").with_hint("nsc sql \"SELECT ...\""))
        }
        (Some(_), 1..) => Err(not_allowed("more than one statement")
            .with_hint("Give one statement, without anything after its semicolon.")),
        (Some(statement), 0) if is_query(&statement) => Ok(statement),
        (Some(statement), 0) => Err(not_allowed(&kind_of(&statement))),
    }
}

/// Checks the plan too: a query may hide a change (`SELECT ... INTO`, a data-modifying `WITH`).
pub(crate) fn verify(plan: &LogicalPlan) -> Result<(), OperatorMessage> {
    let options = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    options
        .verify_plan(plan)
        .map_err(|e| not_allowed(&first_line(&e)))
}

/// Plans a parsed statement.
pub(crate) async fn plan(state: &SessionState, statement: Statement) -> Result<LogicalPlan, OperatorMessage> {
    let plan = state.statement_to_plan(statement).await.map_err(|e| failed(&e))?;
    verify(&plan)?;
    Ok(plan)
}

/// A query the engine refused or could not finish; an error of the lake keeps its own code.
pub(crate) fn failed(error: &DataFusionError) -> OperatorMessage {
    if let Some(lost) = LakeError::of_lost_file(error) {
        return OperatorMessage::of(&lost);
    }
    match error.find_root() {
        DataFusionError::External(cause) => {
            if let Some(lake) = cause.downcast_ref::<LakeError>() {
                OperatorMessage::of(lake)
            } else if let Some(refusal) = cause.downcast_ref::<OperatorMessage>() {
                refusal.clone()
            } else if cause.is::<TooManyDigits>() {
                too_many_digits(cause)
            } else {
                OperatorMessage::new(ErrorCode::Sql, "the query failed").with_detail(first_line(cause))
            }
        }
        DataFusionError::ArrowError(cause, _) if matches!(**cause, ArrowError::ArithmeticOverflow(_)) => {
            too_many_digits(cause)
        }
        root @ DataFusionError::ResourcesExhausted(_) => {
            OperatorMessage::new(ErrorCode::Sql, "the query needs more memory than it may use")
                .with_detail(first_line(root))
                .with_hint("Select fewer columns, filter by the partition column, or raise --memory-limit.")
        }
        root => OperatorMessage::new(ErrorCode::Sql, "the query failed").with_detail(first_line(root)),
    }
}

/// The engine takes the name of a zone as it is given, and fails where the first time is shown in it.
pub(crate) fn refuse_unknown_zone(schema: &Schema) -> Result<(), OperatorMessage> {
    for field in schema.fields() {
        if let DataType::Timestamp(_, Some(zone)) = field.data_type()
            && zone.parse::<Tz>().is_err()
        {
            return Err(OperatorMessage::new(ErrorCode::Sql, "the query failed")
                .with_detail(format!("there is no time zone {zone}"))
                .with_hint("Zones are named as in Asia/Seoul or +09:00."));
        }
    }
    Ok(())
}

/// Whether a statement was refused because there is no such table. (The engine says it in words.)
pub(crate) fn is_of_table(refusal: &OperatorMessage, name: &str) -> bool {
    let detail = refusal.detail().unwrap_or_default();
    detail.contains("table '") && detail.contains(&format!("{name}' not found"))
}

/// A table that there is not, with the one that was meant.
pub(crate) fn unknown_table(schema: Option<&str>, name: &str) -> OperatorMessage {
    let given = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
    let view = format!("{}.{OPEN_FINDINGS}", Layer::Gold.name());
    let known: Vec<String> = nsc_contracts::open_tables()
        .map(TableContract::full_name)
        .chain([view])
        .collect();
    let bare = |full: &String| full.split_once('.').map(|(_, name)| name.to_owned());
    let meant = nearest(&given, known.iter().map(String::as_str)).map(str::to_owned);
    let meant = meant.or_else(|| {
        let names: Vec<String> = known.iter().filter_map(bare).collect();
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    });
    let hint = meant.map_or_else(
        || {
            "SHOW TABLES lists the tables; a common table expression is known in its own statement only."
                .to_owned()
        },
        |meant| format!("Did you mean {meant}? SHOW TABLES lists the tables."),
    );
    OperatorMessage::new(ErrorCode::Sql, "the query failed")
        .with_detail(format!("there is no table {given}"))
        .with_hint(hint)
}

fn too_many_digits(cause: &dyn std::fmt::Display) -> OperatorMessage {
    OperatorMessage::new(
        ErrorCode::TooManyDigits,
        "a result has more digits than its type holds",
    )
    .with_detail(first_line(cause))
    .with_hint(
        "Give the values more room first: CAST(x AS DECIMAL(76, 2)), for integers CAST(n AS DECIMAL(38, 0)).",
    )
}

fn not_allowed(what: &str) -> OperatorMessage {
    OperatorMessage::new(ErrorCode::StatementNotAllowed, "only queries are allowed here")
        .with_detail(what)
        .with_hint("SELECT, WITH, VALUES, SHOW TABLES, SHOW COLUMNS, DESCRIBE and EXPLAIN are; the pipelines alone change tables.")
}

fn is_query(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(s) => matches!(
            s.as_ref(),
            ast::Statement::Query(_)
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowColumns { .. }
                | ast::Statement::ExplainTable { .. }
        ),
        Statement::Explain(explain) => is_query(&explain.statement),
        _ => false,
    }
}

/// The statement's first words, which is what an operator recognises.
fn kind_of(statement: &Statement) -> String {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    format!("{} ...", words.join(" "))
}

/// Plans in messages run over many lines; the first says what is wrong.
fn first_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;
    use nsc_core::OperatorError;

    use super::{parse, plan};

    async fn outcome(text: &str) -> String {
        let ctx = SessionContext::new_with_config(
            datafusion::prelude::SessionConfig::new().with_information_schema(true),
        );
        let planned = match parse(text) {
            Ok(statement) => plan(&ctx.state(), statement).await.map(|_| ()),
            Err(e) => Err(e),
        };
        planned.map_or_else(|e| e.code().to_string(), |()| "ok".to_owned())
    }

    #[tokio::test]
    async fn queries_are_allowed() {
        for text in [
            "SELECT 1",
            "select 1;",
            "WITH x AS (SELECT 1 AS n) SELECT * FROM x",
            "VALUES (1), (2)",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TABLES",
            "(SELECT 1) UNION ALL (SELECT 2)",
            "-- note\nSELECT 1",
        ] {
            assert_eq!(outcome(text).await, "ok", "{text}");
        }
    }

    #[tokio::test]
    async fn everything_else_is_not() {
        for text in [
            "CREATE TABLE t AS SELECT 1",
            "CREATE VIEW v AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc'",
            "DROP TABLE t",
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "SET datafusion.execution.batch_size = 1",
            "SELECT 1 INTO t",
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE t",
            "EXPLAIN INSERT INTO t VALUES (1)",
            "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x.csv'",
            "BEGIN",
            "PREPARE p AS SELECT 1",
            "TRUNCATE t",
            "EXECUTE p",
            "RESET ALL",
        ] {
            assert!(
                ["NSC0502", "NSC0501"].contains(&outcome(text).await.as_str()),
                "{text}: {}",
                outcome(text).await
            );
        }
        assert_eq!(outcome("SELECT 1 INTO t").await, "NSC0502");
        assert_eq!(
            outcome("EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x.csv'").await,
            "NSC0502"
        );
        assert_eq!(outcome("SELECT 1; DROP TABLE t").await, "NSC0502");
        assert_eq!(outcome("SELEC 1").await, "NSC0501");
        assert_eq!(outcome("  ").await, "NSC0002");
        assert_eq!(outcome("SELECT * FROM '/etc/passwd'").await, "NSC0501");
    }
}
