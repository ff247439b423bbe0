//! What somebody reads on a page who has lost all devices and asks for a fresh identity (story 12).

pub(crate) const TITLE: &str = "A fresh identity";
/// The way here, and what is asked for at its end.
pub(crate) const LINK: &str = "Ask for a fresh identity";
pub(crate) const WHY: &str = "Only if none of your devices works any more and you have no recovery key. If one works, let this machine in there.";
/// What it means.
pub(crate) const WHAT: [&str; 3] = [
    "Your handle gets a new identity, and this machine is its first device.",
    "Your old messages are gone, but for those in a backup file, and everyone you write with is told.",
    "It waits, 3 days if you chose nothing else, so that a device of yours that isn't lost can stop it.",
];
pub(crate) const HAS_KEY: &str = "This account has a recovery key. With its 24 words you keep your account as it is.";
pub(crate) const NO_PASSWORD: &str = "I don't have the password either";
pub(crate) const NO_PASSWORD_HOW: &str = "Ask whoever runs your service for a permit, and type it here. The password above is then a new one that you choose.";
pub(crate) const PERMIT: &str = "Permit of the service's operator";
pub(crate) const ALL_LOST: &str = "I no longer have any of my devices";
pub(crate) const NOT_MEANT: &str = "nothing was done: say first that you no longer have any of your devices";
pub(crate) const LOST_ALL: &str = "All devices lost?";
