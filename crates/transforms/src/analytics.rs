//! Pipeline C: the anonymised payment fact (lakehouse contract 4, "Pipeline C").
//!
//! Inputs registered by the caller: `orders` (`silver.order_events` of the day), `order_items` and `products` (Silver;
//! supersets are fine). [`payment_fact`] gives `gold.fact_payment_anonymized` of the day, whose partition it replaces.
//!
//! The salt is held by the hash function itself: it stands in no plan, no `EXPLAIN` and no log. No user id, order id or
//! name leaves the plan. An empty day is an empty result.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result as PlanResult, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, col,
};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::{DateKst, RunId};

use crate::TransformError;
use crate::functions::user_key_hex;
use crate::output::{date, finish, plan, text};

/// `gold.fact_payment_anonymized` of one day: one row per payment order with a user.
///
/// # Errors
/// When the plan is refused: an input table or column is absent.
pub async fn payment_fact(
    ctx: &SessionContext,
    day: DateKst,
    run_id: &RunId,
    salt: &str,
) -> Result<DataFrame, TransformError> {
    const TABLE: &str = "gold.fact_payment_anonymized";
    let params = vec![("date", ScalarValue::Date32(Some(day.days())))];
    let lines = plan(ctx, TABLE, include_str!("sql/payment_lines.sql"), params).await?;
    let key = ScalarUDF::from(SaltedKey::new(salt)).call(vec![col("user_id")]);
    let keyed = lines
        .with_column("user_key", key)
        .map_err(TransformError::plan(TABLE))?;
    finish(
        keyed,
        TABLE,
        vec![("date_kst", date(day)), ("run_id", text(Some(run_id.as_str())))],
    )
}

/// `nsc_user_key` with the salt inside.
struct SaltedKey {
    salt: Arc<str>,
    signature: Signature,
}

impl SaltedKey {
    fn new(salt: &str) -> Self {
        Self {
            salt: salt.into(),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl fmt::Debug for SaltedKey {
    /// Without the salt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltedKey")
    }
}

impl PartialEq for SaltedKey {
    fn eq(&self, other: &Self) -> bool {
        self.salt == other.salt
    }
}

impl Eq for SaltedKey {}

impl Hash for SaltedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.salt.hash(state);
    }
}

impl ScalarUDFImpl for SaltedKey {
    fn name(&self) -> &str {
        "nsc_salted_user_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn coerce_types(&self, given: &[DataType]) -> PlanResult<Vec<DataType>> {
        match given {
            [DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View] => Ok(vec![DataType::Utf8View]),
            _ => plan_err!("{} takes one text, not {given:?}", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let users = arrays
            .first()
            .and_then(|a| a.as_string_view_opt())
            .ok_or_else(|| exec_datafusion_err!("no user_id"))?;
        let mut keys = StringViewBuilder::with_capacity(users.len());
        for user in users {
            keys.append_option(user.map(|user| user_key_hex(user, &self.salt)));
        }
        Ok(ColumnarValue::Array(Arc::new(keys.finish()) as ArrayRef))
    }
}
