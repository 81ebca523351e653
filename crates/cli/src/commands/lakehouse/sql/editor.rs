//! The operator's own editor for a statement.

use std::process::Command;

use nsc_core::ErrorCode;

use crate::environment::Environment;
use crate::failure::{Failure, OperatorMessage, Outcome};

/// Lets the operator edit a text; returns what it is then. The editor is that of `VISUAL`, else `EDITOR`, else `vi`.
pub(super) fn edit(text: &str, env: &Environment) -> Outcome<String> {
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(|name| env.get(name));
    let editor = editor.unwrap_or("vi");
    let file = tempfile::Builder::new()
        .prefix("nsc-")
        .suffix(".sql")
        .tempfile()
        .map_err(|e| Failure::unexpected("making a file for the editor", e))?;
    std::fs::write(file.path(), text).map_err(|e| Failure::unexpected("writing for the editor", e))?;
    // A variable may hold a program with its flags.
    let ended = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(file.path())
        .status()
        .map_err(|e| Failure::unexpected("starting the editor", e))?;
    if !ended.success() {
        return Err(
            OperatorMessage::usage(format!("the editor {editor:?} ended with {ended}"))
                .with_hint("Name another one in EDITOR.")
                .into(),
        );
    }
    let edited = std::fs::read_to_string(file.path());
    Ok(edited.map_err(|e| {
        OperatorMessage::new(
            ErrorCode::InputUnreadable,
            "what was edited cannot be read as text",
        )
        .with_detail(e)
    })?)
}

#[cfg(test)]
mod tests {
    use super::edit;

    #[test]
    fn the_text_is_what_the_editor_left() {
        let with = |editor: &str| edit("SELECT 1;", &[("EDITOR", editor)].into());
        assert_eq!(with("sed -i s/1/2/").unwrap(), "SELECT 2;");
        assert_eq!(with("true").unwrap(), "SELECT 1;");
        assert!(with("false").is_err());
        assert!(with("no-such-editor-of-anybody").is_err());
    }
}
