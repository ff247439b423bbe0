//! One signed statement about one account.
//!
//! ```text
//! format u16 | kind u8 | account 32 | generation u32 | sequence u64 | previous 32 | request u64
//!   | checkpoint size u64, root 32 | body | signatures, 64 bytes each
//! ```
//!
//! A signature covers its label, the log's origin and everything above the signatures, so it is good for one purpose
//! at one position of one account of one service (attacks 3, 40). Not in scope: whether the entry is allowed
//! ([`super::fold`]).

use ed25519_dalek::{Signer as _, SigningKey};

use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::{AccountId, Digest, PublicKey, SignatureBytes};
use crate::label;
use crate::sigchain::body::{Body, Confirmer};
use crate::sigchain::rules::FORMAT;

/// A checkpoint as an entry names it: the newest one its author had verified (ENT-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeenCheckpoint {
    /// Number of blocks in the log.
    pub size: u64,
    /// Root hash of the log at that size.
    pub root: Digest,
}

/// Where an entry stands: in which account, after what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The account.
    pub account: AccountId,
    /// 1 for a first identity, the predecessor's + 1 after a reset.
    pub generation: u32,
    /// 0 for the first entry, then one more each.
    pub sequence: u64,
    /// Hash of the entry before; zeros in the first.
    pub previous: Digest,
}

/// Whose signature a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A device's chain key: of the new device where there is one, else of the signer that the body names.
    Device,
    /// The new device's MLS key.
    Mls,
    /// The account's recovery key.
    RecoveryKey,
    /// The service's entry key.
    Service,
}

/// An entry without its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands.
    pub position: Position,
    /// The request it opens or answers; 0 for kinds that do neither.
    pub request: u64,
    /// The newest checkpoint its author had verified.
    pub checkpoint: SeenCheckpoint,
    /// What it says.
    pub body: Body,
}

impl Statement {
    /// The first statement of a new account; its id follows from the body.
    pub fn opening(generation: u32, checkpoint: SeenCheckpoint, body: Body) -> Self {
        let position = Position { account: account_id(&body), generation, sequence: 0, previous: Digest::ZERO };
        Self { position, request: 0, checkpoint, body }
    }

