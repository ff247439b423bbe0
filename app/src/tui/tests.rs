//! What the face shows and asks, at 80 by 24 and at 40 by 10, without a terminal.

use client::query::MessageState;
use protocol::tame;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use serde_json::json;

use super::popup::Popup;
use super::state::{End, Pane, Why};
use super::testing::{SIZES, Stage, conversation, device, id, message, message_of};
use super::update::Happening;
use crate::local::rows::{Answered, Conversation, Message, Notice, REQUEST, Reaction, Verification};
use crate::words;

fn own(id: &str, text: &str) -> Message {
    let mut row = message_of(id, "bob", text);
    row.state = MessageState::Sent;
    row
}

fn notice(number: u64, code: &str) -> Notice {
    let at = "2026-08-02T14:02:11.123Z".into();
    Notice { number, notice: code.into(), device: None, by_device: None, contact: None, block: 7, at }
}

#[test]
fn the_list_has_what_is_pinned_silent_unread_and_who_is_not_known() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        let mut rows = ["anna", "alice", "mallory", "eve"].map(|name| conversation(name.chars().nth(1).unwrap(), name));
        rows[0].pinned = true;
        rows[0].muted_until = Some("always".into());
        rows[1].unread = 12;
        rows[2].standing = REQUEST.into();
        rows[3].archived = true;
        stage.tell_rows(Why::Conversations, &rows);
        let shown = stage.shown();
        assert!(shown.contains("^~ anna") && shown.contains("? mallory"), "{shown}");
        assert!(stage.screen().iter().any(|row| row.contains("alice") && row.contains("12")), "{shown}");
        assert!(!shown.contains("eve") && shown.contains("You don't know them"), "{shown}");
        assert!(shown.contains("bob · connected") && shown.contains("F1 help"), "{shown}");
    }
}

#[test]
fn wide_screens_show_list_and_conversation_and_narrow_ones_what_has_the_keys() {
    let rows = [message("m1", "hello")];
    let wide = Stage::in_talk(SIZES[0], &rows).shown();
    assert!(wide.contains("Conversations") && wide.contains("alice: hello"), "{wide}");
    let mut narrow = Stage::in_talk(SIZES[1], &rows);
    assert!(!narrow.shown().contains("Conversations") && narrow.shown().contains("alice: hello"));
    narrow.press(KeyCode::Tab);
    assert!(narrow.shown().contains("Conversations") && !narrow.shown().contains("alice: hello"));
    narrow.happen(Happening::Resized(80, 24));
    assert!(narrow.shown().contains("Conversations") && narrow.shown().contains("alice: hello"));
}

#[test]
fn a_conversation_shows_days_and_what_became_of_its_messages() {
    for size in SIZES {
        let mut rows = [message("m1", "six"), own("m2", "not yet"), own("m3", "never"), message("m4", "gone")];
        let mut came = [own("m6", "on its way"), own("m7", "there"), own("m8", "seen")];
        (came[1].state, came[2].state) = (MessageState::Delivered, MessageState::Read);
        rows[0].edited = true;
        rows[0].reactions = vec![Reaction { reaction: "+".into(), from: "bob".into(), account: "b".into() }];
        rows[0].answers =
            Some(Answered { message: "q".into(), from: Some("bob".into()), text: Some("when?".into()), file: None });
        rows[1].state = MessageState::Waiting;
        rows[2].state = MessageState::Failed;
        rows[3].deleted = true;
        let mut timer = message("m5", "");
        timer.timer_s = Some(3_600);
        let mut stage = Stage::in_talk(size, &[]);
        stage.press(KeyCode::BackTab);
        let mut seen = String::new();
        // a few at a time, as they fit into ten rows
        for part in [&rows[..1], &rows[1..3], &[rows[3].clone(), timer], &came[..]] {
            stage.tell_rows(Why::Messages, part);
            seen.push_str(&stage.shown());
        }
        for claim in [
            "2026-08-02",
            "[to bob: when?]",
            "alice: six  (edited)",
            "[+ bob]",
            "you: not yet  (waiting)",
            "you: never  (not sent)",
            "you: on its way  (sent)",
            "you: there  (delivered)",
            "you: seen  (read)",
            "(taken back)",
            "from here on messages are",
        ] {
            assert!(seen.contains(claim), "{claim}: {seen}");
        }
    }
}

