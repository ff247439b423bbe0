//! `trefoil try`: the whole thing on one machine: a service, four witnesses and an auditor as processes of their own,
//! and two people whose devices sign real entries over real sockets. Every sentence is printed after it was verified.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chain::account::ProvenAccount;
use chain::handle::Handle;
use chain::id::{AccountId, DeviceId, DeviceKeys, Digest};
use chain::label;
use chain::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use chain::sigchain::entry::{Proposal, SeenCheckpoint, Statement};
use chain::view::View;
use ed25519_dalek::SigningKey;
use protocol::api::EntryAccepted;
use serde_json::Value;

use super::{asked_to_end, runtime, say};
use crate::failure::{Failure, Kind};
use crate::keeping::Kept;
use crate::remote::{Remote, read_policy};

/// How many witnesses there are.
const WITNESSES: usize = 4;
/// How long service and witnesses may take until block 0 is cosigned.
const START_WITHIN: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Ends after the story, with status 0 only if every step was verified
    #[arg(long)]
    exit: bool,
}

/// Plays the story, and then leaves it running unless told otherwise.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("trefoil-try-").tempdir().map_err(Failure::broken)?;
    let stage = Stage::set_up(folder.path())?;
    let bob = play(&stage)?;
    stage.audit()?;
    if arguments.exit {
        say("Every step was verified.");
        return Ok(());
    }
    let _auditor = stage.follow()?;
    let program = program()?;
    let (program, service, policy) = (program.display(), &stage.service, stage.policy.display());
    say("\nAll of it is still running. In another terminal:");
    say(format_args!("  {program} record show bob --service {service} --policy {policy}"));
    say(format_args!("  {program} record show {bob} --service {service} --json"));
    say(format_args!("  {program} audit {service} --policy {policy}"));
    say(format_args!("  curl {service}/checkpoint"));
    say("Ctrl-C ends it and deletes its folder.");
    runtime()?.block_on(async { asked_to_end().await });
    Ok(())
}

/// A process that ends with this one.
struct Actor(Child);

impl Drop for Actor {
    fn drop(&mut self) {
        // it may have ended by itself
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// The running service and who watches it.
struct Stage {
    _actors: Vec<Actor>,
    folder: PathBuf,
    service: String,
    policy: PathBuf,
}

impl Stage {
    fn set_up(folder: &Path) -> Result<Self, Failure> {
        let mut actors = Vec::new();
        let mut witnesses = Vec::new();
        for number in 1..=WITNESSES {
            let data = folder.join(format!("witness-{number}")).display().to_string();
            let name = format!("w{number}.example");
            let ready = finish(&["witness", "init", "--data", &data, "--name", &name, "--json"])?;
            witnesses.push((data, free_port()?, text(&ready, "witness_vkey")?));
        }
        let data = folder.join("service").display().to_string();
        let mut arguments = vec!["serve", "--json", "--listen", "127.0.0.1:0", "--origin", "try.example/log", "--data"];
        let addresses: Vec<_> =
            witnesses.iter().map(|(_, port, vkey)| format!("{vkey}@http://127.0.0.1:{port}")).collect();
        arguments.push(&data);
        for address in &addresses {
            arguments.extend(["--witness", address]);
        }
        let (service, ready) = start(&arguments)?;
        actors.push(service);
        let log = text(&ready, "log_vkey")?;
        for (data, port, _) in &witnesses {
            let listen = format!("127.0.0.1:{port}");
            let (witness, _) = start(&["witness", "--json", "--data", data, "--listen", &listen, "--log", &log])?;
            actors.push(witness);
        }
        let service = text(&ready, "service")?;
        say(format_args!(
            "A service is running at {service}, and {WITNESSES} witnesses beside it: three of the four have to"
        ));
        say("cosign each state of the record before anybody believes it.");
        let policy = PathBuf::from(text(&ready, "policy")?);
        Ok(Self { _actors: actors, folder: folder.to_owned(), service, policy })
    }

    /// Runs an auditor to its end.
    fn audit(&self) -> Result<(), Failure> {
        let policy = self.policy.display().to_string();
        let last = finish(&["audit", &self.service, "--policy", &policy, "--json"])?;
        if last.get("ok") != Some(&Value::Bool(true)) {
            return Err(unexpected("the auditor found something"));
        }
        let number = |name: &str| last.get(name).and_then(Value::as_u64).unwrap_or_default();
        say(format_args!(
            "An auditor replayed all {} blocks from the first and checked every signature and every rule of {} entries.",
            number("blocks"),
            number("entries")
        ));
        Ok(())
    }

    /// Starts an auditor that goes on.
    fn follow(&self) -> Result<Actor, Failure> {
        let policy = self.policy.display().to_string();
        let data = self.folder.join("auditor").display().to_string();
        let arguments = ["audit", &self.service, "--policy", &policy, "--data", &data, "--follow", "--json"];
        start(&arguments).map(|(actor, _)| actor)
    }
}

/// A device: its two secret keys.
struct Device {
    chain: SigningKey,
    mls: SigningKey,
}

impl Device {
    fn new() -> Result<Self, Failure> {
        Ok(Self { chain: SigningKey::from_bytes(&random()?), mls: SigningKey::from_bytes(&random()?) })
    }

    fn keys(&self) -> DeviceKeys {
        DeviceKeys { chain: (&self.chain).into(), mls: (&self.mls).into() }
    }

    fn id(&self) -> DeviceId {
        self.keys().id()
    }
}

/// Somebody who looks at the record and acts on what it proves.
struct Person<'a> {
    remote: &'a Remote,
    kept: Kept,
    view: View,
}

impl<'a> Person<'a> {
    fn new(stage: &Stage, remote: &'a Remote, name: &str) -> Result<Self, Failure> {
        let view = first_look(stage, remote)?;
        let kept = Kept::of(&stage.folder.join(name), &view.parameters().origin);
        Ok(Self { remote, kept, view })
    }

