//! The older device of an account that lies to the newer ones: it lets them in, and hands them what it likes as old messages.

use chain::id::DeviceId;
use chain::sigchain::body::{Answer as BodyAnswer, Body, Confirmer};
use chain::sigchain::device_set::DeviceSet;
use openmls_traits::crypto::OpenMlsCrypto as _;
use protocol::api::accounts::{OpaqueAnswer, SIGNUP, SIGNUP_START, Signup, SignupStart};
use protocol::api::delivery::{RELAY, Relay};
use protocol::api::{ACCOUNTS, AccountAnswer};
use protocol::content::unpad;
use protocol::history::{HistoryMessage, HistoryPart, HistoryRequest, Plain};
use protocol::opaque::client::start_registration;
use protocol::relay::RelayBody;
use protocol::settings::is_self_group_id;

use super::*;
use crate::people::nothing_seen;
use crate::town::CHEAP;

impl Impostor {
    /// Opens an account with a name and the password that everybody types ([`Town::joining`]), so that others can log in to it.
    pub fn sign_up_for_others(town: &Town, handle: &str) -> Self {
        let keys = Device::new();
        let question = HandleQuestion { handle: handle.to_owned(), from: None };
        let named: HandleAnswer = town.ask_for(HANDLE_LOOKUP, Some(json(&question)), None);
        let statement = keys.opening(Some(named.label.parse().unwrap()));
        let account = statement.position.account;
        let password = Town::joining(handle).password.0;
        let (registration, message) = start_registration(password.as_bytes(), &mut fill).unwrap();
        let start = SignupStart { account, message: Base64Url(message) };
        let answer: OpaqueAnswer = town.ask_for(SIGNUP_START, Some(json(&start)), None);
        let record = registration.finish(password.as_bytes(), &answer.message.0, CHEAP, &mut fill).unwrap();
        let signup = Signup { record: Base64Url(record), proposal: Base64Url(keys.sign(statement, ORIGIN)) };
        let _: EntryAccepted = town.ask_for(SIGNUP, Some(json(&signup)), None);
        Self { account, device: keys.id(), keys, provider: OpenMlsRustCrypto::default() }.with_key_packages(town)
    }

    /// Lets a device in that waits, whatever it shows.
    pub fn confirm(&self, town: &Town, device: DeviceId) {
        let known: AccountAnswer = town.ask_for(&format!("{ACCOUNTS}{}?since=0", self.account), None, None);
        let set = DeviceSet::decode(&known.record.0).unwrap();
        let (added, signer) = (set.pending()[&device].added, Confirmer::Device(self.device));
        let body = Body::DeviceConfirmed(BodyAnswer { added, device, signer });
        let proposal = self.keys.sign(set.following(body, nothing_seen()), ORIGIN);
        let _: EntryAccepted = town.ask_for(&format!("{ENTRIES}?wait=quorum"), Some(proposal), None);
    }

    /// The texts of its group, as others have sent them: what it could hand on.
    pub fn old_messages(&self, town: &Town, id: &Id) -> Vec<HistoryMessage> {
        let (mut group, mut heard) = (self.load(id), Vec::new());
        for delivery in self.feed(town).iter().filter(|it| it.kind == DeliveryKind::Message) {
            let MlsMessageBodyIn::PrivateMessage(message) = read(&delivery.bytes.0) else { continue };
            let Ok(processed) = group.process_message(&self.provider, message) else { continue };
            // whose it is, not with which key
            let key = self.keys.mls.verifying_key().to_bytes();
            let leaf = Leaf::read(processed.credential().serialized_content(), &key).unwrap();
            let ProcessedMessageContent::ApplicationMessage(message) = processed.into_content() else { continue };
            let content = unpad(&message.into_bytes()).unwrap().to_vec();
            let (from, device) = (leaf.account, leaf.device);
            let (place, sent_at_ms) = (delivery.position, delivery.at_s * 1_000);
            heard.push(HistoryMessage {
                group: *id,
                place,
                from,
                device,
                sent_at_ms,
                ends_ms: None,
                content,
                erased: None,
            });
        }
        heard
    }

    /// Comes into the group that the devices of its account have for themselves.
    pub fn join_own(&self, town: &Town) -> Id {
        self.join_one(town, |group| is_self_group_id(&self.account, group))
    }

    /// The position of what it was given last.
    pub fn newest_position(&self, town: &Town) -> u64 {
        self.feed(town).last().map_or(0, |it| it.position)
    }

    /// The requests for old messages that it got, each as it was relayed.
    pub fn asked(&self, town: &Town) -> Vec<Vec<u8>> {
        let relayed = self.feed(town).into_iter().filter(|it| it.kind == DeliveryKind::Relay);
        let bodies = relayed.filter_map(|it| RelayBody::decode(&it.bytes.0).ok());
        let requests = bodies.filter_map(|body| match body {
            RelayBody::HistoryRequest(bytes) => Some(bytes),
            _ => None,
        });
        requests.collect()
    }

    /// Answers a request for old messages with these parts, in order and in a form that nobody can object to.
    pub fn hand(&self, town: &Town, request: &[u8], parts: &[Plain]) {
        let asked = HistoryRequest::decode(request).unwrap();
        let request = HistoryRequest::hash(request);
        let count = u32::try_from(parts.len()).unwrap();
        for (index, part) in (0..count).zip(parts) {
            let info = HistoryPart::info(&request, index, count);
            let sealed =
                self.provider.crypto().hpke_seal(SUITE.hpke_config(), &asked.public_key, &info, &[], &part.encode());
            let sealed = sealed.unwrap();
            let (kem_output, ciphertext) = (sealed.kem_output.into(), sealed.ciphertext.into());
            let part = HistoryPart { request, index, count, kem_output, ciphertext }.sign(&self.keys.chain);
            let relay = Relay { device: asked.device, body: Base64Url(RelayBody::HistoryPart(part).encode()) };
            let _: Submitted = town.ask_for(RELAY, Some(json(&relay)), Some(self.bearer(town)));
        }
    }
}

fn fill(bytes: &mut [u8]) -> bool {
    getrandom::fill(bytes).is_ok()
}
