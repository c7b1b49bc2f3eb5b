//! Ctrl-C and SIGTERM: the first ends in order, the second at once.

use crate::output::tell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Was the program asked to end?
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Calls `stop` at the first signal; the second ends the program with status 130.
    pub(crate) fn watch(stop: impl FnOnce() + Send + 'static) -> Interrupt {
        let interrupt = Interrupt::default();
        let flag = Arc::clone(&interrupt.0);
        let first = signal();
        tokio::spawn(async move {
            first.await;
            let second = signal();
            flag.store(true, Ordering::Relaxed);
            tell("stopping: running checks remove what they bound; once more to quit at once");
            stop();
            second.await;
            std::process::exit(130);
        });
        interrupt
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits for one signal, and takes note of those that come from now on, not only once it is awaited. Where signals cannot be had, for ever:
/// the system then ends the program as it always does.
pub(crate) fn signal() -> impl Future<Output = ()> + Send {
    #[cfg(unix)]
    let came = {
        use tokio::signal::unix::{SignalKind, signal};
        let both = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        async move {
            let (Ok(mut interrupt), Ok(mut terminate)) = both else { return std::future::pending().await };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
    };
    #[cfg(not(unix))]
    let came = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    came
}
