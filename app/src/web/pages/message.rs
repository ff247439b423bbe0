//! Messages on a page: what each says, what it answers, what people think of it, and what one can do with it.

use client::query::MessageState;
use maud::{Markup, html};

use super::{files, icons, pictures, saying, text, unchecked};
use crate::local::rows::{Answered, Conversation, Message, Reaction, State as Own};
use crate::words::web as words;
use crate::words::{message, one_line, web_talk};

/// Messages of one person with less than so many minutes in between stand together.
const TOGETHER_MIN: i64 = 5;
/// Letters of a text that stand above an answer to it.
const QUOTED: usize = 160;

/// Whose eyes see them.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) own: &'a Own,
    /// Where they stand.
    pub(super) of: &'a Conversation,
    pub(super) is_pair: bool,
    /// True if one can say something there: neither a request nor blocked.
    pub(super) is_open: bool,
}

impl Seen<'_> {
    fn is_own(&self, account: &str) -> bool {
        self.own.account.as_deref() == Some(account)
    }
}

/// Messages with the days between them. Every element has an id that stays, so that the script changes only what is new.
pub(super) fn list(rows: &[Message], seen: Seen<'_>) -> Markup {
    let today = words::today();
    let mut before: Option<&Message> = None;
    let items = rows.iter().map(|row| {
        let day = words::date(&row.sent_at);
        let is_new_day = before.is_none_or(|before| words::date(&before.sent_at) != day);
        let follows = !is_new_day && before.is_some_and(|before| stands_together(before, row));
        before = Some(row);
        html! {
            @if is_new_day { li.day id={ "d-" (day) } { span { (words::day(&day, &today)) } } }
            @match web_talk::line(row, seen.is_own(&row.account)) {
                Some(line) => li.line id={ "m-" (row.message) } { span dir="auto" { (line) } },
                None => (shown(row, seen, follows)),
            }
        }
    });
    html! { @for item in items { (item) } }
}

fn stands_together(before: &Message, row: &Message) -> bool {
    before.account == row.account
        && web_talk::line(before, false).is_none()
        && before.reactions.is_empty()
        && words::minutes_between(&before.sent_at, &row.sent_at) < TOGETHER_MIN
}

fn shown(row: &Message, seen: Seen<'_>, follows: bool) -> Markup {
    let is_own = seen.is_own(&row.account);
    let shows_name = !is_own && !seen.is_pair && !follows;
    html! {
        li id={ "m-" (row.message) } tabindex="-1" class=(class_of(is_own, follows)) {
            @if shows_name { span.from dir="auto" { (one_line(&row.from)) } }
            div.beside {
                div.bubble {
                    @if let Some(answered) = &row.answers { (quote(answered, seen)) }
                    (said(row, seen))
                    (meta(row, is_own, seen))
                }
                @if seen.is_open && has_menu(row) { (menu_button(row, is_own)) }
            }
            (reactions(row, seen))
            @if row.state == MessageState::Failed { (again(row)) }
            (unchecked::told(row, seen.of))
        }
    }
}

fn class_of(is_own: bool, follows: bool) -> &'static str {
    match (is_own, follows) {
        (true, true) => "own follows",
        (true, false) => "own",
        (false, true) => "theirs follows",
        (false, false) => "theirs",
    }
}

fn said(row: &Message, seen: Seen<'_>) -> Markup {
    html! {
        @if row.state == MessageState::Unreadable {
            p.text.unreadable { (words::unreadable(&row.from)) }
        } @else if row.deleted {
            p.text.unreadable { (web_talk::TAKEN_BACK) }
        } @else {
            @if let Some(file) = &row.file { (files::card(row, file, seen)) }
            @if row.file.is_none() || !row.text.is_empty() { p.text dir="auto" { (text::said(row, seen.own.account.as_deref())) } }
        }
    }
}

fn meta(row: &Message, is_own: bool, seen: Seen<'_>) -> Markup {
    let reached = message::reached(row, is_own);
    html! {
        span.meta {
            @if let Some(seconds) = row.lasts_s {
                span.lasts title=(web_talk::lasts(seconds)) {
                    (icons::drawn(icons::CLOCK)) span.hidden { (web_talk::lasts(seconds)) ", " }
                }
            }
            @if row.edited && !row.deleted { span.edited { (web_talk::EDITED) } " · " }
            time datetime=(row.sent_at) { (words::hour(&row.sent_at)) }
            @if let Some(reached) = reached {
                span class={ "state " (words::state_class(row.state)) } title=[message::receipts(row)] { (reached) }
                (unchecked::mark(row, seen.of))
            }
        }
    }
}

