//! Where the file is and who may read it. It holds what strangers sent and what the source keeps of its customers: a new
//! one is for its owner alone, and one that is there keeps its link, its owner and its mode.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Readable and writable by its owner alone, whatever the umask.
const PRIVATE: u32 = 0o600;
/// What of a mode says who may do what.
const WHO_MAY: u32 = 0o7777;
/// As many links behind each other as Linux follows.
const MOST_LINKS: usize = 40;

/// The file itself where the path is a link, also of one that is not there yet.
pub(super) fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            // Relative to the directory that the link is in; an absolute target replaces it.
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            // No link, or nothing at all.
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// Opens it to append to; makes it when it is not there.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(PRIVATE)
        .open(path)
}

/// The mode, when others than its owner may read it.
pub(super) fn open_to_others(file: &File) -> io::Result<Option<u32>> {
    let mode = file.metadata()?.mode() & WHO_MAY;
    Ok((mode & 0o044 != 0).then_some(mode))
}

/// Opens the file beside it that is locked for each change. Whoever may change the one may lock the other.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let mode = fs::metadata(path).map_or(PRIVATE, |m| m.mode() & 0o666);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .open(beside(path, ".lock"))
}

/// Puts other content in its place, whole or not at all.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = beside(path, ".new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&new)?;
    let written = keep_owner_and_mode(&file, path)
        .and_then(|()| file.write_all(content))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // What could not be finished is of no use; the error is what matters.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    fs::rename(&new, path)?;
    sync_directory(path)
}

fn keep_owner_and_mode(new: &File, old: &Path) -> io::Result<()> {
    let (made, kept) = (new.metadata()?, fs::metadata(old)?);
    let change = |is: u32, was: u32| (is != was).then_some(was);
    let (owner, group) = (change(made.uid(), kept.uid()), change(made.gid(), kept.gid()));
    if owner.is_some() || group.is_some() {
        fchown(new, owner, group).map_err(|e| {
            let (user, group) = (kept.uid(), kept.gid());
            io::Error::new(
                e.kind(),
                format!("it belongs to user {user} and group {group}, which this user cannot keep so: {e}"),
            )
        })?;
    }
    new.set_permissions(Permissions::from_mode(kept.mode() & WHO_MAY))
}

/// What was made or renamed there is on the disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
