//! A directory as an input: the files it stands for, and every other entry with why it is left out.
//! Follows lakehouse contract 2.
//!
//! Nothing that may be data is left out in silence. What could be read under another name is named, since it may be a copy
//! in progress; what is data in a form that cannot be read refuses the directory, as it does when it is named by itself.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use nsc_core::source_position;

use crate::content::{Look, look_at};
use crate::error::IngestError;
use crate::left_out::{LeftOutReason, UnreadableFile};

/// Endings of the files a directory stands for, before [`COMPRESSED`].
const ENDINGS: [&str; 3] = [".jsonl", ".ndjson", ".json"];
const COMPRESSED: [&str; 2] = [".gz", ".zst"];
/// Forms of data that are no JSON lines, by the last ending of the name.
const OTHER_FORMS: [(&str, &str); 25] = [
    ("xz", "xz"),
    ("lzma", "lzma"),
    ("bz2", "bzip2"),
    ("7z", "7-Zip"),
    ("zip", "a zip archive"),
    ("rar", "a rar archive"),
    ("lz4", "lz4"),
    ("lzo", "lzo"),
    ("br", "Brotli"),
    ("sz", "Snappy"),
    ("snappy", "Snappy"),
    ("tar", "a tar archive"),
    ("tgz", "a tar archive"),
    ("gpg", "encrypted"),
    ("pgp", "encrypted"),
    ("age", "encrypted"),
    ("csv", "CSV"),
    ("tsv", "TSV"),
    ("xls", "an Excel workbook"),
    ("xlsx", "an Excel workbook"),
    ("parquet", "Parquet"),
    ("avro", "Avro"),
    ("orc", "ORC"),
    ("arrow", "Arrow"),
    ("feather", "Arrow"),
];
/// Parts of a name that are given to data only.
const OF_DATA: [&str; 7] = ["jsonl", "ndjson", "json", "gz", "gzip", "zst", "zstd"];
/// Last endings of what stands beside data: checksums and signatures.
const BESIDE_DATA: [&str; 8] = ["md5", "sha1", "sha256", "sha512", "crc", "sig", "asc", "minisig"];

/// What a directory holds.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// The files it stands for, in natural order; may be none.
    pub(crate) files: Vec<PathBuf>,
    /// Every other entry, by name.
    pub(crate) left_out: Vec<(PathBuf, LeftOutReason)>,
}

enum Entry {
    Input,
    LeftOut(LeftOutReason),
    /// Data in a form that is not read.
    Unreadable(String),
}

/// Reads a directory; those below are not entered.
///
/// # Errors
/// When it cannot be read, or holds data in a form that cannot.
pub(crate) fn read(path: &Path) -> Result<Directory, IngestError> {
    let failed = |source| IngestError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let (mut found, mut left_out, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        match classify(&entry) {
            Entry::Input => found.push(entry.path()),
            Entry::LeftOut(reason) => left_out.push((entry.path(), reason)),
            Entry::Unreadable(form) => unreadable.push(UnreadableFile {
                name: entry.file_name().to_string_lossy().into_owned(),
                form,
            }),
        }
    }
    if !unreadable.is_empty() {
        unreadable.sort_by(|a, b| a.name.cmp(&b.name));
        return Err(IngestError::UnreadableData {
            path: path.to_owned(),
            files: unreadable,
        });
    }
    left_out.sort();
    Ok(Directory {
        files: in_natural_order(found),
        left_out,
    })
}

fn classify(entry: &DirEntry) -> Entry {
    let (path, name) = (entry.path(), entry.file_name());
    let name = name.to_string_lossy().to_ascii_lowercase();
    if name.starts_with('.') {
        return Entry::LeftOut(LeftOutReason::Hidden);
    }
    // Links are followed. One of an input's name that leads nowhere is an input that cannot be read.
    let Ok(known) = std::fs::metadata(&path) else {
        return if is_input(&name) {
            Entry::Input
        } else {
            Entry::LeftOut(LeftOutReason::NotLookedInto)
        };
    };
    if known.is_dir() {
        return Entry::LeftOut(LeftOutReason::Directory);
    }
    // Whoever opens a pipe that nobody writes to waits for ever.
    if !known.is_file() {
        return Entry::LeftOut(LeftOutReason::NoFile);
    }
    if is_input(&name) {
        return Entry::Input;
    }
    if known.len() == 0 {
        return Entry::LeftOut(LeftOutReason::NoData);
    }
    if let Some(form) = other_form(&name) {
        return Entry::Unreadable(format!("its name says {form}"));
    }
    let is_named_like_data = is_named_like_data(&name);
    Entry::LeftOut(match look_at(&path) {
        Err(_) => LeftOutReason::NotLookedInto,
        Ok(Look::Unreadable(form)) => return Entry::Unreadable(form.to_owned()),
        Ok(Look::NotText) if is_named_like_data => {
            return Entry::Unreadable("it is not text, but named like data".to_owned());
        }
        Ok(Look::JsonLines) => LeftOutReason::NamedOtherwise,
        Ok(Look::Text) if is_named_like_data => LeftOutReason::NamedOtherwise,
        Ok(Look::Text | Look::NotText) => LeftOutReason::NoData,
    })
}

/// Files as people number them, `part-9` before `part-10`: a later file of a command is newer at equal times.
pub(crate) fn in_natural_order(files: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = files.into_iter().collect();
    files.sort_by_cached_key(|file| {
        let place = source_position(&format!("file:{}#", file.to_string_lossy()));
        (place, file.clone())
    });
    files
}

fn without_compression(name: &str) -> &str {
    COMPRESSED
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name)
}