    fn checkpoint(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: self.view.size(), root: self.view.root() }
    }

    fn look(&mut self, id: AccountId) -> Result<ProvenAccount, Failure> {
        let (view, seen) = self.remote.account(&self.view, id, &self.kept)?;
        let account = seen.ok_or_else(|| unexpected("the account is not there"))?.account;
        self.kept.keep_account(&account)?;
        self.view = view;
        Ok(account)
    }

    fn sign_up(&mut self, device: &Device, name: &str) -> Result<(AccountId, EntryAccepted), Failure> {
        let handle = Handle::parse(name).map_err(Failure::broken)?;
        let (view, place) = self.remote.handle(&self.view, &handle, &self.kept)?;
        self.view = view;
        let body = Body::AccountCreated {
            salt: random()?,
            device: device.keys(),
            reset_choice: ResetChoice::ThreeDays,
            handle: Some(place.label),
            predecessor: None,
        };
        let statement = Statement::opening(1, self.checkpoint(), body);
        let account = statement.position.account;
        Ok((account, self.propose(statement, device)?))
    }

    fn propose(&self, statement: Statement, device: &Device) -> Result<EntryAccepted, Failure> {
        self.remote.propose(&self.sign(statement, device))
    }

    fn sign(&self, statement: Statement, device: &Device) -> Vec<u8> {
        let origin = &self.view.parameters().origin;
        Proposal::sign(statement, origin, &device.chain, Some(&device.mls)).encode()
    }
}

fn play(stage: &Stage) -> Result<AccountId, Failure> {
    let remote = Remote::new(&stage.service)?;
    let mut alice = Person::new(stage, &remote, "alice")?;
    let mut bob = Person::new(stage, &remote, "bob")?;
    let (laptop, phone) = (Device::new()?, Device::new()?);
    let (_, sealed) = alice.sign_up(&Device::new()?, "alice")?;
    say(format_args!(
        "\n1  Alice opened an account. It is in block {}; the record shows no name, only a label.",
        sealed.block
    ));
    let (account, sealed) = bob.sign_up(&laptop, "bob")?;
    say(format_args!("2  Bob opened one on his laptop, device {} (block {}).", laptop.id(), sealed.block));
    meet(&mut alice, account, &laptop)?;
    let confirmation = join(&mut alice, &mut bob, account, &laptop, &phone)?;
    leave(&mut alice, &mut bob, account, &laptop, &phone, &confirmation)?;
    Ok(account)
}

/// Alice finds Bob by his name.
fn meet(alice: &mut Person<'_>, account: AccountId, laptop: &Device) -> Result<(), Failure> {
    let handle = Handle::parse("bob").map_err(Failure::broken)?;
    let (view, place) = alice.remote.handle(&alice.view, &handle, &alice.kept)?;
    alice.view = view;
    if place.holder() != Some(account) {
        return Err(unexpected("the name leads to somebody else"));
    }
    let seen = alice.look(account)?;
    expect_devices(&seen, &[laptop.id()])?;
    say(format_args!(
        "3  Alice looked up bob and verified it herself: block {}, one confirmed device. Were she to write now, she would\n   encrypt to that one.",
        alice.view.header().number
    ));
    Ok(())
}

