//! The line between devices and a service, which is cut at chosen moments: HTTP/1.1 with lengths, and the push
//! connection as bytes.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered.
    Answered,
    /// The service takes it and answers; the answer is lost.
    AnswerLost,
    /// The service gets it; the line is cut before it can answer.
    Asked,
    /// It never arrives.
    Lost,
}

type Judge = dyn FnMut(&str) -> Fate + Send;

struct State {
    judge: Mutex<Box<Judge>>,
    /// Told when the line was cut with a request at the service.
    cut: Mutex<Sender<()>>,
}

/// A line that works until the test's process ends.
pub(crate) struct Wire {
    /// Where devices find the service.
    pub(crate) url: String,
    state: Arc<State>,
    cuts: Receiver<()>,
}

impl Wire {
    /// A line to this address, on which every request is answered.
    pub(crate) fn to(service: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (cut, cuts) = channel();
        let judge: Box<Judge> = Box::new(|_| Fate::Answered);
        let state = State { judge: Mutex::new(judge), cut: Mutex::new(cut) };
        let state = Arc::new(state);
        let (service, shared) = (service.to_owned(), Arc::clone(&state));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (service, state) = (service.clone(), Arc::clone(&shared));
                // either end may go away at any time
                std::thread::spawn(move || state.pass_all(&stream, &service).unwrap_or_default());
            }
        });
        Self { url, state, cuts }
    }

    /// From now on this says what becomes of a request, by its method and path.
    pub(crate) fn judge(&self, judge: impl FnMut(&str) -> Fate + Send + 'static) {
        *self.state.judge.lock().unwrap() = Box::new(judge);
    }

    /// True once for each time that the line was cut with a request at the service.
    pub(crate) fn is_cut(&self) -> bool {
        self.cuts.try_recv().is_ok()
    }
}

impl State {
    /// One connection, request by request.
    fn pass_all(&self, device: &TcpStream, service: &str) -> std::io::Result<()> {
        let mut from_device = BufReader::new(device.try_clone()?);
        while let Some(request) = Message::read(&mut from_device)? {
            let name = request.name();
            let fate = (self.judge.lock().unwrap())(&name);
            if fate == Fate::Lost {
                return Ok(());
            }
            // a new connection for each: one that is kept outlives the service at its other end
            let mut to_service = BufReader::new(TcpStream::connect(service)?);
            to_service.get_mut().write_all(&request.bytes)?;
            if fate == Fate::Asked {
                return self.cut();
            }
            let Some(answer) = Message::read(&mut to_service)? else { return Ok(()) };
            if fate == Fate::AnswerLost {
                return self.cut();
            }
            (&*device).write_all(&answer.bytes)?;
            if answer.head.starts_with("HTTP/1.1 101") {
                return join(from_device, to_service);
            }
        }
        Ok(())
    }

    /// The connection ends with this.
    fn cut(&self) -> std::io::Result<()> {
        // a test may not want to know
        self.cut.lock().unwrap().send(()).unwrap_or_default();
        Ok(())
    }
}

/// Passes bytes both ways until one end closes.
fn join(from_device: BufReader<TcpStream>, from_service: BufReader<TcpStream>) -> std::io::Result<()> {
    let (device, service) = (from_device.get_ref().try_clone()?, from_service.get_ref().try_clone()?);
    let there = std::thread::spawn(move || copy(from_device, &service));
    copy(from_service, &device);
    there.join().unwrap_or_default();
    Ok(())
}

fn copy(mut from: BufReader<TcpStream>, mut to: &TcpStream) {
    std::io::copy(&mut from, &mut to).map(drop).unwrap_or_default();
    to.shutdown(Shutdown::Both).unwrap_or_default();
    from.get_ref().shutdown(Shutdown::Both).unwrap_or_default();
}

/// A request or an answer, as it was sent.
struct Message {
    head: String,
    bytes: Vec<u8>,
}

impl Message {
    /// The next one; `None` if there is none.
    fn read(from: &mut BufReader<TcpStream>) -> std::io::Result<Option<Self>> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head)? == 0 {
                return Ok(None);
            }
        }
        let lower = head.to_ascii_lowercase();
        assert!(!lower.contains("\r\ntransfer-encoding:"), "only lengths are understood here: {head}");
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut bytes = head.clone().into_bytes();
        from.take(length.unwrap_or(0)).read_to_end(&mut bytes)?;
        Ok(Some(Self { head, bytes }))
    }

    /// Method and path.
    fn name(&self) -> String {
        self.head.split(" HTTP/").next().unwrap_or_default().to_owned()
    }
}
