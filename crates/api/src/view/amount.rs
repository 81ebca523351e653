//! An amount in JSON: text with two decimals, because a JSON number is a float to most who read it.

use nsc_core::Money;
use serde::{Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

pub(super) struct Amount(pub(super) Money);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("An exact amount, with two decimals."))
            .pattern(Some(r"^-?[0-9]+\.[0-9]{2}$"))
            .examples(["5000.00"])
            .into()
    }
}

impl ToSchema for Amount {}

#[cfg(test)]
mod tests {
    use nsc_core::Money;

    use super::Amount;

    #[test]
    fn an_amount_is_text_with_two_decimals() {
        let json = |units| Money::from_units(units).and_then(|m| serde_json::to_string(&Amount(m)).ok());
        assert_eq!(json(500_000).as_deref(), Some("\"5000.00\""));
        assert_eq!(json(-5).as_deref(), Some("\"-0.05\""));
        assert_eq!(
            json(999_999_999_999_999_999).as_deref(),
            Some("\"9999999999999999.99\"")
        );
    }
}
