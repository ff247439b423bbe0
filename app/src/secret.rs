//! How a secret comes in: from a file, a file descriptor, or the terminal; never from the command line, which others on
//! the machine can read.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Most bytes of a secret.
const MAX_SECRET: u64 = 4_096;
/// Fewest letters of a new password, and of a backup's passphrase.
const MIN_PASSWORD: usize = 8;

/// A password or passphrase.
pub(crate) type Secret = Zeroizing<String>;

/// Where a secret may come from, other than a terminal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// A file: its first line.
    pub(crate) file: Option<PathBuf>,
    /// A variable with the number of a file descriptor.
    pub(crate) variable: &'static str,
}

impl Origin {
    /// Reads it; `None` if neither was given.
    ///
    /// # Errors
    /// `secret.unreadable`.
    pub(crate) fn read(&self) -> Result<Option<Secret>, Failure> {
        if let Some(file) = &self.file {
            return first_line(file).map(Some);
        }
        let Some(number) = std::env::var_os(self.variable) else { return Ok(None) };
        let number = number.to_str().and_then(|text| text.parse::<u16>().ok());
        let bad = || Failure::misuse("secret.unreadable", format_args!("{} is no file descriptor", self.variable));
        first_line(Path::new(&format!("/dev/fd/{}", number.ok_or_else(bad)?))).map(Some)
    }
}

/// True if somebody is there to be asked.
pub(crate) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on the terminal, without showing what is typed.
///
/// # Errors
/// `secret.unreadable`.
pub(crate) fn ask(question: &str) -> Result<Secret, Failure> {
    let answer = rpassword::prompt_password(question);
    answer.map(Zeroizing::new).map_err(|error| Failure::misuse("secret.unreadable", error))
}

/// Asks twice for something new.
///
/// # Errors
/// `secret.unreadable`, `secret.differs`.
pub(crate) fn ask_twice(question: &str) -> Result<Secret, Failure> {
    let first = ask(question)?;
    if !first.is_empty() && *ask("Once more: ")? != *first {
        return Err(Failure::misuse("secret.differs", "the two differ; start again"));
    }
    Ok(first)
}

/// A new password has at least eight letters.
///
/// # Errors
/// `password.weak`.
pub(crate) fn check_strength(password: &str) -> Result<(), Failure> {
    if is_short(password) {
        let message = "this password is too short; take at least 8 letters, better four random words";
        return Err(Failure::misuse("password.weak", message));
    }
    Ok(())
}

/// True for what has too few letters to be a secret.
pub(crate) fn is_short(secret: &str) -> bool {
    secret.chars().count() < MIN_PASSWORD
}

fn first_line(path: &Path) -> Result<Secret, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::misuse("secret.unreadable", format_args!("{}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut line = Zeroizing::new(String::new());
    BufReader::new(file.take(MAX_SECRET)).read_line(&mut line).map_err(unreadable)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_file_is_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "correct horse \r\nsecond line\n").unwrap();
        let origin = Origin { file: Some(file), variable: "TREFOIL_NO_SUCH_VARIABLE" };
        assert_eq!(**origin.read().unwrap().as_ref().unwrap(), *"correct horse ");
        let absent = Origin { file: Some(folder.path().join("absent")), variable: "" };
        assert_eq!(absent.read().unwrap_err().code, "secret.unreadable");
    }

    #[test]
    fn seven_letters_are_too_few_and_eight_are_enough_whatever_the_alphabet() {
        assert_eq!(check_strength("пароль1").unwrap_err().code, "password.weak");
        assert_eq!(check_strength("пароль12").map_err(|it| it.code), Ok(()));
    }
}