/// Attack 63, and story 4: nothing that others write moves the cursor, turns text around or breaks the frame.
#[test]
fn two_hundred_hostile_texts_leave_the_frame_as_it_is() {
    let pieces = [
        "\u{1b}[2J",
        "\u{1b}]52;c;aGk=\u{7}",
        "\u{202e}gpj.exe",
        "\u{9b}31m",
        "你好",
        "👩\u{200d}👩\u{200d}👧",
        "\u{200b}\u{feff}",
        "e\u{301}\u{301}",
        "\u{301}",
        "\r\n\u{8}",
        "\t",
        "\u{2066}x\u{2069}",
        "ｆｕｌｌ",
        "\u{e0001}",
        "x",
        " ",
        "\u{ad}",
        "🇩🇪🇩",
    ];
    let mut texts: Vec<String> = Vec::new();
    for number in 0..200_usize {
        let picked = (0..=number % 23).map(|at| pieces[(number * 7 + at * at) % pieces.len()]);
        texts.push(picked.collect::<Vec<_>>().concat().repeat(1 + number % 3));
    }
    texts[7] = format!("a{}", "\u{300}".repeat(3_000));
    for size in SIZES {
        for text in &texts {
            let mut stage = Stage::in_talk(size, &[message_of("m1", text, text), message("m2", "end")]);
            let mut row = conversation('a', text);
            row.unread = 3;
            stage.tell_rows(Why::Conversations, &[row]);
            stage.happen(Happening::Pasted(text.clone()));
            assert_framed(&stage, text);
            stage.tell_rows(Why::Devices, &[device("d1", text, "confirmed"), device("d2", text, "pending")]);
            assert!(matches!(stage.state.popup, Some(Popup::Request(_))));
            assert_framed(&stage, text);
            stage.press(KeyCode::Esc);
            stage.press(KeyCode::F(2));
            assert_framed(&stage, text);
        }
    }
}

/// The bottom line is where it was, the line beside the list is whole, and no cell holds what a terminal obeys.
fn assert_framed(stage: &Stage, text: &str) {
    let screen = stage.screen();
    let last = screen.last().unwrap();
    let is_bottom = last.starts_with("bob · connected") && last.ends_with("F1 help");
    assert!(is_bottom || (stage.state.popup.is_some() && last.starts_with('└')), "{text:?}: {screen:?}");
    for row in &screen {
        assert_eq!(&tame::display(row), row, "{text:?}");
        assert!(!row.contains(['\n', '\t', '\u{200b}']), "{text:?}: {row:?}");
    }
    if stage.state.is_wide() && stage.state.popup.is_none() && stage.state.page == super::state::Page::Talk {
        let bars = screen.iter().filter(|row| row.contains('│')).count();
        assert!(bars >= 20, "{text:?}: {screen:#?}");
    }
}

/// MSG-9: what others have read shows by itself, in the conversation that is open.
#[test]
fn the_open_conversation_is_looked_at_when_somebody_has_read_it() {
    let mut stage = Stage::in_talk(SIZES[0], &[own("m1", "tea?")]);
    let looks = |stage: &mut Stage| {
        stage.tell_rows(Why::Messages, &[own("m1", "tea?")]);
        std::mem::take(&mut stage.asked).iter().filter(|wish| wish.why == Why::Messages).count()
    };
    looks(&mut stage);
    let changed = |what: &str, at: char| Happening::Changed(json!({ "changed": what, "conversation": id(at) }));
    stage.happen(changed("messages", 'a'));
    assert_eq!(looks(&mut stage), 1);
    stage.happen(changed("messages", 'b'));
    stage.happen(Happening::Changed(json!({ "changed": "contacts", "conversation": null })));
    assert_eq!(looks(&mut stage), 0);
}

