//! How things look. Everything is also said by words or signs: without colours nothing is missing.

use ratatui::style::{Color, Modifier, Style};

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours(pub(super) bool);

impl Colours {
    /// As the variable `NO_COLOR` says (no-color.org): set to anything, there are none.
    pub(super) fn of_environment() -> Self {
        Self(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    fn of(self, colour: Color) -> Style {
        if self.0 { Style::new().fg(colour) } else { Style::new() }
    }

    /// What is said about things.
    pub(super) fn aside(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Names, and what waits.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The name of who wrote.
    pub(super) fn writer(self, is_own: bool) -> Style {
        self.of(if is_own { Color::Green } else { Color::Cyan }).add_modifier(Modifier::BOLD)
    }

    /// The name of somebody who is mentioned.
    pub(super) fn mention(self) -> Style {
        self.of(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What is marked; fainter where the keys go elsewhere.
    pub(super) fn marked(self, has_keys: bool) -> Style {
        Style::new().add_modifier(if has_keys { Modifier::REVERSED } else { Modifier::UNDERLINED })
    }

    /// The name of a part of the screen.
    pub(super) fn title(self, has_keys: bool) -> Style {
        if has_keys { self.of(Color::Yellow).add_modifier(Modifier::BOLD) } else { self.strong() }
    }

    /// What went wrong, and what is dangerous.
    pub(super) fn bad(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What should be read.
    pub(super) fn notice(self) -> Style {
        self.of(Color::Yellow)
    }
}
