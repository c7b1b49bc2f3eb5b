//! Messages out of a stream of bytes, under any chunking.
use super::Message;
use crate::syntax::{Limits, SyntaxError, frame_stream, head_end, message_length};
use bytes::{Buf, Bytes, BytesMut};

/// Collects bytes and gives messages.
///
/// Call [`next`](StreamDecoder::next) until it gives `None` after each [`push`](StreamDecoder::push): then no more than
/// [`Limits::message_size`] bytes and the last piece wait here. Each byte is looked at a fixed number of times, however small the pieces.
///
/// ```
/// use ringback::{message::{StreamDecoder, StreamItem}, syntax::Limits};
/// let mut decoder = StreamDecoder::new(Limits::default());
/// decoder.push(b"\r\n\r\nMESSAGE sip:h SIP/2.0\r\nContent-Le");
/// assert!(matches!(decoder.next()?, Some(StreamItem::Ping)));
/// assert!(decoder.next()?.is_none());
/// decoder.push(b"ngth: 2\r\n\r\nhi");
/// let Some(StreamItem::Message(message)) = decoder.next()? else { panic!("no message") };
/// assert_eq!(message.body(), b"hi");
/// # Ok::<(), ringback::syntax::SyntaxError>(())
/// ```
#[derive(Debug)]
pub struct StreamDecoder {
    limits: Limits,
    buffer: BytesMut,
    /// How much of the head at the start of the buffer has been searched for its end.
    searched: usize,
    /// The length of the message at the start of the buffer, once it is known.
    length: Option<usize>,
    /// A ping of ours waits for its pong.
    pong_due: bool,
    /// The bytes in front of the buffer were one CRLF and no pong; with another CRLF it makes a ping.
    half_ping: bool,
    failed: Option<SyntaxError>,
}

/// What a stream held.
#[derive(Debug)]
pub enum StreamItem {
    /// A message.
    Message(Message),
    /// Bytes whose end was plain and which are no message; the stream goes on behind them.
    Malformed {
        /// What came.
        bytes: Bytes,
        /// What is wrong with it.
        error: SyntaxError,
    },
    /// A double CRLF; answered with one CRLF (RFC 5626 sec. 3.5.1).
    Ping,
    /// The single CRLF that answers a ping of ours, see [`StreamDecoder::ping_sent`].
    Pong,
}

