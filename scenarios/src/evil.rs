//! A service that lies to whom it likes: it sits between the devices of a [`crate::town`] and the honest service, and
//! answers in its place, changes, keeps back, repeats and makes up answers and deliveries. What passed is kept.
//!
//! It has what every service has: the whole traffic, and a copy of its own folder ([`Face`]). Not in scope: a log whose
//! keys sign against the rules ([`crate::lies`]).

use axum::Router;
use client::step::{Answer, Call};
use protocol::api::delivery::Delivery;
use protocol::api::{ACCOUNTS, CONSISTENCY, GENESIS, HANDLE_LOOKUP};
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::Service;

use crate::town::{Town, Who, answer_of, ask};

type Instead = Box<dyn FnMut(Who, &Call) -> Option<Answer>>;
type Answers = Box<dyn FnMut(Who, &Call, Answer) -> Answer>;
type Deliveries = Box<dyn FnMut(Who, Vec<Delivery>) -> Vec<Delivery>>;

/// What a service lies about; nothing by default.
#[derive(Default)]
pub struct Liar {
    instead: Option<Instead>,
    answers: Option<Answers>,
    deliveries: Option<Deliveries>,
    /// What was asked and answered, as the devices got it.
    pub answered: Vec<(Who, Call, Answer)>,
    /// What was delivered, as the devices got it.
    pub delivered: Vec<(Who, Delivery)>,
}

impl Liar {
    /// Answers in the honest service's place, which then hears nothing; `None` leaves it to that.
    pub fn answer_instead(&mut self, lie: impl FnMut(Who, &Call) -> Option<Answer> + 'static) {
        self.instead = Some(Box::new(lie));
    }

    /// Changes answers.
    pub fn change_answers(&mut self, lie: impl FnMut(Who, &Call, Answer) -> Answer + 'static) {
        self.answers = Some(Box::new(lie));
    }

    /// Changes what is told of one kind of question, by the beginning of its path.
    pub fn change<T: Serialize + DeserializeOwned>(
        &mut self,
        path: impl Into<String>,
        mut lie: impl FnMut(Who, &mut T) + 'static,
    ) {
        let path = path.into();
        self.change_answers(move |who, call, answer| match answer {
            Answer::Ok(body) if call.path.starts_with(&path) => {
                let mut told: T = serde_json::from_slice(&body).unwrap();
                lie(who, &mut told);
                Answer::Ok(serde_json::to_vec(&told).unwrap())
            }
            answer => answer,
        });
    }

    /// Changes what is delivered in one go: what the honest service has for a device, and nothing is a case too.
    pub fn change_deliveries(&mut self, lie: impl FnMut(Who, Vec<Delivery>) -> Vec<Delivery> + 'static) {
        self.deliveries = Some(Box::new(lie));
    }

    /// Shows some devices another face of the record than the rest. Everything else is as before.
    pub fn show(&mut self, face: Face, to: &[Who]) {
        let to = to.to_vec();
        self.answer_instead(move |who, call| (to.contains(&who) && is_record(call)).then(|| face.ask(call)));
    }

    /// Tells the truth from now on.
    pub fn stop(&mut self) {
        (self.instead, self.answers, self.deliveries) = (None, None, None);
    }

    /// True if something may be delivered that the honest service does not have.
    pub(crate) fn makes_up_deliveries(&self) -> bool {
        self.deliveries.is_some()
    }

    pub(crate) fn instead(&mut self, who: Who, call: &Call) -> Option<Answer> {
        self.instead.as_mut().and_then(|lie| lie(who, call))
    }

    pub(crate) fn answered(&mut self, who: Who, call: &Call, answer: Answer) -> Answer {
        let answer = match &mut self.answers {
            Some(lie) => lie(who, call, answer),
            None => answer,
        };
        self.answered.push((who, call.clone(), answer.clone()));
        answer
    }

    pub(crate) fn delivered(&mut self, who: Who, deliveries: Vec<Delivery>) -> Vec<Delivery> {
        let deliveries = match &mut self.deliveries {
            Some(lie) => lie(who, deliveries),
            None => deliveries,
        };
        self.delivered.extend(deliveries.iter().map(|delivery| (who, delivery.clone())));
        deliveries
    }
}

/// True for questions about the public record.
pub fn is_record(call: &Call) -> bool {
    [ACCOUNTS, CONSISTENCY, GENESIS, HANDLE_LOOKUP].iter().any(|path| call.path.starts_with(path))
}

/// Another copy of the same service: nobody needs an evil build for a fork.
pub struct Face {
    router: Router,
    runtime: tokio::runtime::Runtime,
    // ends after the others
    _service: Service,
}

impl Face {
    pub(crate) fn new(service: Service) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { router: service.router(), runtime, _service: service }
    }

    /// Asks it.
    pub fn ask(&self, call: &Call) -> Answer {
        answer_of(ask(&self.runtime, &self.router, call))
    }
}

impl Town {
    /// Asks the honest service, and reads what it says. Nobody else hears of it.
    ///
    /// # Panics
    /// If it refuses.
    pub fn ask_for<T: DeserializeOwned>(&self, path: &str, body: Option<Vec<u8>>, bearer: Option<String>) -> T {
        let (status, body) = self.ask(&Call { path: path.to_owned(), body, bearer }).unwrap();
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }
}
