//! The bytes of a message's row, as they are sealed.

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, DeviceId, Digest};
use protocol::content::Receipt;

use super::{Kept, MemberChange};
use crate::query::MessageState;

/// The states of a message by their numbers.
const STATES: [MessageState; 5] =
    [MessageState::Waiting, MessageState::Sent, MessageState::Received, MessageState::Unreadable, MessageState::Failed];

impl Kept {
    /// As it is sealed: account 32, device 16, time u64, state u8, from history u8, shown u8, intent (u8 and u64) and
    /// submission (u8 and bytes) if there are such, content and text as bytes, and the devices that it was encrypted to,
    /// 16 bytes each; then edited u8, deleted u8, what it named (u8, and 32 bytes if there is such), and reactions, of each
    /// account 32 and text behind its length (u8), and who came and went (u8, and two lists of accounts if there is such); then, if
    /// there are any, or the last follows, receipts: their number u8, and of each account 32 and state u8, 0 for none; last, if the
    /// record could not be checked, for how long u64. Other lengths have 4 bytes. What it has an effect on is a column.
    pub(super) fn encode(&self) -> Vec<u8> {
        let state = STATES.iter().position(|state| *state == self.state).unwrap_or_default();
        let mut w = Writer::new();
        w.raw(&self.from.0).raw(&self.device.0).u64(self.sent_at_ms).u8(u8::try_from(state).unwrap_or_default());
        w.u8(self.from_history.into()).u8(self.is_shown.into());
        w.option(self.intent.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        w.u8(self.submission.is_some().into()).bytes32(self.submission.as_deref().unwrap_or_default().as_bytes());
        w.bytes32(&self.content).bytes32(self.text.as_bytes()).count32(self.encrypted_to.len());
        for device in &self.encrypted_to {
            w.raw(&device.0);
        }
        w.u8(self.edited.into()).u8(self.deleted.into()).option(self.previous.as_ref().map(|it| it.0.as_slice()));
        w.count32(self.reactions.len());
        for (from, reaction) in &self.reactions {
            w.raw(&from.0).bytes8(reaction.as_bytes());
        }
        w.u8(self.change.is_some().into());
        for accounts in self.change.iter().flat_map(|change| [&change.came, &change.went]) {
            w.count32(accounts.len());
            for account in accounts {
                w.raw(&account.0);
            }
        }
        let count = u8::try_from(self.receipts.len()).unwrap_or_default();
        if count > 0 || self.unchecked_s.is_some() {
            w.u8(count);
            for (account, status) in self.receipts.iter().take(count.into()) {
                w.raw(&account.0).u8(status.map_or(0, Receipt::number));
            }
        }
        w.raw(self.unchecked_s.map(u64::to_be_bytes).as_ref().map_or(&[][..], <[u8; 8]>::as_slice));
        w.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let (from, device) = (AccountId(r.array("account")?), DeviceId(r.array("device")?));
        let (sent_at_ms, state) = (r.u64("time")?, r.u8("state")?);
        let unknown = DecodeError::Unknown { field: "state", value: state.into() };
        let state = *STATES.get(usize::from(state)).ok_or(unknown)?;
        let (from_history, is_shown) = (r.present("from history")?, r.present("shown")?);
        let intent = r.present("intent")?.then(|| r.array("intent").map(i64::from_be_bytes)).transpose()?;
        let is_submitted = r.present("submission")?;
        let submission = text(r.bytes32(bytes.len(), "submission")?);
        let content = r.bytes32(bytes.len(), "content")?.to_vec();
        let shown = text(r.bytes32(bytes.len(), "text")?);
        let count = r.count32(bytes.len(), 16, "devices")?;
        let encrypted_to = (0..count).map(|_| r.array("device").map(DeviceId)).collect::<Result<_, _>>()?;
        let (edited, deleted) = (r.present("edited")?, r.present("deleted")?);
        let previous = r.present("previous")?.then(|| r.array("previous").map(Digest)).transpose()?;
        let count = r.count32(bytes.len(), 33, "reactions")?;
        let reaction = |_| Ok((AccountId(r.array("account")?), text(r.bytes8(0, 255, "reaction")?)));
        let reactions = (0..count).map(reaction).collect::<Result<_, DecodeError>>()?;
        let is_change = r.present("change")?;
        let mut accounts = || -> Result<Vec<AccountId>, DecodeError> {
            let count = r.count32(bytes.len(), 32, "accounts")?;
            (0..count).map(|_| r.array("account").map(AccountId)).collect()
        };
        let change = if is_change { Some(MemberChange { came: accounts()?, went: accounts()? }) } else { None };
        let receipts = read_receipts(&mut r)?;
        let unchecked_s = if r.remaining() == 0 { None } else { Some(r.u64("unchecked")?) };
        r.finish()?;
        Ok(Self {
            from,
            device,
            content,
            text: shown,
            sent_at_ms,
            state,
            from_history,
            encrypted_to,
            submission: is_submitted.then_some(submission),
            intent,
            is_shown,
            about: None,
            expires: None,
            edited,
            deleted,
            previous,
            reactions,
            change,
            receipts,
            unchecked_s,
        })
    }
}

fn read_receipts(r: &mut Reader<'_>) -> Result<Vec<(AccountId, Option<Receipt>)>, DecodeError> {
    if r.remaining() == 0 {
        return Ok(Vec::new());
    }
    let unknown = |value: u8| DecodeError::Unknown { field: "receipts", value: value.into() };
    let count = r.u8("receipts")?;
    if count == 0 && r.remaining() == 0 {
        return Err(unknown(0));
    }
    let receipt = |_| {
        let (account, number) = (AccountId(r.array("account")?), r.u8("receipt")?);
        let status = Receipt::of_number(number);
        if status.is_none() && number != 0 { Err(unknown(number)) } else { Ok((account, status)) }
    };
    (0..count).map(receipt).collect()
}

/// What was written here as text is text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let (from, device, state) = (AccountId([1; 32]), DeviceId([2; 16]), MessageState::Received);
        let (content, text) = (b"content".to_vec(), "a text".to_owned());
        let mut rows = vec![Kept { from, device, state, content, text, ..Kept::unreadable(None, "", 77) }];
        rows.extend(STATES.map(|state| Kept { state, ..Kept::unreadable(None, "mls.unreadable", 0) }));
        rows.push(Kept {
            encrypted_to: vec![DeviceId([3; 16]), DeviceId([4; 16])],
            submission: Some("{}".to_owned()),
            intent: Some(-7),
            from_history: true,
            is_shown: false,
            ..rows[0].clone()
        });
        rows.push(Kept {
            edited: true,
            deleted: true,
            previous: Some(Digest([5; 32])),
            change: Some(MemberChange { came: vec![from], went: vec![AccountId([8; 32]); 2] }),
            reactions: vec![(from, "+1".to_owned()), (AccountId([9; 32]), "\u{1f600}".to_owned())],
            receipts: vec![(from, None), (AccountId([9; 32]), Some(Receipt::Read))],
            ..rows[0].clone()
        });
        rows.push(Kept { receipts: vec![(from, Some(Receipt::Delivered))], ..rows[0].clone() });
        for row in rows {
            let bytes = row.encode();
            assert_eq!(Kept::decode(&bytes), Ok(row));
            assert!(Kept::decode(&bytes[1..]).is_err() && Kept::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
    }
}
