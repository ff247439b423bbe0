//! Search in the messages of this device: what was found, where it stands, and what was looked through.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use protocol::tame;
use serde::Deserialize;

use super::frame::{self, Page, confirmed, framed};
use super::{App, Routes};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::{BLOCKED, Contact, Conversation, Message, Searched, State as Own};
use crate::web::answer::{Answer, Wanted};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{message, one_line, web_talk};

pub(super) const PLACES: &[&str] = &["/search"];

/// Most that is shown.
const SHOWN: u32 = 50;
/// Letters before the first word that was looked for, and of the whole.
const BEFORE: usize = 60;
const LONGEST: usize = 300;

pub(super) fn routes() -> Routes {
    Routes::new().route("/page/search", get(page)).route("/do/search", post(search))
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let contacts: Vec<Contact> = shared.face.list(What::Contacts).await?;
    let rows = conversations(&shared).await?;
    let handle = own.handle.as_deref().unwrap_or_default();
    let main = html! {
        section.page {
            header.head { a.back href="/" aria-label=(words::BACK) { "‹" } h1 { (web_talk::SEARCH) } }
            div.column {
                form.search data-do="/do/search" data-into="#found" data-again="search" role="search" {
                    div.whole {
                        label for="words" { (web_talk::WORDS) }
                        input id="words" name="text" type="search" required autocomplete="off" dir="auto" autofocus
                            placeholder=(web_talk::WORDS_EXAMPLE);
                    }
                    div {
                        label for="from" { (web_talk::BY_WHOM) }
                        select id="from" name="from" {
                            option value="" { (web_talk::ANYBODY) }
                            option value=(handle) { (web_talk::YOU) }
                            @for it in contacts.iter().filter(|it| it.handle != handle) { option value=(it.handle) { (one_line(&it.handle)) } }
                        }
                    }
                    div {
                        label for="with" { (web_talk::WHERE) }
                        select id="with" name="with" {
                            option value="" { (web_talk::ANYWHERE) }
                            @for row in &rows { option value=(row.conversation) { (words::title(row)) } }
                        }
                    }
                    button.main type="submit" { (web_talk::SEARCH) }
                    div.whole data-answer role="alert" {}
                }
                div id="found" aria-live="polite" {}
            }
        }
    };
    framed(&shared, &own, Page { title: web_talk::SEARCH, at: "/search", main }).await
}

async fn conversations(shared: &Shared) -> Result<Vec<Conversation>, Failure> {
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    Ok(rows.into_iter().filter(|row| row.standing != BLOCKED).collect())
}

#[derive(Deserialize)]
struct Search {
    text: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    with: String,
}

async fn search(State(shared): App, Wanted(Search { text, from, with }): Wanted<Search>) -> Answer {
    let own = confirmed(&shared).await?;
    let given = |name: String| Some(name).filter(|name| !name.is_empty());
    let what = What::Search { text: text.clone(), with: given(with), from: given(from), limit: SHOWN };
    let (rows, covers) = shared.face.told::<Message, Searched>(what).await;
    let covers = covers?;
    let titles = conversations(&shared).await?.into_iter().map(|row| (row.conversation.clone(), words::title(&row)));
    let titles: BTreeMap<String, String> = titles.collect();
    let today = words::today();
    let wanted: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    Ok(html! {
        p.small { (covered(&covers)) @if !covers.complete { " " (web_talk::OLDER_ONES) } }
        ul.found {
            // of what somebody has written who is blocked, nothing is shown
            @for row in &rows {
                @if let Some(title) = titles.get(&row.conversation) { li { (result(row, title, &own, &today, &wanted)) } }
            }
        }
    }
    .into())
}

/// What was looked through; where to ask for older messages is another sentence on a page.
fn covered(covers: &Searched) -> String {
    message::searched(covers, SHOWN).into_iter().next().unwrap_or_default()
}

