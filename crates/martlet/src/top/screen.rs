//! A picture each second, on a terminal.

use std::{
    io::{self, Write},
    time::{Duration, Instant, SystemTime},
};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    event::{self, Event, KeyCode, KeyModifiers},
    queue,
    style::Print,
    terminal::{
        self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
    },
};

use super::{
    page::Page,
    picture::{Before, Picture},
    view,
};
use crate::told::AGREE;

const EACH: Duration = Duration::from_secs(1);

/// Draws until somebody presses q, Escape or Ctrl-C. What cannot be fetched is told in place of the picture, and tried again.
pub(crate) fn follow(url: &str, out: &mut impl Write) -> io::Result<u8> {
    enable_raw_mode()?;
    queue!(out, EnterAlternateScreen, Hide)?;
    let followed = draw_until_told(url, out);
    // Whatever happened, the terminal is given back as it was.
    let left = queue!(out, Show, LeaveAlternateScreen).and_then(|()| out.flush());
    disable_raw_mode()?;
    followed.and(left).map(|()| AGREE)
}

fn draw_until_told(url: &str, out: &mut impl Write) -> io::Result<()> {
    let mut before: Option<(Page, Instant)> = None;
    loop {
        let begun = Instant::now();
        match Page::fetch(url) {
            Ok(page) => {
                let last =
                    before.as_ref().map(|(page, at)| Before { page, seconds: (begun - *at).as_secs_f64() });
                let picture = Picture::of(&page, last.as_ref(), SystemTime::now());
                draw(&view::text(&picture), out)?;
                before = Some((page, begun));
            }
            Err(error) => draw(&format!("{error}\n"), out)?,
        }
        if is_told_to_end(begun + EACH)? {
            return Ok(());
        }
    }
}

/// As much of it as there is room for.
fn draw(text: &str, out: &mut impl Write) -> io::Result<()> {
    let (width, height) = terminal::size()?;
    queue!(out, Clear(ClearType::All))?;
    for (line, row) in text.lines().zip(0..height) {
        let line: String = line.chars().filter(|letter| !letter.is_control()).take(width.into()).collect();
        queue!(out, MoveTo(0, row), Print(line))?;
    }
    out.flush()
}

fn is_told_to_end(until: Instant) -> io::Result<bool> {
    while event::poll(until.saturating_duration_since(Instant::now()))? {
        if let Event::Key(key) = event::read()? {
            let is_interrupt =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
