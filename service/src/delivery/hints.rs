//! Tells devices that a record which concerns them has grown: those of the account, and those that share a group with
//! it. A hint says only which account; who gets one asks the record, and believes proofs. Of an account that has just been
//! opened nobody is told: the one device that it has opened it, and nobody shares a group with it yet.
//!
//! One thread follows the log. When a block is sealed, sockets of devices that are gone are closed; when it is published
//! the hints are written, so that who asks finds the entry under a quorum's checkpoint. Up to which block that was done
//! is stored with the hints.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use chain::block::Body;
use chain::id::AccountId;
use protocol::api::delivery::DeliveryKind;
use rusqlite::params;
use tokio::sync::watch;

use crate::delivery::change::{Change, Incoming, number_of};
use crate::delivery::rows::{Owner, Rows, column};
use crate::disk::folder::read_if_there;
use crate::error::{Corrupt, Stopped};
use crate::http::refusal::Refusal;
use crate::record::{Record, Sizes};
use crate::shared::{EndWithThread, Shared};
use crate::touched::touched;

/// Starts the thread.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>, Stopped> {
    let shared = Arc::clone(shared);
    let follow = move || {
        let _on_panic = EndWithThread(&shared);
        if let Err(stopped) = follow(&shared) {
            shared.stop(Some(stopped));
        }
    };
    Ok(std::thread::Builder::new().name("hints".into()).spawn(follow)?)
}

/// Up to which block devices were told.
pub(crate) fn told(shared: &Shared) -> Result<u64, Stopped> {
    // nobody is told of block 0
    Ok(shared.delivery.readers.with(Rows::blocks)?.unwrap_or(1))
}

/// Waits for the log to grow; `None` once the service is to end.
async fn grown(sizes: &mut watch::Receiver<Sizes>, ended: &mut watch::Receiver<bool>) -> Option<Sizes> {
    tokio::select! {
        changed = sizes.changed() => changed.ok().map(|()| *sizes.borrow_and_update()),
        _ = ended.wait_for(|ended| *ended) => None,
    }
}

fn follow(shared: &Shared) -> Result<(), Stopped> {
    let Ok(record) = shared.record() else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (mut sizes, mut ended) = (record.watch(), shared.ended.subscribe());
    let mut now = *sizes.borrow_and_update();
    let told = shared.delivery.readers.with(Rows::blocks)?;
    // a database that is new beside an older record: what was before its newest block, devices look up anyway; that one is
    // told, so that it is noted up to where everybody is
    let mut told = told.unwrap_or(now.published.saturating_sub(1));
    let mut closed = now.sealed;
    loop {
        for block in closed..now.sealed {
            let accounts = accounts_of(shared, record, block)?;
            for account in accounts.iter().filter(|account| shared.delivery.hub.has_listeners(account)) {
                shared.delivery.hub.end_others(account, &shared.devices_of(account)?);
            }
        }
        closed = now.sealed;
        while told < now.published {
            let accounts = accounts_of(shared, record, told)?;
            match runtime.block_on(tell(shared, &accounts, told)) {
                Ok(()) => {
                    told = told.saturating_add(1);
                    record.touched.forget_before(told);
                }
                Err(Refusal::Busy) => std::thread::yield_now(),
                Err(Refusal::Broken(stopped)) => return Err(stopped),
                Err(_) => return Ok(()),
            }
        }
        match runtime.block_on(grown(&mut sizes, &mut ended)) {
            Some(sizes) => now = sizes,
            None => return Ok(()),
        }
    }
}

/// The accounts that somebody is to be told of for a block. Block 0 has none.
fn accounts_of(shared: &Shared, record: &Record, block: u64) -> Result<Arc<BTreeSet<AccountId>>, Stopped> {
    if block == 0 {
        return Ok(Arc::default());
    }
    if let Some(accounts) = record.touched.of(block) {
        return Ok(accounts);
    }
    let unreadable = || Stopped::from(Corrupt::Unreadable { what: "a block" });
    let bytes = read_if_there(&shared.folder.block(block))?.ok_or_else(unreadable)?;
    let body = Body::decode(&bytes).map_err(|_| unreadable())?;
    Ok(Arc::new(touched(&body.entries)))
}

async fn tell(shared: &Shared, accounts: &BTreeSet<AccountId>, block: u64) -> Result<(), Refusal> {
    let devices = accounts.iter().map(|account| Ok((*account, shared.devices_of(account)?)));
    let devices = devices.collect::<Result<Vec<_>, Stopped>>()?;
    let written = shared.delivery.write(move |change| {
        for (account, devices) in &devices {
            change.rows.forget_others(devices, account)?;
            change.hint(account, devices)?;
        }
        let mut update = change.rows.db.prepare_cached("UPDATE counter SET blocks = ?1")?;
        update.execute([column(block.saturating_add(1))])?;
        Ok(())
    })?;
    written.await.unwrap_or(Err(Refusal::Stopping))
}

impl Change<'_> {
    /// One hint in each inbox. An older one about the same account gives way: it was read, or it need not be.
    fn hint(&mut self, account: &AccountId, devices: &[Owner]) -> Result<(), Refusal> {
        let mut to: BTreeSet<Owner> = self.rows.neighbours(account)?;
        to.extend(devices);
        for owner in to {
            let mut delete =
                self.rows.db.prepare_cached("DELETE FROM deliveries WHERE owner = ?1 AND kind = ?2 AND bytes = ?3")?;
            delete.execute(params![owner, number_of(DeliveryKind::Record), account.as_bytes()])?;
            drop(delete);
            self.deliver(Incoming {
                kind: DeliveryKind::Record,
                group: None,
                owner: Some(owner),
                sender: None,
                epoch: 0,
                bytes: account.as_bytes().to_vec(),
            })?;
        }
        Ok(())
    }
}

impl Rows {
    /// The devices of other accounts that share a group with an account.
    fn neighbours(&self, account: &AccountId) -> Result<BTreeSet<Owner>, rusqlite::Error> {
        let [first, last] = Owner::of_account(account);
        let mut select = self.db.prepare_cached(
            "SELECT DISTINCT owner FROM leaves WHERE until_position IS NULL AND owner NOT BETWEEN ?1 AND ?2 \
             AND group_id IN (SELECT group_id FROM leaves WHERE owner BETWEEN ?1 AND ?2 AND until_position IS NULL)",
        )?;
        let rows = select.query_map([first, last], |row| row.get(0))?;
        rows.collect()
    }
}
