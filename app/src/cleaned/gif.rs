//! GIF (CompuServe, version 89a): from block to block.

use super::Rest;

/// Blocks of applications that are needed to show it: how often it runs, and its colours.
const NEEDED: [&[u8]; 3] = [b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0", b"\x0bICCRGBG1012"];

pub(super) fn cleaned(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Rest(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    let [.., packed, _, _] = rest.array::<13>()?;
    palette(&mut rest, packed)?;
    kept.extend(rest.since(bytes));
    let mut has_points = false;
    loop {
        let block = rest.0;
        match rest.byte() {
            Some(b',') => {
                has_points = true;
                let [.., packed] = rest.array::<9>()?;
                palette(&mut rest, packed)?;
                rest.byte()?;
                pieces(&mut rest)?;
                kept.extend(rest.since(block));
            }
            Some(b'!') => {
                let label = rest.byte()?;
                let content = rest.0;
                pieces(&mut rest)?;
                // 0xf9: how long a frame is shown, and what shines through
                if label == 0xf9 || label == 0xff && NEEDED.iter().any(|name| content.starts_with(name)) {
                    kept.extend(rest.since(block));
                }
            }
            // some programs leave the end out, and then nothing stands behind it
            Some(b';') | None => {
                kept.push(b';');
                return has_points.then_some(kept);
            }
            Some(_) => return None,
        }
    }
}

/// Passes over the colours that stand behind such a head.
fn palette(rest: &mut Rest<'_>, packed: u8) -> Option<()> {
    let length = if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 7) + 1) };
    rest.take(length).map(drop)
}

/// Passes over the pieces of a block, up to the empty one.
fn pieces(rest: &mut Rest<'_>) -> Option<()> {
    loop {
        match rest.byte()? {
            0 => return Some(()),
            length => rest.take(usize::from(length))?,
        };
    }
}
