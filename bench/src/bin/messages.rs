//! What a message costs its sender and the service, in a conversation of 2 devices and in one of 100, against bare OpenMLS
//! that encrypts the same content and writes it with one fsync; by turns in one run.

use std::fs::File;
use std::io::Write as _;

use bench::timing::{Series, seconds, time_process};
use client::step::{Answer, Command, Request};
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, MlsGroup, MlsGroupCreateConfig,
    PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use protocol::content::{Content, Part, pad};
use scenarios::town::{Town, Who};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;
const SIZES: [usize; 2] = [2, 100];
const ROUNDS: usize = 40;
const MESSAGES: usize = 10;
const TEXT: &str = "about as long as what people write to each other";

/// Where the time of a message goes.
#[derive(Default)]
struct Costs {
    /// The sender encrypts, and has it on disk.
    encrypt: Series,
    /// The service takes it, and has it on disk.
    service: Series,
    /// The sender notes that it was taken.
    noted: Series,
    /// Bare OpenMLS encrypts, and has it on disk.
    bare: Series,
}

fn main() {
    let mut worlds: Vec<_> = SIZES.iter().map(|size| (Crowd::new(*size), Bare::new(*size), Costs::default())).collect();
    for _ in 0..ROUNDS {
        for (crowd, bare, costs) in &mut worlds {
            crowd.send(costs);
            let ((), took) = time_process(|| (0..MESSAGES).for_each(|_| bare.send()));
            costs.bare.add(took, MESSAGES);
        }
    }
    println!("| a message, median | {} devices | {} devices | ratio, clock | ratio, processors |", SIZES[0], SIZES[1]);
    println!("|---|---|---|---|---|");
    let (few, many) = (&worlds[0].2, &worlds[1].2);
    row("sender: encrypt and store", &few.encrypt, &many.encrypt);
    row("sender: note that it was taken", &few.noted, &many.noted);
    let ratio = |of: fn(&Series) -> f64| (of(&many.encrypt) + of(&many.noted)) / (of(&few.encrypt) + of(&few.noted));
    println!("| sender, both | | | {:.2} | {:.2} |", ratio(Series::wall), ratio(Series::cpu));
    row("service: take and store", &few.service, &many.service);
    row("bare OpenMLS and one fsync", &few.bare, &many.bare);
    for (size, (_, _, costs)) in SIZES.iter().zip(&worlds) {
        let once = costs.encrypt.wall() / costs.bare.wall();
        let both = (costs.encrypt.wall() + costs.noted.wall()) / costs.bare.wall();
        println!(
            "{size} devices: encrypt and store is {once:.2} times bare OpenMLS by the clock, with the note {both:.2}"
        );
    }
}

fn row(what: &str, few: &Series, many: &Series) {
    let (wall, cpu) = (many.wall() / few.wall(), many.cpu() / few.cpu());
    println!("| {what} | {} | {} | {wall:.2} | {cpu:.2} |", seconds(few.wall()), seconds(many.wall()));
}

/// A sender in a conversation of so many devices, and the service.
struct Crowd {
    town: Town,
    sender: Who,
}

impl Crowd {
    fn new(size: usize) -> Self {
        let mut town = Town::new();
        let sender = town.sign_up("sender");
        let with: Vec<_> = (1..size).map(|number| format!("member{number}")).collect();
        for name in &with {
            town.sign_up(name);
        }
        town.wish(sender, Command::NewChat { title: "all".to_owned(), with });
        town.send(sender, "all", "the first");
        let encrypted_to = town.read(sender, |store| client::query::messages(store, None, 1)).remove(0).encrypted_to;
        assert_eq!(encrypted_to.len(), size - 1);
        town.set_durable(sender);
        Self { town, sender }
    }

    fn send(&mut self, costs: &mut Costs) {
        for _ in 0..MESSAGES {
            let (to, text) = ("all".to_owned(), TEXT.to_owned());
            let (request, took) = time_process(|| {
                self.town.command(self.sender, Command::Send { to, text });
                self.request()
            });
            costs.encrypt.add(took, 1);
            let ((code, body), took) = time_process(|| self.town.ask(&request.call).unwrap());
            assert_eq!(code, 200);
            costs.service.add(took, 1);
            let ((), took) = time_process(|| self.town.answer(self.sender, request.id, Answer::Ok(body)));
            costs.noted.add(took, 1);
        }
    }

    fn request(&mut self) -> Request {
        let request = self.town.take_request(self.sender).unwrap();
        assert!(request.call.path.ends_with("/messages"), "{}", request.call.path);
        request
    }
}

/// A group of OpenMLS with its storage in memory, and a file.
struct Bare {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    group: MlsGroup,
    file: File,
    content: Vec<u8>,
}

impl Bare {
    fn new(size: usize) -> Self {
        let provider = OpenMlsRustCrypto::default();
        let member = |number: usize| {
            let signer = SignatureKeyPair::new(SUITE.signature_algorithm()).unwrap();
            let credential = BasicCredential::new(number.to_be_bytes().repeat(7)).into();
            let signature_key = signer.to_public_vec().into();
            (signer, CredentialWithKey { credential, signature_key })
        };
        let (signer, credential) = member(0);
        let config =
            MlsGroupCreateConfig::builder().ciphersuite(SUITE).wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY);
        let mut group = MlsGroup::new(&provider, &signer, &config.build(), credential).unwrap();
        let packages: Vec<_> = (1..size)
            .map(|number| {
                let (signer, credential) = member(number);
                KeyPackage::builder().build(SUITE, &provider, &signer, credential).unwrap().key_package().clone()
            })
            .collect();
        group.add_members(&provider, &signer, &packages).unwrap();
        group.merge_pending_commit(&provider).unwrap();
        let content = Content::of([7; 16], Part::text(TEXT).unwrap());
        let content = pad(&content.encode()).unwrap();
        Self { provider, signer, group, file: tempfile::tempfile().unwrap(), content }
    }

    fn send(&mut self) {
        let message = self.group.create_message(&self.provider, &self.signer, &self.content).unwrap();
        self.file.write_all(&message.to_bytes().unwrap()).unwrap();
        self.file.sync_data().unwrap();
    }
}
