//! Files: what is to be sent and saved, from a person's wish to a message or a file (docs/protocol.md §29).
//!
//! What is wanted is an intent, as a text is. A transfer is handed to the shell while the intent waits for it, at most one
//! for each, and again after a start. The message goes when all of the file is on the service's disk (BLB-5).

use chain::id::Digest;
use protocol::api::blobs::{BLOB_GONE, BLOB_KEPT_S};
use protocol::blob::{BlobKey, Cipher, Layout, MAX_FILE, Manifest};
use protocol::content::{ANY_TYPE, Content, External, MAX_DESCRIPTION, Part, Preview, is_content_type};
use protocol::id::{BlobId, GroupId, MessageId};
use protocol::picture::KINDS;
use protocol::refusal::Problem;
use protocol::tame;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::failure::is_passing;
use crate::intent::{Intent, Want};
use crate::own::random;
use crate::step::{Event, Failure, IntentId};
use crate::store::Store;
use crate::transfer::{Blob, Download, Forgotten, Job, LocalFile, Target, Transfer, Upload};
use crate::turn::{Purpose, Turn};

/// Files that are to be sent; by intent.
const OUTGOING: &str = "outgoing file";

/// A file that is to be sent, with what seals it.
#[derive(Serialize, Deserialize)]
struct Outgoing {
    path: String,
    name: String,
    content_type: String,
    length: u64,
    hash: [u8; 32],
    /// SHA-256 of each part.
    parts: Vec<[u8; 32]>,
    blob: [u8; 32],
    key: Zeroizing<[u8; 32]>,
    prefix: [u8; 7],
    /// Of a picture: width, height and ThumbHash.
    #[serde(default)]
    preview: Option<(u32, u32, Vec<u8>)>,
    /// The bytes are those of the cleaned picture (BLB-11).
    #[serde(default)]
    is_cleaned: bool,
    /// All of it is at the service, since when (seconds since 1970).
    whole_s: Option<u64>,
}

impl Outgoing {
    fn new(file: LocalFile) -> Result<Self, Error> {
        let LocalFile { path, name, content_type, manifest, preview, is_cleaned } = file;
        Ok(Self {
            path,
            name: tame::file_name(&name),
            content_type: if is_content_type(&content_type) { content_type } else { ANY_TYPE.to_owned() },
            length: manifest.length,
            hash: manifest.hash.0,
            parts: manifest.parts.into_iter().map(|hash| hash.0).collect(),
            blob: random()?,
            key: Zeroizing::new(random()?),
            prefix: random()?,
            preview: preview.map(|it| (it.width(), it.height(), it.thumb().to_vec())),
            is_cleaned,
            whole_s: None,
        })
    }

    fn key(&self) -> BlobKey {
        BlobKey { key: self.key.clone(), prefix: self.prefix }
    }

    fn part(&self, description: String) -> Part {
        let expires_s = self.whole_s.map_or(0, |since| since.saturating_add(BLOB_KEPT_S));
        let preview = self.preview.clone();
        Part::External(Box::new(External {
            inline: KINDS.contains(&self.content_type.as_str()),
            preview: preview.and_then(|(width, height, thumb)| Preview::new(width, height, thumb)),
            content_type: self.content_type.clone(),
            blob: BlobId(self.blob),
            expires_s: u32::try_from(expires_s).unwrap_or_default(),
            length: self.length,
            key: self.key(),
            hash: Digest(self.hash),
            description,
            name: self.name.clone(),
        }))
    }
}

/// The file that a stored content names.
pub(crate) fn file_of(content: &[u8]) -> Option<External> {
    match Content::decode(content).ok()?.part {
        Part::External(file) => Some(*file),
        _ => None,
    }
}

/// What a message with a file is found by: the text that goes with it, and its name.
pub(crate) fn searched_text(file: &External) -> String {
    if file.description.is_empty() { file.name.clone() } else { format!("{}\n{}", file.description, file.name) }
}

fn key_of(intent: IntentId) -> [u8; 8] {
    intent.to_be_bytes()
}