#[test]
fn enter_sends_and_what_is_written_stays_while_nobody_can_take_it() {
    let mut stage = Stage::in_talk(SIZES[1], &[message("m1", "hello")]);
    stage.type_in("hi /?r");
    stage.press_with(KeyModifiers::ALT, KeyCode::Enter);
    stage.happen(Happening::Pasted("two\r\nthree\n".into()));
    assert!(stage.take_asked().is_empty(), "a pasted text sends nothing");
    stage.happen(Happening::AgentLost);
    stage.press(KeyCode::Enter);
    assert!(stage.take_asked().is_empty() && stage.shown().contains("agent of this profile is away"));
    stage.happen(Happening::AgentFound);
    stage.press(KeyCode::Enter);
    let text = "hi /?r\ntwo\nthree\n";
    assert_eq!(stage.take_asked(), [json!({"do": "send", "to": id('a'), "text": text, "wait_s": 10})]);
    stage.press(KeyCode::Enter);
    assert!(stage.take_asked().is_empty(), "nothing is sent twice");
}

#[test]
fn each_conversation_keeps_what_is_written_in_it() {
    let mut stage = Stage::new(SIZES[0]);
    stage.tell_rows(Why::Conversations, &[conversation('a', "alice"), conversation('c', "carol")]);
    stage.press(KeyCode::Enter);
    stage.type_in("for alice");
    stage.press_with(KeyModifiers::CONTROL, KeyCode::Char('k'));
    stage.type_in("CAR");
    stage.press(KeyCode::Enter);
    stage.type_in("for carol");
    assert!(stage.shown().contains("for carol") && !stage.shown().contains("for alice"));
    let begun = json!({"do": "draft", "chat": id('a'), "text": "for alice"});
    assert_eq!(stage.take_asked(), [begun], "the other devices may go on with it");
    stage.press(KeyCode::Enter);
    assert_eq!(stage.take_asked()[0]["to"], id('c'));
    stage.press_with(KeyModifiers::CONTROL, KeyCode::Char('k'));
    stage.type_in("ali");
    stage.press(KeyCode::Enter);
    assert!(stage.shown().contains("for alice"));
}

/// MSG-12: said with the first letter, again after some seconds, and not of nothing; who types stands above the messages.
#[test]
fn who_types_is_told_of_now_and_then() {
    let mut stage = Stage::in_talk(SIZES[0], &[message("m1", "when?")]);
    stage.type_in(" ");
    assert_eq!(stage.take_typing(), 0);
    stage.type_in("on Monday");
    assert_eq!(stage.take_typing(), 1);
    for _ in 0..8 {
        stage.happen(Happening::Tick);
    }
    stage.type_in("s");
    assert_eq!(stage.take_typing(), 1);
    // the look that the ticks have asked for is answered, so there can be another one
    stage.tell_rows(Why::Conversations, &[conversation('a', "alice")]);
    assert!(!stage.shown().contains("is typing"));
    stage.take_asked();
    stage.happen(Happening::Changed(json!({ "changed": "typing", "conversation": id('a') })));
    assert!(stage.asked.iter().any(|wish| wish.why == Why::Conversations));
    stage.tell_rows(Why::Conversations, &[Conversation { typing: vec!["alice".into()], ..conversation('a', "alice") }]);
    assert!(stage.shown().contains("alice is typing…"));
}

#[test]
fn what_was_begun_on_another_device_is_gone_on_with() {
    let mut stage = Stage::new(SIZES[0]);
    stage.tell_rows(Why::Conversations, &[Conversation { draft: Some("on Mon".into()), ..conversation('a', "alice") }]);
    stage.press(KeyCode::Enter);
    assert!(stage.shown().contains("on Mon"));
    stage.press(KeyCode::Esc);
    assert!(stage.take_asked().is_empty(), "nothing has changed");
    stage.press(KeyCode::Enter);
    stage.type_in("day");
    stage.press(KeyCode::Esc);
    assert_eq!(stage.take_asked(), [json!({"do": "draft", "chat": id('a'), "text": "on Monday"})]);
    stage.press(KeyCode::Enter);
    stage.press(KeyCode::Enter);
    assert_eq!(stage.take_asked(), [json!({"do": "send", "to": id('a'), "text": "on Monday", "wait_s": 10})]);
    stage.press(KeyCode::Esc);
    assert!(stage.take_asked().is_empty(), "what is sent is begun no longer");
}

