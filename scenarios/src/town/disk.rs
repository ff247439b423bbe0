//! What lies on a device's disk.

use std::collections::BTreeSet;

use client::transfer::Forgotten;
use rusqlite::Connection;

use super::{Town, Who, database};

impl Town {
    /// A copy of a device as it is now, with its keys and all that it has.
    pub fn copy_of(&mut self, who: Who) -> Who {
        let copy = self.device();
        let path = self.devices[copy.0].path.clone();
        self.devices[copy.0].db = Connection::open_in_memory().unwrap();
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
        self.devices[who.0].db.execute("VACUUM INTO ?1", [path.display().to_string()]).unwrap();
        self.devices[copy.0].db = database(&path);
        copy
    }

    /// What a device keeps of its groups and of its key packages, sealed, as it lies there.
    pub fn sealed_keys(&self, who: Who) -> BTreeSet<Vec<u8>> {
        let mut rows = self.devices[who.0].db.prepare("SELECT value FROM kept WHERE space LIKE 'mls%'").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Every byte of a device's files, when it rests.
    pub fn disk(&self, who: Who) -> Vec<u8> {
        let device = &self.devices[who.0];
        client::tidy(&device.db).unwrap();
        let files = ["", "-wal"].map(|end| std::fs::read(format!("{}{end}", device.path.display())));
        files.into_iter().flatten().flatten().collect()
    }

    /// For what a device was told to keep nothing any more, since it was last asked.
    pub fn forgotten(&mut self, who: Who) -> Vec<Forgotten> {
        std::mem::take(&mut self.devices[who.0].forgotten)
    }
}
