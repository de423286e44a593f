//! One session to a listener: its control stream and its streams, until it ends.

use std::{pin::pin, sync::Arc, time::Duration};

use common::{
    session::{
        Closed, Session,
        control::{ControlHandle, ControlLoop, Goaway},
    },
    wire::close::CloseCode,
};
use quinn::Endpoint;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{config::Config, daemon::Context, dial::Dialled, serve};

/// How long the listener has to hear that we are gone.
const FAREWELL: Duration = Duration::from_secs(2);

/// A session that is being served.
pub(crate) struct Link {
    session: Session,
    endpoint: Endpoint,
    control: Option<ControlHandle>,
    task: Option<ControlLoop>,
    handed_over: CancellationToken,
}

/// A session that has ended.
pub(crate) struct Ended {
    pub(crate) closed: Closed,
    /// Streams that hand on what the session had delivered; they end by themselves.
    pub(crate) streams: TaskTracker,
}

impl Link {
    /// Takes over what was dialled.
    pub(crate) fn new(dialled: Dialled) -> Self {
        let control = dialled
            .control
            .map(|(send, recv, _)| ControlLoop::new(send, recv, &dialled.session));
        let (task, control) = control.unzip();
        Self {
            session: dialled.session,
            endpoint: dialled.endpoint,
            control,
            task,
            handed_over: CancellationToken::new(),
        }
    }

    /// Hears the listener's `goaway`; a handle for the time in which [`Self::run`] has the link.
    pub(crate) fn goaway(&self) -> impl Future<Output = Goaway> + Send + use<> {
        let control = self.control.clone();
        async move {
            match control {
                Some(control) => control.peer_goes_away().await,
                None => std::future::pending().await,
            }
        }
    }

    /// To be cancelled when another session has taken over: this one then ends with its last stream.
    pub(crate) fn handed_over(&self) -> CancellationToken {
        self.handed_over.clone()
    }

    /// Serves until the session has ended, or we have drained.
    pub(crate) async fn run(mut self, context: Arc<Context>) -> Ended {
        let streams = TaskTracker::new();
        let cut = CancellationToken::new();
        let task = self.task.take();
        // It lives as long as the session: dropping it resets the control stream, which looks like a fault over there.
        let mut control = pin!(async {
            match task {
                Some(task) => task.run().await,
                None => match self.session.carry_spares().await {},
            }
        });
        let closed = tokio::select! {
            closed = self.session.closed() => closed,
            error = &mut control => {
                if error.is_protocol_error() {
                    warn!(%error, "closing the session");
                    self.session.close(CloseCode::ProtocolError);
                }
                self.session.closed().await
            }
            closed = self.take_streams(&streams, &cut, &context) => closed,
            () = self.drain(&streams, &context) => Closed::Locally,
            () = self.finish(&streams) => Closed::Locally,
        };
        streams.close();
        if closed == Closed::Locally {
            cut.cancel();
            streams.wait().await;
            self.session.close(CloseCode::Closed);
            // It fails only when the listener is not there to hear it.
            let _ = timeout(FAREWELL, self.endpoint.wait_idle()).await;
        }
        Ended { closed, streams }
    }

    async fn take_streams(
        &self,
        streams: &TaskTracker,
        cut: &CancellationToken,
        context: &Arc<Context>,
    ) -> Closed {
        let protocol = self.session.protocol();
        loop {
            match self.session.accept_stream().await {
                Ok((send, recv)) => {
                    let (context, cut) = (context.clone(), cut.clone());
                    streams.spawn(async move {
                        serve::run(send, recv, protocol, &context, cut).await;
                    });
                    self.session.make_room(streams.len());
                }
                Err(closed) => return closed,
            }
        }
    }

    /// Completes when another session has taken over and all streams of this one have ended, however long they take.
    async fn finish(&self, streams: &TaskTracker) {
        self.handed_over.cancelled().await;
        let Some(control) = &self.control else {
            return std::future::pending().await;
        };
        control.goaway(Goaway {
            reason: "another session of this connector has taken over".to_owned(),
            reconnect_after: Duration::ZERO,
        });
        // The listener's answer: it opens no more streams on this session, because all that it has opened have ended.
        control.peer_goes_away().await;
        streams.close();
        streams.wait().await;
    }

    /// Completes when we are stopping and our streams have ended, or their time is up.
    async fn drain(&self, streams: &TaskTracker, context: &Context) {
        context.shutdown.draining().await;
        if let Some(control) = &self.control {
            let goaway = Goaway {
                reason: "the connector is stopping".to_owned(),
                reconnect_after: Duration::ZERO,
            };
            control.goaway(goaway);
            // With the answer the listener has closed our ports, or is about to.
            control.ping(FAREWELL).await;
        }
        let Config { drain_timeout, .. } = context.config;
        streams.close();
        tokio::select! {
            () = streams.wait() => info!("all streams have ended"),
            () = tokio::time::sleep(drain_timeout) => {
                warn!(?drain_timeout, "drain timeout: cutting the streams that are left");
            }
            () = context.shutdown.ended() => {}
        }
    }
}
