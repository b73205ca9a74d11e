//! The connection that appends. What comes while a call is on its way goes with the next call.

use std::collections::VecDeque;

use annals_event::{Append, AppendFailure, EventId, Position};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::{ToSql, Type};

use crate::{
    batch::{self, Batch},
    error::StoreError,
    lane::{Lane, Text, Unanswered},
    outcome::{self, Answer, Reply},
    rows::unsigned,
    types::Uuid,
};

/// An append that wants an answer.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) append: Append,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// The statements of the connection.
pub(crate) const TEXTS: &[Text] = &[(batch::CALL, batch::TYPES), (outcome::FIND_AT, &[Type::INT8])];

const CALL: usize = 0;
const FIND_AT: usize = 1;

/// The connection that appends.
#[derive(Debug)]
pub(crate) struct Appender {
    pub(crate) lane: Lane,
    pub(crate) log: EventId,
    pub(crate) gathered_max: usize,
    pub(crate) tokens: Tokens,
}

/// Words by which an append is found again when its answer was lost. Each store has its own
/// beginning, so that they follow each other in the index.
#[derive(Debug)]
pub(crate) struct Tokens {
    beginning: [u8; 8],
    last: u64,
}

impl Tokens {
    pub(crate) fn new(Uuid(random): Uuid) -> Self {
        let mut beginning = [0; 8];
        for (to, from) in beginning.iter_mut().zip(random) {
            *to = from;
        }
        Self { beginning, last: 0 }
    }

    #[expect(clippy::big_endian_bytes, reason = "they are to be sorted by their number")]
    fn next(&mut self) -> Uuid {
        self.last += 1;
        let mut token = [0; 16];
        let bytes = self.beginning.into_iter().chain(self.last.to_be_bytes());
        for (to, from) in token.iter_mut().zip(bytes) {
            *to = from;
        }
        Uuid(token)
    }
}

impl Appender {
    /// Appends until nobody can ask any more.
    pub(crate) async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut waiting: VecDeque<(Job, Uuid)> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Some(job) = jobs.recv().await else { return };
                waiting.push_back((job, self.tokens.next()));
            }
            while waiting.len() < self.gathered_max {
                let Ok(job) = jobs.try_recv() else { break };
                waiting.push_back((job, self.tokens.next()));
            }
            waiting = self.round(waiting).await;
        }
    }

    /// Sends what fits into one call, answers it, and returns the rest.
    async fn round(&mut self, waiting: VecDeque<(Job, Uuid)>) -> VecDeque<(Job, Uuid)> {
        let mut batch = Batch::default();
        let goes: Vec<bool> =
            waiting.iter().map(|(job, token)| batch.add(&job.append, *token)).collect();
        let appends: Vec<&Append> = waiting
            .iter()
            .zip(&goes)
            .filter(|(_, goes)| **goes)
            .map(|((job, _), _)| &job.append)
            .collect();
        let answers = self.call(&batch, &appends).await;
        let mut answers = match answers {
            Err(Unanswered::Refused(_)) if appends.len() > 1 => {
                self.one_by_one(&waiting, &goes).await
            }
            Err(unanswered) => {
                let error = StoreError::from(unanswered);
                appends.iter().map(|_| Err(AppendFailure::Store(error.clone()))).collect()
            }
            Ok(answers) => answers,
        }
        .into_iter();
        let mut rest = VecDeque::new();
        for ((job, token), goes) in waiting.into_iter().zip(goes) {
            if !goes {
                rest.push_back((job, token));
            } else if let Some(answer) = answers.next() {
                // Nobody may be waiting any more.
                drop(job.answer.send(answer));
            }
        }
        rest
    }

    /// The server refused all of them: the fault may be one's alone.
    async fn one_by_one(&mut self, waiting: &VecDeque<(Job, Uuid)>, goes: &[bool]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for ((job, token), _) in waiting.iter().zip(goes).filter(|(_, goes)| **goes) {
            let mut alone = Batch::default();
            alone.add(&job.append, *token);
            match self.call(&alone, &[&job.append]).await {
                Ok(one) => answers.extend(one),
                Err(unanswered) => answers.push(Err(AppendFailure::Store(unanswered.into()))),
            }
        }
        answers
    }

    async fn call(
        &mut self,
        batch: &Batch<'_>,
        appends: &[&Append],
    ) -> Result<Vec<Answer>, Unanswered> {
        let (first, again) = (batch.parameters(&false), batch.parameters(&true));
        let rows = self.lane.query(CALL, &first, &again).await?;
        let mut reply = match Reply::of(&rows) {
            Ok(reply) => reply,
            Err(error) => {
                let answer = |_| Err(AppendFailure::Store(error.clone()));
                return Ok(appends.iter().map(answer).collect());
            }
        };
        let mut answers = Vec::with_capacity(appends.len());
        for (number, append) in appends.iter().enumerate() {
            answers.push(match reply.known(number) {
                None => reply.answer(batch, append, number),
                Some(position) => self.first_answer(append, batch.token(number), position).await,
            });
        }
        Ok(answers)
    }

    /// The first answer to an append of which the event at `position` is there already.
    async fn first_answer(&mut self, append: &Append, token: Uuid, position: i64) -> Answer {
        let parameters: [&(dyn ToSql + Sync); 1] = [&position];
        let rows = self.lane.query(FIND_AT, &parameters, &parameters).await;
        let rows = rows.map_err(|unanswered| AppendFailure::Store(unanswered.into()))?;
        let found = outcome::commit(self.log, &rows).map_err(AppendFailure::Store)?;
        let position = Position::new(unsigned(position));
        let gone = || StoreError::Damaged { position, what: "it is not there".to_owned() };
        found.ok_or_else(|| AppendFailure::Store(gone()))?.answer(append, token, position)
    }
}

impl From<Unanswered> for StoreError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Unsent(error) => Self::Connect(error),
            Unanswered::Unknown(failure) => Self::OutcomeUnknown(failure),
            Unanswered::Refused(failure) => Self::Server(failure),
        }
    }
}
