//! The files that a browser gets as they are. They are part of the program, and their hashes stand beside them: a file that was
//! changed without the other is found when the program starts to serve (W14).

use axum::http::header;
use axum::response::{IntoResponse, Response};
use chain::id::Digest;

use crate::failure::{Failure, Kind};

/// A file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    /// Where it is served.
    pub(super) path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    /// SHA-256 of the bytes, hexadecimal.
    sha256: &'static str,
}

/// All of them.
pub(super) const ASSETS: [Asset; 3] = [
    Asset {
        path: "/assets/app.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/app.js"),
        sha256: "11da654828358e81dc9c38dcbc2f03ca9b7811d0932c822aaa3d86df4abe4fb3",
    },
    Asset {
        path: "/assets/app.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/app.css"),
        sha256: "2605daa558f18c8de05e4acf4b0dbf2e580d2e537aaf440bdc33089d27bb6479",
    },
    Asset {
        path: "/assets/icon.svg",
        kind: "image/svg+xml",
        bytes: include_bytes!("assets/icon.svg"),
        sha256: "966e414f432dc929360c36435cd2887b04b80b0282a0f206ad444c1538cd2d52",
    },
];

impl Asset {
    /// The answer that carries it.
    pub(super) fn answer(self) -> Response {
        ([(header::CONTENT_TYPE, self.kind)], self.bytes).into_response()
    }
}

/// Looks at every byte that will be served.
///
/// # Errors
/// `web.assets`: a file is not the one that belongs to this program.
pub(super) fn check(assets: &[Asset]) -> Result<(), Failure> {
    let wrong = assets.iter().find(|asset| Digest::sha256(asset.bytes).to_string() != asset.sha256);
    wrong.map_or(Ok(()), |asset| {
        let message = format_args!("{} is not the file that belongs to this program", asset.path);
        Err(Failure::new(Kind::Broken, "web.assets", message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W14: whoever changes a file writes its hash anew, and sees here which.
    #[test]
    fn every_file_is_the_one_whose_hash_stands_beside_it() {
        for asset in ASSETS {
            assert_eq!(Digest::sha256(asset.bytes).to_string(), asset.sha256, "{}", asset.path);
        }
        check(&ASSETS).unwrap();
    }

    /// W14.
    #[test]
    fn one_changed_byte_and_nothing_is_served() {
        let mut assets = ASSETS;
        let mut bytes = assets[0].bytes.to_vec();
        bytes[0] ^= 1;
        assets[0].bytes = bytes.leak();
        assert_eq!(check(&assets).unwrap_err().code, "web.assets");
    }

    /// W8: all of a page is in these files; nothing is fetched from elsewhere, and no text is run.
    #[test]
    fn the_files_name_no_other_place_and_run_no_text() {
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            for wrong in
                ["http:", "https:", "//cdn", "@import", "eval(", "new Function", "document.write", "document.cookie"]
            {
                assert!(!text.contains(wrong), "{}: {wrong}", asset.path);
            }
        }
    }
}
