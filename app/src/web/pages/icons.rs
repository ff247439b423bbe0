//! The few small drawings on the pages: our own lines, in the colour of the text beside them, and never without words.

use maud::{Markup, html};

/// A drawing on 16 by 16.
#[derive(Debug, Clone, Copy)]
pub(super) struct Icon(&'static str);

/// Three dots.
pub(super) const MORE: Icon = Icon("M3.5 8h.01M8 8h.01M12.5 8h.01");
/// A clock.
pub(super) const CLOCK: Icon = Icon("M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8zM8 4.8V8l2.2 1.6");
/// A pin.
pub(super) const PIN: Icon = Icon("M5.5 2h5M6.2 2v4.6L4 9.5h8L9.8 6.6V2M8 9.5V14");
/// A loudspeaker without sound.
pub(super) const SILENT: Icon = Icon("M2.5 6.2v3.6h2.3L8.5 13V3L4.8 6.2zM11 6.2l3.4 3.6M14.4 6.2 11 9.8");
/// A looking glass.
pub(super) const SEARCH: Icon = Icon("M7 2.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6zM10.5 10.5 14 14");
/// A pen on a sheet.
pub(super) const NEW: Icon =
    Icon("M8 2.8H3.6a1 1 0 0 0-1 1v8.6a1 1 0 0 0 1 1h8.6a1 1 0 0 0 1-1V8M7 9.2l.4-2L13 1.6 14.6 3.2 9 8.8z");
/// A paper clip.
pub(super) const CLIP: Icon =
    Icon("M13 7.4 7.8 12.6a3.2 3.2 0 0 1-4.5-4.5l5.4-5.4a2.1 2.1 0 0 1 3 3L6.3 11a1 1 0 0 1-1.5-1.5l4.8-4.8");
/// A cross.
pub(super) const CLOSE: Icon = Icon("M4 4l8 8M12 4l-8 8");

/// Drawn.
pub(super) fn drawn(Icon(path): Icon) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" { path d=(path) {} }
    }
}
