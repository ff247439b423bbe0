//! What is read of a file that is sent: what lies there, or what is left of a picture without what it tells (BLB-11).

use std::fs::File;
use std::io::{self, Cursor};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use client::transfer::LocalFile;
use protocol::blob::{MAX_FILE, Manifest, Measure};

use super::{STEP, open, read, unreadable};
use crate::cleaned::cleaned;
use crate::failure::Failure;
use crate::file_kind;
use crate::picture::{self, KINDS, MOST_SHOWN};
use crate::preview;
use crate::words;

/// A file that is open to be sent.
pub(super) enum Source {
    Plain(File),
    Cleaned(Vec<u8>),
}

impl Source {
    pub(super) fn open(path: &Path, is_cleaned: bool) -> io::Result<Self> {
        let file = open(path)?;
        match is_cleaned {
            false => Ok(Self::Plain(file)),
            // what cannot be cleaned any more is no more what was measured, and nothing of it is read (BLB-3)
            true => Ok(Self::Cleaned(whole(&file)?.as_deref().and_then(cleaned).unwrap_or_default())),
        }
    }

    /// These bytes, or what there is of them.
    pub(super) fn read(&self, range: &Range<u64>) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(file) => read(file, range),
            Self::Cleaned(bytes) => {
                let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.get(at(range.start)..at(range.end)).unwrap_or_default().to_vec())
            }
        }
    }
}

/// All of a picture, unless it is too large to be cleaned.
fn whole(file: &File) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    (length <= MOST_SHOWN).then(|| read(file, &(0..length))).transpose()
}

/// Reads a file once, to know what it is; a picture is cleaned, unless it is to be sent as it is.
pub(super) fn measured(path: String, as_is: bool) -> Result<LocalFile, Failure> {
    // one after the other, so that many pictures take no more memory than one
    static ONE: Mutex<()> = Mutex::new(());
    let unreadable = |error: io::Error| unreadable(&path, error);
    let file = open(Path::new(&path)).map_err(unreadable)?;
    // told before anything is read of it
    if file.metadata().map_err(unreadable)?.len() > MAX_FILE {
        return Err(too_large());
    }
    let name = Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beginning = read(&file, &(0..16)).map_err(unreadable)?;
    let content_type = picture::sent_as(&beginning, file_kind::of(&name));
    let is_cleaned = !as_is && KINDS.contains(&content_type);
    let (manifest, preview) = if is_cleaned {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = whole(&file).map_err(unreadable)?.as_deref().and_then(cleaned);
        let bytes = bytes.ok_or_else(|| Failure::misuse("file.not_cleaned", words::file::NOT_CLEANED))?;
        let mut measure = Measure::default();
        let manifest = measure.add(&bytes).then(|| measure.finish()).flatten().ok_or_else(too_large)?;
        let preview = preview::of(Cursor::new(bytes), content_type, manifest.length);
        (manifest, preview)
    } else {
        let manifest = manifest(&file).map_err(unreadable)?.ok_or_else(too_large)?;
        let preview = preview::of(file, content_type, manifest.length);
        (manifest, preview)
    };
    Ok(LocalFile { content_type: content_type.to_owned(), path, name, manifest, preview, is_cleaned })
}

fn too_large() -> Failure {
    Failure::misuse("file.too_large", "a file has up to 2 GiB")
}

/// What a file is as it lies there; nothing if it is too large.
fn manifest(file: &File) -> io::Result<Option<Manifest>> {
    let (mut measure, mut buffer, mut at) = (Measure::default(), vec![0; STEP], 0_u64);
    loop {
        let length = file.read_at(&mut buffer, at)?;
        if length == 0 {
            return Ok(measure.finish());
        }
        at = at.saturating_add(length as u64);
        if !measure.add(buffer.get(..length).unwrap_or_default()) {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chain::id::Digest;
    use image::ImageFormat;

    use super::*;

    const MARK: &[u8] = b"marker-of-the-place";

    /// A JPEG and one with something behind its end.
    fn photos() -> (Vec<u8>, Vec<u8>) {
        let mut bare = Cursor::new(Vec::new());
        image::RgbImage::new(40, 30).write_to(&mut bare, ImageFormat::Jpeg).unwrap();
        let bare = bare.into_inner();
        let full = [&bare, MARK].concat();
        (bare, full)
    }

    fn code(measured: Result<LocalFile, Failure>) -> String {
        measured.map(|file| format!("{file:?}")).unwrap_or_else(|failure| failure.code)
    }

    /// BLB-11, BLB-3: the file stays, and what is read of it is each time what was measured, unless it is another one by then.
    #[test]
    fn what_was_measured_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("photo.jpg");
        let path = place.to_str().unwrap().to_owned();
        let (bare, full) = photos();
        fs::write(&place, &full).unwrap();
        for (as_is, wanted) in [(false, &bare), (true, &full)] {
            let file = measured(path.clone(), as_is).unwrap();
            let length = wanted.len() as u64;
            assert_eq!((file.manifest.length, file.manifest.hash), (length, Digest::sha256(wanted)));
            assert_eq!((file.is_cleaned, file.content_type.as_str()), (!as_is, "image/jpeg"));
            assert_eq!(file.preview.map(|it| (it.width(), it.height())), Some((40, 30)));
            let source = Source::open(&place, file.is_cleaned).unwrap();
            assert!(source.read(&(0..length)).unwrap() == *wanted);
            assert!(source.read(&(7..9)).unwrap() == wanted[7..9]);
            assert!(source.read(&(length - 3..length + 3)).unwrap() == wanted[wanted.len() - 3..]);
            assert!(source.read(&(length + 1..length + 3)).unwrap().is_empty());
        }
        assert!(fs::read(&place).unwrap() == full);
        fs::write(&place, MARK).unwrap();
        assert!(Source::open(&place, true).unwrap().read(&(0..9)).unwrap().is_empty());
    }

    /// BLB-11: nothing that could tell something goes out because it was too much to look at.
    #[test]
    fn what_cannot_be_cleaned_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.jpg").display().to_string();
        let (bare, _) = photos();
        fs::write(&path, &bare[..bare.len() - 1]).unwrap();
        assert_eq!(code(measured(path.clone(), false)), "file.not_cleaned");
        assert!(measured(path.clone(), true).is_ok());
        // by its bytes, whatever its name is
        fs::write(&path, "no picture").unwrap();
        assert!(!measured(path.clone(), false).unwrap().is_cleaned);
        fs::write(&path, &bare).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(MOST_SHOWN + 1).unwrap();
        assert_eq!(code(measured(path.clone(), false)), "file.not_cleaned");
        File::options().write(true).open(&path).unwrap().set_len(MOST_SHOWN).unwrap();
        assert_eq!(measured(path, false).unwrap().manifest.hash, Digest::sha256(&bare));
    }
}