/// Path, name and length of the file that an intent is to send.
pub(crate) fn outgoing(store: &Store<'_>, intent: IntentId) -> Result<Option<(String, String, u64)>, Error> {
    let file: Option<Outgoing> = store.get(OUTGOING, &key_of(intent))?;
    Ok(file.map(|file| (file.path, file.name, file.length)))
}

impl Turn<'_> {
    /// A person sends a file.
    pub(crate) fn want_to_send_file(&mut self, to: String, text: String, file: LocalFile) -> Result<(), Error> {
        let is_too_large = file.manifest.length > MAX_FILE;
        let is_too_long = text.len() > MAX_DESCRIPTION;
        let intent = self.add_intent(&Want::SendFile { to, text })?;
        if is_too_large {
            return self.intent_failed(intent, Failure::misuse("file.too_large", "a file has up to 2 GiB"));
        }
        if is_too_long {
            let message = format!("a text that goes with a file has up to {MAX_DESCRIPTION} bytes");
            return self.intent_failed(intent, Failure::misuse("message.too_large", message));
        }
        self.store.put(OUTGOING, &key_of(intent), &Outgoing::new(file)?)
    }

    /// A person wants a file of a message; one that is being saved there already goes on.
    pub(crate) fn want_file(&mut self, message: &MessageId, path: String, replace: bool) -> Result<(), Error> {
        self.want_once(Want::SaveFile { message: message.0, path, replace })
    }

    fn want_once(&mut self, want: Want) -> Result<(), Error> {
        match self.intents()?.into_iter().find(|it| it.want == want) {
            Some(same) => {
                self.continue_with(same.id);
                Ok(())
            }
            None => self.want(want),
        }
    }

    /// A person wants to have the file of a message here.
    pub(crate) fn want_kept(&mut self, message: &MessageId) -> Result<(), Error> {
        self.want_once(Want::KeepFile { message: message.0 })
    }

    /// A person does not want it any more.
    pub(crate) fn cancel_file(&mut self, intent: IntentId) -> Result<(), Error> {
        let is_file =
            |it: &Intent| matches!(it.want, Want::SendFile { .. } | Want::SaveFile { .. } | Want::KeepFile { .. });
        if self.intents()?.iter().any(|it| it.id == intent && is_file(it)) {
            self.intent_failed(intent, Failure::refused("file.cancelled", "stopped, as you wanted"))?;
        }
        Ok(())
    }

    /// First whom it is for is found, then the file is brought, then the message written.
    pub(crate) fn go_on_with_file(&mut self, mut intent: Intent, to: &str, text: String) -> Result<(), Error> {
        let Some(group) = self.place_to_write(&intent, to)? else { return Ok(()) };
        let Some(file) = self.store.get::<Outgoing>(OUTGOING, &key_of(intent.id))? else {
            return self.intent_failed(intent.id, Failure::misuse("file.unreadable", "there is no file to send"));
        };
        if file.whole_s.is_none() {
            return self.bring(intent.id, &file);
        }
        let (row, message) = self.write(&group, file.part(text), Some(intent.id))?;
        intent.want = Want::Sending;
        self.update_intent(&intent)?;
        self.forget_outgoing(intent.id)?;
        self.event(Event::Written { intent: intent.id, row, message, group });
        Ok(())
    }

    /// What an intent was to send is sent, or not to be any more.
    pub(crate) fn forget_outgoing(&mut self, intent: IntentId) -> Result<(), Error> {
        if let Some((path, ..)) = outgoing(&self.store, intent)? {
            self.out.forgotten.push(Forgotten::Source(path));
            self.store.remove(OUTGOING, &key_of(intent))?;
        }
        Ok(())
    }

    fn bring(&mut self, intent: IntentId, file: &Outgoing) -> Result<(), Error> {
        let Some(layout) = Layout::of(file.length) else { return Err(Error::Damaged) };
        let parts = file.parts.iter().copied().map(Digest).collect();
        let manifest = Manifest { length: file.length, hash: Digest(file.hash), parts };
        let (id, cipher) = (BlobId(file.blob), Cipher::new(&file.key(), layout));
        self.hand_out(intent, |bearer| {
            let blob = Blob { id, bearer, cipher };
            Job::Upload(Box::new(Upload::new(blob, file.path.clone(), file.is_cleaned, &manifest)))
        })
    }

    /// Fetches the file of a message.
    pub(crate) fn go_on_fetching(
        &mut self,
        intent: &Intent,
        message: &MessageId,
        target: Option<Target>,
    ) -> Result<(), Error> {
        // to find it takes a look at all messages
        if !self.may_ask(&Purpose::Transfer(intent.id)) {
            return Ok(());
        }
        let file = self.store.message_with_id(message)?.and_then(|stored| file_of(&stored.kept.content));
        let Some(download) = file.and_then(|file| download(&file, *message, target)) else {
            return self.intent_failed(intent.id, no_file());
        };
        self.hand_out(intent.id, |bearer| Job::Download(Box::new(download.asking_with(bearer))))
    }

    /// Hands a transfer to the shell, unless it has it already or the service is not to be asked yet.
    fn hand_out(&mut self, intent: IntentId, job: impl FnOnce(String) -> Job) -> Result<(), Error> {
        let purpose = Purpose::Transfer(intent);
        if !self.may_ask(&purpose) {
            return Ok(());
        }
        if let Some(bearer) = self.bearer()? {
            let id = self.take_off(purpose);
            self.out.transfers.push(Transfer { id, intent, job: job(bearer) });
        }
        Ok(())
    }

    /// A transfer has come to its end.
    pub(crate) fn transferred(&mut self, intent: IntentId) -> Result<(), Error> {
        match self.store.get::<Outgoing>(OUTGOING, &key_of(intent))? {
            Some(mut file) => {
                file.whole_s = Some(self.now_s());
                self.store.put(OUTGOING, &key_of(intent), &file)
            }
            None if self.intents()?.iter().any(|it| it.id == intent) => self.intent_done(intent),
            // cancelled meanwhile
            None => Ok(()),
        }
    }

    /// The service says no to a transfer.
    pub(crate) fn transfer_refused(&mut self, intent: IntentId, problem: &Problem) -> Result<(), Error> {
        if is_passing(problem) || !self.intents()?.iter().any(|it| it.id == intent) {
            self.pause();
            return Ok(());
        }
        let failure = match problem.code.as_str() {
            BLOB_GONE => no_longer_there(),
            _ => Failure::of(problem),
        };
        self.intent_failed(intent, failure)
    }

    /// A transfer cannot go on.
    pub(crate) fn transfer_failed(&mut self, intent: IntentId, failure: Failure) -> Result<(), Error> {
        if self.intents()?.iter().any(|it| it.id == intent) {
            self.intent_failed(intent, failure)?;
        }
        Ok(())
    }
}

/// What fetches the file of a message, or opens what is kept of it.
pub(crate) fn download(file: &External, message: MessageId, target: Option<Target>) -> Option<Download> {
    let layout = Layout::of(file.length)?;
    let blob = Blob { id: file.blob, bearer: String::new(), cipher: Cipher::new(&file.key, layout) };
    Some(Download::new(blob, file.hash, message, target))
}

/// BLB-6: its time is over.
pub(crate) fn no_longer_there() -> Failure {
    let message =
        "the service does not have this file any more: it keeps them for 60 days; whoever sent it can send it again";
    Failure::refused(BLOB_GONE, message)
}

fn no_file() -> Failure {
    Failure::refused("file.unknown", "there is no message with a file whose id is this")
}

impl Store<'_> {
    /// Ids and groups of the messages whose id begins so, and that are shown.
    pub(crate) fn messages_called(
        &self,
        groups: &[GroupId],
        beginning: &str,
    ) -> Result<Vec<crate::message::Stored>, Error> {
        let mut found = Vec::new();
        for group in groups {
            for message in self.ids_between(group, beginning)? {
                found.extend(self.message_by_id(group, &message)?.filter(|stored| stored.kept.is_shown));
            }
        }
        Ok(found)
    }
}
