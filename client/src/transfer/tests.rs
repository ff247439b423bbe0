//! Transfers against a service that is a value.

use chain::id::Digest;
use protocol::blob::{BlobKey, Layout, MAX_PART, Measure, SEALED_CHUNK};
use protocol::refusal::{Kind, Problem};
use zeroize::Zeroizing;

use super::*;

/// A service with one blob, which takes or gives what it is asked, and a file.
struct Stage {
    file: Vec<u8>,
    manifest: Manifest,
    stored: Vec<u8>,
    /// Bodies that came.
    bodies: Vec<usize>,
    /// How many more answers there are.
    answers: usize,
}

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 253).unwrap()).collect()
}

fn number(path: &str, name: &str) -> Option<usize> {
    let (_, query) = path.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")))?.parse().ok()
}

impl Stage {
    fn new(length: usize) -> Self {
        let file = file(length);
        let mut measure = Measure::default();
        assert!(measure.add(&file));
        let manifest = measure.finish().unwrap();
        Self { file, manifest, stored: Vec::new(), bodies: Vec::new(), answers: usize::MAX }
    }

    fn blob(&self) -> Blob {
        let key = BlobKey { key: Zeroizing::new([4; 32]), prefix: [5; 7] };
        let cipher = Cipher::new(&key, Layout::of(self.manifest.length).unwrap());
        Blob { id: BlobId([6; 32]), bearer: "token".to_owned(), cipher }
    }

