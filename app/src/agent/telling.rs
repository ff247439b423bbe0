//! How much the desktop of this machine is told: kept beside the profile's store, since it is about this machine alone; and the facts
//! that decide it, out of the store.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use client::query;
use tokio::time::Instant;
use witness::durable;

use super::core::{Core, Open};
use super::desktop;
use super::face::Reply;
use super::notifications::{Facts, Shown};
use crate::clock::{now_ms, rfc3339};
use crate::failure::Failure;
use crate::local::Telling;
use crate::local::rows::Notifying;

fn file(folder: &Path) -> PathBuf {
    folder.join("notifications")
}

/// How much was wanted last; as usual if nobody has said, or what was said cannot be read.
pub(super) fn kept(folder: &Path) -> Telling {
    let said = std::fs::read_to_string(file(folder)).unwrap_or_default();
    Telling::from_str(said.trim(), false).unwrap_or_default()
}

fn keep(folder: &Path, telling: Telling) -> Result<(), Failure> {
    let said = telling.to_possible_value().map(|it| format!("{}\n", it.get_name())).unwrap_or_default();
    durable::replace(&file(folder), said.as_bytes()).map_err(Failure::broken)
}

impl Core {
    /// How much the desktop is told, from now on if that is said, and whether anybody there shows it.
    pub(super) fn notifications(&mut self, telling: Option<Telling>, reply: &Reply) -> Result<(), Failure> {
        if let Some(telling) = telling {
            keep(self.keeper.folder(), telling)?;
            self.notifications.set(telling, Instant::now());
        }
        let (notifications, reply) = (self.notifications.telling(), reply.clone());
        tokio::spawn(async move { reply.done(&Notifying { notifications, shown: desktop::is_there().await }) });
        Ok(())
    }

    /// Has the desktop show what is to be shown now, if it is time for that.
    pub(super) fn tell_desktop(&mut self, now: Instant) {
        if !self.notifications.take_due(now) {
            return;
        }
        let facts = match &self.open {
            Some(open) => self.facts(open),
            None => Ok(Facts::default()),
        };
        // a store that cannot be read says so in the next step
        let Ok(facts) = facts else { return };
        let wanted = self.notifications.decide(&facts, now);
        self.outside.desktop.send_if_modified(|shown: &mut Shown| {
            let is_other = *shown != wanted;
            *shown = wanted;
            is_other
        });
    }

    fn facts(&self, open: &Open) -> Result<Facts, client::Error> {
        let (store, mut facts) = (open.store(), Facts::default());
        for (group, rows) in self.notifications.wanted() {
            if let Some(news) = open.client.news(&store, group, &rows, now_ms())? {
                facts.news.insert(*group, news);
            }
        }
        let due_s = query::reset_due_s(&store)?;
        facts.reset_due = due_s.map(|due_s| rfc3339(due_s.saturating_mul(1_000)));
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_is_told_is_remembered_and_names_are_the_usual() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kept(folder.path()), Telling::Name);
        for telling in [Telling::Off, Telling::Text, Telling::Name] {
            keep(folder.path(), telling).unwrap();
            assert_eq!(kept(folder.path()), telling);
        }
        std::fs::write(file(folder.path()), "everything").unwrap();
        assert_eq!(kept(folder.path()), Telling::Name, "never more than was asked for");
    }
}
