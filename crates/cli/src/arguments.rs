//! Arguments as schedulers write them: parameters without a value, and flags that have no meaning here.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Command, CommandFactory};
use nsc_core::is_blank;

use crate::args::Cli;
use crate::failure::OperatorMessage;

/// The parameters of `nsc run` whose value is blank are left out: a job passes all it knows, those without a value as `""`.
pub(crate) fn without_blank_parameters(arguments: Vec<OsString>) -> Vec<OsString> {
    let root = Cli::command();
    let Some((run, at)) = root
        .find_subcommand("run")
        .zip(position_of("run", &root, &arguments))
    else {
        return arguments;
    };
    let parameters = flags_with_value(run);
    let blank = |text: Option<&OsString>| text.and_then(|t| t.to_str()).is_some_and(is_blank);
    let mut kept: Vec<OsString> = arguments.iter().take(at + 1).cloned().collect();
    let mut rest = arguments.iter().skip(at + 1).peekable();
    while let Some(argument) = rest.next() {
        let text = argument.to_str().unwrap_or_default();
        match text.split_once('=') {
            Some((flag, value)) if parameters.iter().any(|p| p == flag) && is_blank(value) => {}
            None if parameters.iter().any(|p| p == text) && blank(rest.peek().copied()) => {
                rest.next();
            }
            _ => kept.push(argument.clone()),
        }
    }
    kept
}

/// Where a subcommand's name stands: the first argument that is neither a flag nor a flag's value.
fn position_of(name: &str, root: &Command, arguments: &[OsString]) -> Option<usize> {
    let flags = flags_with_value(root);
    let mut at = 1;
    loop {
        let text = arguments.get(at)?.to_str()?;
        if !text.starts_with('-') {
            return (text == name).then_some(at);
        }
        at += if flags.iter().any(|f| f == text) { 2 } else { 1 };
    }
}

fn flags_with_value(command: &Command) -> Vec<String> {
    command
        .get_arguments()
        .filter(|a| a.get_action().takes_values())
        .filter_map(|a| Some(format!("--{}", a.get_long()?)))
        .collect()
}

/// Flags of the first implementation's jobs that have no meaning here, and what is there instead.
const REPLACED: &[(&str, &str)] = &[
    (
        "--catalog",
        "The lakehouse is named by --root or NSC_ROOT: tables are ROOT/LAYER/NAME, without a catalog.",
    ),
    (
        "--task",
        "`nsc run b` computes every control of the day and records its own success or failure; there are no parts to name.",
    ),
    (
        "--rule-load-mode",
        "Rules are always strict: a missing one is NSC0301. `nsc rules sync FILE --fill` stores the shipped ones that are missing.",
    ),
    (
        "--rule-table",
        "Rules are always in gold.dim_rule_scd2 under --root.",
    ),
    (
        "--rule-seed-path",
        "Store a rules file with `nsc rules sync FILE`, or give it to sync-rules and e2e with --rules FILE.",
    ),
    (
        "--repo-root",
        "Nothing is read from a checkout: the shipped rules are in the program, settings in --config FILE.",
    ),
    (
        "--skip-upstream-readiness-check",
        "The gate is never skipped: run `nsc run silver --date-kst DATE` for the day first.",
    ),
    (
        "--secret-scope",
        "The salt comes from NSC_SALT_FILE (a mounted secret), NSC_SALT or analytics.salt_file.",
    ),
    (
        "--secret-key",
        "The salt comes from NSC_SALT_FILE (a mounted secret), NSC_SALT or analytics.salt_file.",
    ),
];

/// The refusal of such a flag.
pub(crate) fn replaced(error: &clap::Error) -> Option<OperatorMessage> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = argument.split('=').next()?;
    let (flag, instead) = REPLACED.iter().find(|(known, _)| *known == flag)?;
    Some(OperatorMessage::usage(format!("{flag} has no meaning here")).with_hint(*instead))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use nsc_core::OperatorError;

    use super::{REPLACED, replaced, without_blank_parameters};
    use crate::args::Cli;

    fn kept(line: &[&str]) -> Vec<String> {
        let arguments = line.iter().map(Into::into).collect();
        let kept = without_blank_parameters(arguments);
        kept.into_iter().map(|a| a.into_string().unwrap()).collect()
    }

    #[test]
    fn a_blank_parameter_of_a_run_is_an_absent_one() {
        assert_eq!(
            kept(&[
                "nsc",
                "--root",
                "run",
                "run",
                "b",
                "--run-mode",
                "",
                "--start-ts",
                "  ",
                "--end-ts=",
                "--fail-on",
                "critical"
            ]),
            ["nsc", "--root", "run", "run", "b", "--fail-on", "critical"]
        );
        assert_eq!(
            kept(&["nsc", "run", "--date-kst", "", "--run-id=\t", "silver"]),
            ["nsc", "run", "silver"]
        );
    }

    #[test]
    fn what_is_no_parameter_of_a_run_stays() {
        for line in [
            &["nsc", "run", "b", "--root", ""][..],
            &["nsc", "run", ""],
            &["nsc", "run", "b", "--catalog", ""],
            &["nsc", "sql", ""],
            &["nsc", "ingest", "orders", "run", "--batch-id", ""],
            &["nsc", "run", "b", "--run-id"],
            &["nsc"],
        ] {
            assert_eq!(kept(line), line);
        }
    }

    #[test]
    fn a_flag_of_the_first_implementation_is_refused_with_what_replaces_it() {
        for (flag, instead) in REPLACED {
            for given in [
                vec![(*flag).to_owned(), "x".to_owned()],
                vec![format!("{flag}=x")],
                vec![(*flag).to_owned()],
            ] {
                let line = ["nsc", "run", "b"].into_iter().map(str::to_owned).chain(given);
                let error = Cli::try_parse_from(line).unwrap_err();
                let refusal = replaced(&error).unwrap();
                assert_eq!(refusal.to_string(), format!("{flag} has no meaning here"));
                assert_eq!(refusal.hint().as_deref(), Some(*instead));
            }
        }
        let other = Cli::try_parse_from(["nsc", "run", "b", "--catalogue", "x"]).unwrap_err();
        assert!(replaced(&other).is_none());
    }
}
