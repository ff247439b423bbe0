//! Moves the files of a [`crate::town`], as an agent does; they are in memory, by device and path.

use client::step::{Answer, Call, Input};
use client::transfer::{Download, Downloading, End, Job, LocalFile, Transfer, Upload, Uploading};
use protocol::blob::Measure;

use crate::town::{Town, Who};

/// A file of a device: its owner and its path.
pub type Place = (Who, String);

impl Town {
    /// Puts a file on a device; what its agent would know of it.
    pub fn put_file(&mut self, who: Who, path: &str, bytes: &[u8]) -> LocalFile {
        let mut measure = Measure::default();
        assert!(measure.add(bytes));
        self.files.insert((who, path.to_owned()), bytes.to_vec());
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let (content_type, manifest) = ("image/png".to_owned(), measure.finish().unwrap());
        LocalFile { path: path.to_owned(), name, content_type, manifest, preview: None, is_cleaned: false }
    }

    /// A file of a device.
    pub fn file(&self, who: Who, path: &str) -> Option<&[u8]> {
        self.files.get(&(who, path.to_owned())).map(Vec::as_slice)
    }

    /// Moves a file until it is there or nobody answers.
    pub(crate) fn carry(&mut self, who: Who, transfer: Transfer) {
        let id = transfer.id;
        let end = match transfer.job {
            Job::Upload(mut upload) => self.upload(who, &mut upload),
            Job::Download(mut download) => self.download(who, &mut download),
        };
        self.step(who, Input::Transferred { id, end });
    }

    fn asked_by(&mut self, who: Who, call: &Call) -> Answer {
        if let Some(left) = self.pieces.as_mut() {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Answer::Unreachable,
            }
        }
        self.asked.push((who, call.path.clone()));
        self.deliver(who, call)
    }

    fn upload(&mut self, who: Who, upload: &mut Upload) -> End {
        let place = (who, upload.path().to_owned());
        loop {
            match upload.go_on() {
                Uploading::Ask(call) => {
                    let answer = self.asked_by(who, &call);
                    upload.answered(answer, 1);
                }
                Uploading::Read(range) => match self.files.get(&place) {
                    Some(file) => {
                        let [from, to] =
                            [range.start, range.end].map(|at| usize::try_from(at).unwrap().min(file.len()));
                        upload.read(&file[from..to]);
                    }
                    None => upload.unreadable("it is gone"),
                },
                Uploading::End(end) => return end,
            }
        }
    }

    fn download(&mut self, who: Who, download: &mut Download) -> End {
        let unfinished = (who, format!(".{}", download.mark()));
        let mut there = self.files.remove(&unfinished).unwrap_or_default();
        there.truncate(usize::try_from(download.of_use(there.len() as u64)).unwrap());
        download.found(&there);
        let end = loop {
            match download.go_on() {
                Downloading::Ask(call) => {
                    let answer = self.asked_by(who, &call);
                    download.answered(answer);
                }
                Downloading::Write(bytes) => there.extend(bytes),
                Downloading::Finish => {
                    // without a target it is only to be kept, which is the agent's
                    if let Some(target) = download.target() {
                        self.files.insert((who, target.path.clone()), there.clone());
                    }
                    download.finished();
                }
                Downloading::End(end) => break end,
            }
        };
        if matches!(end, End::Unreachable) {
            self.files.insert(unfinished, there);
        }
        end
    }
}
