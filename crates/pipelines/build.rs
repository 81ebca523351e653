//! Names the plans of this build by the sources that decide what is computed from the same rows: results of another build
//! are computed again and compared, whatever was edited (docs/decisions/0015).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

const SOURCES: [&str; 5] = [
    "src",
    "../transforms/src",
    "../contracts/src",
    "../lake/src",
    "../core/src",
];

fn main() -> io::Result<()> {
    let mut plans = DefaultHasher::new();
    for folder in SOURCES {
        println!("cargo::rerun-if-changed={folder}");
        for file in files_of(Path::new(folder))? {
            file.hash(&mut plans);
            fs::read(&file)?.hash(&mut plans);
        }
    }
    println!("cargo::rustc-env=PLANS_OF_BUILD={:016x}", plans.finish());
    Ok(())
}

/// Every file of a folder and of those in it, in one order on every machine.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_of(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
