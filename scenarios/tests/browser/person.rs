//! Somebody with a profile of the real program and a browser in front of its pages.

use std::path::{Path, PathBuf};

use scenarios::device::Device;
use scenarios::program::eventually;
use scenarios::world::World;
use serde_json::{Value, json};

use crate::driver::{Browser, Driver, Trouble};

/// What can be pressed or written in, and is to be seen, by what a screen reader would call it.
const FIND: &str = r#"
    const [within, what, name, exactly] = arguments;
    const said = (text) => (text ?? "").replace(/\s+/g, " ").trim();
    const called = (it) => {
      const label = it.getAttribute("aria-label") ?? it.labels?.[0]?.innerText;
      return said(label ?? it.innerText);
    };
    const matches = (it) => exactly ? called(it) === name : called(it).includes(name);
    for (const root of document.querySelectorAll(within)) {
      const found = [...root.querySelectorAll(what)].find((it) => it.checkVisibility() && matches(it));
      if (found) return found;
    }
    return null;
"#;

/// All of what is to be seen of elements.
const SEEN: &str = r#"
    return [...document.querySelectorAll(arguments[0])].filter((it) => it.checkVisibility()).map((it) => it.innerText);
"#;

const PRESSABLE: &str = "button, a, summary, label:has(input)";
const FIELD: &str = "input:not([type=hidden]), textarea, select";

pub(crate) struct Person {
    pub(crate) device: Device,
    pub(crate) browser: Browser,
    /// Where the pages are, once they are.
    origin: String,
}

impl Person {
    /// A profile without an account, and its pages in a browser of its own.
    pub(crate) fn new(driver: &Driver, world: &World, name: &str, service: &str) -> Self {
        let device = Device::new(world, name, service);
        Self::at(driver, world, name, device)
    }

    /// The pages of a device.
    pub(crate) fn at(driver: &Driver, world: &World, name: &str, device: Device) -> Self {
        let browser = Browser::start(driver, &world.home(&format!("{name}-browser")), name);
        let mut person = Self { device, browser, origin: String::new() };
        // what a browser asks for before it is ours
        person.browser.load("about:blank");
        person.browser.requests();
        person.opens();
        person
    }

    /// Takes the start link to the browser.
    pub(crate) fn opens(&mut self) {
        let link = self.device.opens_pages();
        self.origin = link.split_once("/#").unwrap().0.to_owned();
        // another address, so that a link to the same origin is a new load
        self.browser.load("about:blank");
        self.browser.load(&link);
        self.sees("main", "");
    }

    /// Somebody who opened an account on the page.
    pub(crate) fn signed_up(driver: &Driver, world: &World, handle: &str, service: &str, device: &str) -> Self {
        let person = Self::new(driver, world, handle, service);
        crate::steps::opens_an_account(&person, handle, device);
        person.sees("main", "Choose a conversation.");
        person
    }

    // ---- what a person sees ----

