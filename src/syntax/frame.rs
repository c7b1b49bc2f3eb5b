//! Where a message begins and ends, in a datagram and in a stream.
use super::SyntaxError;

/// Limits that keep a parse bounded; reaching one is an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a whole message; default 65,535.
    pub message_size: usize,
    /// Header lines; default 256.
    pub header_count: usize,
    /// Bytes of one header line, folds included; default 8,192.
    pub header_length: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { message_size: 65_535, header_count: 256, header_length: 8_192 }
    }
}

/// What stands at the start of a stream's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Not yet a whole message; read on.
    Incomplete,
    /// A keep-alive of RFC 5626 sec. 3.5.1 / stray CRLFs: this many bytes to drop. `ping` is true for a double CRLF that wants a CRLF back.
    KeepAlive {
        /// Bytes to drop.
        length: usize,
        /// A double CRLF, which is answered by one CRLF.
        ping: bool,
    },
    /// A whole message of this many bytes.
    Message {
        /// Bytes from the start of the buffer, body included.
        length: usize,
    },
}

/// Looks at the start of a stream's buffer (RFC 3261 sec. 18.3: Content-Length is mandatory on streams).
///
/// # Errors
/// When the stream cannot be framed any more: the connection has to be closed.
pub fn frame_stream(buffer: &[u8], limits: &Limits) -> Result<Framing, SyntaxError> {
    let _ = (buffer, limits);
    todo!()
}
