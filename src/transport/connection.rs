//! One stream connection: a task that frames what comes and writes what is queued, both with limits.

use super::Stream;
use crate::message::{Message, StreamDecoder, StreamItem};
use crate::syntax::{Limits, SyntaxError, SyntaxErrorKind};
use bytes::Bytes;
use futures_util::future::{Either, select};
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Bytes read at once.
const READ_SIZE: usize = 8 * 1_024;
/// Queued messages are joined to writes of about this many bytes.
const WRITE_SIZE: usize = 64 * 1_024;
/// Bytes kept of what is no message.
pub(crate) const MALFORMED_KEPT: usize = 4_096;
/// Time that the pong of a ping of ours may take (RFC 5626 sec. 4.4.1). A CRLF that comes later is none.
const PONG_WAIT: Duration = Duration::from_secs(10);
/// Time without a byte after which the beginning of a message is told: its rest may never come.
const PARTIAL_AFTER: Duration = Duration::from_secs(1);
/// How long answers may still be written after the peer has closed its side.
const LINGER: Duration = Duration::from_secs(5);
/// Time that the last messages and the end of the stream may take when we close.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// Messages that wait for the peer to read; at least 1.
    pub(crate) send_queue: usize,
    /// Silence after which we send a CRLF ping; only who opened a connection does (RFC 5626 sec. 4.4.1).
    pub(crate) keep_alive: Option<Duration>,
    /// Time without a message (or a ping of the peer's) after which the connection is closed.
    pub(crate) idle_timeout: Duration,
    /// Time that the first whole message may take, where a peer opened the connection.
    pub(crate) first_message_timeout: Option<Duration>,
}

/// An event of one connection.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) connection: u64,
    pub(crate) at: Instant,
    pub(crate) event: ConnectionEvent,
}

/// What a connection says. The last is always `Ended`.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    Message(Message),
    /// Bytes that are no message, cut to [`MALFORMED_KEPT`].
    Malformed {
        bytes: Bytes,
        /// How many there were.
        length: usize,
        error: SyntaxError,
    },
    /// A ping of the peer's.
    KeptAlive,
    /// The peer will send nothing more, but may still read.
    HalfClosed,
    Ended(End),
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Peer,
    Broken(String),
    Framing(SyntaxError),
    Idle(Duration),
    /// Nothing whole came in the time that a first message has.
    Mute(Duration),
    Stalled(Duration),
    Local,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Peer => f.write_str("closed by the peer"),
            End::Broken(error) => write!(f, "broken: {error}"),
            End::Framing(error) => write!(f, "closed by us: what came cannot be framed: {error}"),
            End::Idle(time) => write!(f, "closed by us: no message for {} s", time.as_secs()),
            End::Mute(time) => write!(f, "closed by us: no whole message in its first {} s", time.as_secs()),
            End::Stalled(time) => write!(f, "closed by us: the peer read nothing for {} s", time.as_secs()),
            End::Local => f.write_str("closed by us"),
        }
    }
}

/// What reader and writer of one connection share.
struct Pulse {
    /// A ping wants its pong; several at once get one.
    pong: Notify,
    times: Mutex<Times>,
}

#[derive(Clone, Copy)]
struct Times {
    /// The last byte in either direction.
    traffic: Instant,
    /// The last message in either direction, or ping of the peer's.
    message: Instant,
    /// Time at which we sent a ping that has no pong yet.
    pinged: Option<Instant>,
    /// A whole message came from the peer.
    has_spoken: bool,
}

impl Pulse {
    fn times(&self) -> Times {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// `None` when the pong is there.
    fn set_pinged(&self, pinged: Option<Instant>) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).pinged = pinged;
    }
    fn touch(&self, is_message: bool) {
        let now = Instant::now();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.traffic = now;
        if is_message {
            times.message = now;
        }
    }
    fn set_spoken(&self) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).has_spoken = true;
    }
}

