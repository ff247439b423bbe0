//! Who asks: passwords, permits and tokens.
//!
//! A password opens one thing, a `DeviceAdded` entry, by a permit (`passwords`); everything else is opened by a token,
//! which a device gets for a signature of its chain key (`tokens`). What is kept is in `database`.

pub(crate) mod tokens;
