//! Messages out of a stream of bytes, under any chunking.
use super::Message;
use crate::syntax::{Limits, SyntaxError};

/// Collects bytes and gives messages.
#[derive(Debug)]
pub struct StreamDecoder {
    limits: Limits,
}

/// What a stream held.
#[derive(Debug)]
pub enum StreamItem {
    /// A message.
    Message(Message),
    /// A double CRLF; answered with one CRLF (RFC 5626 sec. 3.5.1).
    Ping,
    /// A single CRLF: the answer to a ping.
    Pong,
}

impl StreamDecoder {
    /// An empty decoder.
    pub fn new(limits: Limits) -> StreamDecoder {
        StreamDecoder { limits }
    }
    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        let _ = (bytes, self.limits);
        todo!()
    }
    /// The next whole item; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The stream cannot be framed any more; close the connection.
    pub fn next(&mut self) -> Result<Option<StreamItem>, SyntaxError> {
        todo!()
    }
    /// Bytes that are waiting for the rest of their message.
    pub fn pending(&self) -> &[u8] {
        todo!()
    }
}
