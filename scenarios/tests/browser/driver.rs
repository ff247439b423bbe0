//! Chromium, driven by chromedriver over WebDriver (W3C) and, where that has no word for it, by the DevTools protocol.
//!
//! Plain HTTP and JSON: the libraries for it would bring 27 further packages, or 22, for what are a few requests.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scenarios::program::{PATIENCE, eventually};
use serde_json::{Value, json};
use ureq::Agent;

/// What names an element in answers (WebDriver §12.3).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Where chromedriver tells its port.
const STARTED: &str = "started successfully on port ";

/// Nothing but what the test asks for, and nothing to anybody else.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Says on the console what a page would hide: a test reads it there, also after another page was loaded.
const WATCH: &str = r#"
    addEventListener("securitypolicyviolation", (event) =>
      console.error("policy violated:", event.effectiveDirective, event.blockedURI, event.sample));
    addEventListener("unhandledrejection", (event) => console.error("nobody caught:", String(event.reason)));
"#;

/// Where a program of this name is, if it is installed.
fn installed(names: &[&str]) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let found = |name: &&str| std::env::split_paths(&folders).map(|it| it.join(name)).find(|it| it.is_file());
    names.iter().find_map(found)
}

/// chromedriver, which starts a browser for whoever asks. Ends with this.
pub(crate) struct Driver {
    process: Child,
    url: String,
    chromium: PathBuf,
}

impl Driver {
    /// `None`, and a word about it, where there is no browser.
    pub(crate) fn start() -> Option<Self> {
        let programs = installed(&["chromedriver"]).zip(installed(&["chromium", "chromium-browser", "google-chrome"]));
        let Some((driver, chromium)) = programs else {
            eprintln!("skipped: chromium and chromedriver are not both installed (Debian: chromium, chromium-driver)");
            return None;
        };
        let mut command = Command::new(driver);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| Some(line.split_once(STARTED)?.1.trim_end_matches('.').to_owned())).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, url: format!("http://127.0.0.1:{port}"), chromium })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
    }
}

/// What went wrong with a request: its code of WebDriver, and its sentence.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Trouble {
    /// True if the page was about to change, or to move something out of the way.
    pub(crate) fn may_pass(&self) -> bool {
        let passing =
            ["stale element reference", "element click intercepted", "element not interactable", "no such element"];
        passing.contains(&self.code.as_str())
    }
}

/// Somebody's browser, with a profile of its own. Ends with this.
pub(crate) struct Browser {
    agent: Agent,
    session: String,
    downloads: PathBuf,
    name: String,
}

