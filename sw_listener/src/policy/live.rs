//! Live sessions: their certificates are examined again, on time and when something has changed.

use std::{future::pending, pin::Pin, sync::Arc, time::Instant};

use common::session::Session;
use rustls::pki_types::CertificateDer;
use tokio::{sync::watch, time::sleep_until};
use tracing::{info, warn};

use super::{
    Denial, Known, Policy,
    chain::Authorities,
    crl::{CrlHandle, CrlSnapshot},
    decision::{Answers, Depth, Sentence, Standing, decide},
    lists::Lists,
    ocsp::OcspVerifier,
};

/// The servers are being asked.
type Asking<'a> = Pin<Box<dyn Future<Output = Answers> + Send + 'a>>;

impl Policy {
    /// Completes when the session of this peer, which has just been let in, must end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn watch(&self, session: &Session) -> Denial {
        self.watch_certificates(|| session.peer_certificates())
            .await
    }

    /// What is known here is looked at whenever it changes, also while the servers, or a turn to ask them, are awaited:
    /// a denial must not wait for a server that does not answer.
    async fn watch_certificates(&self, chain: impl Fn() -> Vec<CertificateDer<'static>>) -> Denial {
        let mut changes = Changes::of(self);
        let mut standing = Standing::new(Instant::now());
        let mut next = self.next_check();
        // Sessions wait most of the time, and keep nothing of a check meanwhile.
        let mut asking: Option<Asking<'_>> = None;
        loop {
            let due = standing.due(next, self.rules.grace);
            let (outcome, depth) = tokio::select! {
                biased;
                () = changes.next() => (self.look_again(&chain(), None), Depth::Local),
                answers = answers(&mut asking) => {
                    asking = None;
                    (self.look_again(&chain(), Some(answers)), Depth::Full)
                }
                () = sleep_until(due.into()), if asking.is_none() => match self.look(&chain()) {
                    Ok(known) if self.has_servers() && !known.findings.are_final() => {
                        asking = Some(Box::pin(self.ask_in_turn(known)));
                        continue;
                    }
                    known => (known.and_then(|known| decide(known.findings)), Depth::Full),
                },
            };
            if depth == Depth::Full {
                next = self.next_check();
            }
            let now = Instant::now();
            let fine = outcome.is_ok() && depth == Depth::Full;
            let troubled = standing.is_troubled();
            match standing.judge(outcome, depth, now, self.rules.grace) {
                Sentence::Keep if fine && troubled => info!("the certificate can be checked again"),
                Sentence::Keep => {}
                Sentence::Tolerate(denial) => warn!(
                    code = denial.code(), %denial, grace = ?self.rules.grace,
                    "the certificate cannot be checked for now: the session goes on for the grace"
                ),
                Sentence::Close(denial) => return denial,
            }
        }
    }

    /// What is known here now, with what the servers have said, if they were asked.
    fn look_again(
        &self,
        chain: &[CertificateDer<'static>],
        answers: Option<Answers>,
    ) -> Result<(), Denial> {
        let mut findings = self.look(chain)?.findings;
        if let Some(answers) = answers {
            findings.add(answers);
        }
        decide(findings)
    }

    async fn ask_in_turn(&self, known: Known) -> Answers {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        self.ask(&known, OcspVerifier::for_live).await
    }

    /// Sessions that came together do not stay together.
    fn next_check(&self) -> Instant {
        let spread = 0.75 + rand::random::<f64>() / 4.0;
        Instant::now() + self.rules.recheck.mul_f64(spread)
    }
}

/// What an examination depends on, and changes.
struct Changes {
    authorities: watch::Receiver<Arc<Authorities>>,
    lists: watch::Receiver<Arc<Lists>>,
    crl: Option<watch::Receiver<Arc<CrlSnapshot>>>,
}

impl Changes {
    /// Changes since the listener was started: none can have slipped in between letting a session in and this.
    fn of(policy: &Policy) -> Self {
        Self {
            authorities: policy.authorities.clone(),
            lists: policy.lists.clone(),
            crl: policy.crl.as_ref().map(CrlHandle::snapshots),
        }
    }

    /// Completes at the next change.
    async fn next(&mut self) {
        tokio::select! {
            () = changed(Some(&mut self.authorities)) => {}
            () = changed(Some(&mut self.lists)) => {}
            () = changed(self.crl.as_mut()) => {}
        }
    }
}

/// What the servers say, if they are being asked.
async fn answers(asking: &mut Option<Asking<'_>>) -> Answers {
    match asking {
        Some(asking) => asking.await,
        None => pending().await,
    }
}

async fn changed<T>(receiver: Option<&mut watch::Receiver<T>>) {
    if let Some(receiver) = receiver
        && receiver.changed().await.is_ok()
    {
        return;
    }
    // There is nothing, or nobody is left who could change it.
    pending::<()>().await;
}

#[cfg(test)]
mod tests;
