//! What lies on a device's disk.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use client::transfer::Forgotten;
use protocol::bytes::Base64Url;
use rusqlite::Connection;

use super::{KEY, Town, Who, database};

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

    /// Puts a device, as it is now, into the folder of a profile of the real program, which goes on as it: by its own clock, and at the
    /// service that it was told. Here it is off from then on.
    pub fn moves_to(&mut self, who: Who, profile: &Path) {
        self.set_online(who, false);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(profile).unwrap();
        let (store, key) = (profile.join("store.sqlite"), profile.join("store.key"));
        self.devices[who.0].db.execute("VACUUM INTO ?1", [store.display().to_string()]).unwrap();
        let plain = Base64Url(KEY.to_vec());
        let content = serde_json::json!({"format": "trefoil store key 1", "plain": plain});
        std::fs::write(&key, content.to_string()).unwrap();
        for file in [store, key] {
            std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        }
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
