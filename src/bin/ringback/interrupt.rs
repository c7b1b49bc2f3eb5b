//! Ctrl-C, SIGTERM and SIGHUP (a lost terminal): the first ends in order, the second at once, and says what is left.

use crate::notes;
use crate::output::tell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Was the program asked to end?
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Calls `stop` with the name of the first signal; the second ends the program with status 130.
    pub(crate) fn watch(stop: impl FnOnce(&'static str) + Send + 'static) -> Interrupt {
        let interrupt = Interrupt::default();
        let flag = Arc::clone(&interrupt.0);
        let first = signal();
        tokio::spawn(async move {
            let by = first.await;
            let second = signal();
            flag.store(true, Ordering::Relaxed);
            tell("stopping: running checks hang up and remove their bindings; Ctrl-C again quits at once");
            stop(by);
            second.await;
            notes::tell_left();
            std::process::exit(130);
        });
        interrupt
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Was the program started so that the loss of its terminal means nothing to it (`nohup`)? Where that cannot be told: no.
#[cfg(unix)]
fn is_nohup() -> bool {
    static STARTED_SO: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *STARTED_SO.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        // Signal 1 is the lowest bit.
        ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    })
}

/// Waits for one signal and names it, and takes note of those that come from now on, not only once it is awaited. Where signals cannot be had, for ever:
/// the system then ends the program as it always does.
pub(crate) fn signal() -> impl Future<Output = &'static str> + Send {
    #[cfg(unix)]
    let came = {
        use tokio::signal::unix::{SignalKind, signal};
        // Before the handlers are there: with them nothing is ignored any more.
        let nohup = is_nohup();
        let all =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        async move {
            let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = all else {
                return std::future::pending().await;
            };
            tokio::select! {
                _ = interrupt.recv() => "Ctrl-C",
                _ = terminate.recv() => "SIGTERM",
                _ = hangup.recv(), if !nohup => "SIGHUP (the terminal was lost)",
            }
        }
    };
    #[cfg(not(unix))]
    let came = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
        "Ctrl-C"
    };
    came
}
