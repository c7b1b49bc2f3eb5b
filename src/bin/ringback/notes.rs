//! Notes of what is open at peers, so that `ringback clean` can remove it after this program was killed.

use crate::output::tell;
use ringback::check::Journal;
use ringback::check::journal::LeftOpen;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Most open things that are listed.
const LISTED: usize = 20;

/// The journal of this run.
static JOURNAL: OnceLock<Arc<Journal>> = OnceLock::new();

/// Where journals are: `ringback` in XDG_STATE_HOME, which is ~/.local/state where it is not set.
pub(crate) fn folder() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = of("XDG_STATE_HOME").or_else(|| of("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("ringback"))
}

/// The journal of this run; none, and said, where there is no place for it.
pub(crate) fn journal() -> Option<Arc<Journal>> {
    let Some(folder) = folder() else {
        tell(
            "warning: neither XDG_STATE_HOME nor HOME is set: should this program be killed, `ringback clean` cannot remove what it leaves",
        );
        return None;
    };
    Some(Arc::clone(JOURNAL.get_or_init(|| Arc::new(Journal::in_folder(folder)))))
}

/// Says what is open now: what an end at once leaves.
pub(crate) fn tell_left() {
    let open = JOURNAL.get().map(|journal| journal.open()).unwrap_or_default();
    if open.is_empty() {
        return tell("stopped at once; nothing is left at the platform");
    }
    let calls = open.iter().filter(|left| matches!(left.open, LeftOpen::Call { .. })).count();
    let (bindings, calls) = (counted(open.len() - calls, "binding"), counted(calls, "call"));
    let mut text = format!("stopped at once; {bindings} and {calls} are left:");
    for left in open.iter().take(LISTED) {
        text.push_str(&format!("\n  {left}"));
    }
    if open.len() > LISTED {
        text.push_str(&format!("\n  and {} more", open.len() - LISTED));
    }
    text.push_str("\n`ringback clean` removes them");
    tell(&text);
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
