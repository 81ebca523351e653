//! Every SQL file says what it makes: its grain, its inputs and the contract clause it follows.

use std::path::Path;

use nsc_contracts::control::CONTROLS;
use nsc_contracts::exception::ExceptionType;

#[test]
fn every_sql_file_states_grain_input_and_contract_and_holds_one_statement() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let sql = std::fs::read_to_string(&path).unwrap();
        let header: String = sql.lines().take_while(|l| l.starts_with("--")).collect();
        for part in ["Grain:", "Input", "Contract:"] {
            assert!(
                header.contains(part),
                "{} does not state its {part}",
                path.display()
            );
        }
        let code = sql.lines().filter(|l| !l.trim_start().starts_with("--"));
        assert!(
            !code.into_iter().any(|l| l.contains(';')),
            "{} holds more than one statement",
            path.display()
        );
        seen += 1;
    }
    assert!(seen >= 10);
}

#[test]
fn every_exception_that_the_sql_names_is_declared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let sql = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (at, _) in sql.match_indices(" AS exception_type") {
            let name = sql[..at].rsplit('\'').nth(1).unwrap();
            assert!(ExceptionType::named(name).is_some(), "{name} is not declared");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_control_has_its_sql_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
    for control in CONTROLS {
        let name = control.table.name;
        assert!(folder.join(format!("{name}.sql")).is_file(), "{name}");
        let looks = folder.join(format!("{name}_exceptions.sql")).is_file();
        assert_eq!(looks, control.exceptions().next().is_some(), "{name}");
    }
}