    /// The canonical bytes, without signatures.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(FORMAT).u8(self.body.kind()).raw(&self.position.account.0).u32(self.position.generation);
        w.u64(self.position.sequence).raw(&self.position.previous.0).u64(self.request);
        w.u64(self.checkpoint.size).raw(&self.checkpoint.root.0);
        self.body.encode(&mut w);
        w.finish()
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let format = r.u16("format")?;
        if format != FORMAT {
            return Err(DecodeError::Unknown { field: "format", value: format.into() });
        }
        let kind = r.u8("kind")?;
        let position = Position {
            account: AccountId::decode(r, "account")?,
            generation: r.u32("generation")?,
            sequence: r.u64("sequence")?,
            previous: Digest::decode(r, "previous hash")?,
        };
        let request = r.u64("request")?;
        let checkpoint =
            SeenCheckpoint { size: r.u64("checkpoint size")?, root: Digest::decode(r, "checkpoint root")? };
        let body = Body::decode(kind, r)?;
        if body.names_a_request() != (request != 0) {
            return Err(DecodeError::Unknown { field: "request", value: request });
        }
        Ok(Self { position, request, checkpoint, body })
    }

    /// Whose signatures an entry of this kind carries, in the order of the wire.
    pub fn roles(&self) -> &'static [Role] {
        match &self.body {
            Body::AccountCreated { .. } | Body::DeviceAdded { .. } => &[Role::Device, Role::Mls, Role::Service],
            Body::DeviceConfirmed(answer) if answer.signer == Confirmer::RecoveryKey => &[Role::RecoveryKey],
            Body::DeviceConfirmed(_)
            | Body::DeviceRefused(_)
            | Body::DeviceRemoved { .. }
            | Body::ResetChoiceSet { .. }
            | Body::ResetVetoed { .. } => &[Role::Device],
            Body::HandleBound { .. }
            | Body::RecoveryKeySet { .. }
            | Body::ResetRequested { .. }
            | Body::AccountClosed { .. } => &[Role::Device, Role::Service],
            Body::AccountReset { .. } => &[Role::Service],
        }
    }

    /// The label under which `role` signs this kind; `None` where it has nothing to sign.
    pub fn label(&self, role: Role) -> Option<&'static str> {
        Some(match (&self.body, role) {
            (Body::AccountCreated { .. }, Role::Device) => label::ACCOUNT_CREATED_DEVICE,
            (Body::AccountCreated { .. }, Role::Mls) => label::ACCOUNT_CREATED_MLS,
            (Body::AccountCreated { .. }, Role::Service) => label::ACCOUNT_CREATED_SERVICE,
            (Body::DeviceAdded { .. }, Role::Device) => label::DEVICE_ADDED_DEVICE,
            (Body::DeviceAdded { .. }, Role::Mls) => label::DEVICE_ADDED_MLS,
            (Body::DeviceAdded { .. }, Role::Service) => label::DEVICE_ADDED_SERVICE,
            (Body::DeviceConfirmed(_), Role::Device) => label::DEVICE_CONFIRMED_DEVICE,
            (Body::DeviceConfirmed(_), Role::RecoveryKey) => label::DEVICE_CONFIRMED_RECOVERY,
            (Body::DeviceRefused(_), Role::Device) => label::DEVICE_REFUSED_DEVICE,
            (Body::DeviceRemoved { .. }, Role::Device) => label::DEVICE_REMOVED_DEVICE,
            (Body::HandleBound { .. }, Role::Device) => label::HANDLE_BOUND_DEVICE,
            (Body::HandleBound { .. }, Role::Service) => label::HANDLE_BOUND_SERVICE,
            (Body::RecoveryKeySet { .. }, Role::Device) => label::RECOVERY_KEY_SET_DEVICE,
            (Body::RecoveryKeySet { .. }, Role::Service) => label::RECOVERY_KEY_SET_SERVICE,
            (Body::ResetChoiceSet { .. }, Role::Device) => label::RESET_CHOICE_SET_DEVICE,
            (Body::ResetRequested { .. }, Role::Device) => label::RESET_REQUESTED_DEVICE,
            (Body::ResetRequested { .. }, Role::Service) => label::RESET_REQUESTED_SERVICE,
            (Body::ResetVetoed { .. }, Role::Device) => label::RESET_VETOED_DEVICE,
            (Body::AccountReset { .. }, Role::Service) => label::ACCOUNT_RESET_SERVICE,
            (Body::AccountClosed { .. }, Role::Device) => label::ACCOUNT_CLOSED_DEVICE,
            (Body::AccountClosed { .. }, Role::Service) => label::ACCOUNT_CLOSED_SERVICE,
            _ => return None,
        })
    }

    /// The exact bytes that `role` signs: label and origin behind their lengths, then the statement. `None` where the
    /// role has nothing to sign.
    pub fn signed_bytes(&self, role: Role, origin: &str) -> Option<Vec<u8>> {
        let mut w = Writer::new();
        w.bytes8(self.label(role)?.as_bytes()).bytes8(origin.as_bytes()).raw(&self.encode());
        Some(w.finish())
    }

    /// Signs as `role`. `None` where the role has nothing to sign.
    pub fn sign(&self, role: Role, origin: &str, key: &SigningKey) -> Option<SignatureBytes> {
        self.signed_bytes(role, origin).map(|bytes| SignatureBytes(key.sign(&bytes).to_bytes()))
    }
}

/// The account id that an opening body gives.
pub fn account_id(body: &Body) -> AccountId {
    let mut w = Writer::new();
    body.encode(&mut w);
    AccountId(Digest::labelled(label::ACCOUNT_ID, &[&w.finish()]).0)
}

/// An entry with its signatures, none of them checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is signed.
    pub statement: Statement,
    signatures: Vec<SignatureBytes>,
}