    fn size(&self) -> usize {
        index(self.blob().cipher.layout().sealed())
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let Some(left) = self.answers.checked_sub(1) else { return Answer::Unreachable };
        self.answers = left;
        match &call.body {
            None => {
                let at = number(&call.path, "at").unwrap();
                let end = self.stored.len().min(at + number(&call.path, "length").unwrap());
                return Answer::Ok(self.stored.get(at..end).unwrap_or_default().to_vec());
            }
            Some(body) if call.path.contains("/parts") => {
                if number(&call.path, "at").unwrap() != self.stored.len() {
                    return refused("blob.offset");
                }
                self.bodies.push(body.len());
                self.stored.extend_from_slice(body);
            }
            Some(_) => {}
        }
        let (size, have) = (self.size(), self.stored.len());
        Answer::Ok(format!(r#"{{"size":{size},"have":{have}}}"#).into())
    }

    fn upload(&mut self) -> End {
        let mut upload = Upload::new(self.blob(), "/f".to_owned(), false, &self.manifest);
        loop {
            match upload.go_on() {
                upload::Doing::Ask(call) => {
                    let answer = self.answer(&call);
                    upload.answered(answer, 1);
                }
                upload::Doing::Read(range) => upload.read(self.read(&range)),
                upload::Doing::End(end) => return end,
            }
            if let Some(range) = upload.ahead() {
                upload.read(self.read(&range));
            }
        }
    }

    fn read(&self, range: &std::ops::Range<u64>) -> &[u8] {
        self.file.get(index(range.start)..index(range.end)).unwrap_or_default()
    }

    /// Goes on with what is in `written`.
    fn download(&mut self, written: &mut Vec<u8>) -> End {
        let mut download = Download::new(self.blob(), self.manifest.hash, Digest::ZERO, None);
        written.truncate(index(download.of_use(written.len() as u64)));
        download.found(written);
        loop {
            match download.go_on() {
                download::Doing::Ask(call) => {
                    let answer = self.answer(&call);
                    download.answered(answer);
                }
                download::Doing::Write(bytes) => written.extend(bytes),
                download::Doing::Finish => download.finished(),
                download::Doing::End(end) => return end,
            }
        }
    }
}

fn refused(code: &str) -> Answer {
    let (code, detail) = (code.to_owned(), String::new());
    let (problem_type, retry_after_s, epoch) = ("about:blank".to_owned(), None, None);
    Answer::Refused(Problem { problem_type, status: 409, code, kind: Kind::Refused, detail, retry_after_s, epoch })
}

fn is_done(end: &End) -> bool {
    matches!(end, End::Done)
}

/// The code of a failure.
fn code(end: End) -> String {
    match end {
        End::Failed(failure) => failure.code,
        other => format!("{other:?}"),
    }
}

const SOME: usize = 20_000_000;

/// BLB-5: however often it breaks off, what arrives is the blob, and nothing is sent twice.
#[test]
fn an_upload_goes_on_where_the_service_is() {
    let mut whole = Stage::new(SOME);
    assert!(is_done(&whole.upload()));
    assert_eq!(whole.bodies.iter().sum::<usize>(), whole.size());
    assert!(whole.bodies.iter().all(|body| *body as u64 <= MAX_PART) && whole.bodies.len() > 3, "{:?}", whole.bodies);
    let mut broken = Stage::new(SOME);
    for _ in 0..100 {
        broken.answers = 3;
        if is_done(&broken.upload()) {
            break;
        }
        // some of the next body arrived as well, and its answer did not
        let more = broken.stored.len()..(broken.stored.len() + 70_001).min(broken.size());
        broken.stored.extend_from_slice(&whole.stored[more]);
    }
    assert!(broken.stored == whole.stored);
    broken.answers = usize::MAX;
    let mut written = Vec::new();
    assert!(is_done(&broken.download(&mut written)));
    assert!(written == broken.file);
}

/// BLB-3: nothing of another file is sealed under the key, whatever part of it was changed, added or cut off.
#[test]
fn a_file_that_was_changed_is_not_sent() {
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 4] = [|it| it[0] ^= 1, |it| it[SOME - 1] ^= 1, |it| it.truncate(SOME - 1), Vec::clear];
    for change in changes {
        let mut stage = Stage::new(SOME);
        stage.answers = 4;
        stage.upload();
        let before = stage.stored.clone();
        let mut whole = Stage::new(SOME);
        whole.upload();
        change(&mut stage.file);
        stage.answers = usize::MAX;
        assert_eq!(code(stage.upload()), "file.changed");
        assert!(stage.stored.len() < stage.size() && whole.stored.starts_with(&before));
        assert!(whole.stored.starts_with(&stage.stored), "other bytes were sealed");
    }
}

/// BLB-6: a download goes on behind the whole chunks that are there, and only the right bytes get a name.
#[test]
fn a_download_goes_on_where_the_file_is() {
    let mut stage = Stage::new(5_000_000);
    stage.upload();
    let (mut written, mut ends) = (Vec::new(), 0);
    loop {
        stage.answers = 2;
        let end = stage.download(&mut written);
        if is_done(&end) {
            break;
        }
        ends += 1;
        assert!(matches!(end, End::Unreachable) && ends < 100);
        // and half of the last write is lost
        written.truncate(written.len() - 7);
    }
    assert!(ends > 1 && written == stage.file);
    let mut bent = stage.file[..1_000_000].to_vec();
    bent[5] ^= 1;
    stage.answers = usize::MAX;
    assert_eq!(code(stage.download(&mut bent)), "blob.hash", "what lay there is compared as well");
}

/// BLB-2 (attack 45): another blob, an endless one, a shorter one, and one that is none.
#[test]
fn a_service_that_gives_something_else_is_caught() {
    let mut stage = Stage::new(3_000_000);
    stage.upload();
    let whole = stage.stored.clone();
    let mut other = whole.clone();
    other.swap(100, 2_000_000);
    for wrong in [other, whole[..whole.len() - 1].to_vec(), whole[..SEALED_CHUNK].to_vec(), Vec::new()] {
        stage.stored = wrong;
        assert_eq!(code(stage.download(&mut Vec::new())), "blob.hash");
    }
    stage.stored = whole;
    let mut download = Download::new(stage.blob(), stage.manifest.hash, Digest::ZERO, None);
    let endless = vec![0; index(download.expected()) + 1];
    download.answered(Answer::Ok(endless));
    assert!(matches!(download.go_on(), download::Doing::End(End::Failed(failure)) if failure.code == "blob.hash"));
    let mut download = Download::new(stage.blob(), stage.manifest.hash, Digest::ZERO, None);
    download.answered(refused("blob.gone"));
    assert!(matches!(download.go_on(), download::Doing::End(End::Refused(problem)) if problem.code == "blob.gone"));
}

/// A service that makes no sense keeps nobody busy.
#[test]
fn a_service_that_never_gets_further_is_left_alone() {
    let stage = Stage::new(100);
    let mut upload = Upload::new(stage.blob(), "/f".to_owned(), false, &stage.manifest);
    let mut asked = 0;
    let end = loop {
        match upload.go_on() {
            upload::Doing::Ask(_) => {
                asked += 1;
                assert!(asked < 20);
                upload.answered(Answer::Ok(format!(r#"{{"size":{},"have":0}}"#, stage.size()).into()), 1);
            }
            upload::Doing::Read(range) => upload.read(stage.read(&range)),
            upload::Doing::End(end) => break end,
        }
    };
    assert!(matches!(end, End::Unreachable));
    for answer in ["{}", "", r#"{"size":1,"have":0}"#, r#"{"size":4112,"have":4113}"#] {
        let mut upload = Upload::new(stage.blob(), "/f".to_owned(), false, &stage.manifest);
        upload.answered(Answer::Ok(answer.into()), 1);
        assert!(matches!(upload.go_on(), upload::Doing::End(End::Failed(_))), "{answer}");
    }
}

/// BLB-7, BLB-3: what is sealed once more is what the service has, and opens as what comes from there; another file is not.
#[test]
fn what_was_sent_is_kept_as_the_service_has_it() {
    let mut stage = Stage::new(SOME);
    stage.upload();
    let upload = Upload::new(stage.blob(), "/f".to_owned(), false, &stage.manifest);
    assert!(!upload.is_kept(), "{SOME} bytes are more than anybody is asked for");
    let mut kept = Vec::new();
    for part in 0.. {
        let Some(range) = upload.part(part) else { break };
        kept.extend(upload.seal(part, stage.read(&range)).unwrap());
    }
    assert!(kept == stage.stored);
    stage.file[3] ^= 1;
    assert!(upload.seal(0, stage.read(&upload.part(0).unwrap())).is_none());
}

/// BLB-7: what was damaged here is begun anew, and nothing of it counts.
#[test]
fn a_download_that_begins_again_forgets_what_came_before() {
    let mut stage = Stage::new(3_000_000);
    stage.upload();
    let mut download = Download::new(stage.blob(), stage.manifest.hash, Digest::ZERO, None);
    assert!(download.is_kept());
    let mut damaged = stage.stored[..index(download.expected())].to_vec();
    download.answered(Answer::Ok(damaged.clone()));
    assert!(matches!(download.go_on(), download::Doing::Write(_)));
    damaged[7] ^= 1;
    download.answered(Answer::Ok(damaged));
    assert!(matches!(download.go_on(), download::Doing::End(End::Failed(_))));
    download.begin_again();
    let mut written = Vec::new();
    loop {
        match download.go_on() {
            download::Doing::Ask(call) => {
                let wanted = download.wanted();
                assert!(call.path.contains(&format!("at={}&", wanted.start)));
                download.answered(Answer::Ok(stage.stored[index(wanted.start)..index(wanted.end)].to_vec()));
            }
            download::Doing::Write(bytes) => written.extend(bytes),
            download::Doing::Finish => download.finished(),
            download::Doing::End(end) => break assert!(is_done(&end)),
        }
    }
    assert!(written == stage.file);
}