#[test]
fn messages_are_answered_changed_taken_back_and_reacted_to() {
    for size in SIZES {
        let mut stage = Stage::in_talk(size, &[message("m1", "when?"), own("m2", "at sixx")]);
        stage.type_in("draft");
        stage.press(KeyCode::Up);
        assert_eq!(stage.state.focus, Pane::Messages);
        stage.press(KeyCode::Char('e'));
        stage.press(KeyCode::Backspace);
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked(), [json!({"do": "edit", "message": "m2", "text": "at six", "wait_s": 10})]);
        assert_eq!(stage.state.draft().unwrap().editor.text(), "draft", "what was written before is there again");
        stage.press(KeyCode::Up);
        stage.press(KeyCode::Char('d'));
        assert!(stage.take_asked().is_empty() && stage.shown().contains("Take this message back"), "it asks");
        stage.press(KeyCode::Char('y'));
        assert_eq!(stage.take_asked(), [json!({"do": "delete", "message": "m2", "wait_s": 10})]);
        stage.press(KeyCode::Up);
        stage.press(KeyCode::Char('d'));
        assert!(stage.state.popup.is_none() && stage.shown().contains("Only a message of yours"), "not alice's");
        stage.press(KeyCode::Char('+'));
        stage.press(KeyCode::Char('1'));
        let asked = json!({"do": "react", "message": "m1", "reaction": "👍", "remove": false, "wait_s": 10});
        assert_eq!(stage.take_asked(), [asked]);
        stage.press(KeyCode::Char('r'));
        assert!(stage.shown().contains("answering alice: when?"));
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked(), [json!({"do": "reply", "message": "m1", "text": "draft", "wait_s": 10})]);
    }
}

#[test]
fn older_messages_come_when_somebody_reads_up_to_the_first() {
    let rows: Vec<_> = (0..60).map(|number| message(&format!("m{number}"), &format!("text {number}"))).collect();
    let mut stage = Stage::in_talk(SIZES[1], &rows);
    stage.press(KeyCode::BackTab);
    for _ in 0..30 {
        stage.press(KeyCode::PageUp);
    }
    let asked = stage.asked.iter().find(|wish| wish.why == Why::Messages).map(|wish| serde_json::to_value(&wish.what));
    assert_eq!(asked.unwrap().unwrap()["limit"], 120);
    assert!(stage.shown().contains("text 0"));
}

/// Story 4: three things, all of them, let a device in; and the sentence about support stands there.
#[test]
fn a_device_is_let_in_by_its_digits_and_a_choice_and_nothing_less() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        let waiting = device("d2", "Bob's \u{202e}desktop", "pending");
        stage.tell_rows(Why::Devices, &[device("d1", "laptop", "confirmed"), waiting]);
        assert_eq!(stage.take_asked(), [json!({"do": "open_request", "device": "d2", "wait_s": 60})]);
        let mut read = String::new();
        for _ in 0..20 {
            read.push_str(&stage.screen().join(" "));
            stage.press(KeyCode::Down);
        }
        assert!(
            read.contains("\"Bob's ") && !read.contains('\u{202e}') && read.contains("Nobody from support"),
            "{read}"
        );
        stage.type_in("418093");
        stage.press(KeyCode::Enter);
        assert!(stage.take_asked().is_empty(), "it does not show digits yet");
        stage.tell(Why::Open("d2".into()), &[], json!({}));
        stage.press(KeyCode::Enter);
        assert!(stage.take_asked().is_empty() && stage.shown().contains("old messages"), "no choice was made");
        stage.press(KeyCode::Char('o'));
        assert!(stage.shown().contains("418 093") && stage.shown().contains("(x) with"));
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked(), [json!({"do": "confirm", "device": "d2", "code": "418093", "history": true})]);
        stage.refuse(Why::Confirm("d2".into()), "confirm.code_mismatch", "that code does not match (2 tries left)");
        assert!(stage.shown().contains("2 tries left") && stage.shown().contains("___ ___"), "{}", stage.shown());
        stage.tell(Why::Confirm("d2".into()), &[], json!({}));
        assert!(stage.state.popup.is_none() && stage.shown().contains("is now one"));
    }
}

