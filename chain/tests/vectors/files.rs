//! The folder of the vectors: written when the environment asks for it, compared otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files by their path below a folder.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The environment variable that asks for writing.
const WRITE: &str = "TREFOIL_WRITE_VECTORS";

/// The folder `docs/vectors`.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors")
}

/// Makes a folder hold exactly these files, or checks that it does.
pub(crate) fn write_or_compare(name: &str, files: &Files) {
    let folder = folder().join(name);
    if std::env::var_os(WRITE).is_some() {
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        write(&folder, files);
    }
    let stored = read(&folder);
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&stored), names(files), "the files of {name}; {WRITE}=1 writes them anew");
    for (path, content) in files {
        assert!(stored[path] == *content, "{name}/{path} differs; {WRITE}=1 writes it anew");
    }
}

/// Writes files below a folder.
pub(crate) fn write(folder: &Path, files: &Files) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Reads every file below a folder; none if there is no folder.
pub(crate) fn read(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(listed) = fs::read_dir(&next) else { continue };
        for item in listed {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name: Vec<_> = path.strip_prefix(folder).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
            files.insert(name.join("/"), fs::read(&path).unwrap());
        }
    }
    files
}
