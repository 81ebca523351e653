//! Which column a field gets.

use super::{Aborted, LoadField, Registry, Target};
use arrow::datatypes::{DataType, Field, Schema};

fn registry(stored: &[&str]) -> Registry {
    let contract = nsc_contracts::table("transaction_ledger_raw").unwrap();
    let mut fields: Vec<Field> = contract.columns.iter().map(|c| c.arrow_field()).collect();
    fields.extend(stored.iter().map(|n| Field::new(*n, DataType::Utf8, true)));
    Registry::new(contract, &Schema::new(fields))
}

fn name(registry: &Registry, field: &str) -> String {
    match registry.field(0, field) {
        Ok(Target::Column(i)) => registry.names(i)[0].to_string(),
        Ok(Target::Extra) => "_extra".to_owned(),
        Err(Aborted) => "aborted".to_owned(),
    }
}

#[test]
fn contract_fields_keep_their_columns_and_case_variants_get_their_own() {
    let r = registry(&[]);
    for (field, column) in [
        ("amount", "amount"),
        ("Amount", "Amount__2"),
        ("AMOUNT", "AMOUNT__3"),
        ("Amount", "Amount__2"),
        ("newField", "newField"),
        ("newfield", "newfield__2"),
        ("newField", "newField"),
        ("İ", "İ"),
        ("i̇", "i̇__2"),
    ] {
        assert_eq!(name(&r, field), column, "{field}");
    }
    assert_eq!(
        r.added(),
        ["Amount__2", "AMOUNT__3", "newField", "newfield__2", "İ", "i̇__2"]
    );
}

#[test]
fn no_field_feeds_a_column_of_ours() {
    let r = registry(&[]);
    for (field, column) in [
        ("source_ref", "source_ref__2"),
        ("ingest_date", "ingest_date__2"),
        ("load_id", "load_id__2"),
        ("Load_Id", "Load_Id__3"),
        ("_corrupt_record", "_corrupt_record__2"),
        ("_extra", "_extra__2"),
        ("Ingested_At", "Ingested_At__2"),
        ("source_ref__2", "source_ref__2__2"),
        ("_EXTRA", "_EXTRA__3"),
    ] {
        assert_eq!(name(&r, field), column, "{field}");
    }
    let Ok(Target::Column(i)) = r.set_aside(0, LoadField::IngestedAt) else {
        panic!()
    };
    assert_eq!(
        r.names(i)[0].as_ref(),
        "ingested_at__3",
        "Ingested_At__2 has the name but for its case"
    );
}

#[test]
fn a_later_load_finds_the_columns_of_an_earlier_one() {
    let r = registry(&["Amount__2", "newField", "newfield__2", "a_x0020_b"]);
    for (field, column) in [
        ("newfield", "newfield__2"),
        ("Amount", "Amount__2"),
        ("AMOUNT", "AMOUNT__3"),
        ("a b", "a_x0020_b"),
        ("newField", "newField"),
    ] {
        assert_eq!(name(&r, field), column, "{field}");
    }
    assert_eq!(r.added(), ["AMOUNT__3"]);
}

#[test]
fn a_table_grows_by_a_thousand_columns_and_no_more() {
    let r = registry(&["one"]);
    for i in 0..999 {
        assert_eq!(name(&r, &format!("f{i}")), format!("f{i}"));
    }
    assert_eq!(name(&r, "surplus"), "_extra");
    assert_eq!(name(&r, "f998"), "f998");
    assert_eq!(
        (r.added().len(), r.added().last().map(String::as_str)),
        (1_000, Some("_extra"))
    );
    assert_eq!(name(&registry(&["_extra"]), &"long".repeat(100)), "_extra");
    assert_eq!(name(&registry(&[]), &"long".repeat(100)), "_extra");
}

#[test]
fn columns_are_added_in_the_order_of_the_chunks() {
    let r = std::sync::Arc::new(registry(&[]));
    let second = std::thread::spawn({
        let r = std::sync::Arc::clone(&r);
        move || r.field(1, "LATER").is_ok()
    });
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(name(&r, "later"), "later");
    r.parsed(0);
    assert!(second.join().unwrap());
    assert_eq!(r.added(), ["later", "LATER__2"]);
    r.abort();
    assert!(r.field(9, "never").is_err());
}