/// Starts the task of a connection and gives its queue; the connection closes when the queue is dropped. `idle` is the time after which it is
/// closed, in place of that of the settings; its sender must not be dropped before the queue.
pub(crate) fn spawn(
    connection: u64,
    stream: Box<dyn Stream>,
    settings: Settings,
    idle: watch::Receiver<Duration>,
    events: mpsc::Sender<Carried>,
) -> mpsc::Sender<Bytes> {
    let (queue, queued) = mpsc::channel(settings.send_queue);
    tokio::spawn(async move {
        let end = run(connection, stream, settings, (queued, idle), &events).await;
        tracing::debug!(connection, %end, "connection ended");
        tell(&events, connection, ConnectionEvent::Ended(end)).await;
    });
    queue
}

/// Waits while the endpoint is busy: that is how one connection's flood slows only itself. False when there is no endpoint.
async fn tell(events: &mpsc::Sender<Carried>, connection: u64, event: ConnectionEvent) -> bool {
    events.send(Carried { connection, at: Instant::now(), event }).await.is_ok()
}

async fn run(
    connection: u64,
    stream: Box<dyn Stream>,
    settings: Settings,
    (queued, idle): (mpsc::Receiver<Bytes>, watch::Receiver<Duration>),
    events: &mpsc::Sender<Carried>,
) -> End {
    let now = Instant::now();
    let times = Times { traffic: now, message: now, pinged: None, has_spoken: false };
    let pulse = Pulse { pong: Notify::new(), times: Mutex::new(times) };
    let (reader, writer) = tokio::io::split(stream);
    let mut writing = pin!(write(writer, queued, idle, &settings, &pulse));
    let end = {
        let reading = pin!(read(connection, reader, &settings, &pulse, events));
        match select(writing.as_mut(), reading).await {
            Either::Left((end, _)) => return end,
            Either::Right((end, _)) => end,
        }
    };
    if end == End::Peer && tell(events, connection, ConnectionEvent::HalfClosed).await {
        // The peer may have closed only its own direction and still wait for answers.
        let _ = timeout(LINGER, writing).await;
    }
    end
}

async fn read(
    connection: u64,
    mut reader: impl AsyncRead + Unpin,
    settings: &Settings,
    pulse: &Pulse,
    events: &mpsc::Sender<Carried>,
) -> End {
    let mut decoder = StreamDecoder::new(settings.limits);
    let mut buffer = vec![0; READ_SIZE];
    let mut seen_ping = None;
    // Bytes of the beginning of a message that were told already, and when those behind them began to come.
    let mut told = 0;
    let mut since = None;
    loop {
        let pending = decoder.pending().len();
        let read = if pending > told {
            let due = *since.get_or_insert_with(Instant::now) + PARTIAL_AFTER;
            let Ok(read) = timeout_at(due, reader.read(&mut buffer)).await else {
                (told, since) = (pending, None);
                if !tell(events, connection, truncated(decoder.pending())).await {
                    return End::Local;
                }
                continue;
            };
            read
        } else {
            reader.read(&mut buffer).await
        };
        let read = match read {
            Ok(0) => {
                if pending > told {
                    tell(events, connection, truncated(decoder.pending())).await;
                }
                return End::Peer;
            }
            Ok(read) => read,
            Err(error) => return End::Broken(error.to_string()),
        };
        let pinged = pulse.times().pinged;
        if let Some(at) = pinged {
            if seen_ping != pinged {
                decoder.ping_sent();
            }
            if at.elapsed() >= PONG_WAIT {
                decoder.pong_missed();
            }
        }
        seen_ping = pinged;
        decoder.push(&buffer[..read]);
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(StreamItem::Message(message))) => {
                    (told, since) = (0, None);
                    pulse.touch(true);
                    pulse.set_spoken();
                    if !tell(events, connection, ConnectionEvent::Message(message)).await {
                        return End::Local;
                    }
                }
                Ok(Some(StreamItem::Malformed { bytes, error })) => {
                    (told, since) = (0, None);
                    if !tell(events, connection, malformed(&bytes, error)).await {
                        return End::Local;
                    }
                }
                Ok(Some(StreamItem::Ping)) => {
                    // Pings keep a connection alive for who opened it.
                    pulse.touch(settings.keep_alive.is_none());
                    pulse.pong.notify_one();
                    // Only who opened the connection waits for answers on it.
                    if settings.keep_alive.is_some()
                        && !tell(events, connection, ConnectionEvent::KeptAlive).await
                    {
                        return End::Local;
                    }
                }
                Ok(Some(StreamItem::Pong)) => {
                    pulse.set_pinged(None);
                    pulse.touch(false);
                }
                Err(error) => {
                    tell(events, connection, malformed(decoder.pending(), error)).await;
                    return End::Framing(error);
                }
            }
        }
    }
}

