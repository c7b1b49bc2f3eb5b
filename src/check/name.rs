//! The names of what is in an outcome.

use std::borrow::Cow;

/// The stable name of a check, step, finding, fact or metric: a literal where the check says it, owned where it was read back.
///
/// ```
/// use ringback::check::{Fact, Name};
/// let fact = Fact::new("transport", "tcp");
/// assert!(fact.name == "transport" && matches!(fact.name, Name::Borrowed(_)));
/// ```
pub type Name = Cow<'static, str>;
