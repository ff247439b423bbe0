//! What an entry says: one variant per kind, with its encoding.
//!
//! Kinds are numbered for ever. Not in scope: when an entry is allowed ([`super::fold`]).

use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::{AccountId, DeviceId, DeviceKeys, Digest, HandleLabel, PublicKey};
use crate::sigchain::rules::{CODE_COMMITMENTS, DAY_S, HOUR_S, MAX_CARRIED_CHECKPOINT, MAX_REMOVED_AT_ONCE};

/// How long a reset of this account has to wait (RST-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetChoice {
    /// 24 hours.
    OneDay,
    /// 72 hours, the default.
    ThreeDays,
    /// 7 days.
    SevenDays,
    /// The account can never be reset.
    Never,
}

impl ResetChoice {
    /// The waiting time in seconds of block time; `None` for never.
    pub fn wait_s(self) -> Option<u64> {
        match self {
            Self::OneDay => Some(24 * HOUR_S),
            Self::ThreeDays => Some(72 * HOUR_S),
            Self::SevenDays => Some(7 * DAY_S),
            Self::Never => None,
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::OneDay => 1,
            Self::ThreeDays => 2,
            Self::SevenDays => 3,
            Self::Never => 4,
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("reset choice")? {
            1 => Ok(Self::OneDay),
            2 => Ok(Self::ThreeDays),
            3 => Ok(Self::SevenDays),
            4 => Ok(Self::Never),
            value => Err(DecodeError::Unknown { field: "reset choice", value: value.into() }),
        }
    }
}

/// The identity that an account continues after a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Predecessor {
    /// Its account id.
    pub account: AccountId,
    /// The head of its sigchain before the reset was announced: the `previous` of the ResetRequested entry.
    pub head: Digest,
}

/// Who confirms a device (DEV-4, REC-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Confirmer {
    /// A confirmed device of the account.
    Device(DeviceId),
    /// The account's recovery key.
    RecoveryKey,
}

/// The answer to a DeviceAdded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<Signer> {
    /// Hash of the DeviceAdded entry.
    pub added: Digest,
    /// The device that it added.
    pub device: DeviceId,
    /// Who answers.
    pub signer: Signer,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Opens an account with its first device.
    AccountCreated {
        /// Random bytes of the first device: with the keys they make the account id.
        salt: [u8; 32],
        /// The first device, confirmed by this entry.
        device: DeviceKeys,
        /// How long a reset has to wait.
        reset_choice: ResetChoice,
        /// A handle bound at once.
        handle: Option<HandleLabel>,
        /// The identity that this one continues.
        predecessor: Option<Predecessor>,
    },
    /// The service lists a device that asks to join.
    DeviceAdded {
        /// The device.
        device: DeviceKeys,
        /// Hashes of the nonces behind the confirmation codes, one per try.
        commitments: [Digest; CODE_COMMITMENTS],
    },
    /// A pending device becomes confirmed.
    DeviceConfirmed(Answer<Confirmer>),
    /// A pending device is refused for good.
    DeviceRefused(Answer<DeviceId>),
    /// Devices are removed for good.
    DeviceRemoved {
        /// 1 to 64 ids, strictly ascending.
        devices: Vec<DeviceId>,
        /// The confirmed device that removes them.
        signer: DeviceId,
    },
    /// Binds another handle, or releases the one there is.
    HandleBound {
        /// The new label, or none.
        handle: Option<HandleLabel>,
        /// The confirmed device that asks.
        signer: DeviceId,
    },
    /// Sets, replaces or drops the recovery key.
    RecoveryKeySet {
        /// The new key, or none.
        key: Option<PublicKey>,
        /// The confirmed device that asks.
        signer: DeviceId,
    },
    /// Chooses another waiting time for resets.
    ResetChoiceSet {
        /// From this entry on.
        choice: ResetChoice,
        /// The confirmed device that asks.
        signer: DeviceId,
    },
    /// Announces a reset.
    ResetRequested {
        /// Account id of the identity to come.
        successor: AccountId,
        /// First device of that identity, the one that waits.
        device: DeviceKeys,
    },
    /// Stops an announced reset.
    ResetVetoed {
        /// Hash of the ResetRequested entry.
        notice: Digest,
        /// The confirmed device that objects.
        signer: DeviceId,
    },
    /// Ends this identity in favour of the announced one.
    AccountReset {
        /// Account id of the following identity.
        successor: AccountId,
        /// A cosigned checkpoint that covers the notice (signed note).
        notice_checkpoint: Vec<u8>,
        /// A cosigned checkpoint made the waiting time later (signed note).
        later_checkpoint: Vec<u8>,
    },
    /// Ends the account.
    AccountClosed {
        /// The confirmed device that asks.
        signer: DeviceId,
    },
}