    /// The texts of what is to be seen of elements.
    pub(crate) fn texts(&self, what: &str) -> Vec<String> {
        let texts = self.browser.run(SEEN, json!([what]));
        texts.as_array().unwrap().iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until an element shows a text, and says all of what the element shows.
    pub(crate) fn sees(&self, what: &str, text: &str) -> String {
        let what_and_text = format!("{text:?} is on the page, in {what}");
        eventually(&what_and_text, || self.texts(what).into_iter().find(|it| it.contains(text)))
    }

    /// Waits until no element shows a text.
    pub(crate) fn sees_no(&self, what: &str, text: &str) {
        let gone = || self.texts(what).iter().all(|it| !it.contains(text)).then_some(());
        eventually(&format!("no {text:?} is on the page, in {what}"), gone);
    }

    /// What stands in the field for a message.
    pub(crate) fn written(&self) -> String {
        let field = "return document.querySelector('form.write textarea').value";
        self.browser.run(field, json!([])).as_str().unwrap().to_owned()
    }

    pub(crate) fn counts(&self, what: &str) -> usize {
        self.texts(what).len()
    }

    /// The path of the page.
    pub(crate) fn place(&self) -> String {
        self.browser.run("return location.pathname", json!([])).as_str().unwrap().to_owned()
    }

    // ---- what a person does ----

    fn try_until_done(&self, what: &str, mut act: impl FnMut() -> Option<Result<(), Trouble>>) {
        let mut last = String::new();
        eventually(what, || match act() {
            Some(Ok(())) => Some(()),
            Some(Err(trouble)) => {
                assert!(trouble.may_pass(), "{what}: {trouble:?}");
                if last != trouble.message {
                    eprintln!("{what}: {}", trouble.message);
                    last = trouble.message;
                }
                None
            }
            None => None,
        });
    }

    /// Presses what a function finds in the page.
    pub(crate) fn presses_found(&self, what: &str, find: &str, arguments: &Value) {
        self.try_until_done(&format!("{what} is pressed"), || {
            let found = self.browser.element(find, arguments.clone())?;
            Some(self.browser.click(&found))
        });
    }

    /// Presses what is called so.
    pub(crate) fn presses(&self, name: &str) {
        self.presses_in("body", name);
    }

    /// The same, within an element.
    pub(crate) fn presses_in(&self, within: &str, name: &str) {
        self.presses_found(&format!("{name:?} in {within}"), FIND, &json!([within, PRESSABLE, name, true]));
    }

    /// Presses the first whose name has this in it.
    pub(crate) fn presses_some(&self, within: &str, name: &str) {
        self.presses_found(&format!("a {name:?} in {within}"), FIND, &json!([within, PRESSABLE, name, false]));
    }

    /// Presses the first element of a kind.
    pub(crate) fn presses_on(&self, what: &str) {
        let find = "return [...document.querySelectorAll(arguments[0])].find((it) => it.checkVisibility()) ?? null";
        self.presses_found(what, find, &json!([what]));
    }

    /// Writes into the field that is called so, in place of what stands there.
    pub(crate) fn writes(&self, field: &str, text: &str) {
        self.writes_in("body", field, text);
    }

    /// The same, within an element.
    pub(crate) fn writes_in(&self, within: &str, field: &str, text: &str) {
        self.try_until_done(&format!("something is written in {field:?}"), || {
            let found = self.browser.element(FIND, json!([within, FIELD, field, false]))?;
            Some(self.browser.clear(&found).and_then(|()| self.browser.type_into(&found, text)))
        });
    }

    /// Writes a message, and sends it as most people do.
    pub(crate) fn sends(&self, text: &str) {
        self.writes_in("form.write", "Message to", &format!("{text}\u{e007}"));
        self.sees("#messages .own .text", text.lines().next().unwrap());
    }

    /// Chooses a file in the conversation that is open; it goes with the next message.
    pub(crate) fn chooses_file(&self, path: &Path) {
        let input = self.browser.element("return document.querySelector('[data-choose]')", json!([])).unwrap();
        self.browser.type_into(&input, &path.display().to_string()).unwrap();
        self.sees(".chosen", path.file_name().unwrap().to_str().unwrap());
    }

    /// Goes to a page by its address in the script's own way.
    pub(crate) fn goes_to(&self, path: &str) {
        self.browser.load(&format!("{}{path}", self.origin));
        self.sees("main", "");
    }

    /// Goes to a place of the frame.
    pub(crate) fn goes(&self, place: &str) {
        self.presses_in("nav.side", place);
        self.sees("h1", place);
    }

    /// Opens the conversation of this name.
    pub(crate) fn opens_talk(&self, name: &str) {
        self.presses_some("#side", name);
        self.sees("main h1", name);
    }

    // ---- what no page may do ----

    /// No rule of the policy was broken, no error was on the console, and nothing was asked of anybody but this program.
    pub(crate) fn was_left_in_peace(&self) {
        let complaints = self.browser.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
        let own = format!("{}/", self.origin);
        let is_foreign = |url: &String| !url.starts_with(&own) && !url.starts_with(&format!("blob:{own}"));
        let foreign: Vec<String> = self.browser.requests().into_iter().filter(is_foreign).collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }
}

/// What a test writes for somebody to send.
pub(crate) fn file(world: &World, name: &str, bytes: &[u8]) -> PathBuf {
    let folder = world.home("files");
    std::fs::write(folder.join(name), bytes).unwrap();
    folder.join(name)
}

/// A contact link, as the command gives it.
pub(crate) fn link_of(device: &Device) -> String {
    device.says(&["contact", "link"])[0]["link"].as_str().unwrap().to_owned()
}
