//! What a person can set: a flag before a variable before the file before what is usual.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;
use crate::places::{Places, Profile};

/// Flags of every command that speaks for a person.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "For the commands of people")]
pub(crate) struct Flags {
    /// Which of several identities on this machine
    #[arg(long, short = 'P', global = true, value_name = "NAME", env = "TREFOIL_PROFILE")]
    pub(crate) profile: Option<String>,
    /// Prints JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Address of the service, instead of the one after the @ of a handle
    #[arg(long, global = true, value_name = "URL", env = "TREFOIL_SERVICE")]
    pub(crate) service: Option<String>,
    /// Witness policy to hold the service to; without one, what the service itself says at the first look
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// File whose first line opens this profile's messages
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Certificates (PEM) to trust, instead of the usual ones
    #[arg(long, global = true, value_name = "FILE", env = "TREFOIL_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// The file of settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    profile: Option<String>,
    service: Option<String>,
    policy: Option<PathBuf>,
}

/// What holds for this call.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) places: Places,
    pub(crate) profile: Profile,
    pub(crate) json: bool,
    /// The service that was asked for, if one was.
    pub(crate) service: Option<String>,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) passphrase_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Settings {
    /// By flags and variables, then the file, then what is usual.
    ///
    /// # Errors
    /// `config.invalid`, `profile.name`.
    pub(crate) fn new(flags: &Flags) -> Result<Self, Failure> {
        Self::of(flags, Places::of_environment())
    }

    fn of(flags: &Flags, places: Places) -> Result<Self, Failure> {
        let file = read_config(&places.config_file())?;
        let profile = flags.profile.clone().or(file.profile).unwrap_or_else(|| "default".to_owned());
        Ok(Self {
            profile: places.profile(&profile)?,
            places,
            json: flags.json,
            service: flags.service.clone().or(file.service),
            policy: flags.policy.clone().or(file.policy),
            passphrase_file: flags.passphrase_file.clone(),
            ca_file: flags.ca_file.clone(),
        })
    }

    /// The service for a handle: the one that was asked for, else the host after its `@`.
    ///
    /// # Errors
    /// `service.missing`.
    pub(crate) fn service_for(&self, handle: &str) -> Result<String, Failure> {
        service_of(handle, self.service.as_deref())
    }
}

/// The service for a handle: a given one, else the host after its `@`.
///
/// # Errors
/// `service.missing`, `source.address`.
pub(crate) fn service_of(handle: &str, given: Option<&str>) -> Result<String, Failure> {
    let missing = || {
        let message = "which service? Write the handle as name@host, or give --service URL";
        Failure::misuse("service.missing", message)
    };
    let from_host = || handle.split_once('@').map(|(_, host)| service_at(host));
    let service = given.map(str::to_owned).or_else(from_host).ok_or_else(missing)?;
    if !service.starts_with("http://") && !service.starts_with("https://") {
        return Err(Failure::misuse("source.address", "a service's address begins with http:// or https://"));
    }
    Ok(service.trim_end_matches('/').to_owned())
}

/// The address of the service on a host: TLS, but for this machine itself.
fn service_at(host: &str) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    format!("{}://{host}", if is_here { "http" } else { "https" })
}

fn read_config(path: &Path) -> Result<ConfigFile, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ConfigFile::default()),
        Err(error) => {
            return Err(Failure::misuse("config.invalid", format_args!("{}: {error}", path.display())));
        }
    };
    let wrong = |error: toml::de::Error| {
        Failure::misuse("config.invalid", format_args!("{}: {}", path.display(), error.message()))
    };
    toml::from_str(&text).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(config: &str, flags: &Flags) -> Result<Settings, Failure> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("config")).unwrap();
        std::fs::write(home.path().join("config/config.toml"), config).unwrap();
        let places = Places::from(|name| (name == "TREFOIL_HOME").then(|| home.path().as_os_str().to_owned()));
        Settings::of(flags, places)
    }

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_what_is_usual() {
        let config = "profile = \"work\"\nservice = \"https://file.example\"\n";
        let usual = settings("", &Flags::default()).unwrap();
        assert_eq!((usual.profile.name.as_str(), usual.service), ("default", None));
        let file = settings(config, &Flags::default()).unwrap();
        assert_eq!((file.profile.name.as_str(), file.service.as_deref()), ("work", Some("https://file.example")));
        let flags = Flags { service: Some("https://flag.example/".to_owned()), ..Flags::default() };
        let flag = settings(config, &flags).unwrap();
        assert_eq!(flag.service_for("bob@host.example").unwrap(), "https://flag.example");
    }

    #[test]
    fn the_host_of_a_handle_is_its_service_unless_another_is_asked_for() {
        let settings = settings("", &Flags::default()).unwrap();
        assert_eq!(settings.service_for("bob@host.example").unwrap(), "https://host.example");
        assert_eq!(settings.service_for("bob@127.0.0.1:8400").unwrap(), "http://127.0.0.1:8400");
        assert_eq!(settings.service_for("bob").unwrap_err().code, "service.missing");
    }

    #[test]
    fn a_setting_that_nobody_knows_is_an_error_and_not_ignored() {
        assert_eq!(settings("servce = \"x\"", &Flags::default()).unwrap_err().code, "config.invalid");
        assert_eq!(settings("service = 3", &Flags::default()).unwrap_err().code, "config.invalid");
    }
}