/// Bob's phone joins; gives the recorded confirmation.
fn join(
    alice: &mut Person<'_>,
    bob: &mut Person<'_>,
    account: AccountId,
    laptop: &Device,
    phone: &Device,
) -> Result<Vec<u8>, Failure> {
    let set = bob.look(account)?;
    let commitments = [random()?, random()?, random()?].map(|nonce: [u8; 32]| commit(&nonce));
    let body = Body::DeviceAdded { device: phone.keys(), commitments };
    let sealed = bob.propose(set.set().following(body, bob.checkpoint()), phone)?;
    let seen = alice.look(account)?;
    expect_devices(&seen, &[laptop.id()])?;
    say(format_args!(
        "4  Bob's phone asked to join: device {} (block {}). The service agreed, and that is not",
        phone.id(),
        sealed.block
    ));
    say("   enough: Alice sees it waiting, and would still encrypt to the laptop only.");
    let set = bob.look(account)?;
    let pending = set.set().pending().get(&phone.id()).ok_or_else(|| unexpected("the phone does not wait"))?;
    let answer = Answer { added: pending.added, device: phone.id(), signer: Confirmer::Device(laptop.id()) };
    let statement = set.set().following(Body::DeviceConfirmed(answer), bob.checkpoint());
    let confirmation = bob.sign(statement, laptop);
    let sealed = bob.remote.propose(&confirmation)?;
    let seen = alice.look(account)?;
    expect_devices(&seen, &[laptop.id(), phone.id()])?;
    say(format_args!(
        "5  Bob's laptop confirmed it (block {}). Alice verified both signatures, the service's and the laptop's:",
        sealed.block
    ));
    say("   now she would encrypt to two devices.");
    Ok(confirmation)
}

/// Bob removes the phone; a service that tries to bring it back fails.
fn leave(
    alice: &mut Person<'_>,
    bob: &mut Person<'_>,
    account: AccountId,
    laptop: &Device,
    phone: &Device,
    confirmation: &[u8],
) -> Result<(), Failure> {
    let set = bob.look(account)?;
    let body = Body::DeviceRemoved { devices: vec![phone.id()], signer: laptop.id() };
    let sealed = bob.propose(set.set().following(body, bob.checkpoint()), laptop)?;
    expect_devices(&alice.look(account)?, &[laptop.id()])?;
    say(format_args!(
        "6  Bob lost the phone and removed it (block {}). Alice's next message would not reach it.",
        sealed.block
    ));
    match bob.remote.propose(confirmation) {
        Err(refused) if refused.code == "confirm.replayed" => {
            say(
                "7  Somebody sent the recorded confirmation again, to bring the phone back. Refused: confirm.replayed. Had the\n   service taken it, Alice and every auditor would have refused it by the same rule.\n",
            );
            Ok(())
        }
        Err(other) => Err(other),
        Ok(_) => Err(unexpected("a replayed confirmation was accepted")),
    }
}

/// The first look, once the witnesses have cosigned block 0.
fn first_look(stage: &Stage, remote: &Remote) -> Result<View, Failure> {
    let patience = Instant::now();
    loop {
        let looked = read_policy(&stage.policy).and_then(|policy| remote.begin(policy));
        match looked {
            Err(_) if patience.elapsed() < START_WITHIN => std::thread::sleep(Duration::from_millis(50)),
            looked => return looked,
        }
    }
}

fn expect_devices(account: &ProvenAccount, expected: &[DeviceId]) -> Result<(), Failure> {
    let mut found: Vec<_> = account.confirmed_devices().iter().map(|device| device.id()).collect();
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    if found == expected { Ok(()) } else { Err(unexpected("the confirmed devices are others than they should be")) }
}

fn commit(nonce: &[u8; 32]) -> Digest {
    Digest::labelled(label::CODE_COMMITMENT, &[nonce])
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Failure::broken)?;
    Ok(bytes)
}

fn unexpected(what: &str) -> Failure {
    Failure::new(Kind::Broken, "try.unexpected", what)
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(Failure::broken)
}

/// A port that nobody listens on at the moment.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::broken)?;
    listener.local_addr().map(|address| address.port()).map_err(Failure::broken)
}

/// Starts a process and waits for its ready line.
fn start(arguments: &[&str]) -> Result<(Actor, Value), Failure> {
    let child = Command::new(program()?).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut actor = Actor(child.map_err(Failure::broken)?);
    let out = actor.0.stdout.take().ok_or_else(|| unexpected("a process without output"))?;
    let mut lines = BufReader::new(out);
    let mut line = String::new();
    lines.read_line(&mut line).map_err(Failure::broken)?;
    let ready = serde_json::from_str(&line)
        .map_err(|_| unexpected(&format!("`trefoil {}` did not start", arguments.first().unwrap_or(&""))))?;
    // what it says later is read and dropped, so that it never waits for a reader
    std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
    Ok((actor, ready))
}

/// Runs a process to its end and takes its last line.
fn finish(arguments: &[&str]) -> Result<Value, Failure> {
    let output = Command::new(program()?).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(Failure::broken)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    last.ok_or_else(|| unexpected(&format!("`trefoil {}` failed", arguments.first().unwrap_or(&""))))
}

fn text(value: &Value, name: &str) -> Result<String, Failure> {
    let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| unexpected(&format!("{name} is missing")))
}