fn result(row: &Message, title: &str, own: &Own, today: &str, wanted: &[String]) -> Markup {
    let is_own = own.account.as_deref() == Some(row.account.as_str());
    let from = if is_own { web_talk::YOU.to_owned() } else { one_line(&row.from) };
    // a file is found by its name as well
    let name = row.file.as_ref().map(|file| file.name.as_str());
    let said = [name.unwrap_or_default(), &row.text].join(if row.text.is_empty() { "" } else { " " });
    html! {
        a.result href={ "/c/" (row.conversation) } data-at={ "m-" (row.message) } {
            (frame::avatar(title))
            span.name dir="auto" { (title) }
            time.when datetime=(row.sent_at) { (web_talk::found_at(&row.sent_at, today)) }
            span.said { strong dir="auto" { (from) } ": " span dir="auto" { (marked(said.trim_start(), wanted)) } }
        }
    }
}

/// A text, or the part of it around the first of the words, with the words marked.
fn marked(text: &str, wanted: &[String]) -> Markup {
    let letters: Vec<char> = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
    let marks = marks(&letters, wanted);
    let first = marks.iter().position(|is_marked| *is_marked).unwrap_or_default();
    let from = if letters.len() > LONGEST { first.saturating_sub(BEFORE) } else { 0 };
    let to = from.saturating_add(LONGEST).min(letters.len());
    let mut pieces: Vec<(bool, String)> = Vec::new();
    for (letter, is_marked) in letters.iter().zip(&marks).take(to).skip(from) {
        match pieces.last_mut() {
            Some((was_marked, piece)) if was_marked == is_marked => piece.push(*letter),
            _ => pieces.push((*is_marked, letter.to_string())),
        }
    }
    html! {
        @if from > 0 { "…" }
        @for (is_marked, piece) in &pieces {
            @if *is_marked { mark { (tame::display(piece)) } } @else { (tame::display(piece)) }
        }
        @if to < letters.len() { "…" }
    }
}

/// Which letters belong to a word that was looked for, in any case of letters, as the search compares them.
fn marks(letters: &[char], wanted: &[String]) -> Vec<bool> {
    let (folded, of): (Vec<char>, Vec<usize>) =
        letters.iter().enumerate().flat_map(|(at, letter)| fold(*letter).map(move |it| (it, at))).unzip();
    let mut marks = vec![false; letters.len()];
    for word in wanted {
        let word: Vec<char> = word.chars().flat_map(fold).collect();
        for (start, window) in folded.windows(word.len().max(1)).enumerate() {
            if window == word {
                let covered = of.iter().skip(start).take(word.len());
                covered.for_each(|at| marks.get_mut(*at).into_iter().for_each(|mark| *mark = true));
            }
        }
    }
    marks
}

fn fold(letter: char) -> impl Iterator<Item = char> {
    letter.to_lowercase().map(|letter| if letter == 'ς' { 'σ' } else { letter })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, words: &[&str]) -> String {
        marked(text, &words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).into_string()
    }

    #[test]
    fn the_words_are_marked_in_any_case_and_nothing_becomes_markup() {
        assert_eq!(shown("Tea and teapots", &["TEA"]), "<mark>Tea</mark> and <mark>tea</mark>pots");
        assert_eq!(shown("ΟΔΟΣ İx", &["οδος", "x"]), "<mark>ΟΔΟΣ</mark> İ<mark>x</mark>");
        assert_eq!(shown("<script>tea", &["script", "tea"]), "&lt;<mark>script</mark>&gt;<mark>tea</mark>");
        assert_eq!(shown("a\u{202e}b", &["b"]), "a\\u{202e}<mark>b</mark>");
        assert_eq!(shown("", &["b"]), "");
    }

    #[test]
    fn of_a_long_text_the_part_around_the_first_word_is_shown() {
        let text = format!("{}needle{}", "x".repeat(5_000), "y".repeat(5_000));
        let shown = shown(&text, &["needle"]);
        assert!(shown.starts_with("…x") && shown.ends_with("y…") && shown.contains("<mark>needle</mark>"), "{shown}");
        assert!(shown.chars().count() < 400);
    }
}
