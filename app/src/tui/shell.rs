//! The terminal, the clock and the threads around the face.

use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::crossterm::{cursor, execute};

use super::colours::Colours;
use super::draw::draw;
use super::state::{End, State};
use super::update::{Happening, update};
use super::wire::Wire;
use crate::clock::{now_ms, rfc3339};
use crate::commands::{asked_to_end, runtime};
use crate::failure::Failure;
use crate::local::connection::Agent;
use crate::settings::Settings;
use crate::words;

/// Between looks at what tells nobody that it changes.
const TICK: Duration = Duration::from_millis(500);

/// Shows everything until somebody quits, or the system wants an end; the terminal is then as it was.
///
/// # Errors
/// This program's or its machine's fault; what keeps the profile from being shown any longer.
pub(crate) fn run(agent: Agent, settings: &Settings) -> Result<(), Failure> {
    let (happenings, to_take) = channel();
    end_with_signals(happenings.clone())?;
    let mut wire = Wire::new(agent, settings, happenings.clone())?;
    let screen = Screen::open()?;
    std::thread::spawn(move || listen_to_keys(&happenings));
    let ended = show(&mut wire, &to_take);
    drop(screen);
    match ended? {
        End::Wanted => Ok(()),
        End::Failed(failure) => Err(failure),
    }
}

fn show(wire: &mut Wire, to_take: &Receiver<Happening>) -> Result<End, Failure> {
    let colours = Colours::of_environment();
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(Failure::broken)?;
    let mut state = State::new(size().map_err(Failure::broken)?);
    let mut next_tick = Instant::now() + TICK;
    loop {
        terminal.draw(|frame| draw(&state, colours, frame)).map_err(Failure::broken)?;
        ring(&mut state)?;
        let happening = match to_take.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
            Ok(happening) => happening,
            Err(RecvTimeoutError::Timeout) => {
                next_tick = Instant::now() + TICK;
                Happening::Tick
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(End::Wanted),
        };
        // what has come meanwhile is drawn at once with it
        for happening in std::iter::once(happening).chain(to_take.try_iter()) {
            state.now = rfc3339(now_ms());
            update(&mut state, happening).into_iter().for_each(|wish| wire.ask(wish));
        }
        if let Some(end) = state.end.take() {
            return Ok(end);
        }
    }
}

/// A bell, and where the terminal can, a notification with the name (OSC 9): nothing of the text.
fn ring(state: &mut State) -> Result<(), Failure> {
    let Some(from) = state.ring.take() else { return Ok(()) };
    let mut out = io::stdout();
    let said = words::tui::notification(&from);
    write!(out, "\u{1b}]9;{said}\u{7}\u{7}").and_then(|()| out.flush()).map_err(Failure::broken)
}

fn listen_to_keys(happenings: &Sender<Happening>) {
    loop {
        let happening = match event::read() {
            Ok(Event::Key(key)) => Happening::Key(key),
            Ok(Event::Paste(text)) => Happening::Pasted(text),
            Ok(Event::Resize(columns, rows)) => Happening::Resized(columns, rows),
            Ok(_) => continue,
            // the terminal is gone
            Err(_) => Happening::Ended,
        };
        let is_end = matches!(happening, Happening::Ended);
        if happenings.send(happening).is_err() || is_end {
            return;
        }
    }
}

/// SIGTERM and SIGINT end the face in good order.
fn end_with_signals(happenings: Sender<Happening>) -> Result<(), Failure> {
    let runtime = runtime()?;
    let asked = {
        let _within = runtime.enter();
        asked_to_end()
    };
    std::thread::spawn(move || {
        runtime.block_on(asked);
        // nobody listens: it has ended already
        happenings.send(Happening::Ended).unwrap_or_default();
    });
    Ok(())
}

/// The terminal while the face has it.
struct Screen;

impl Screen {
    /// Takes the terminal; what a panic says is printed on it as it was.
    fn open() -> Result<Self, Failure> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        enable_raw_mode().map_err(Failure::broken)?;
        let screen = Self;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste).map_err(Failure::broken)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // a terminal that is gone needs nothing
    execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show).unwrap_or_default();
    disable_raw_mode().unwrap_or_default();
}
