//! One listener, for ever: dial, serve, back off, dial again.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    backoff::Backoff,
    session::{Closed, control::Goaway},
    trouble::{Say, Trouble},
    wire::close::{CloseCode, Reaction},
};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info, info_span, warn};

use crate::{
    config::ListenerAddress,
    daemon::Context,
    dial::{self, Dialled},
    handover::{self, Current},
    link::{Ended, Link},
    material::Material,
};

/// The first wait is at most this long.
const BACKOFF_BASE: Duration = Duration::from_millis(500);
/// Every wait is at most this long.
const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// A listener that [refuses](is_refusal) the session before this time did not want it, and the backoff goes on; any other
/// end starts it anew.
const SUCCESS: Duration = Duration::from_secs(10);

/// With so many sessions that still finish their streams, the next goodbye is of a listener that does nothing else.
const MOST_LEFT: usize = 8;

/// How much longer than its streams a session may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Holds a session to one listener.
struct Client {
    listener: ListenerAddress,
    context: Arc<Context>,
    backoff: Backoff,
    trouble: Trouble,
    /// Sessions whose listener has said goodbye, or which have handed over, and which finish their streams.
    draining: JoinSet<()>,
    /// What the next session is dialled with.
    materials: watch::Receiver<Option<Arc<Material>>>,
}

/// A session that is being served.
struct Serving {
    task: JoinSet<Ended>,
    goaway: Pin<Box<dyn Future<Output = Goaway> + Send>>,
    handed_over: CancellationToken,
    current: Current,
    began: Instant,
}

/// Holds a session to the listener until the connector stops.
pub(crate) async fn run(listener: ListenerAddress, context: Arc<Context>) {
    let span = info_span!("listener", address = %listener.address);
    let mut client = Client {
        listener,
        materials: context.material.clone(),
        context,
        backoff: Backoff::new(BACKOFF_BASE, BACKOFF_CAP),
        trouble: Trouble::default(),
        draining: JoinSet::new(),
    };
    client.run().instrument(span).await;
}