/// Attack 6, and lessons 2 and 3: no link confirms; what was answered elsewhere is gone here; what was put off is not lost.
#[test]
fn a_request_is_one_popup_that_links_do_not_answer() {
    let mut stage = Stage::new(SIZES[0]);
    let rows = [device("d1", "laptop", "confirmed"), device("d2", "desktop", "pending")];
    stage.tell_rows(Why::Devices, &rows);
    stage.happen(Happening::Pasted("trefoil:bob@host#00418093".into()));
    assert!(stage.shown().contains("___ ___") && stage.shown().contains("never lets a device in"));
    stage.press(KeyCode::Esc);
    stage.tell_rows(Why::Devices, &rows);
    assert!(stage.state.popup.is_none() && stage.shown().contains("waits to be let in: F2"));
    stage.press(KeyCode::F(2));
    stage.press(KeyCode::Down);
    stage.press(KeyCode::Enter);
    assert!(matches!(stage.state.popup, Some(Popup::Request(_))));
    stage.take_asked();
    stage.type_in("galaxy");
    assert!(stage.take_asked().is_empty(), "whoever was just writing answers nothing");
    stage.press_with(KeyModifiers::CONTROL, KeyCode::Char('x'));
    stage.press(KeyCode::Enter);
    assert!(stage.take_asked().is_empty(), "\"not me\" is asked once more");
    stage.press(KeyCode::Char('y'));
    assert_eq!(stage.take_asked(), [json!({"do": "refuse", "device": "d2"})]);
    let mut elsewhere = Stage::new(SIZES[1]);
    elsewhere.tell_rows(Why::Devices, &rows);
    elsewhere.tell_rows(Why::Devices, &[rows[0].clone(), device("d2", "desktop", "confirmed")]);
    assert!(elsewhere.state.popup.is_none() && elsewhere.shown().contains("is now one of your devices"));
}

#[test]
fn devices_are_renamed_and_removed_with_a_question_in_words() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        let mut other = device("d2", "desktop", "confirmed");
        (other.this, other.confirmed_by) = (false, Some("d1".into()));
        stage.tell_rows(Why::Devices, &[device("d1", "laptop", "confirmed"), other]);
        stage.press(KeyCode::F(2));
        assert_eq!(stage.take_asked(), [json!({"do": "who_is_here", "wait_s": 0})]);
        assert!(stage.shown().contains("\"desktop\"  confirmed by \"laptop\""), "{}", stage.shown());
        stage.press(KeyCode::Char('d'));
        assert!(stage.state.popup.is_none() && stage.shown().contains("trefoil logout"), "not the one in use");
        stage.press(KeyCode::Down);
        stage.press(KeyCode::Char('d'));
        assert!(stage.shown().contains("Take \"desktop\" out of your account"), "{}", stage.shown());
        stage.press(KeyCode::Enter);
        assert!(stage.take_asked().is_empty(), "Enter is no answer");
        stage.press(KeyCode::Char('y'));
        assert_eq!(stage.take_asked(), [json!({"do": "remove", "device": "d2"})]);
        stage.press(KeyCode::Char('r'));
        stage.type_in(" 2");
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked(), [json!({"do": "name_device", "device": "d2", "name": "desktop 2"})]);
    }
}

