//! Live sessions: their certificates are examined again, on time and when something has changed.

use std::{future::pending, pin::pin, sync::Arc, time::Instant};

use common::session::Session;
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};

use super::{
    Denial, LIVE_OCSP_AGE, Policy,
    chain::Authorities,
    crl::{CrlHandle, CrlSnapshot},
    decision::{Depth, Sentence, Standing},
    lists::Lists,
};

impl Policy {
    /// Completes when the session of this peer, which has just been let in, must end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn watch(&self, session: &Session) -> Denial {
        let mut changes = Changes::of(self);
        let mut standing = Standing::new(Instant::now());
        let mut full = pin!(self.examine_in_time(session));
        loop {
            let (depth, outcome) = tokio::select! {
                outcome = &mut full => {
                    full.set(self.examine_in_time(session));
                    (Depth::Full, outcome)
                }
                // It waits neither for servers that are being asked nor for a turn.
                () = changes.next() => (Depth::Local, self.examine_again(session, Depth::Local).await),
            };
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

    /// The next examination that is due by time. Sessions that came together do not stay together.
    async fn examine_in_time(&self, session: &Session) -> Result<(), Denial> {
        let spread = 0.75 + rand::random::<f64>() / 4.0;
        sleep(self.rules.recheck.mul_f64(spread)).await;
        // It is never closed.
        let _turn = self.turns.acquire().await;
        self.examine_again(session, Depth::Full).await
    }

    async fn examine_again(&self, session: &Session, depth: Depth) -> Result<(), Denial> {
        let chain = session.peer_certificates();
        // Sessions wait most of the time, and keep nothing of this meanwhile.
        Box::pin(self.examine(&chain, depth, LIVE_OCSP_AGE)).await?;
        Ok(())
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

async fn changed<T>(receiver: Option<&mut watch::Receiver<T>>) {
    if let Some(receiver) = receiver
        && receiver.changed().await.is_ok()
    {
        return;
    }
    // There is nothing, or nobody is left who could change it.
    pending::<()>().await;
}
