//! WebP (RFC 9649): from chunk to chunk, also within the frames of an animation.

use super::{Rest, turned};

/// In the flags of a VP8X chunk: there is Exif; there is XMP.
const EXIF: u8 = 8;
const XMP: u8 = 4;
/// Bytes of a frame in front of its chunks.
const FRAME: usize = 16;

pub(super) fn cleaned(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Rest(bytes);
    rest.take(4)?;
    let length = u32::from_le_bytes(rest.array()?);
    let mut chunks = Rest(rest.take(usize::try_from(length).ok()?)?);
    chunks.take(4)?;
    let (mut kept, mut flags) = (Vec::with_capacity(bytes.len()), None);
    let (mut has_points, mut has_exif, mut is_turned) = (false, false, false);
    while let Some((name, content)) = next(&mut chunks)? {
        match &name {
            b"VP8X" if kept.is_empty() => {
                flags = Some(8_usize);
                keep(&mut kept, &name, content)?;
            }
            b"VP8 " | b"VP8L" => {
                has_points = true;
                keep(&mut kept, &name, content)?;
            }
            b"ANMF" => {
                has_points = true;
                keep(&mut kept, &name, &frame(content)?)?;
            }
            b"ICCP" | b"ANIM" | b"ALPH" => keep(&mut kept, &name, content)?,
            b"EXIF" if flags.is_some() && !has_exif => {
                has_exif = true;
                if let Some(exif) = turned(content) {
                    is_turned = true;
                    keep(&mut kept, &name, &exif)?;
                }
            }
            _ => {}
        }
    }
    if let Some(flags) = flags.and_then(|at| kept.get_mut(at)) {
        *flags = *flags & !EXIF & !XMP | if is_turned { EXIF } else { 0 };
    }
    let length = u32::try_from(kept.len()).ok()?.checked_add(4)?;
    has_points.then(|| [b"RIFF", &length.to_le_bytes()[..], b"WEBP", &kept].concat())
}

/// A frame of an animation.
fn frame(content: &[u8]) -> Option<Vec<u8>> {
    let mut chunks = Rest(content);
    let mut kept = chunks.take(FRAME)?.to_vec();
    while let Some((name, content)) = next(&mut chunks)? {
        if matches!(&name, b"ALPH" | b"VP8 " | b"VP8L") {
            keep(&mut kept, &name, content)?;
        }
    }
    Some(kept)
}

/// The next chunk: nothing if it breaks off, and none at the end.
fn next<'b>(chunks: &mut Rest<'b>) -> Option<Option<([u8; 4], &'b [u8])>> {
    if chunks.0.is_empty() {
        return Some(None);
    }
    let name = chunks.array()?;
    let length = usize::try_from(u32::from_le_bytes(chunks.array()?)).ok()?;
    let content = chunks.take(length)?;
    // the last one often has nothing that fills it up
    chunks.take(length % 2).unwrap_or_default();
    Some(Some((name, content)))
}

fn keep(kept: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) -> Option<()> {
    kept.extend(name);
    kept.extend(u32::try_from(content.len()).ok()?.to_le_bytes());
    kept.extend(content);
    kept.extend((content.len() % 2 == 1).then_some(0));
    Some(())
}