fn malformed(bytes: &[u8], error: SyntaxError) -> ConnectionEvent {
    let kept = Bytes::copy_from_slice(&bytes[..bytes.len().min(MALFORMED_KEPT)]);
    ConnectionEvent::Malformed { bytes: kept, length: bytes.len(), error }
}

/// The beginning of a message whose rest does not come.
fn truncated(pending: &[u8]) -> ConnectionEvent {
    malformed(pending, SyntaxError { kind: SyntaxErrorKind::Truncated, offset: pending.len() })
}

/// What the writer does next.
enum Next {
    Queued(Option<Bytes>),
    Pong,
    Look,
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut queued: mpsc::Receiver<Bytes>,
    mut idle: watch::Receiver<Duration>,
    settings: &Settings,
    pulse: &Pulse,
) -> End {
    let mut joined = Vec::new();
    let began = Instant::now();
    loop {
        let times = pulse.times();
        let idle_timeout = *idle.borrow_and_update();
        let idle_at = times.message + idle_timeout;
        let spoken_by = settings.first_message_timeout.filter(|_| !times.has_spoken).map(|time| began + time);
        let idle_at = spoken_by.map_or(idle_at, |at| at.min(idle_at));
        let ping_at = settings.keep_alive.map(|time| times.traffic + time);
        let next = {
            let mut pong = pin!(pulse.pong.notified());
            let mut changed = pin!(idle.changed());
            let mut look = pin!(sleep_until(ping_at.map_or(idle_at, |at| at.min(idle_at))));
            poll_fn(|cx| {
                if let Poll::Ready(bytes) = queued.poll_recv(cx) {
                    return Poll::Ready(Next::Queued(bytes));
                }
                if pong.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Next::Pong);
                }
                if changed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Next::Look);
                }
                look.as_mut().poll(cx).map(|()| Next::Look)
            })
            .await
        };
        let is_message = matches!(next, Next::Queued(_));
        let bytes: &[u8] = match next {
            Next::Queued(None) => {
                let _ = timeout(FAREWELL, writer.shutdown()).await;
                return End::Local;
            }
            Next::Queued(Some(first)) => {
                joined.clear();
                joined.extend_from_slice(&first);
                while joined.len() < WRITE_SIZE
                    && let Ok(more) = queued.try_recv()
                {
                    joined.extend_from_slice(&more);
                }
                &joined
            }
            Next::Pong => b"\r\n",
            Next::Look => {
                // Traffic since the sleep began moves both deadlines: look again at what is due now.
                let (now, times, idle_timeout) = (Instant::now(), pulse.times(), *idle.borrow());
                if now >= times.message + idle_timeout {
                    let _ = timeout(FAREWELL, writer.shutdown()).await;
                    return End::Idle(idle_timeout);
                }
                if let Some(time) = settings.first_message_timeout
                    && !times.has_spoken
                    && now >= began + time
                {
                    let _ = timeout(FAREWELL, writer.shutdown()).await;
                    return End::Mute(time);
                }
                match settings.keep_alive {
                    Some(time) if now >= times.traffic + time => {
                        // Before it is written: the pong may be there before we look again.
                        pulse.set_pinged(Some(now));
                        b"\r\n\r\n"
                    }
                    _ => continue,
                }
            }
        };
        match timeout(settings.idle_timeout, writer.write_all(bytes)).await {
            Ok(Ok(())) => pulse.touch(is_message),
            Ok(Err(error)) => return End::Broken(error.to_string()),
            Err(_) => return End::Stalled(settings.idle_timeout),
        }
        if joined.capacity() > 2 * WRITE_SIZE {
            joined = Vec::new();
        }
    }
}
