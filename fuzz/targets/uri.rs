//! URIs by themselves: parts that make up the whole, and equality by RFC 3261 sec. 19.1.4.
//!
//! A line feed parts two URIs, which are compared; the second may be missing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringback::syntax::{Host, NameAddr, Scheme, Tel, Uri, unescape};

fn host_text(host: Host<'_>) -> Vec<u8> {
    match host {
        Host::Name(name) => name.to_vec(),
        Host::V4(address) => address.to_string().into_bytes(),
        Host::V6(address) => format!("[{address}]").into_bytes(),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The URI put together again from its parts.
fn assembled(uri: &Uri<'_>) -> Option<Vec<u8>> {
    let scheme = match uri.scheme() {
        Scheme::Sip => &b"sip:"[..],
        Scheme::Sips => b"sips:",
        Scheme::Tel => return Some([b"tel:", uri.user()?, uri.params().as_bytes()].concat()),
        _ => return None,
    };
    let mut text = scheme.to_vec();
    if let Some(user) = uri.user() {
        text.extend_from_slice(user);
        if let Some(password) = uri.password() {
            text.extend([b":", password].concat());
        }
        text.push(b'@');
    }
    text.extend(host_text(uri.host()?));
    if let Some(port) = uri.port() {
        text.extend_from_slice(format!(":{port}").as_bytes());
    }
    text.extend_from_slice(uri.params().as_bytes());
    if !uri.headers().is_empty() {
        text.extend([b"?", uri.headers()].concat());
    }
    Some(text)
}

/// The same URI by sec. 19.1.4: scheme, host and parameters in capitals, a letter of the user escaped, parameters and headers turned round.
fn written_otherwise(uri: &Uri<'_>) -> Option<Vec<u8>> {
    let mut text = match uri.scheme() {
        Scheme::Sip => b"SIP:".to_vec(),
        Scheme::Sips => b"Sips:".to_vec(),
        _ => return None,
    };
    if let Some(user) = uri.user() {
        match user.split_first() {
            Some((first, rest)) if first.is_ascii_alphanumeric() => {
                text.extend_from_slice(format!("%{first:02X}").as_bytes());
                text.extend_from_slice(rest);
            }
            _ => text.extend_from_slice(user),
        }
        if let Some(password) = uri.password() {
            text.extend([b":", password].concat());
        }
        text.push(b'@');
    }
    text.extend(host_text(uri.host()?).to_ascii_uppercase());
    if let Some(port) = uri.port() {
        text.extend_from_slice(format!(":{port:05}").as_bytes());
    }
    let mut params: Vec<_> = uri.params().iter().collect();
    if params.len() <= 32 {
        params.reverse();
    }
    for param in params {
        text.extend([b";", &*param.name.to_ascii_uppercase()].concat());
        if let Some(value) = param.value {
            text.extend([b"=", &*value.to_ascii_lowercase()].concat());
        }
    }
    let mut headers: Vec<_> = uri.headers().split(|&b| b == b'&').filter(|field| !field.is_empty()).collect();
    if headers.len() <= 32 {
        headers.reverse();
        if !headers.is_empty() {
            text.extend([b"?", &*headers.join(&b'&')].concat());
        }
    } else {
        text.extend([b"?", uri.headers()].concat());
    }
    Some(text)
}

fn look_at(uri: &Uri<'_>) {
    let text = uri.as_bytes();
    assert!(uri.is_equivalent(uri));
    assert!(uri.params().iter().count() <= text.len() && uri.header_fields().count() <= text.len());
    for part in [uri.user(), uri.password()].into_iter().flatten() {
        assert!(unescape(part).len() <= part.len());
    }
    if let Some(assembled) = assembled(uri) {
        let again = Uri::parse(&assembled).expect("the parts make a URI");
        assert!(again.is_equivalent(uri) && uri.is_equivalent(&again));
        assert_eq!(
            (again.user(), again.password(), again.host(), again.port(), again.headers()),
            (uri.user(), uri.password(), uri.host(), uri.port(), uri.headers())
        );
        assert_eq!(again.params(), uri.params());
    }
    if let Some(otherwise) = written_otherwise(uri) {
        let otherwise = Uri::parse(&otherwise).expect("the same, written otherwise, is a URI");
        assert!(otherwise.is_equivalent(uri) && uri.is_equivalent(&otherwise));
    }
    // In angle brackets it is an address of its own.
    let address = [b"<", text, b">;tag=1"].concat();
    let address = NameAddr::parse(&address).expect("a URI in angle brackets is an address");
    assert_eq!((address.uri().as_bytes(), address.tag()), (text, Some(&b"1"[..])));
    // A password is not shown.
    if let (Some(user), Some(password)) = (uri.user(), uri.password())
        && password.len() > 3
        && password.iter().all(u8::is_ascii_alphanumeric)
    {
        let start = text.iter().position(|&b| b == b':').unwrap_or_default() + user.len() + 2;
        let rest = [&text[..start], b"redacted", &text[start + password.len()..]].concat();
        assert_eq!(contains(format!("{uri:?}").as_bytes(), password), contains(&rest, password));
    }
    if let Ok(tel) = Tel::from_uri(uri) {
        assert!(tel.is_equivalent(&tel) && tel.digits().count() > 0);
        assert!(tel.digits().count() <= tel.number().len());
    }
}

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(2, |&b| b == b'\n');
    let one = Uri::parse(lines.next().unwrap_or_default());
    let other = lines.next().map(Uri::parse);
    for uri in [Some(&one), other.as_ref()].into_iter().flatten() {
        match uri {
            Ok(uri) => look_at(uri),
            Err(error) => assert!(error.offset <= data.len()),
        }
    }
    if let (Ok(one), Some(Ok(other))) = (&one, &other) {
        let same = one.is_equivalent(other);
        assert_eq!(same, other.is_equivalent(one));
        if same {
            assert_eq!(
                (one.port(), one.host().map(|h| h.ip())),
                (other.port(), other.host().map(|h| h.ip()))
            );
        }
    }
});
