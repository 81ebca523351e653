//! How a stored schema disagrees with its contract.

use std::fmt;

use arrow_schema::{DataType, Schema};

use crate::{ColumnType, TableContract};

/// Columns of before, by table: a lakehouse that has one keeps it, without values from now on.
const FORMER: [(&str, &str); 1] = [("pipeline_state", "repeat_days")];

/// One disagreement between a stored table and its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaDifference {
    /// A nullable column the contract has and the table lacks: `nsc table migrate` adds it.
    MissingNullable(String),
    /// A required column the table lacks: the table must be rebuilt.
    MissingRequired(String),
    /// Another type.
    Type {
        /// Column.
        column: String,
        /// Type by the contract.
        expected: String,
        /// Type in the table.
        found: String,
    },
    /// Null may stand where the contract forbids it.
    Nullable(String),
    /// Null may not stand where the contract allows it.
    Required(String),
    /// A column the contract does not know.
    Unknown(String),
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingNullable(c) => write!(f, "column {c} is missing"),
            Self::MissingRequired(c) => write!(f, "required column {c} is missing"),
            Self::Type {
                column,
                expected,
                found,
            } => write!(f, "column {column} is {found}, the contract says {expected}"),
            Self::Nullable(c) => write!(f, "column {c} may be null, the contract forbids it"),
            Self::Required(c) => write!(f, "column {c} may not be null, the contract allows it"),
            Self::Unknown(c) => write!(f, "column {c} is not in the contract"),
        }
    }
}

impl TableContract {
    /// What separates a stored schema from this contract; empty when they agree.
    #[must_use]
    pub fn differences(&self, stored: &Schema) -> Vec<SchemaDifference> {
        let mut found = Vec::new();
        for column in self.columns {
            let Ok(field) = stored.field_with_name(column.name) else {
                found.push(if column.nullable {
                    SchemaDifference::MissingNullable(column.name.to_owned())
                } else {
                    SchemaDifference::MissingRequired(column.name.to_owned())
                });
                continue;
            };
            if !same_type(field.data_type(), column.ty) {
                found.push(SchemaDifference::Type {
                    column: column.name.to_owned(),
                    expected: column.ty.name().to_owned(),
                    found: field.data_type().to_string(),
                });
            }
            if field.is_nullable() && !column.nullable {
                found.push(SchemaDifference::Nullable(column.name.to_owned()));
            }
            if !field.is_nullable() && column.nullable {
                found.push(SchemaDifference::Required(column.name.to_owned()));
            }
        }
        let is_former = |name: &str| FORMER.contains(&(self.name, name));
        let declared = |name: &str| self.columns.iter().any(|c| c.name == name) || is_former(name);
        for field in stored.fields().iter().filter(|f| !declared(f.name())) {
            if !self.schema_evolves() {
                found.push(SchemaDifference::Unknown(field.name().clone()));
            } else if !same_type(field.data_type(), ColumnType::Text) {
                found.push(SchemaDifference::Type {
                    column: field.name().clone(),
                    expected: ColumnType::Text.name().to_owned(),
                    found: field.data_type().to_string(),
                });
            } else if !field.is_nullable() {
                found.push(SchemaDifference::Required(field.name().clone()));
            }
        }
        found
    }
}

/// Same meaning, whichever physical text form a reader chose.
fn same_type(stored: &DataType, declared: ColumnType) -> bool {
    match (stored, declared) {
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, ColumnType::Text) => true,
        (DataType::List(item), ColumnType::ListText) => same_type(item.data_type(), ColumnType::Text),
        (DataType::Map(..), ColumnType::MapTextDouble) => true,
        _ => *stored == declared.arrow(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field, Schema};

    use super::SchemaDifference;

    #[test]
    fn a_table_that_follows_its_contract_has_no_difference() {
        for t in crate::open_tables() {
            assert_eq!(t.differences(&t.arrow_schema()), [], "{}", t.full_name());
        }
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let contract = crate::table("silver.products").unwrap();
        let mut fields: Vec<Field> = contract.columns.iter().map(crate::Column::arrow_field).collect();
        fields.retain(|f| f.name() != "category");
        fields[0] = Field::new("product_id", DataType::Utf8, true);
        fields.push(Field::new("colour", DataType::Utf8, true));
        let price = fields.iter_mut().find(|f| f.name() == "price_krw").unwrap();
        price.set_nullable(false);
        let found: Vec<String> = contract
            .differences(&Schema::new(fields))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "column product_id is Utf8, the contract says bigint",
                "column product_id may be null, the contract forbids it",
                "column category is missing",
                "column price_krw may not be null, the contract allows it",
                "column colour is not in the contract",
            ]
        );
        assert!(matches!(
            contract.differences(&Schema::empty())[0],
            SchemaDifference::MissingRequired(_)
        ));
    }

    #[test]
    fn bronze_grows_by_text_columns_only() {
        let contract = crate::table("products_raw").unwrap();
        let with = |ty, nullable| {
            let mut fields: Vec<Field> = contract.columns.iter().map(crate::Column::arrow_field).collect();
            fields.push(Field::new("colour", ty, nullable));
            contract.differences(&Schema::new(fields)).len()
        };
        assert_eq!((with(DataType::Utf8, true), with(DataType::Int64, true)), (0, 1));
        // Its lines need not have it.
        assert_eq!(with(DataType::Utf8, false), 1);
    }
}
