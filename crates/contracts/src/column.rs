//! One column of a contract and its types.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};

/// The types the contract uses; each has one Arrow and one Delta form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// UTC, microseconds.
    Timestamp,
    /// Calendar date.
    Date,
    /// Money: `DECIMAL(38,2)`.
    Dec2,
    /// A rate: `DECIMAL(38,6)`.
    Dec6,
    /// 64-bit integer.
    BigInt,
    /// 32-bit integer.
    Int,
    /// True or false.
    Boolean,
    /// A rule's threshold; never an amount.
    Double,
    /// Severity name to threshold.
    MapTextDouble,
    /// Allowed values.
    ListText,
}

impl ColumnType {
    /// The Arrow type, with the field names Delta expects inside maps and lists.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Dec2 => DataType::Decimal128(38, 2),
            Self::Dec6 => DataType::Decimal128(38, 6),
            Self::BigInt => DataType::Int64,
            Self::Int => DataType::Int32,
            Self::Boolean => DataType::Boolean,
            Self::Double => DataType::Float64,
            Self::MapTextDouble => {
                let entry = Fields::from(vec![
                    Field::new("key", DataType::Utf8, false),
                    Field::new("value", DataType::Float64, true),
                ]);
                DataType::Map(
                    Arc::new(Field::new("key_value", DataType::Struct(entry), false)),
                    false,
                )
            }
            Self::ListText => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
        }
    }

    /// How the contract and `nsc table show` write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Dec2 => "decimal(38,2)",
            Self::Dec6 => "decimal(38,6)",
            Self::BigInt => "bigint",
            Self::Int => "int",
            Self::Boolean => "boolean",
            Self::Double => "double",
            Self::MapTextDouble => "map<string,double>",
            Self::ListText => "array<string>",
        }
    }
}

/// A column: its name, type, whether null may stand in it, and what it says.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name, fixed by the contract.
    pub name: &'static str,
    /// Type, fixed by the contract.
    pub ty: ColumnType,
    /// May be null.
    pub nullable: bool,
    /// What the value says, in one line.
    pub description: &'static str,
}

impl Column {
    /// A column that may be null.
    pub(crate) const fn new(name: &'static str, ty: ColumnType, description: &'static str) -> Self {
        Self {
            name,
            ty,
            nullable: true,
            description,
        }
    }

    /// A column that is never null.
    pub(crate) const fn required(name: &'static str, ty: ColumnType, description: &'static str) -> Self {
        Self {
            name,
            ty,
            nullable: false,
            description,
        }
    }

    /// The Arrow field.
    #[must_use]
    pub fn arrow_field(&self) -> Field {
        Field::new(self.name, self.ty.arrow(), self.nullable)
    }
}