impl Body {
    /// The kind's number on the wire.
    pub fn kind(&self) -> u8 {
        match self {
            Self::AccountCreated { .. } => 1,
            Self::DeviceAdded { .. } => 2,
            Self::DeviceConfirmed(_) => 3,
            Self::DeviceRefused(_) => 4,
            Self::DeviceRemoved { .. } => 5,
            Self::HandleBound { .. } => 6,
            Self::RecoveryKeySet { .. } => 7,
            Self::ResetChoiceSet { .. } => 8,
            Self::ResetRequested { .. } => 9,
            Self::ResetVetoed { .. } => 10,
            Self::AccountReset { .. } => 11,
            Self::AccountClosed { .. } => 12,
        }
    }

    /// The kind's name, as in the protocol document.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccountCreated { .. } => "AccountCreated",
            Self::DeviceAdded { .. } => "DeviceAdded",
            Self::DeviceConfirmed(_) => "DeviceConfirmed",
            Self::DeviceRefused(_) => "DeviceRefused",
            Self::DeviceRemoved { .. } => "DeviceRemoved",
            Self::HandleBound { .. } => "HandleBound",
            Self::RecoveryKeySet { .. } => "RecoveryKeySet",
            Self::ResetChoiceSet { .. } => "ResetChoiceSet",
            Self::ResetRequested { .. } => "ResetRequested",
            Self::ResetVetoed { .. } => "ResetVetoed",
            Self::AccountReset { .. } => "AccountReset",
            Self::AccountClosed { .. } => "AccountClosed",
        }
    }

    /// True for the kinds that open or answer a request and so carry its number.
    pub fn names_a_request(&self) -> bool {
        matches!(
            self,
            Self::DeviceAdded { .. }
                | Self::DeviceConfirmed(_)
                | Self::DeviceRefused(_)
                | Self::ResetRequested { .. }
                | Self::ResetVetoed { .. }
                | Self::AccountReset { .. }
        )
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        match self {
            Self::AccountCreated { salt, device, reset_choice, handle, predecessor } => {
                encode_keys(w.raw(salt), device);
                w.u8(reset_choice.code()).option(handle.as_ref().map(|label| label.0.as_slice()));
                match predecessor {
                    None => w.u8(0),
                    Some(it) => w.u8(1).raw(&it.account.0).raw(&it.head.0),
                };
            }
            Self::DeviceAdded { device, commitments } => {
                encode_keys(w, device);
                commitments.iter().for_each(|commitment| {
                    w.raw(&commitment.0);
                });
            }
            Self::DeviceConfirmed(answer) => {
                w.raw(&answer.added.0).raw(&answer.device.0);
                match answer.signer {
                    Confirmer::Device(id) => w.u8(1).raw(&id.0),
                    Confirmer::RecoveryKey => w.u8(2),
                };
            }
            Self::DeviceRefused(answer) => {
                w.raw(&answer.added.0).raw(&answer.device.0).raw(&answer.signer.0);
            }
            Self::DeviceRemoved { devices, signer } => {
                w.u8(u8::try_from(devices.len()).unwrap_or(u8::MAX));
                devices.iter().for_each(|id| {
                    w.raw(&id.0);
                });
                w.raw(&signer.0);
            }
            Self::HandleBound { handle, signer } => {
                w.option(handle.as_ref().map(|label| label.0.as_slice())).raw(&signer.0);
            }
            Self::RecoveryKeySet { key, signer } => {
                w.option(key.as_ref().map(|key| key.as_bytes().as_slice())).raw(&signer.0);
            }
            Self::ResetChoiceSet { choice, signer } => {
                w.u8(choice.code()).raw(&signer.0);
            }
            Self::ResetRequested { successor, device } => encode_keys(w.raw(&successor.0), device),
            Self::ResetVetoed { notice, signer } => {
                w.raw(&notice.0).raw(&signer.0);
            }
            Self::AccountReset { successor, notice_checkpoint, later_checkpoint } => {
                w.raw(&successor.0).bytes16(notice_checkpoint).bytes16(later_checkpoint);
            }
            Self::AccountClosed { signer } => {
                w.raw(&signer.0);
            }
        }
    }

    pub(super) fn decode(kind: u8, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            1 => Self::AccountCreated {
                salt: r.array("salt")?,
                device: DeviceKeys::decode(r)?,
                reset_choice: ResetChoice::decode(r)?,
                handle: decode_handle(r)?,
                predecessor: decode_predecessor(r)?,
            },
            2 => Self::DeviceAdded {
                device: DeviceKeys::decode(r)?,
                commitments: [commitment(r)?, commitment(r)?, commitment(r)?],
            },
            3 => Self::DeviceConfirmed(decode_answer(r, decode_confirmer)?),
            4 => Self::DeviceRefused(decode_answer(r, signer)?),
            5 => Self::DeviceRemoved { devices: decode_removed(r)?, signer: signer(r)? },
            6 => Self::HandleBound { handle: decode_handle(r)?, signer: signer(r)? },
            7 => Self::RecoveryKeySet {
                key: if r.present("recovery key")? { Some(PublicKey::decode(r, "recovery key")?) } else { None },
                signer: signer(r)?,
            },
            8 => Self::ResetChoiceSet { choice: ResetChoice::decode(r)?, signer: signer(r)? },
            9 => Self::ResetRequested { successor: AccountId::decode(r, "successor")?, device: DeviceKeys::decode(r)? },
            10 => Self::ResetVetoed { notice: Digest::decode(r, "notice")?, signer: signer(r)? },
            11 => Self::AccountReset {
                successor: AccountId::decode(r, "successor")?,
                notice_checkpoint: r.bytes16(0, MAX_CARRIED_CHECKPOINT, "notice checkpoint")?.to_vec(),
                later_checkpoint: r.bytes16(0, MAX_CARRIED_CHECKPOINT, "later checkpoint")?.to_vec(),
            },
            12 => Self::AccountClosed { signer: signer(r)? },
            value => return Err(DecodeError::Unknown { field: "kind", value: value.into() }),
        })
    }
}