#[test]
fn somebody_unknown_is_accepted_or_blocked_and_nobody_is_told_that_it_was_read() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        let mut row = conversation('e', "mallory");
        (row.standing, row.unread) = (REQUEST.into(), 1);
        stage.tell_rows(Why::Conversations, &[row]);
        stage.press(KeyCode::Enter);
        assert!(stage.take_asked().is_empty() && stage.state.focus == Pane::Messages);
        stage.press(KeyCode::Char('b'));
        assert!(stage.shown().contains("Block mallory?"));
        stage.press(KeyCode::Char('n'));
        assert!(stage.take_asked().is_empty());
        stage.press(KeyCode::Char('a'));
        assert_eq!(stage.take_asked(), [json!({"do": "decide", "who": id('e'), "decision": "accepted"})]);
        stage.press(KeyCode::Char('b'));
        stage.press(KeyCode::Char('y'));
        assert_eq!(stage.take_asked(), [json!({"do": "decide", "who": id('e'), "decision": "blocked"})]);
        let mut row = conversation('e', "mallory");
        row.standing = crate::local::rows::BLOCKED.into();
        stage.tell_rows(Why::Conversations, &[row]);
        assert!(stage.state.talk.is_none() && !stage.shown().contains("mallory"), "{}", stage.shown());
    }
}

/// PPL-5: a digit is the answer, and what is told is said before.
#[test]
fn somebody_is_reported_and_blocked_beside_being_blocked_alone() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        let mut row = conversation('e', "mallory");
        row.standing = REQUEST.into();
        stage.tell_rows(Why::Conversations, &[row]);
        stage.press(KeyCode::Char('B'));
        let shown = stage.shown();
        for part in ["They", "1 Spam", "3 Pretends", "4 Something", "Esc: neither"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        for key in [KeyCode::Enter, KeyCode::Char('y'), KeyCode::Char('5')] {
            stage.press(key);
            assert!(stage.take_asked().is_empty(), "{key:?}");
        }
        stage.press(KeyCode::Esc);
        assert!(!stage.shown().contains("Esc: neither"));
        stage.press(KeyCode::Char('B'));
        stage.press(KeyCode::Char('3'));
        let asked = json!({"do": "report", "who": id('e'), "reason": "impersonation", "block": true});
        assert_eq!(stage.take_asked(), [asked]);
        let why = Why::Reported("mallory".into(), protocol::api::reports::Reason::Impersonation);
        stage.tell(why, &[], json!({"sent": false}));
        assert!(stage.state.remark.as_ref().is_some_and(|it| it.text.contains("when the connection is back")));
    }
}

#[test]
fn a_conversation_begins_with_a_handle_or_a_link_of_this_service() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        stage.press_with(KeyModifiers::CONTROL, KeyCode::Char('n'));
        stage.happen(Happening::Pasted("418 093".into()));
        stage.press(KeyCode::Enter);
        assert!(stage.take_asked().is_empty() && stage.shown().contains("digits of a device"), "{}", stage.shown());
        stage.press_with(KeyModifiers::CONTROL, KeyCode::Char('u'));
        stage.type_in("carol@other.example");
        stage.press(KeyCode::Enter);
        assert!(stage.take_asked().is_empty() && stage.shown().contains("not the service"), "{}", stage.shown());
        stage.press_with(KeyModifiers::CONTROL, KeyCode::Char('u'));
        stage.type_in("carol");
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked(), [json!({"do": "add_contact", "handle": "carol"})]);
        stage.tell(Why::Added("carol".into()), &[], json!({}));
        stage.type_in("hi");
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked()[0]["to"], "carol");
        // then it has an id, and what is written goes on there
        stage.type_in("and");
        stage.tell_rows(Why::Conversations, &[conversation('c', "carol")]);
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked()[0], json!({"do": "send", "to": id('c'), "text": "and", "wait_s": 10}));
    }
}