impl Browser {
    /// Starts one, with its files in this folder.
    pub(crate) fn start(driver: &Driver, folder: &Path, name: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE * 2)).http_status_as_error(false);
        let agent: Agent = config.build().into();
        let [profile, downloads] = ["profile", "downloads"].map(|it| folder.join(it));
        for it in [&profile, &downloads] {
            fs::create_dir_all(it).unwrap();
        }
        let profile = format!("--user-data-dir={}", profile.display());
        let arguments: Vec<&str> = FLAGS.iter().copied().chain([profile.as_str(), "--window-size=1200,800"]).collect();
        let options = json!({
            "binary": driver.chromium,
            "args": arguments,
            "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
            "perfLoggingPrefs": { "enableNetwork": true, "enablePage": false },
        });
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let started = ask(&agent, &format!("{}/session", driver.url), Some(&body)).unwrap();
        let session = format!("{}/session/{}", driver.url, started["sessionId"].as_str().unwrap());
        let browser = Self { agent, session, downloads, name: name.to_owned() };
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH }));
        // each behaves as if somebody were looking at it
        browser.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        browser
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, Trouble> {
        ask(&self.agent, &format!("{}{path}", self.session), Some(&body))
    }

    /// A command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).unwrap()
    }

    /// Loads an address.
    pub(crate) fn load(&self, url: &str) {
        self.post("/url", json!({ "url": url })).unwrap();
    }

    pub(crate) fn back(&self) {
        self.post("/back", json!({})).unwrap();
    }

    /// What the body of a function returns, in the page.
    pub(crate) fn run(&self, body: &str, arguments: Value) -> Value {
        self.post("/execute/sync", json!({ "script": body, "args": arguments })).unwrap()
    }

    /// The element that a function returns, if it does.
    pub(crate) fn element(&self, body: &str, arguments: Value) -> Option<String> {
        self.run(body, arguments)[ELEMENT].as_str().map(str::to_owned)
    }

    /// Clicks on an element as a person does: it has to be there to be clicked on.
    pub(crate) fn click(&self, element: &str) -> Result<(), Trouble> {
        self.post(&format!("/element/{element}/click"), json!({})).map(drop)
    }

    pub(crate) fn clear(&self, element: &str) -> Result<(), Trouble> {
        self.post(&format!("/element/{element}/clear"), json!({})).map(drop)
    }

    /// Types into an element, or names a file to its chooser.
    pub(crate) fn type_into(&self, element: &str, text: &str) -> Result<(), Trouble> {
        self.post(&format!("/element/{element}/value"), json!({ "text": text })).map(drop)
    }

    /// Presses keys, one after the other while those before it are held, wherever the focus is.
    pub(crate) fn keys(&self, keys: &[&str]) {
        let down = keys.iter().map(|key| json!({ "type": "keyDown", "value": key }));
        let up = keys.iter().rev().map(|key| json!({ "type": "keyUp", "value": key }));
        let actions: Vec<Value> = down.chain(up).collect();
        self.post("/actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] })).unwrap();
    }

    /// Presses one key so many times.
    pub(crate) fn keys_in_turn(&self, key: &str, times: u64) {
        let press = [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let actions: Vec<Value> = (0..times).flat_map(|_| press.clone()).collect();
        self.post("/actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] })).unwrap();
    }

    /// Types wherever the focus is.
    pub(crate) fn writes(&self, text: &str) {
        for letter in text.chars() {
            self.keys(&[letter.encode_utf8(&mut [0; 4])]);
        }
    }

    /// How many windows there are.
    pub(crate) fn windows(&self) -> usize {
        let handles = ask(&self.agent, &format!("{}/window/handles", self.session), None).unwrap();
        handles.as_array().map_or(0, Vec::len)
    }

    /// What the browser has written down since this was asked for the last time.
    fn written_down(&self, what: &str) -> Vec<Value> {
        let entries = self.post("/se/log", json!({ "type": what })).unwrap();
        entries.as_array().cloned().unwrap_or_default()
    }

    /// Errors and warnings on its console. A refusal of ours has a status, which is one; those of a test are its own business.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let is_refusal = |it: &Value| {
            let said = it["message"].as_str().unwrap_or_default();
            // a stream of changes ends with the program that sends it
            let is_end = said.contains("/events - ");
            let statuses = ["401", "409", "422", "502", "503"].map(|code| format!("status of {code} "));
            it["source"] == "network" && (is_end || statuses.iter().any(|status| said.contains(status)))
        };
        let is_bad = |it: &Value| matches!(it["level"].as_str(), Some("SEVERE" | "WARNING"));
        self.written_down("browser").into_iter().filter(|it| is_bad(it) && !is_refusal(it)).collect()
    }

    /// The address of everything that it has asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        let address = |entry: &Value| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &event["message"];
            let is_asked =
                matches!(event["method"].as_str(), Some("Network.requestWillBeSent" | "Network.webSocketCreated"));
            let url = if event["params"]["url"].is_string() {
                &event["params"]["url"]
            } else {
                &event["params"]["request"]["url"]
            };
            url.as_str().filter(|_| is_asked).map(str::to_owned)
        };
        self.written_down("performance").iter().filter_map(address).collect()
    }

    /// How wide its window is, and whether the person likes it dark.
    pub(crate) fn looks(&self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// A file that was saved, once all of it is there.
    pub(crate) fn downloaded(&self, name: &str) -> Vec<u8> {
        // the browser keeps the name with an empty file until what it saves is whole
        let whole = || fs::read(self.downloads.join(name)).ok().filter(|bytes| !bytes.is_empty());
        eventually(&format!("{name} is saved"), whole)
    }

    /// A picture of the page, for whoever wants to look: into the folder that `TREFOIL_PICTURES` names, if it does.
    pub(crate) fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("TREFOIL_PICTURES") else { return };
        let picture = ask(&self.agent, &format!("{}/screenshot", self.session), None).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.png")), STANDARD.decode(picture.as_str().unwrap()).unwrap())
            .unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let page = "return location.pathname + '\\n' + document.body.innerText";
            let shown = self.post("/execute/sync", json!({ "script": page, "args": [] }));
            eprintln!(
                "{} sees {}",
                self.name,
                shown.map_or_else(|it| it.message, |it| it.as_str().unwrap_or_default().to_owned())
            );
            if let Ok(log) = self.post("/se/log", json!({ "type": "browser" })) {
                eprintln!("and its console says {log}");
            }
        }
        self.agent.delete(&self.session).call().map(drop).unwrap_or_default();
    }
}

/// One request to chromedriver.
fn ask(agent: &Agent, url: &str, body: Option<&Value>) -> Result<Value, Trouble> {
    let broken = |error: ureq::Error| Trouble { code: "no answer".to_owned(), message: error.to_string() };
    let mut answer = match body {
        Some(body) => agent.post(url).content_type("application/json").send(body.to_string()),
        None => agent.get(url).call(),
    }
    .map_err(broken)?;
    let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().map_err(broken)?;
    let mut said: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    match said["value"]["error"].as_str() {
        Some(code) if !answer.status().is_success() => {
            Err(Trouble { code: code.to_owned(), message: said["value"]["message"].to_string() })
        }
        _ => Ok(said["value"].take()),
    }
}