impl StreamDecoder {
    /// An empty decoder.
    pub fn new(limits: Limits) -> StreamDecoder {
        StreamDecoder {
            limits,
            buffer: BytesMut::new(),
            searched: 0,
            length: None,
            pong_due: false,
            half_ping: false,
            failed: None,
        }
    }
    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }
    /// A ping of ours goes out: the next CRLF between messages is its pong. Without one due, two CRLFs in a row are a ping, and one alone
    /// is nothing (RFC 3261 sec. 7.5 wants it ignored).
    ///
    /// Unless this is said, two pongs cannot be told from a ping, however far apart they come, and each pair of them would be answered.
    ///
    /// ```
    /// # use ringback::{message::{StreamDecoder, StreamItem}, syntax::Limits};
    /// # let mut decoder = StreamDecoder::new(Limits::default());
    /// for _ in 0..2 {
    ///     decoder.ping_sent();
    ///     decoder.push(b"\r\n");
    ///     assert!(matches!(decoder.next()?, Some(StreamItem::Pong)));
    /// }
    /// assert!(decoder.next()?.is_none());
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn ping_sent(&mut self) {
        // What stood alone until now was half of nothing.
        (self.pong_due, self.half_ping) = (true, false);
    }
    /// The pong has not come in its time, 10 s by RFC 5626 sec. 4.4.1, and is not waited for any more.
    pub fn pong_missed(&mut self) {
        self.pong_due = false;
    }
    /// The next whole item; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The stream cannot be framed any more; close the connection. The same error is given from then on.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<StreamItem>, SyntaxError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.advance().inspect_err(|&error| self.failed = Some(error))
    }

    fn advance(&mut self) -> Result<Option<StreamItem>, SyntaxError> {
        while self.searched == 0 {
            match *self.buffer {
                [b'\r', b'\n', ..] => {
                    self.buffer.advance(2);
                    if std::mem::take(&mut self.pong_due) {
                        return Ok(Some(StreamItem::Pong));
                    }
                    self.half_ping = !self.half_ping;
                    if !self.half_ping {
                        return Ok(Some(StreamItem::Ping));
                    }
                }
                [b'\n', ..] => self.buffer.advance(1),
                [] | [b'\r'] => return Ok(None),
                // Also a CR that begins no line end: left to the message, which it spoils.
                _ => break,
            }
        }
        let length = match self.length {
            Some(length) => length,
            None => {
                let Some(end) = head_end(&self.buffer, &mut self.searched) else {
                    // Not yet the whole head: only its length can be wrong.
                    return match self.buffer.len() > self.limits.message_size {
                        true => frame_stream(&self.buffer, &self.limits).map(|_| None),
                        false => Ok(None),
                    };
                };
                let length = message_length(&self.buffer, end, &self.limits)?;
                self.length = Some(length);
                length
            }
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        // A copy, so that a message does not keep the whole receive buffer alive.
        let bytes = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        self.searched = 0;
        self.length = None;
        self.half_ping = false;
        Ok(Some(match Message::parse(bytes.clone(), &self.limits) {
            Ok(message) => StreamItem::Message(message),
            Err(error) => StreamItem::Malformed { bytes, error },
        }))
    }

    /// Bytes that are waiting for the rest of their message.
    pub fn pending(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STREAM: &[u8] = b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc\r\nSIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n\r\n\r\nno message\r\nl: 1\r\n\r\nxBYE sip:b SIP/2.0\r\nl: 0\r\n\r\n";

    fn run(chunks: impl Iterator<Item = &'static [u8]>) -> (Vec<Vec<u8>>, usize) {
        let mut decoder = StreamDecoder::new(Limits::default());
        let (mut messages, mut pings) = (Vec::new(), 0);
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(item) = decoder.next().unwrap() {
                match item {
                    StreamItem::Message(m) => messages.push(m.as_bytes().to_vec()),
                    StreamItem::Malformed { bytes, .. } => messages.push(bytes.to_vec()),
                    StreamItem::Ping => pings += 1,
                    StreamItem::Pong => panic!("a pong without a ping"),
                }
            }
        }
        assert!(decoder.pending().is_empty());
        (messages, pings)
    }

    #[test]
    fn gives_the_same_under_every_chunking() {
        let whole = run(std::iter::once(STREAM));
        assert_eq!((whole.0.len(), whole.1), (4, 2));
        for size in 1..STREAM.len() {
            assert_eq!(run(STREAM.chunks(size)), whole, "{size}");
        }
        for at in 0..STREAM.len() {
            assert_eq!(run([&STREAM[..at], &STREAM[at..]].into_iter()), whole, "{at}");
        }
    }

    /// `P` pushes a CRLF, `?` says that we pinged, `!` that its time is over, `m` pushes a message; what comes of it.
    fn keep_alives(script: &str) -> String {
        let mut decoder = StreamDecoder::new(Limits::default());
        let mut seen = String::new();
        for step in script.chars() {
            match step {
                'P' => decoder.push(b"\r\n"),
                'm' => decoder.push(b"BYE sip:b SIP/2.0\r\nl: 0\r\n\r\n"),
                '?' => decoder.ping_sent(),
                _ => decoder.pong_missed(),
            }
            while let Some(item) = decoder.next().unwrap() {
                seen.push(match item {
                    StreamItem::Ping => 'i',
                    StreamItem::Pong => 'o',
                    _ => 'm',
                });
            }
        }
        seen
    }

    #[test]
    fn a_crlf_is_a_pong_when_one_is_due_and_two_others_are_a_ping() {
        for (script, wanted) in [
            ("PP", "i"),
            ("PPP", "i"),
            ("PPPP", "ii"),
            ("PmP", "m"),
            ("PmPP", "mi"),
            // Each ping of ours has its pong: no two of them make a ping.
            ("?P?P?P", "ooo"),
            ("?PPP", "oi"),
            ("?PmP", "om"),
            ("?m?P", "mo"),
            // Late pongs are none, and no two of them a ping, because we pinged in between.
            ("?!P?!P?!P", ""),
            // Said twice it is still one.
            ("??PP", "o"),
            // A peer that answers no pings still has its own answered.
            ("?!?!PP", "i"),
            ("P?PP", "o"),
        ] {
            assert_eq!(keep_alives(script), wanted, "{script}");
        }
    }

    #[test]
    fn fails_once_and_stays_failed() {
        let mut decoder = StreamDecoder::new(Limits { message_size: 100, ..Limits::default() });
        decoder.push(&[b'x'; 101]);
        let error = decoder.next().unwrap_err();
        decoder.push(STREAM);
        assert_eq!(decoder.next().unwrap_err(), error);
        let mut decoder = StreamDecoder::new(Limits::default());
        decoder.push(b"OPTIONS sip:a SIP/2.0\r\n\r\n");
        assert!(decoder.next().is_err());
    }
}
