//! The six files, each behind one reusable buffer.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::SampleError;
use crate::source::{PerSource, Source};

/// A buffer this full is written out at the next checkpoint.
const WRITE_AT_BYTES: usize = 1 << 20;

struct LineFile {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    lines: u64,
}

impl LineFile {
    fn create(path: PathBuf) -> Result<Self, SampleError> {
        match File::create(&path) {
            Ok(file) => Ok(Self {
                path,
                file,
                buffer: Vec::with_capacity(2 * WRITE_AT_BYTES),
                lines: 0,
            }),
            Err(source) => Err(SampleError::CreateFile { path, source }),
        }
    }

    fn write_out(&mut self) -> Result<(), SampleError> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| SampleError::WriteFile {
            path: self.path.clone(),
            source,
        })
    }
}

/// Where the lines go. Emitters append to memory and cannot fail; the day loop calls
/// [`checkpoint`](Self::checkpoint) often enough to keep that memory small.
pub(crate) struct Output<'a> {
    files: Vec<LineFile>,
    progress: &'a mut dyn FnMut(u64),
}

impl<'a> Output<'a> {
    /// Makes the directory where it is missing and empties the six files.
    pub(crate) fn create(directory: &Path, progress: &'a mut dyn FnMut(u64)) -> Result<Self, SampleError> {
        fs::create_dir_all(directory).map_err(|source| SampleError::CreateDirectory {
            path: directory.to_owned(),
            source,
        })?;
        let files = Source::ALL.map(|source| LineFile::create(directory.join(source.file_name())));
        Ok(Self {
            files: files.into_iter().collect::<Result<_, _>>()?,
            progress,
        })
    }

    /// Counts a new line of `source` and gives the buffer to append it to, line feed included.
    pub(crate) fn line(&mut self, source: Source) -> &mut Vec<u8> {
        let file = &mut self.files[source as usize];
        file.lines += 1;
        &mut file.buffer
    }

    /// Appends a whole line, line feed not included.
    pub(crate) fn push(&mut self, source: Source, line: &[u8]) {
        let buffer = self.line(source);
        buffer.extend_from_slice(line);
        buffer.push(b'\n');
    }

    /// Lines of `source` so far, which is also the number of its newest line.
    pub(crate) fn lines(&self, source: Source) -> u64 {
        self.files[source as usize].lines
    }

    /// Lines of every source so far.
    pub(crate) fn counts(&self) -> PerSource<u64> {
        PerSource::from_fn(|source| self.lines(source))
    }

    /// Writes out the buffers that have filled, and reports progress when one had.
    pub(crate) fn checkpoint(&mut self) -> Result<(), SampleError> {
        let mut wrote = false;
        for file in self
            .files
            .iter_mut()
            .filter(|file| file.buffer.len() >= WRITE_AT_BYTES)
        {
            file.write_out()?;
            wrote = true;
        }
        if wrote {
            self.report();
        }
        Ok(())
    }

    /// Writes out what is left.
    pub(crate) fn finish(&mut self) -> Result<(), SampleError> {
        self.files.iter_mut().try_for_each(LineFile::write_out)?;
        self.report();
        Ok(())
    }

    fn report(&mut self) {
        let lines = self.files.iter().map(|file| file.lines).sum();
        (self.progress)(lines);
    }
}
