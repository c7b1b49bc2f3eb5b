//! How far many checks are: a bar on a terminal, a line now and then elsewhere.

use crate::output::tell;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ringback::check::Verdict;
use ringback::report::Tally;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::Instant;

/// Time between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(5);

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    tally: Tally,
    began: Instant,
    last_line: Instant,
}

impl Progress {
    pub(crate) fn new(total: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        Progress { bar, total, tally: Tally::default(), began: now, last_line: now }
    }

    pub(crate) fn add(&mut self, verdict: Verdict) {
        self.tally.add(verdict);
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!(
                    "{:.1}/s, {} not passed",
                    self.rate(),
                    self.tally.total() - self.tally.pass
                ));
                bar.inc(1);
            }
            None if self.last_line.elapsed() >= LINES => {
                self.last_line = Instant::now();
                tell(&format!(
                    "{} of {}, {:.1} a second; {}",
                    self.tally.total(),
                    self.total,
                    self.rate(),
                    self.tally
                ));
            }
            None => {}
        }
    }

    /// Checks that were asked, a second.
    fn rate(&self) -> f64 {
        (self.tally.total() - self.tally.not_run) as f64 / self.began.elapsed().as_secs_f64().max(0.001)
    }

    /// Takes the bar away; the tally, and what stands behind it in the last line of a report.
    pub(crate) fn finish(self) -> (Tally, String) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let asked = self.tally.total() - self.tally.not_run;
        (self.tally, closing(asked, self.began.elapsed(), self.rate()))
    }
}

/// Checks that say nothing of a rate, few as they are.
const FEW: u64 = 10;

fn closing(asked: u64, time: Duration, rate: f64) -> String {
    let rate = if asked < FEW { String::new() } else { format!(", {rate:.1} a second") };
    format!("; {asked} asked in {:.1} s{rate}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_of_many() {
        let second = Duration::from_secs(1);
        assert_eq!(closing(1, second, 359.3), "; 1 asked in 1.0 s");
        assert_eq!(closing(50, second, 50.0), "; 50 asked in 1.0 s, 50.0 a second");
    }
}
