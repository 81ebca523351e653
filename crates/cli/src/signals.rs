//! What a signal does: a command that has something to write before it ends waits for it, and the first process of a container
//! ends by it.
//!
//! The kernel gives the process with the id 1 no default action: a `SIGTERM` that it does not handle is ignored, and the
//! container is killed when the orchestrator's patience is over. So for that process the default is made here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
#[cfg(feature = "lakehouse")]
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

#[cfg(feature = "lakehouse")]
use crate::failure::{Failure, Outcome};

/// A command that may have something to write before it ends ends by itself within this, or is ended.
pub(crate) const GRACE: Duration = Duration::from_secs(15);

/// The command finishes what it has begun, and then ends by itself.
static HANDLED: AtomicBool = AtomicBool::new(false);

/// Says that this command ends by itself when it is asked to.
pub(crate) fn are_handled() {
    HANDLED.store(true, Ordering::Relaxed);
}

/// Listens for some signals when it returns; waits for the first that comes, and says which.
#[cfg(feature = "lakehouse")]
pub(crate) fn told_to_stop(kinds: &[SignalKind]) -> Outcome<impl Future<Output = SignalKind> + use<>> {
    let listen = |kind: &SignalKind| {
        let listening = signal(*kind).map_err(|e| Failure::unexpected("listening for signals", e));
        listening.map(|listening| (*kind, listening))
    };
    let mut listening = kinds.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
    Ok(std::future::poll_fn(move |context| {
        for (kind, signal) in &mut listening {
            if signal.poll_recv(context).is_ready() {
                return Poll::Ready(*kind);
            }
        }
        Poll::Pending
    }))
}

/// Ends the process by `SIGTERM` and `SIGINT` if it is the first one, unless the command does so itself. On a thread of its
/// own: a runtime whose threads are all busy would not come to it. It listens when this returns.
pub(crate) fn end_the_first_process(grace: Duration) {
    if std::process::id() != 1 {
        return;
    }
    let (not_yet, listening) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(end_when_asked(grace, not_yet));
        }
    });
    // A signal that came before would be ignored. Nothing is ever sent: the other end is dropped.
    let _ = listening.recv();
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the kernel does to any other process"
)]
async fn end_when_asked(grace: Duration, not_yet: mpsc::Sender<()>) {
    let listen = |kind| signal(kind).ok();
    let (Some(mut terminate), Some(mut interrupt)) =
        (listen(SignalKind::terminate()), listen(SignalKind::interrupt()))
    else {
        return;
    };
    drop(not_yet);
    let number = tokio::select! {
        _ = terminate.recv() => SignalKind::terminate(),
        _ = interrupt.recv() => SignalKind::interrupt(),
    }
    .as_raw_value();
    if HANDLED.load(Ordering::Relaxed) {
        return;
    }
    tokio::time::sleep(grace).await;
    std::process::exit(128 + number);
}