impl Client {
    async fn run(&mut self) {
        while !self.context.shutdown.is_draining() {
            let wait = self.once().await;
            while self.draining.try_join_next().is_some() {}
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.context.shutdown.draining() => {}
                // With other files it may succeed at once.
                Ok(()) = self.materials.changed() => {}
            }
        }
        while self.draining.join_next().await.is_some() {}
    }

    /// Dials once, and serves if that succeeds: how long to wait before the next time.
    async fn once(&mut self) -> Duration {
        let context = self.context.clone();
        let Some(material) = self.materials.borrow_and_update().clone() else {
            return BACKOFF_CAP;
        };
        let dialled = tokio::select! {
            dialled = dial::dial(&self.listener, &context.config, &material, None) => dialled,
            () = context.shutdown.draining() => return Duration::ZERO,
        };
        match dialled {
            Ok(dialled) => self.serve(dialled, &material).await,
            Err(error) => self.failed(&error.to_string(), error.reaction()),
        }
    }

    /// Serves a session, and those that take over from it, until one has ended.
    async fn serve(&mut self, dialled: Dialled, material: &Material) -> Duration {
        let wait = self.serve_all(dialled, material).await;
        // Files that came meanwhile are no reason to dial sooner: a session was there to try them.
        self.materials.mark_unchanged();
        wait
    }

    async fn serve_all(&mut self, dialled: Dialled, material: &Material) -> Duration {
        self.announce(&dialled);
        let mut serving = self.begin(dialled, material);
        loop {
            let Serving {
                task,
                goaway,
                current,
                began,
                ..
            } = &mut serving;
            let successor =
                handover::successor(current.clone(), self.listener.clone(), self.context.clone());
            let (dialled, material) = tokio::select! {
                biased;
                Some(ended) = task.join_next() => return self.ended(ended, began.elapsed()),
                successor = successor => successor,
                goaway = goaway => return self.leave(goaway, serving.task),
            };
            info!("the session with the new certificate takes over");
            self.announce(&dialled);
            let next = self.begin(dialled, &material);
            self.retire(std::mem::replace(&mut serving, next));
        }
    }

    fn begin(&self, dialled: Dialled, material: &Material) -> Serving {
        let current = Current::new(&dialled, material);
        let link = Link::new(dialled);
        let (goaway, handed_over) = (Box::pin(link.goaway()), link.handed_over());
        let mut task = JoinSet::new();
        task.spawn(link.run(self.context.clone()).in_current_span());
        Serving {
            task,
            goaway,
            handed_over,
            current,
            began: Instant::now(),
        }
    }

    /// The session has a successor. Its streams end by themselves, whenever that is.
    fn retire(&mut self, old: Serving) {
        while self.draining.try_join_next().is_some() {}
        old.handed_over.cancel();
        let mut task = old.task;
        let finishing = async move {
            if let Some(Ok(ended)) = task.join_next().await {
                debug!(cause = %ended.closed, "the session with the old certificate has ended");
                ended.streams.wait().await;
            }
        };
        self.draining.spawn(finishing.in_current_span());
    }

    /// The listener drains, which is no refusal however young the session: it finishes its streams while we look for a
    /// new one.
    fn leave(&mut self, goaway: Goaway, mut task: JoinSet<Ended>) -> Duration {
        while self.draining.try_join_next().is_some() {}
        self.backoff.reset();
        let left = self.draining.len();
        let wait = pause(goaway.reconnect_after, left, rand::random::<f64>());
        info!(reason = ?goaway.reason, retry_in = ?wait, "the listener drains: looking for a new session");
        let limit = self.context.config.drain_timeout + FAREWELL;
        self.draining.spawn(async move {
            // Dropping the task at the end of its time ends the session.
            if let Ok(Some(Ok(ended))) = timeout(limit, task.join_next()).await {
                ended.streams.wait().await;
            }
        });
        wait
    }

    fn ended(&mut self, ended: Result<Ended, JoinError>, lasted: Duration) -> Duration {
        let Ended { closed, streams } = match ended {
            Ok(ended) => ended,
            Err(error) => return self.failed(&error.to_string(), Reaction::Retry),
        };
        self.draining.spawn(async move { streams.wait().await });
        if !is_refusal(&closed) || lasted >= SUCCESS {
            self.backoff.reset();
        }
        if self.context.shutdown.is_draining() {
            return Duration::ZERO;
        }
        self.failed(&format!("session lost: {closed}"), closed.reaction())
    }

    fn announce(&mut self, dialled: &Dialled) {
        let peer = dialled.session.peer_address();
        match &dialled.control {
            Some((_, _, welcome)) => {
                info!(
                    %peer, uid = %welcome.uid, session = %welcome.session, listener_version = ?welcome.software,
                    "session established"
                );
            }
            None => info!(%peer, "session established with protocol 1"),
        }
        if let Some((lasted, tries)) = self.trouble.over(Instant::now()) {
            info!(?lasted, tries, "the outage is over");
        }
    }

    fn failed(&mut self, cause: &str, reaction: Reaction) -> Duration {
        let draw = rand::random::<f64>();
        let wait = match reaction {
            Reaction::RetryAtOnce => self.backoff.next(draw).min(BACKOFF_BASE),
            Reaction::Retry => self.backoff.next(draw),
            Reaction::RetrySlowly => BACKOFF_CAP.mul_f64(0.5 + draw / 2.0),
        };
        match self.trouble.failed(cause, Instant::now()) {
            Say::Full => {
                warn!(cause = ?cause, retry_in = ?wait, "no session; trying on (sw_connector doctor shows where it fails)");
            }
            Say::Still(lasted, tries) => {
                warn!(cause = ?cause, ?lasted, tries, retry_in = ?wait, "still no session; trying on");
            }
            Say::Nothing => {}
        }
        wait
    }
}

/// How long to wait after a goodbye that asked for a time, with so many sessions `left` that finish their streams. `draw`
/// is uniform in 0..1.
fn pause(asked: Duration, left: usize, draw: f64) -> Duration {
    let least = if left < MOST_LEFT {
        BACKOFF_BASE
    } else {
        BACKOFF_CAP / 2
    };
    let wait = asked.clamp(least, BACKOFF_CAP).mul_f64(0.5 + draw);
    wait.min(BACKOFF_CAP)
}

/// Whether the listener has closed a session for another reason than that it stops itself.
fn is_refusal(closed: &Closed) -> bool {
    match closed {
        Closed::ByPeer { code, .. } => *code != CloseCode::Draining,
        Closed::ByPeerUnknown { .. } => true,
        Closed::Refused
        | Closed::Locally
        | Closed::TimedOut
        | Closed::Forgotten
        | Closed::Tls(_)
        | Closed::Transport(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_is_followed_when_it_asks_but_not_in_a_hot_loop() {
        let seconds = Duration::from_secs;
        assert_eq!(pause(seconds(4), 0, 0.5), seconds(4));
        assert_eq!(pause(Duration::ZERO, 0, 0.0), BACKOFF_BASE / 2);
        assert_eq!(pause(Duration::MAX, 0, 1.0), BACKOFF_CAP);
        assert_eq!(pause(Duration::ZERO, MOST_LEFT, 0.5), BACKOFF_CAP / 2);
    }

    #[test]
    fn a_listener_that_stops_has_refused_nobody() {
        let closed = |code| Closed::ByPeer { code, detail: None };
        assert!(!is_refusal(&closed(CloseCode::Draining)));
        assert!(!is_refusal(&Closed::TimedOut));
        assert!(is_refusal(&closed(CloseCode::Kicked)));
        let unknown = Closed::ByPeerUnknown {
            number: 0,
            reason: String::new(),
        };
        assert!(is_refusal(&unknown));
    }
}
