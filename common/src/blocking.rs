//! Work that waits for a file system, away from the threads that must not wait.

use tokio::task::spawn_blocking;

/// Runs it in a thread of its own. Whoever gives up waiting does not end it.
///
/// # Panics
/// When the work does: the trouble is the caller's as if it had run in its place.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Cancelled: the runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