/// What it answers, as a line that leads there.
fn quote(answered: &Answered, seen: Seen<'_>) -> Markup {
    let own = seen.own.handle.as_deref();
    let from =
        answered.from.as_deref().map(|from| if own == Some(from) { web_talk::YOU.to_owned() } else { one_line(from) });
    html! {
        @match (&answered.text, from) {
            (Some(quoted), from) => button.quote type="button" data-goto={ "m-" (answered.message) } title=(web_talk::GO_THERE) {
                @let file = answered.file.as_ref();
                (pictures::small(answered, seen))
                @if let Some(from) = from { strong dir="auto" { (from) } }
                span dir="auto" { (shortened(&file.map_or_else(|| quoted.clone(), |file| pictures::said(quoted, file)))) }
            },
            (None, _) => span.quote { span { (web_talk::GONE) } },
        }
    }
}

/// The beginning of a text, on one line.
pub(super) fn shortened(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut letters = flat.chars();
    let short: String = letters.by_ref().take(QUOTED).collect();
    let rest = if letters.next().is_some() { "…" } else { "" };
    format!("{}{rest}", protocol::tame::display(&short))
}

/// Only what the others have too can be answered or changed.
fn has_menu(row: &Message) -> bool {
    !row.deleted
        && matches!(
            row.state,
            MessageState::Sent | MessageState::Received | MessageState::Delivered | MessageState::Read
        )
}

/// The page has one menu; this says for which message it opens, and what an own one says now.
fn menu_button(row: &Message, is_own: bool) -> Markup {
    let text = is_own.then_some(row.text.as_str());
    let from = one_line(&row.from);
    html! {
        button.more type="button" data-menu=(row.message) data-from-whom=(from) data-text=[text] aria-haspopup="dialog"
            aria-label=(web_talk::MORE) title=(web_talk::MORE) { (icons::drawn(icons::MORE)) }
    }
}

/// Each reaction once, with how many think so and who; a click adds or takes back one's own.
fn reactions(row: &Message, seen: Seen<'_>) -> Markup {
    let groups = grouped(&row.reactions);
    html! {
        @if !groups.is_empty() {
            ul.reactions aria-label=(web_talk::REACTIONS) {
                @for group in &groups { li { (chip(row, group, seen)) } }
            }
        }
    }
}

fn chip(row: &Message, group: &[&Reaction], seen: Seen<'_>) -> Markup {
    let reaction = group.first().map(|it| it.reaction.as_str()).unwrap_or_default();
    let is_own = group.iter().any(|it| seen.is_own(&it.account));
    let others: Vec<String> = group.iter().filter(|it| !seen.is_own(&it.account)).map(|it| it.from.clone()).collect();
    let who = web_talk::who_reacted(&others, is_own);
    html! {
        form data-do="/do/react" {
            input type="hidden" name="message" value=(row.message);
            input type="hidden" name="reaction" value=(reaction);
            button.reaction type="submit" name="remove" value=(saying::yes_or_no(is_own)) aria-pressed=(is_own) disabled[!seen.is_open]
                title=(who) aria-label=(web_talk::reaction_of(reaction, &who)) {
                span dir="auto" { (one_line(reaction)) }
                @if group.len() > 1 { " " span.number { (group.len()) } }
                span.who { (who) }
            }
        }
    }
}

/// The same reactions together, in the order in which they were said first.
fn grouped(reactions: &[Reaction]) -> Vec<Vec<&Reaction>> {
    let mut groups: Vec<Vec<&Reaction>> = Vec::new();
    for reaction in reactions {
        let is_same = |group: &&mut Vec<&Reaction>| group.iter().any(|it| it.reaction == reaction.reaction);
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(reaction),
            None => groups.push(vec![reaction]),
        }
    }
    groups
}

fn again(row: &Message) -> Markup {
    html! {
        form.again data-do="/do/send" {
            input type="hidden" name="to" value=(row.conversation);
            input type="hidden" name="text" value=(row.text);
            button.quiet type="submit" { (words::TRY_AGAIN) }
            div data-answer role="alert" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reaction_of_several_people_stands_once() {
        let said = |reaction: &str, account: &str| Reaction {
            reaction: reaction.into(),
            from: account.into(),
            account: account.into(),
        };
        let reactions = [said("a", "1"), said("b", "1"), said("a", "2")];
        let sizes: Vec<_> = grouped(&reactions).iter().map(|group| (group[0].reaction.clone(), group.len())).collect();
        assert_eq!(sizes, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }

    #[test]
    fn what_is_quoted_is_one_tame_line() {
        assert_eq!(shortened("a\n\n b\u{202e}"), "a b\\u{202e}");
        assert_eq!(shortened(&"x".repeat(500)).chars().count(), QUOTED + 1);
    }
}
