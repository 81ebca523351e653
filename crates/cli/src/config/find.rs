//! Which configuration file is read.

use std::path::{Path, PathBuf};

use super::file::FileConfig;
use crate::environment::Environment;
use crate::failure::OperatorMessage;

/// Read when neither `--config` nor `NSC_CONFIG` names a file; the first that exists, the others are not merged in.
const PLACES: &[&str] = &["nsc.toml", "/etc/nsc/nsc.toml"];

/// Finds and reads the configuration file: `--config`, else `NSC_CONFIG`, else `./nsc.toml`, else
/// `/etc/nsc/nsc.toml`, else none.
pub(crate) fn find(
    flag: Option<&Path>,
    env: &Environment,
) -> Result<Option<(PathBuf, FileConfig)>, OperatorMessage> {
    let named = flag
        .map(Path::to_owned)
        .or_else(|| env.get("NSC_CONFIG").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None => match PLACES.iter().map(Path::new).find(|p| p.is_file()) {
            Some(path) => path.to_owned(),
            None => return Ok(None),
        },
    };
    let text = std::fs::read_to_string(&path).map_err(|e| {
        OperatorMessage::configuration(format!("configuration file {} cannot be read", path.display()))
            .with_detail(e)
            .with_hint("--config FILE, then NSC_CONFIG, name the file; without either, ./nsc.toml and /etc/nsc/nsc.toml are tried.")
    })?;
    let parsed = FileConfig::parse(&path, &text)?;
    Ok(Some((path, parsed)))
}
