//! Outcomes as text.
use super::Outcome;
use std::fmt;
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.verdict, self.subject, self.summary)
    }
}
