//! What the machine can do at best: a copy, a scan for line ends and colons, and the parser of another protocol.

use crate::Input;
use std::hint::black_box;

/// The same headers behind a start line of HTTP.
pub fn as_http(sip: &[u8]) -> Vec<u8> {
    let end = sip.windows(2).position(|two| two == b"\r\n").expect("a start line");
    let start: &[u8] = match sip.starts_with(b"SIP/") {
        true => b"HTTP/1.1 200 OK",
        false => b"POST /some/where/of/this/length HTTP/1.1",
    };
    [start, &sip[end..]].concat()
}

pub fn copy(input: &Input) -> Result<usize, String> {
    let mut room = input.room.borrow_mut();
    room.copy_from_slice(&input.sip);
    black_box(&room);
    Ok(0)
}

/// LF by memchr, then ':' by memchr in the line, into slots; until the empty line.
pub fn memchr_pass(input: &Input) -> Result<usize, String> {
    let text = &input.sip[..];
    let mut slots = [(0_u32, 0_u32, 0_u32); 64];
    let (mut at, mut count) = (0, 0);
    while let Some(length) = memchr::memchr(b'\n', &text[at..]) {
        if length <= 1 {
            break;
        }
        let colon = memchr::memchr(b':', &text[at..at + length]).unwrap_or(0);
        slots[count & 63] = (at as u32, colon as u32, length as u32);
        count += 1;
        at += length + 1;
    }
    black_box(&slots);
    Ok(0)
}

pub fn http(input: &Input) -> Result<usize, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let complete = if input.http.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut headers);
        let status = response.parse(&input.http).map_err(|e| e.to_string())?;
        black_box(&response);
        status
    } else {
        let mut request = httparse::Request::new(&mut headers);
        let status = request.parse(&input.http).map_err(|e| e.to_string())?;
        black_box(&request);
        status
    };
    if complete.is_complete() { Ok(0) } else { Err("incomplete".to_owned()) }
}