fn is_input(name: &str) -> bool {
    let name = without_compression(name);
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Refuses a file that was named by itself and whose name says a form that is not read, unless it holds JSON lines all the same.
pub(crate) fn refuse_other_form(path: &Path) -> Result<(), IngestError> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let has_data = std::fs::metadata(path).is_ok_and(|known| known.is_file() && known.len() > 0);
    match other_form(&name).filter(|_| has_data) {
        Some(found) if !matches!(look_at(path), Ok(Look::JsonLines)) => Err(IngestError::NotText {
            input: path.display().to_string(),
            found,
        }),
        _ => Ok(()),
    }
}

fn other_form(name: &str) -> Option<&'static str> {
    let (_, ending) = without_compression(name).rsplit_once('.')?;
    let found = OTHER_FORMS.iter().find(|(known, _)| *known == ending);
    found.map(|(_, form)| *form)
}

fn is_named_like_data(name: &str) -> bool {
    let mut parts = name.split('.').skip(1);
    let is_beside = name
        .rsplit_once('.')
        .is_some_and(|(_, ending)| BESIDE_DATA.contains(&ending));
    !is_beside && parts.any(|part| OF_DATA.contains(&part))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Directory, LeftOutReason, read};
    use crate::error::IngestError;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read_with(files: &[(&str, &[u8])]) -> Result<Directory, IngestError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        std::fs::create_dir(dir.path().join("below")).unwrap();
        read(dir.path())
    }

    #[test]
    fn what_is_left_out_is_named_with_why() {
        use LeftOutReason::{Directory, Hidden, NamedOtherwise, NoData};

        let line = b"{\"tx_id\":\"1\"}\n";
        let lines: Vec<u8> = line.repeat(500);
        let packed = gzip(&String::from_utf8(lines).unwrap());
        let found = read_with(&[
            ("a.jsonl", line),
            ("b.gzip", &packed),
            ("c.gz", &packed),
            ("d.jsonl.part2", line),
            ("e.ndjson.part3", b"1\"}\n"),
            ("f.JSON.GZ", &packed),
            (".g.jsonl.Xy3", line),
            ("h.txt", line),
            ("i.md", b"# about"),
            ("i.jsonl.gz.sha256", b"0f0f  i.jsonl.gz"),
            ("j.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01"),
            ("k.csv", b""),
        ])
        .unwrap();
        assert_eq!(found.files.len(), 2);
        let left_out: Vec<(String, LeftOutReason)> = found
            .left_out
            .iter()
            .map(|(path, reason)| (path.file_name().unwrap().to_string_lossy().into_owned(), *reason))
            .collect();
        let left_out: Vec<(&str, LeftOutReason)> = left_out.iter().map(|(n, r)| (n.as_str(), *r)).collect();
        assert_eq!(
            left_out,
            [
                (".g.jsonl.Xy3", Hidden),
                ("b.gzip", NamedOtherwise),
                ("below", Directory),
                ("c.gz", NamedOtherwise),
                ("d.jsonl.part2", NamedOtherwise),
                ("e.ndjson.part3", NamedOtherwise),
                ("h.txt", NamedOtherwise),
                ("i.jsonl.gz.sha256", NoData),
                ("i.md", NoData),
                ("j.png", NoData),
                ("k.csv", NoData),
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_left_out_and_a_link_that_leads_nowhere_is_an_input() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let made = std::process::Command::new("mkfifo")
            .arg(at("a.jsonl"))
            .status()
            .unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink(at("gone"), at("b.jsonl")).unwrap();
        std::os::unix::fs::symlink(at("gone"), at("c.txt")).unwrap();
        let found = read(dir.path()).unwrap();
        assert_eq!(found.files, [at("b.jsonl")]);
        assert_eq!(
            found.left_out,
            [
                (at("a.jsonl"), LeftOutReason::NoFile),
                (at("c.txt"), LeftOutReason::NotLookedInto)
            ]
        );
    }

    #[test]
    fn data_in_a_form_that_cannot_be_read_refuses_the_directory() {
        let noise: Vec<u8> = (128..=255).cycle().take(2_000).collect();
        let mut tar = vec![0; 1_024];
        tar[257..262].copy_from_slice(b"ustar");
        let tar = gzip(&String::from_utf8(tar).unwrap());
        for (name, bytes, why) in [
            ("a.jsonl.xz", &b"\xfd7zXZ\0"[..], "its name says xz"),
            ("a.jsonl.bz2", b"BZh9", "its name says bzip2"),
            ("a.7z", b"7z\xbc\xaf\x27\x1c", "its name says 7-Zip"),
            ("a.ZIP", b"PK\x03\x04", "its name says a zip archive"),
            ("a.csv", b"tx_id,amount\n", "its name says CSV"),
            ("a.csv.gz", b"\x1f\x8b", "its name says CSV"),
            ("a.jsonl.gpg", b"\x85\x01", "its name says encrypted"),
            ("export", b"\xfd7zXZ\0", "it looks like xz"),
            ("export.jsonl.x", b"7z\xbc\xaf\x27\x1c", "it looks like 7-Zip"),
            ("export.x", &tar, "it looks like a tar archive"),
            ("a.jsonl.gz.part2", &noise, "it is not text, but named like data"),
        ] {
            let refused = read_with(&[("good.jsonl", b"{}"), (name, bytes)]).unwrap_err();
            let IngestError::UnreadableData { files, .. } = &refused else {
                panic!("{name}: {refused:?}")
            };
            assert_eq!(
                (files[0].name.as_str(), files[0].form.as_str()),
                (name, why),
                "{name}"
            );
        }
    }
}
