//! Bad days of the real program: real agents, real sockets, processes that are killed, answers that are lost.

mod agent_killed;
mod backup_killed;
mod bots;
mod disk_full;
mod files;
mod hostile;
mod lost_answers;
mod notified;
mod permits;
mod pictures;
mod secrets;
mod service_killed;
mod stubborn;
mod terminal;
mod wire;

/// A PNG as far as anybody reads it who does not decode it, with a text beside its points if there is one.
fn png(points: &[u8], text: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8], content: &[u8]| {
        [&u32::try_from(content.len()).unwrap().to_be_bytes()[..], name, content, &[0; 4]].concat()
    };
    let head = chunk(b"IHDR", &[0, 0, 0, 16, 0, 0, 0, 16, 8, 2, 0, 0, 0]);
    let text = if text.is_empty() { Vec::new() } else { chunk(b"tEXt", text) };
    let end = b"\0\0\0\0IEND\xae\x42\x60\x82";
    [b"\x89PNG\r\n\x1a\n", &head[..], &text, &chunk(b"IDAT", points), end].concat()
}
