//! Live sessions: their certificates are examined again, on time and when something has changed.

use std::{future::pending, sync::Arc, time::Instant};

use common::session::Session;
use tokio::{
    sync::watch,
    time::{Instant as Timer, sleep_until},
};
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
        let mut due = self.next_check();
        loop {
            let depth = tokio::select! {
                () = sleep_until(due) => Depth::Full,
                _ = changes.next() => Depth::Local,
            };
            let outcome = self.examine_again(session, depth).await;
            if depth == Depth::Full {
                due = self.next_check();
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

    async fn examine_again(&self, session: &Session, depth: Depth) -> Result<(), Denial> {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        let chain = session.peer_certificates();
        // Sessions wait most of the time, and keep nothing of this meanwhile.
        Box::pin(self.examine(&chain, depth, LIVE_OCSP_AGE)).await?;
        Ok(())
    }

    /// Sessions that came together do not stay together.
    fn next_check(&self) -> Timer {
        let spread = 0.75 + rand::random::<f64>() / 4.0;
        Timer::now() + self.rules.recheck.mul_f64(spread)
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