impl Entry {
    /// Reads an entry; every byte must belong to it (ENT-1).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let statement = Statement::decode(&mut reader)?;
        let signatures = statement
            .roles()
            .iter()
            .map(|_| SignatureBytes::decode(&mut reader, "signature"))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { statement, signatures })
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.statement.encode();
        self.signatures.iter().for_each(|signature| bytes.extend_from_slice(&signature.0));
        bytes
    }

    /// The hash that the next entry names, over the entry with its signatures.
    pub fn hash(&self) -> Digest {
        Digest::labelled(label::ENTRY_HASH, &[&self.encode()])
    }

    /// Each role's signature, in the order of the wire.
    pub fn signatures(&self) -> impl Iterator<Item = (Role, &SignatureBytes)> {
        self.statement.roles().iter().copied().zip(&self.signatures)
    }
}

/// An entry as a device hands it to the service: every signature but the service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What is signed.
    pub statement: Statement,
    signatures: Vec<SignatureBytes>,
}

impl Proposal {
    /// Signs a statement with the keys that it needs. `mls` is used by the kinds that carry an MLS signature only.
    pub fn sign(statement: Statement, origin: &str, chain: &SigningKey, mls: Option<&SigningKey>) -> Self {
        let signatures = proposal_roles(&statement)
            .filter_map(|role| {
                let key = if role == Role::Mls { mls? } else { chain };
                statement.sign(role, origin, key)
            })
            .collect();
        Self { statement, signatures }
    }

    /// Reads a proposal; every byte must belong to it (ENT-1).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let statement = Statement::decode(&mut reader)?;
        let signatures = proposal_roles(&statement)
            .map(|_| SignatureBytes::decode(&mut reader, "signature"))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { statement, signatures })
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.statement.encode();
        self.signatures.iter().for_each(|signature| bytes.extend_from_slice(&signature.0));
        bytes
    }

    /// Completes the entry: adds the service's signature where the kind has one.
    pub fn complete(self, origin: &str, service: &SigningKey) -> Entry {
        let Self { statement, mut signatures } = self;
        if statement.roles().contains(&Role::Service) {
            signatures.extend(statement.sign(Role::Service, origin, service));
        }
        Entry { statement, signatures }
    }
}

fn proposal_roles(statement: &Statement) -> impl Iterator<Item = Role> {
    statement.roles().iter().copied().filter(|role| *role != Role::Service)
}

/// "This key signed these bytes": what has to be true for an entry to be valid (ENT-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The key.
    pub key: PublicKey,
    /// What it signed.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: SignatureBytes,
}

impl Claim {
    /// Checks the signature.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.key.verifies(&self.message, &self.signature)
    }
}

/// Claims that were checked and hold.
#[derive(Debug, Clone, Default)]
pub struct VerifiedClaims(Vec<Claim>);

impl VerifiedClaims {
    /// Keeps the claims if every one holds.
    pub fn check(claims: Vec<Claim>) -> Option<Self> {
        claims.iter().all(Claim::holds).then_some(Self(claims))
    }

    fn contain(&self, claim: &Claim) -> bool {
        self.0.contains(claim)
    }
}

/// When the fold checks signatures.
#[derive(Debug)]
pub enum Signatures<'a> {
    /// One by one, now.
    CheckNow,
    /// Never: they are handed out, and the verdict stands only if all of them hold. For auditors, who check those of
    /// many entries on all cores.
    Collect(&'a mut Vec<Claim>),
    /// Now, except those that were checked before. For the sequencer, whose callers check on other threads.
    Known(&'a VerifiedClaims),
}

impl Signatures<'_> {
    /// True if the claim holds, or if that is found out later.
    pub(super) fn accept(&mut self, claim: Claim) -> bool {
        match self {
            Self::CheckNow => claim.holds(),
            Self::Collect(claims) => {
                claims.push(claim);
                true
            }
            Self::Known(known) => known.contain(&claim) || claim.holds(),
        }
    }
}
