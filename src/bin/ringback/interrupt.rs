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
        tokio::spawn(async move {
            signal().await;
            flag.store(true, Ordering::Relaxed);
            tell("stopping: running checks remove what they bound; once more to quit at once");
            stop();
            signal().await;
            std::process::exit(130);
        });
        interrupt
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits for one signal. Where signals cannot be had, for ever: the system then ends the program as it always does.
pub(crate) async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_ok() {
        return;
    }
    std::future::pending().await
}
