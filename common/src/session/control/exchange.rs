//! What a control loop and its handles tell each other: one lock and three notices, a few hundred bytes, because every
//! session has one.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, oneshot};

use super::Goaway;
use crate::wire::control::Message;

/// Pongs that may wait to be sent; a peer that does not read its answers waits for itself.
const PONGS: usize = 16;

/// Shared by a loop and its handles.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// There is something to send.
    work: Notify,
    /// There is room for another pong.
    room: Notify,
    /// The peer has said farewell.
    heard: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The loop has ended.
    over: bool,
    /// Ours, until it is sent. The peer's pings cannot fill its place.
    farewell: Option<Goaway>,
    /// The peer's last one.
    heard: Option<Goaway>,
    /// Who wants a ping sent.
    asking: VecDeque<oneshot::Sender<()>>,
    /// Who waits for which pong.
    waiting: Vec<(u64, oneshot::Sender<()>)>,
    /// The last ping's.
    nonce: u64,
    /// Pongs to send.
    owed: VecDeque<u64>,
}

impl Exchange {
    /// Has a ping sent; completes with its pong, and with an error when the loop has ended.
    pub(super) fn ask(&self) -> oneshot::Receiver<()> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.lock();
        if !state.over {
            // Whoever asked before may have run out of patience.
            state.asking.retain(|answer| !answer.is_closed());
            state.asking.push_back(answer);
            self.work.notify_one();
        }
        answered
    }

    /// Has our farewell sent, ahead of all else.
    pub(super) fn say_farewell(&self, goaway: Goaway) {
        self.lock().farewell = Some(goaway);
        self.work.notify_one();
    }

    /// Completes when the peer has said farewell.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn peer_goes_away(&self) -> Goaway {
        loop {
            let heard = self.heard.notified();
            if let Some(goaway) = &self.lock().heard {
                return goaway.clone();
            }
            heard.await;
        }
    }

    /// The peer has said farewell.
    pub(super) fn heard_farewell(&self, goaway: Goaway) {
        self.lock().heard = Some(goaway);
        self.heard.notify_waiters();
    }

    /// Has a ping of the peer answered; completes once there is room for that. For one caller at a time.
    ///
    /// # Cancel safety
    /// Cancel safe: the ping is then not answered.
    pub(super) async fn owe_pong(&self, nonce: u64) {
        loop {
            {
                let mut state = self.lock();
                if state.owed.len() < PONGS {
                    state.owed.push_back(nonce);
                    self.work.notify_one();
                    return;
                }
            }
            self.room.notified().await;
        }
    }

    /// The peer has answered a ping.
    pub(super) fn heard_pong(&self, nonce: u64) {
        let mut state = self.lock();
        if let Some(at) = state.waiting.iter().position(|(ping, _)| *ping == nonce) {
            let (_, answer) = state.waiting.swap_remove(at);
            // Whoever asked may have run out of patience.
            let _ = answer.send(());
        }
    }

    /// What to send next. For one caller at a time.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn next(&self) -> Message {
        loop {
            if let Some(message) = self.take() {
                return message;
            }
            self.work.notified().await;
        }
    }

    /// The loop has ended: nobody will be answered any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.over = true;
        state.asking = VecDeque::new();
        state.waiting = Vec::new();
    }

    fn take(&self) -> Option<Message> {
        let mut state = self.lock();
        if let Some(goaway) = state.farewell.take() {
            return Some(goaway.into());
        }
        if let Some(answer) = state.asking.pop_front() {
            return Some(state.ping(answer));
        }
        let nonce = state.owed.pop_front()?;
        self.room.notify_one();
        Some(Message::Pong { nonce })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ping(&mut self, answer: oneshot::Sender<()>) -> Message {
        self.waiting.retain(|(_, answer)| !answer.is_closed());
        self.nonce += 1;
        self.waiting.push((self.nonce, answer));
        Message::Ping { nonce: self.nonce }
    }
}

impl From<Goaway> for Message {
    fn from(goaway: Goaway) -> Self {
        Self::Goaway {
            reason: goaway.reason,
            reconnect_after_ms: u64::try_from(goaway.reconnect_after.as_millis())
                .unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
        time::Duration,
    };

    use super::*;

    /// What it completes with now.
    fn now<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn goaway(reason: &str) -> Goaway {
        Goaway {
            reason: reason.to_owned(),
            reconnect_after: Duration::ZERO,
        }
    }

    fn next(exchange: &Exchange) -> Option<Message> {
        now(pin!(exchange.next()))
    }

    #[test]
    fn who_pings_and_does_not_read_waits_for_itself() {
        let exchange = Exchange::default();
        let first = u64::try_from(PONGS).expect("few");
        for nonce in 0..first {
            assert_eq!(now(pin!(exchange.owe_pong(nonce))), Some(()));
        }
        let mut one_more = pin!(exchange.owe_pong(first));
        assert_eq!(now(one_more.as_mut()), None);
        assert_eq!(next(&exchange), Some(Message::Pong { nonce: 0 }));
        assert_eq!(now(one_more.as_mut()), Some(()));
        for nonce in 1..=first {
            assert_eq!(next(&exchange), Some(Message::Pong { nonce }));
        }
        assert_eq!(next(&exchange), None);
    }

    #[test]
    fn the_last_farewell_goes_first_and_our_pings_before_pongs() {
        let exchange = Exchange::default();
        assert_eq!(now(pin!(exchange.owe_pong(7))), Some(()));
        let answered = exchange.ask();
        exchange.say_farewell(goaway("first"));
        exchange.say_farewell(goaway("last"));
        assert_eq!(next(&exchange), Some(goaway("last").into()));
        assert_eq!(next(&exchange), Some(Message::Ping { nonce: 1 }));
        assert_eq!(next(&exchange), Some(Message::Pong { nonce: 7 }));
        exchange.heard_pong(2);
        exchange.heard_pong(1);
        assert_eq!(now(pin!(answered)), Some(Ok(())));
    }

    #[tokio::test]
    async fn a_wait_that_was_given_up_loses_nothing() {
        let exchange = Exchange::default();
        let mut waiting = Box::pin(exchange.next());
        assert_eq!(now(waiting.as_mut()), None);
        exchange.say_farewell(goaway("bye"));
        drop(waiting);
        assert_eq!(exchange.next().await, goaway("bye").into());
    }

    #[tokio::test]
    async fn everyone_hears_the_peers_farewell() {
        let exchange = Exchange::default();
        let mut early = [(); 2].map(|()| Box::pin(exchange.peer_goes_away()));
        for waits in &mut early {
            assert_eq!(now(waits.as_mut()), None);
        }
        exchange.heard_farewell(goaway("bye"));
        for waits in early {
            assert_eq!(waits.await, goaway("bye"));
        }
        assert_eq!(exchange.peer_goes_away().await, goaway("bye"));
    }
}