fn encode_keys(w: &mut Writer, keys: &DeviceKeys) {
    w.raw(keys.chain.as_bytes()).raw(keys.mls.as_bytes());
}

fn commitment(r: &mut Reader<'_>) -> Result<Digest, DecodeError> {
    Digest::decode(r, "code commitment")
}

fn signer(r: &mut Reader<'_>) -> Result<DeviceId, DecodeError> {
    DeviceId::decode(r, "signer")
}

fn decode_handle(r: &mut Reader<'_>) -> Result<Option<HandleLabel>, DecodeError> {
    if r.present("handle")? { HandleLabel::decode(r, "handle").map(Some) } else { Ok(None) }
}

fn decode_predecessor(r: &mut Reader<'_>) -> Result<Option<Predecessor>, DecodeError> {
    if !r.present("predecessor")? {
        return Ok(None);
    }
    let account = AccountId::decode(r, "predecessor")?;
    Ok(Some(Predecessor { account, head: Digest::decode(r, "predecessor head")? }))
}

fn decode_confirmer(r: &mut Reader<'_>) -> Result<Confirmer, DecodeError> {
    match r.u8("confirmer")? {
        1 => signer(r).map(Confirmer::Device),
        2 => Ok(Confirmer::RecoveryKey),
        value => Err(DecodeError::Unknown { field: "confirmer", value: value.into() }),
    }
}

fn decode_answer<Signer>(
    r: &mut Reader<'_>,
    signer: fn(&mut Reader<'_>) -> Result<Signer, DecodeError>,
) -> Result<Answer<Signer>, DecodeError> {
    Ok(Answer { added: Digest::decode(r, "added entry")?, device: DeviceId::decode(r, "device")?, signer: signer(r)? })
}

fn decode_removed(r: &mut Reader<'_>) -> Result<Vec<DeviceId>, DecodeError> {
    let field = "removed devices";
    let length = usize::from(r.u8(field)?);
    if length == 0 || length > MAX_REMOVED_AT_ONCE {
        return Err(DecodeError::Length { field, length, min: 1, max: MAX_REMOVED_AT_ONCE });
    }
    let devices = (0..length).map(|_| DeviceId::decode(r, field)).collect::<Result<Vec<_>, _>>()?;
    if devices.is_sorted_by(|a, b| a < b) { Ok(devices) } else { Err(DecodeError::NotAscending { field }) }
}
