//! What comes after the nine steps: both devices lost, a key on paper and a backup file, another password, a reset that is stopped, people
//! who are let in and people who are not.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::stage::{Speaker, text, unexpected};
use super::{Device, Story, expect_devices, short};
use crate::commands::say;
use crate::failure::Failure;

/// How long a device may take to show what is in the record.
const ALARM_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(200);
/// What his backup file is locked with.
const BACKUP_PASSPHRASE: &str = "battery staple correct horse";
/// The password that Bob chooses later.
const OTHER_PASSWORD: &str = "staple battery horse correct";

impl Story<'_> {
    /// Plays on.
    pub(super) fn live_on(&self) -> Result<(), Failure> {
        let phone = self.recover()?;
        let other = self.change_password()?;
        self.stop_a_reset(&other, &phone)?;
        self.meet_people()
    }

    fn joining<'s>(&'s self, first: &'s [&'s str], password: &'s str, policy: &'s str) -> Vec<&'s str> {
        let rest = ["--service", &self.stage.service, "--policy", policy, "--password-file", password];
        [first, &rest].concat()
    }

    /// Both devices are lost, and the words on paper are not.
    fn recover(&self) -> Result<String, Failure> {
        let made = self.laptop.ask_one(&["recovery", "create"])?;
        let words = made.get("words").and_then(Value::as_array).cloned().unwrap_or_default();
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        say(format_args!(
            "10 Bob made a recovery key on his laptop, {} words, and wrote them down: \"{} …\"",
            words.len(),
            { words.get(..3).unwrap_or_default().join(" ") }
        ));
        let (backup, passphrase) = (self.stage.folder.join("backup"), self.stage.folder.join("backup-passphrase"));
        std::fs::write(&passphrase, BACKUP_PASSPHRASE).map_err(Failure::broken)?;
        let (backup, passphrase) = (backup.display().to_string(), passphrase.display().to_string());
        let locked = ["--backup-passphrase-file", passphrase.as_str()];
        self.laptop.ask(&[&["backup", "export", backup.as_str()], &locked[..]].concat())?;
        say("   He also wrote his messages into a backup file, behind a passphrase. It holds no key of a device.");
        let devices = self.laptop.ask(&["device", "list"])?;
        let lost = devices.iter().map(|row| text(row, "device")).collect::<Result<Vec<_>, _>>()?;
        for device in [&self.laptop, &self.desktop] {
            device.ask(&["agent", "--stop"])?;
        }
        let (policy, password) = (self.stage.policy.display().to_string(), self.password.display().to_string());
        let log_in = self.joining(&["login", "bob", "--name", "phone", "--wait", "60"], &password, &policy);
        let mut login = Speaker::start(self.phone.command(&log_in)?)?;
        let phone = text(&login.next()?, "device")?;
        self.phone.ask_with(&["recovery", "use"], &words.join(" "))?;
        say("11 Then he lost both. On a phone he typed the words: it is one of his devices now, of the same account.");
        for device in &lost {
            self.phone.ask(&["device", "remove", device])?;
        }
        let sent = self.alice.ask_one(&["send", "bob", "Are you back?"])?;
        expect_devices(&sent, &[&phone])?;
        self.phone.read("alice", "Are you back?")?;
        say("12 From the phone he took the lost ones out. Alice's next message went to the phone, and to nobody else.");
        self.phone.ask(&[&["backup", "import", backup.as_str()], &locked[..]].concat())?;
        let old = self.phone.read_now("alice", "Hello Bob!")?;
        if old.get("from_history") != Some(&Value::Bool(true)) {
            return Err(unexpected("the old message did not come from the backup"));
        }
        say("   Out of the backup file came the old ones: \"Hello Bob!\"");
        Ok(phone)
    }

    /// The old password opens nothing any more.
    fn change_password(&self) -> Result<String, Failure> {
        let other = self.stage.folder.join("other-password");
        std::fs::write(&other, OTHER_PASSWORD).map_err(Failure::broken)?;
        let other = other.display().to_string();
        self.phone.ask(&["account", "password", "--password-file", &other])?;
        let (policy, password) = (self.stage.policy.display().to_string(), self.password.display().to_string());
        let log_in = self.joining(&["login", "bob", "--name", "stranger"], &password, &policy);
        if self.stranger.is_done(&log_in)? {
            return Err(unexpected("the old password still opens the account"));
        }
        say("13 He chose another password. Whoever knows the old one is refused; the phone stays signed in.");
        Ok(other)
    }

    /// Somebody says that he has lost all, and has not.
    fn stop_a_reset(&self, password: &str, phone: &str) -> Result<(), Failure> {
        let policy = self.stage.policy.display().to_string();
        let reset = self.joining(&["account", "reset", "bob", "--yes", "--name", "stranger"], password, &policy);
        let announced = self.stranger.ask_one(&reset)?;
        let due = text(&announced, "due")?;
        self.phone.wait_for_alarm(&due)?;
        self.phone.ask(&["account", "veto"])?;
        say(format_args!(
            "14 A stranger with that password asked to reset the account. It would have taken effect at {due};\n   the phone {} \
             showed an alarm, and stopped it.\n",
            short(phone)
        ));
        Ok(())
    }
}

impl Device {
    /// The record tells it within a moment.
    fn wait_for_alarm(&self, due: &str) -> Result<(), Failure> {
        let begin = Instant::now();
        while begin.elapsed() < ALARM_WITHIN {
            let status = self.ask_one(&["status"])?;
            if status.get("reset_due").and_then(Value::as_str) == Some(due) {
                return Ok(());
            }
            sleep(LOOK);
        }
        Err(unexpected("the phone shows no alarm"))
    }

    /// A text that is there.
    fn read_now(&self, with: &str, wanted: &str) -> Result<Value, Failure> {
        let rows = self.ask(&["read", with, "--limit", "1000"])?;
        let found = rows.into_iter().find(|row| row.get("text").and_then(Value::as_str) == Some(wanted));
        found.ok_or_else(|| unexpected("an old message is not there"))
    }

    /// True if a command ends well; what it says is nobody's.
    fn is_done(&self, arguments: &[&str]) -> Result<bool, Failure> {
        let mut command = self.command(arguments)?;
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        Ok(status.map_err(Failure::broken)?.success())
    }
}
