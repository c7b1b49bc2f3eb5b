//! Writes messages: strict, so that nothing leaves that we would refuse.
use super::Message;
use crate::syntax::{HeaderName, Method, SyntaxError};

/// Builds one message; headers stand in the order in which they are added, Content-Length last and by itself.
#[derive(Debug, Clone)]
pub struct Builder {
    text: Vec<u8>,
}

/// Why a message could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A value holds a line break or another character that must not stand in it.
    #[error("bad value for {0}")]
    Value(String),
    /// What came out is no message.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

impl Builder {
    /// A request. Via is left to the transaction's owner ([`Message::with_top_via`]).
    pub fn request(method: Method<'_>, uri: impl AsRef<[u8]>) -> Builder {
        let _ = (method, uri);
        Builder { text: Vec::new() }
    }
    /// A response to `request`: its Vias, From, To, Call-ID and CSeq copied (RFC 3261 sec. 8.2.6.2); `to_tag` is added to To when it has none.
    pub fn response(request: &Message, status: u16, reason: &str, to_tag: Option<&str>) -> Builder {
        let _ = (request, status, reason, to_tag);
        Builder { text: Vec::new() }
    }
    /// Adds a header.
    #[must_use]
    pub fn header(self, name: HeaderName, value: impl AsRef<[u8]>) -> Builder {
        let _ = (name, value, &self.text);
        self
    }
    /// Adds a header by its text.
    #[must_use]
    pub fn header_named(self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        let _ = (name, value);
        self
    }
    /// Sets the body.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl AsRef<[u8]>) -> Builder {
        let _ = (content_type, body);
        self
    }
    /// The message.
    ///
    /// # Errors
    /// A value that cannot stand in a message.
    pub fn build(self) -> Result<Message, BuildError> {
        todo!()
    }
}
