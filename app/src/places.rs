//! Where a person's files are: the XDG base directories, or one folder that stands for all of them (`TREFOIL_HOME`).
//!
//! ```text
//! CONFIG/config.toml           settings
//! DATA/<profile>/              0700: lock, store.key, store.sqlite; all 0600
//! STATE/<profile>.log          what the agent did: codes and counts
//! RUNTIME/<profile>.sock       where the agent listens, 0600
//! ```

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chain::id::Digest;

use crate::failure::{Failure, Kind};

/// Most bytes of a socket's path (`sun_path` is 108 with the zero at its end).
const MAX_SOCKET_PATH: usize = 107;
/// Most letters of a profile's name.
const MAX_PROFILE: usize = 40;

/// The folders of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    config: PathBuf,
    data: PathBuf,
    state: PathBuf,
    /// `None` without `XDG_RUNTIME_DIR`: the socket is then in the profile's folder.
    runtime: Option<PathBuf>,
}

/// The files of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) log: PathBuf,
    /// Folder of evidence and of what `trefoil record` saw.
    pub(crate) state: PathBuf,
}

impl Places {
    /// By the environment of this process.
    pub(crate) fn of_environment() -> Self {
        Self::from(|name| std::env::var_os(name))
    }

    /// By variables, as `variable` gives them.
    pub(crate) fn from(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(home) = folder("TREFOIL_HOME") {
            let part = |name: &str| home.join(name);
            return Self {
                config: part("config"),
                data: part("data"),
                state: part("state"),
                runtime: Some(part("run")),
            };
        }
        let home = folder("HOME").unwrap_or_else(|| PathBuf::from("."));
        let place = |name: &str, usual: &str| folder(name).unwrap_or_else(|| home.join(usual)).join("trefoil");
        Self {
            config: place("XDG_CONFIG_HOME", ".config"),
            data: place("XDG_DATA_HOME", ".local/share"),
            state: place("XDG_STATE_HOME", ".local/state"),
            runtime: folder("XDG_RUNTIME_DIR").map(|runtime| runtime.join("trefoil")),
        }
    }

    /// The file of settings.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The folder of what was seen of the record.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// The files of a profile.
    ///
    /// # Errors
    /// `profile.name`: a name that is no good name of a file.
    pub(crate) fn profile(&self, name: &str) -> Result<Profile, Failure> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if name.is_empty() || name.len() > MAX_PROFILE || name.starts_with('.') || !name.chars().all(is_plain) {
            let message = "a profile's name has up to 40 letters, digits, - and _";
            return Err(Failure::misuse("profile.name", message));
        }
        let folder = absolute(&self.data)?.join(name);
        let socket = match &self.runtime {
            Some(runtime) => absolute(runtime)?.join(format!("{name}.sock")),
            None => folder.join("agent.sock"),
        };
        let state = absolute(&self.state)?;
        let log = state.join(format!("{name}.log"));
        Ok(Profile { name: name.to_owned(), folder, socket: short_enough(socket), log, state })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::broken)
}

/// A socket's path is at most 107 bytes; a longer one gets a short name that follows from it.
fn short_enough(socket: PathBuf) -> PathBuf {
    if socket.as_os_str().len() <= MAX_SOCKET_PATH {
        return socket;
    }
    let name = Digest::sha256(socket.as_os_str().as_bytes()).to_string();
    let user = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/tmp/trefoil-{user}")).join(format!("{}.sock", name.split_at(16).0))
}

/// Makes a folder that only its owner may look into, or makes it so; one of somebody else is refused.
pub(crate) fn make_private(folder: &Path) -> Result<(), Failure> {
    let disk = |error: io::Error| Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", folder.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(disk)?;
    let found = fs::symlink_metadata(folder).map_err(disk)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        let message = format_args!("{} is not a folder of yours", folder.display());
        return Err(Failure::new(Kind::Broken, "store.folder", message));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(disk)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Places {
        Places::from(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn one_folder_can_stand_for_all_places() {
        let found =
            places(&[("TREFOIL_HOME", "/t"), ("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("XDG_RUNTIME_DIR", "/r")]);
        let bob = found.profile("bob").unwrap();
        assert_eq!(found.config_file(), Path::new("/t/config/config.toml"));
        assert_eq!(bob.folder, Path::new("/t/data/bob"));
        assert_eq!(bob.socket, Path::new("/t/run/bob.sock"));
        assert_eq!(bob.log, Path::new("/t/state/bob.log"));
    }

    #[test]
    fn each_place_is_that_of_its_variable_or_the_usual_one_at_home() {
        let found =
            places(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("XDG_STATE_HOME", ""), ("XDG_RUNTIME_DIR", "/r")]);
        let bob = found.profile("bob").unwrap();
        assert_eq!(found.config_file(), Path::new("/h/.config/trefoil/config.toml"));
        assert_eq!(bob.folder, Path::new("/d/trefoil/bob"));
        assert_eq!(bob.socket, Path::new("/r/trefoil/bob.sock"));
        assert_eq!(bob.log, Path::new("/h/.local/state/trefoil/bob.log"));
        let elsewhere = places(&[("HOME", "/h")]).profile("bob").unwrap();
        assert_eq!(elsewhere.socket, Path::new("/h/.local/share/trefoil/bob/agent.sock"));
    }

    #[test]
    fn a_path_too_long_for_a_socket_gets_a_short_name_of_its_own() {
        let long = format!("/r/{}", "x".repeat(100));
        let found = places(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", &long)]);
        let (bob, eve) = (found.profile("bob").unwrap(), found.profile("eve").unwrap());
        assert!(bob.socket.as_os_str().len() <= MAX_SOCKET_PATH && bob.socket != eve.socket);
        assert_eq!(bob.socket, found.profile("bob").unwrap().socket);
    }

    #[test]
    fn a_profile_cannot_lead_out_of_its_folder() {
        for name in ["", "..", "a/b", ".hidden", "bob\n", &"x".repeat(41)] {
            assert_eq!(places(&[]).profile(name).unwrap_err().code, "profile.name", "{name:?}");
        }
    }

    #[test]
    fn a_folder_that_others_could_look_into_is_closed() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("a/b");
        DirBuilder::new().recursive(true).mode(0o755).create(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        make_private(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert_eq!(make_private(&link).unwrap_err().code, "store.folder");
    }
}
