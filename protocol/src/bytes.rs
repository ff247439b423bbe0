//! Bytes in JSON: base64url without padding (RFC 4648 §5), one form only.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use chain::id::Digest;

/// Bytes that stand in JSON as base64url.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Base64Url(pub Vec<u8>);

impl fmt::Debug for Base64Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64Url({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Base64Url {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        URL_SAFE_NO_PAD.decode(text).map(Self).map_err(|_| D::Error::custom("not base64url"))
    }
}

/// Hashes that stand in JSON as one base64url text, 32 bytes each: the path of a log proof.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hashes(pub Vec<Digest>);

impl Serialize for Hashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Base64Url(self.0.iter().flat_map(|hash| hash.0).collect()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Base64Url::deserialize(deserializer)?.0;
        match bytes.as_chunks::<32>() {
            (hashes, []) => Ok(Self(hashes.iter().map(|hash| Digest(*hash)).collect())),
            _ => Err(D::Error::custom("not a list of 32-byte hashes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_form() {
        let bytes = Base64Url(vec![0xfb, 0xff]);
        assert_eq!(serde_json::to_string(&bytes).unwrap(), "\"-_8\"");
        assert_eq!(serde_json::from_str::<Base64Url>("\"-_8\"").unwrap(), bytes);
        for other in ["\"-_8=\"", "\"+/8\"", "\"-_9\"", "\"-\""] {
            assert!(serde_json::from_str::<Base64Url>(other).is_err(), "{other}");
        }
    }

    /// Attack 27: half a hash is no hash.
    #[test]
    fn a_path_is_whole_hashes() {
        let path = Hashes(vec![Digest::ZERO; 3]);
        let text = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Hashes>(&text).unwrap(), path);
        assert!(serde_json::from_str::<Hashes>("\"AAAA\"").is_err());
    }
}