#[test]
fn a_search_says_what_it_covers_and_leads_to_the_message() {
    for size in SIZES {
        let rows: Vec<_> = (0..40).map(|number| message(&format!("m{number}"), &format!("text {number}"))).collect();
        let mut stage = Stage::in_talk(size, &rows);
        stage.press(KeyCode::Esc);
        stage.press(KeyCode::Char('/'));
        stage.type_in("text 3");
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked()[0]["text"], "text 3");
        let covers = json!({"found": 1, "messages": 1_240, "since": null, "complete": true});
        let found = serde_json::to_value(&rows[3]).unwrap();
        stage.tell(Why::Search, &[found], covers);
        assert!(stage.shown().contains("1 found, in the 1240 messages"), "{}", stage.shown());
        stage.press(KeyCode::Enter);
        stage.tell_rows(Why::Messages, &rows);
        assert_eq!(stage.state.message().unwrap().message, "m3");
        assert!(stage.shown().contains("alice: text 3 "), "{}", stage.shown());
    }
}

#[test]
fn notices_stay_until_they_were_read_and_the_alarm_as_long_as_there_is_one() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        stage.tell_rows(Why::Notices, &[notice(3, "password.changed"), notice(4, "recovery.set")]);
        assert!(stage.shown().contains("Since you last looked"), "{}", stage.shown());
        stage.press(KeyCode::F(4));
        stage.press(KeyCode::Esc);
        assert!(stage.take_asked().is_empty() && stage.shown().contains("Since you last looked"));
        stage.press(KeyCode::F(4));
        stage.press(KeyCode::Enter);
        assert_eq!(stage.take_asked(), [json!({"do": "notices_read", "up_to": 4})]);
        stage.tell_rows::<Notice>(Why::Notices, &[]);
        let mut status = stage.state.status.clone().unwrap();
        status.reset_due = Some("2026-08-05T14:02:11Z".into());
        stage.tell(Why::Status, &[], serde_json::to_value(&status).unwrap());
        assert!(stage.screen()[0].contains("SOMEONE ASKED TO RESET"), "{}", stage.shown());
        stage.press(KeyCode::F(8));
        assert!(stage.take_asked().is_empty());
        stage.press(KeyCode::Char('y'));
        assert_eq!(stage.take_asked(), [json!({"do": "veto"})]);
    }
}

#[test]
fn a_verification_code_is_shown_whole_and_compared_by_a_person() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        stage.press(KeyCode::Char('v'));
        assert_eq!(stage.take_asked(), [json!({"do": "verification_code", "handle": "alice"})]);
        let code = (10_000..10_012).map(|it| it.to_string()).collect::<Vec<_>>().join(" ");
        let row = Verification { handle: "alice".into(), code, verified: false, by_link: false };
        stage.tell(Why::Code, &[], serde_json::to_value(row).unwrap());
        let shown = stage.shown();
        assert!((10_000..10_012).all(|group| shown.contains(&group.to_string())), "{shown}");
        stage.press(KeyCode::Char('y'));
        assert_eq!(stage.take_asked(), [json!({"do": "mark_verified", "handle": "alice", "verified": true})]);
    }
}

#[test]
fn a_message_rings_with_a_name_unless_it_is_silent_open_or_ones_own() {
    let mut stage = Stage::new(SIZES[0]);
    let came = |row: &Message| Happening::Came(serde_json::to_value(row).unwrap());
    stage.happen(came(&message("m1", "secret")));
    assert_eq!(stage.state.ring.take().as_deref(), Some("alice"));
    stage.happen(came(&message_of("m2", "bob", "mine")));
    assert_eq!(stage.state.ring, None);
    let mut row = conversation('a', "alice");
    row.muted_until = Some("always".into());
    stage.tell_rows(Why::Conversations, &[row]);
    stage.happen(came(&message("m3", "hush")));
    assert_eq!(stage.state.ring, None);
    assert_eq!(words::tui::notification("\u{1b}]x\u{7}"), "Trefoil: \\u{1b}]x\\u{7}");
}

#[test]
fn offline_and_an_agent_that_is_away_are_said_and_looks_go_on_when_it_is_back() {
    for size in SIZES {
        let mut stage = Stage::new(size);
        let mut status = stage.state.status.clone().unwrap();
        status.connection = crate::local::rows::Connection::Offline;
        status.offline_since = Some("2026-08-02T14:02:11Z".into());
        stage.tell(Why::Status, &[], serde_json::to_value(&status).unwrap());
        assert!(stage.shown().contains("offline since"), "{}", stage.shown());
        stage.happen(Happening::AgentLost);
        (0..20).for_each(|_| stage.happen(Happening::Tick));
        assert!(stage.asked.is_empty() && stage.shown().contains("is away"));
        stage.happen(Happening::AgentFound);
        assert!(stage.asked.iter().any(|wish| wish.why == Why::Follow));
        assert!(stage.asked.iter().any(|wish| wish.why == Why::Conversations));
    }
}

#[test]
fn help_names_the_keys_and_everything_ends_with_control_q() {
    for size in SIZES {
        let mut stage = Stage::in_talk(size, &[]);
        stage.press(KeyCode::F(1));
        let mut read = String::new();
        for _ in 0..words::tui::HELP.len() {
            read.push_str(&stage.shown());
            stage.press(KeyCode::Down);
        }
        for key in ["Tab", "Ctrl-K", "Ctrl-N", "F2", "F4", "F8", "Alt-Enter", "Ctrl-Q", "PageUp"] {
            assert!(read.contains(key), "{key}: {read}");
        }
        stage.press_with(KeyModifiers::CONTROL, KeyCode::Char('q'));
        assert!(matches!(stage.state.end, Some(End::Wanted)));
    }
}

#[test]
fn a_device_that_is_taken_out_ends_with_what_to_do() {
    let mut stage = Stage::new(SIZES[0]);
    let mut status = stage.state.status.clone().unwrap();
    status.phase = client::query::Phase::Ended;
    stage.tell(Why::Status, &[], serde_json::to_value(&status).unwrap());
    assert!(matches!(&stage.state.end, Some(End::Failed(failure)) if failure.code == "device.removed"));
    status.phase = client::query::Phase::New;
    let failure = super::is_usable(&status).unwrap_err();
    assert!(failure.code == "profile.new" && failure.message.contains("trefoil signup"));
}

#[test]
fn no_size_of_a_window_breaks_anything() {
    let rows: Vec<_> = (0..9).map(|number| message(&format!("m{number}"), "some text of words")).collect();
    for (columns, height) in [(1, 1), (20, 6), (21, 7), (40, 10), (63, 9), (64, 6), (200, 60)] {
        let mut stage = Stage::in_talk((columns, height), &rows);
        stage.tell_rows(Why::Notices, &[notice(3, "recovery.set")]);
        for code in [KeyCode::BackTab, KeyCode::PageUp, KeyCode::F(1), KeyCode::Esc, KeyCode::F(2), KeyCode::F(4)] {
            stage.press(code);
            stage.screen();
        }
        stage.press(KeyCode::Esc);
        stage.tell_rows(Why::Devices, &[device("d2", &"x".repeat(500), "pending")]);
        stage.screen();
    }
}

/// CHK-9: what waits for the record says so above the conversation, and one key, asked about, sends it; then it says where it goes.
#[test]
fn what_waits_for_the_record_goes_on_by_a_key() {
    for size in SIZES {
        let since = crate::clock::rfc3339(crate::clock::now_ms() - 26 * 3_600_000 - 60_000);
        let stale = Conversation { stale_since: Some(since), ..conversation('a', "alice") };
        let mut stage = Stage::in_talk(size, &[message("m1", "hello")]);
        stage.tell_rows(Why::Conversations, std::slice::from_ref(&stale));
        assert!(stage.shown().contains("The public record couldn't be"), "{}", stage.shown());
        stage.press(KeyCode::Esc);
        stage.press(KeyCode::Esc);
        stage.press(KeyCode::Char('g'));
        assert!(stage.state.popup.is_some(), "{}", stage.shown());
        assert!(stage.take_asked().is_empty(), "not before it was asked");
        stage.press(KeyCode::Char('y'));
        assert_eq!(stage.take_asked(), [json!({"do": "send_unchecked", "to": id('a')})]);
        stage.tell_rows(Why::Conversations, &[Conversation { unchecked: true, ..stale }]);
        stage.press(KeyCode::Char('g'));
        assert!(stage.state.popup.is_none(), "it is decided");
    }
}
