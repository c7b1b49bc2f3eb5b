//! Where rsip 0.4 is known to read another thing than we do: why, and an example that shows it to be still so.
use super::compare::{Case, Field, Value};
use ringback::message::Message;
use ringback::syntax::{Host, Method, Params, Scheme, SyntaxErrorKind, Uri};

/// One known deviation.
pub struct Deviation {
    pub name: &'static str,
    pub reason: &'static str,
    /// Does it explain this case?
    pub explains: fn(&Case<'_>) -> bool,
    /// A datagram, `|` for each line end, and the field that is read differently. What a message needs else is added, see [`datagram`].
    pub example: (&'static str, Field),
}

/// The bytes of an example: `|` is CRLF.
pub fn datagram(example: &str) -> Vec<u8> {
    // Latin-1, so that an example can hold any octet.
    example.replace('|', "\r\n").chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

macro_rules! deviations {
    ($($name:literal $reason:literal $field:ident $example:literal $explains:expr;)*) => {
        /// All of them; the first that explains a case names it.
        pub const DEVIATIONS: &[Deviation] = &[$(Deviation {
            name: $name,
            reason: $reason,
            explains: $explains,
            example: ($example, Field::$field),
        },)*];
    };
}

deviations! {
    // The whole message.
    "odd-line" "one line that is no header makes rsip refuse the message, or read on elsewhere; we pass it over and tell it"
        Message "OPTIONS sip:h SIP/2.0|no header||" |c| c.message.is_ok_and(|m| m.odd_lines().next().is_some());
    "not-utf8" "rsip holds Strings; real PBXs send Latin-1"
        Message "OPTIONS sip:h SIP/2.0|Subject: J\u{f6}rg||" |c| refused(c) && head(c).is_some_and(|head| std::str::from_utf8(head).is_err());
    "leading-crlf" "the start line has to be the first line for rsip (RFC 3261 sec. 7.5: ignore CRLFs before it)"
        Message "||OPTIONS sip:h SIP/2.0||" |c| refused(c) && matches!(c.bytes, [b'\r' | b'\n', ..]);
    "lf-only" "rsip splits at CRLF only"
        Message "OPTIONS sip:h SIP/2.0\nSubject: x\n\n" bare_line_ends;
    "folded" "rsip takes the fold for a header line"
        Message "OPTIONS sip:h SIP/2.0|Subject: a| b||" |c| refused(c) && head(c).is_some_and(|head| contains(head, b"\n ") || contains(head, b"\n\t"));
    "space-before-colon" "rsip wants the colon right behind the name (RFC 3261 sec. 7.3.1 allows white space)"
        Message "OPTIONS sip:h SIP/2.0|Subject : a||" |c| refused(c) && space_before_colon(c);
    "unknown-method" "rsip's methods are a closed list"
        Message "PUBLISHED sip:h SIP/2.0||" |c| refused(c) && method(c).is_some_and(|m| matches!(m, Method::Other(_)));
    "other-scheme" "rsip knows sip:, sips: and whatever stands before ://"
        Message "OPTIONS urn:service:sos SIP/2.0||" |c| refused(c) && uri(c).is_some_and(|uri| !is_sip(&uri));
    "bad-request-uri" "rsip reads the Request-URI with the start line; we frame the message and say so when the URI is asked for"
        Message "OPTIONS sip: SIP/2.0||" |c| refused(c) && request(c).is_some_and(|m| m.request_uri().is_some_and(|uri| uri.is_err()));
    "ipv6-request-uri" "rsip splits host and port at the first colon"
        Message "OPTIONS sip:[::1] SIP/2.0||" |c| refused(c) && uri(c).is_some_and(|uri| matches!(uri.host(), Some(Host::V6(_))));
    "unknown-transport-or-method-parameter" "rsip has closed lists for the parameters transport and method, and refuses what holds another value"
        Message "OPTIONS sip:h;transport=quic SIP/2.0||" |c| no_value(c) && all_params(c).any(closed_list);
    "parameter-characters" "rsip's parameters hold only token characters: not [ ] / : & $ ( ) of URIs, no quoted strings; it stops there"
        Message "OPTIONS sip:h;maddr=[::1] SIP/2.0||" |c| all_params(c).any(not_tokens);
    "uri-headers" "rsip reads no ?name=value: it refuses it behind a parameter or a port and takes it for the host elsewhere"
        Contact "OPTIONS sip:h SIP/2.0|Contact: <sip:h?Replaces=a>||" |c| all_uris(c).any(|uri| !uri.headers().is_empty() || uri.as_bytes().ends_with(b"?"));
    "version-case" "rsip reads SIP/2.0 in capitals only (RFC 3261 sec. 7.1: case-insensitive, though it has to be sent so)"
        Message "sip/2.0 200 OK|Via: SIP/2.0/UDP h||" |c| refused(c) && version_case(c);
    "no-reason" "rsip wants a space behind the status code (so does RFC 3261; devices leave it out)"
        Message "SIP/2.0 200|Via: SIP/2.0/UDP h||" |c| refused(c) && response(c).is_some_and(|m| m.reason() == Some(b"") && !m.as_bytes().starts_with(b"SIP/2.0 200 "));
    "unfinished-head" "without an empty line rsip takes one header, and the others for the body"
        Body "OPTIONS sip:h SIP/2.0|Max-Forwards: 70|Call-ID: a|" |c| matches!(c.message, Ok(_) | Err(SyntaxErrorKind::Truncated | SyntaxErrorKind::HeaderLine)) && !contains(c.bytes, b"\r\n\r\n");
    "no-headers-but-a-body" "without headers rsip looks for their end in the body"
        Message "OPTIONS sip:h SIP/2.0||a||" |c| (refused(c) || c.field == Field::Body) && c.message.is_ok_and(|m| m.headers().next().is_none());
    "content-length" "rsip does not read Content-Length: what stands behind the body belongs to it, and what lacks is not missed"
        Body "OPTIONS sip:h SIP/2.0|Content-Length: 1||ab" |c| (c.field == Field::Body && longer(c)) || error(c) == Some(SyntaxErrorKind::ContentLength);
    "version" "rsip takes SIP/1.x, and any minor version"
        Message "OPTIONS sip:h SIP/2.1||" |c| error(c) == Some(SyntaxErrorKind::Version);
    "no-scheme" "rsip takes a Request-URI without a scheme"
        Message "OPTIONS 192.0.2.1 SIP/2.0||" |c| error(c) == Some(SyntaxErrorKind::StartLine) && !c.bytes.starts_with(b"SIP/");
    "request-uri-headers" "rsip takes ?name=value for the host; it must not stand in a Request-URI (RFC 3261 sec. 19.1.1)"
        Message "OPTIONS sip:h?a=b SIP/2.0||" |c| error(c) == Some(SyntaxErrorKind::Uri);
    "cr-in-start-line" "rsip takes a CR for a part of the Request-URI or the reason phrase (RFC 3261 sec. 7.1, 7.2: only in the CRLF)"
        Message "SIP/2.0 200 O\rK||" |c| error(c) == Some(SyntaxErrorKind::StartLine) && cr_in_start_line(c.bytes);
    "status-code" "rsip takes three characters that make up a number, like +99"
        Message "SIP/2.0 +99 OK||" |c| matches!(c.message, Err(SyntaxErrorKind::StatusCode | SyntaxErrorKind::StartLine)) && c.bytes.starts_with(b"SIP/");
    "limits" "rsip has no limits"
        Message "" |c| matches!(c.message, Err(SyntaxErrorKind::Limit(_)));

    // Names.
    "compact-name" "rsip keeps compact header names as unknown ones"
        CallId "OPTIONS sip:h SIP/2.0|i: a||" has_compact;
    "method-case" "rsip ignores the case of methods (RFC 3261 sec. 7.1: case-sensitive)"
        Method "options sip:h SIP/2.0||" |c| matches!(c.field, Field::Method | Field::CSeq) && method_case(c);

    // Values that rsip gets silently wrong.
    "dot-in-user" "rsip ends the user part at a dot, finds no @ there, and takes all of it for the host"
        RequestUri "OPTIONS sip:first.last@h SIP/2.0||" |c| all_uris(c).any(|uri| [uri.user(), uri.password()].into_iter().flatten().any(|part| part.contains(&b'.')));
    "contact-star" "rsip takes * for a host"
        Contact "REGISTER sip:h SIP/2.0|Contact: *||" |c| c.field == Field::Contact && c.ours == Value::Is("*".into());
    "other-scheme-as-host" "without :// rsip takes another scheme for the host, where a port can follow it"
        Contact "OPTIONS sip:h SIP/2.0|Contact: <tel:+12>||" |c| all_uris(c).any(|uri| !is_sip(&uri));
    "scheme-across-lines" "rsip looks for the :// of an unknown scheme in all of the message: what is in front of it, headers and body too, is the scheme"
        Body "OPTIONS urn:a SIP/2.0|Subject: b||x://h SIP/2.0||c" |c| scheme_across_lines(c);
    "zeros-in-ipv4" "an IPv4 address with leading zeros is a name for rsip"
        RequestUri "OPTIONS sip:192.0.02.1 SIP/2.0||" dotted_name;
    "list" "rsip reads one value: of a list it takes the first, or the whole for one, or refuses it"
        Contact "OPTIONS sip:h SIP/2.0|Contact: <sip:a@h>,<sip:b@h>||" |c| matches!(c.field, Field::Via | Field::Contact) && c.text().contains(&b',');
    "bracket-in-display-name" "rsip looks for < and > in quoted strings as well"
        FromTag "OPTIONS sip:h SIP/2.0|From: \"<a>\" <sip:h>;tag=c||" |c| address(c) && bracket_in_quotes(c.text());
    "stray-cr" "a CR without LF is white space for us, as proxies treat it, and a character like others for rsip"
        CallId "OPTIONS sip:h SIP/2.0|Call-ID: \ra||" |c| lines(c).any(stray_cr);
    "flag-then-value" "a parameter without the value that rsip wants is an unknown one for it, and a later one of the same name counts"
        FromTag "OPTIONS sip:h SIP/2.0|From: <sip:h>;tag;tag=a||" |c| all_params(c).any(flag_then_value);
    "white-space" "rsip allows no white space around / ; = : nor behind a value, and stops reading there"
        Via "OPTIONS sip:h SIP/2.0|Via: SIP/2.0/UDP h ; branch=a||" |c| c.field.header().is_some() && white_space(c);

    "loosely-read" "in From and To we take an address and a tag where they can be found beside what does not belong there, as most stacks do; rsip refuses the value, or reads another one"
        FromTag "OPTIONS sip:h SIP/2.0|From: <sip:a@h>b>;tag=c||" |c| matches!(c.field, Field::FromTag | Field::ToTag) && c.message.is_ok_and(|message| message.loosely_read().next().is_some());

    // Values that rsip refuses.
    "ipv6" "rsip splits host and port at the first colon"
        Via "OPTIONS sip:h SIP/2.0|Via: SIP/2.0/UDP [::1]||" |c| c.theirs == Value::Bad && matches!(c.field, Field::Via | Field::Contact | Field::FromTag | Field::ToTag) && c.text().contains(&b'[');
    "unknown-cseq-method" "rsip's methods are a closed list"
        CSeq "SIP/2.0 200 OK|CSeq: 1 PUBLISHED||" |c| c.field == Field::CSeq && c.theirs == Value::Bad && cseq_method(c).is_some_and(|m| matches!(m, Method::Other(_)));
    "protocol-name" "rsip wants SIP/1 or SIP/2 in a Via"
        Via "OPTIONS sip:h SIP/2.0|Via: XYZ/2.0/UDP h||" |c| c.field == Field::Via && c.theirs == Value::Bad && !sip_protocol(c.text());

    // Values that we refuse.
    "lenient" "rsip does not check what follows a value, signs of numbers, ranges, repeated headers, or that CSeq fits the request"
        MaxForwards "OPTIONS sip:h SIP/2.0|Max-Forwards: +70||" |c| c.field != Field::Message && c.ours == Value::Bad && c.theirs != Value::Absent;
}

fn error(case: &Case<'_>) -> Option<SyntaxErrorKind> {
    case.message.err()
}

/// rsip has our body and more.
fn longer(case: &Case<'_>) -> bool {
    matches!((&case.ours, &case.theirs), (Value::Is(ours), Value::Is(theirs)) if theirs.starts_with(ours.as_str()))
}

fn refused(case: &Case<'_>) -> bool {
    case.field == Field::Message && case.theirs == Value::Bad
}

/// rsip has no value where we have one.
fn no_value(case: &Case<'_>) -> bool {
    case.theirs == Value::Bad
}

fn head<'a>(case: &Case<'a>) -> Option<&'a [u8]> {
    let message = case.message.ok()?;
    case.bytes.get(..case.bytes.len().saturating_sub(message.body().len()))
}

fn request<'a>(case: &Case<'a>) -> Option<&'a Message> {
    case.message.ok().filter(|message| message.is_request())
}

fn response<'a>(case: &Case<'a>) -> Option<&'a Message> {
    case.message.ok().filter(|message| !message.is_request())
}

fn method<'a>(case: &Case<'a>) -> Option<Method<'a>> {
    request(case)?.method()
}

fn uri<'a>(case: &Case<'a>) -> Option<Uri<'a>> {
    request(case)?.request_uri()?.ok()
}

/// Does `://` stand behind a Request-URI of a scheme that rsip does not know? Then its start line ends there, whatever is between them.
fn scheme_across_lines(case: &Case<'_>) -> bool {
    let Some(space) = case.bytes.iter().position(|&b| b == b' ') else { return false };
    let rest = &case.bytes[space + 1..];
    let known =
        |scheme: &[u8]| rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let end = rest.iter().position(|b| matches!(b, b' ' | b'\r' | b'\n')).unwrap_or(rest.len());
    let (uri, behind) = rest.split_at(end);
    !case.bytes.starts_with(b"SIP/")
        && !known(b"sip:")
        && !known(b"sips:")
        && !contains(uri, b"://")
        && contains(behind, b"://")
}

fn is_sip(uri: &Uri<'_>) -> bool {
    matches!(uri.scheme(), Scheme::Sip | Scheme::Sips)
}

fn cseq_method<'a>(case: &Case<'a>) -> Option<Method<'a>> {
    case.message.ok()?.cseq().ok().map(|cseq| cseq.method)
}

/// Is there a LF without CR in the head, as rsip or we see it?
fn bare_line_ends(case: &Case<'_>) -> bool {
    let end = case.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(case.bytes.len());
    let bare = |text: &[u8]| {
        text.starts_with(b"\n") || text.windows(2).any(|two| two[1] == b'\n' && two[0] != b'\r')
    };
    bare(&case.bytes[..end]) || head(case).is_some_and(bare)
}

/// Is there a CR in the start line, the one at its end left out?
fn cr_in_start_line(bytes: &[u8]) -> bool {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line).contains(&b'\r')
}

/// The header lines of the field, or all of them where it has none: from behind the name to the line end, folds included.
fn lines<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let field = case.field.header();
    case.message.into_iter().flat_map(move |message| {
        let whole = message.as_bytes();
        message.headers().filter(move |header| field.is_none_or(|name| header.name == name)).map(
            move |header| {
                let at = header.raw_name.as_ptr() as usize - whole.as_ptr() as usize + header.raw_name.len();
                let rest = &whole[at..];
                let ends =
                    |&end: &usize| rest[end] == b'\n' && !matches!(rest.get(end + 1), Some(b' ' | b'\t'));
                &rest[..(0..rest.len()).find(ends).unwrap_or(rest.len())]
            },
        )
    })
}

fn space_before_colon(case: &Case<'_>) -> bool {
    lines(case).any(|line| !line.starts_with(b":"))
}

fn stray_cr(line: &[u8]) -> bool {
    line.strip_suffix(b"\r").unwrap_or(line).windows(2).any(|two| two[0] == b'\r' && two[1] != b'\n')
        || line.ends_with(b"\r\r")
}

/// Does a quoted string hold `<` or `>`?
fn bracket_in_quotes(text: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for &b in text {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' | b'>' if quoted => return true,
            _ => {}
        }
    }
    false
}

fn version_case(case: &Case<'_>) -> bool {
    let line = head(case).and_then(|head| head.split(|&b| b == b'\n').next()).unwrap_or_default();
    match case.message {
        Ok(message) if message.is_request() => !line.trim_ascii_end().ends_with(b"SIP/2.0"),
        _ => !line.starts_with(b"SIP/2.0"),
    }
}

fn has_compact(case: &Case<'_>) -> bool {
    let (Ok(message), Some(name)) = (case.message, case.field.header()) else { return false };
    message.headers().any(|header| header.name == name && header.raw_name.len() == 1)
}

/// Where we have an address rsip has a name of digits and dots.
fn dotted_name(case: &Case<'_>) -> bool {
    let (Value::Is(ours), Value::Is(theirs)) = (&case.ours, &case.theirs) else { return false };
    let name = theirs.split("Domain(\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("x");
    ours.contains("IpAddr(") && name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn address(case: &Case<'_>) -> bool {
    matches!(case.field, Field::Contact | Field::FromTag | Field::ToTag)
}

fn method_case(case: &Case<'_>) -> bool {
    let (Value::Is(ours), Value::Is(theirs)) = (&case.ours, &case.theirs) else { return false };
    ours != theirs && ours.eq_ignore_ascii_case(theirs)
}

/// The URIs of the field, or of the whole message: the Request-URI and the addresses of From, To and Contact.
fn all_uris<'a>(case: &Case<'a>) -> impl Iterator<Item = Uri<'a>> + use<'a> {
    let message = case.message.ok();
    let field = case.field;
    let address = message.and_then(|message| match field {
        Field::FromTag => message.from().ok(),
        Field::ToTag => message.to().ok(),
        Field::Contact => match message.contacts().next() {
            Some(Ok(ringback::syntax::Contact::Addr(address))) => Some(address),
            _ => None,
        },
        _ => None,
    });
    let uri = match field {
        Field::Message | Field::RequestUri => message.and_then(|m| m.request_uri()).and_then(Result::ok),
        _ => address.map(|address| address.uri()),
    };
    uri.into_iter()
}

fn all_params<'a>(case: &Case<'a>) -> impl Iterator<Item = Params<'a>> + use<'a> {
    let message = case.message.ok();
    let header = message.and_then(|message| match case.field {
        Field::Via => message.top_via().ok().map(|via| via.params()),
        Field::FromTag => message.from().ok().map(|from| from.params()),
        Field::ToTag => message.to().ok().map(|to| to.params()),
        Field::Contact => match message.contacts().next() {
            Some(Ok(ringback::syntax::Contact::Addr(address))) => Some(address.params()),
            _ => None,
        },
        _ => None,
    });
    header.into_iter().chain(all_uris(case).map(|uri| uri.params()))
}

/// Is there a parameter that rsip's grammar cannot hold?
fn not_tokens(params: Params<'_>) -> bool {
    let token = |text: &[u8]| text.iter().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b));
    params.iter().any(|param| !token(param.name) || !param.value.is_none_or(token))
}

/// Is a parameter without a value followed by one of the same name that has one?
fn flag_then_value(params: Params<'_>) -> bool {
    let flags: Vec<_> = params.iter().filter(|param| param.value.is_none()).collect();
    let has_flag = |name: &[u8]| flags.iter().any(|flag| flag.name.eq_ignore_ascii_case(name));
    params.iter().any(|param| param.value.is_some() && has_flag(param.name))
}

fn closed_list(params: Params<'_>) -> bool {
    let transports = ["udp", "tcp", "tls", "sctp", "tls-sctp", "ws", "wss"];
    let is_listed =
        |value: &[u8]| transports.iter().any(|known| value.eq_ignore_ascii_case(known.as_bytes()));
    let transport = params
        .iter()
        .any(|p| p.name.eq_ignore_ascii_case(b"transport") && p.value.is_some_and(|v| !is_listed(v)));
    let is_method = |value: &[u8]| {
        rsip::Method::all().iter().any(|known| value.eq_ignore_ascii_case(known.to_string().as_bytes()))
    };
    transport
        || params
            .iter()
            .any(|p| p.name.eq_ignore_ascii_case(b"method") && p.value.is_some_and(|v| !is_method(v)))
}

/// `SIP/1.x` or `SIP/2.x`, as rsip wants it in a Via.
fn sip_protocol(via: &[u8]) -> bool {
    let version =
        via.strip_prefix(b"SIP/").and_then(|rest| rest.split(|&b| b == b'/').next()).unwrap_or_default();
    matches!(version, [b'1' | b'2', b'.', minor @ ..] if !minor.is_empty() && minor.iter().all(u8::is_ascii_digit))
}

/// White space where the grammar allows it and rsip does not.
fn white_space(case: &Case<'_>) -> bool {
    let text = case.text();
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let behind = lines(case).any(|line| line.strip_suffix(b"\r").unwrap_or(line).last().is_some_and(blank));
    let inside = match case.field {
        Field::Via => text.contains(&b'\t') || text.iter().filter(|b| blank(b)).count() > 1,
        Field::CSeq => text.contains(&b'\t') || contains(text, b"  "),
        _ => text.rsplit(|&b| b == b'>').next().is_some_and(|rest| rest.iter().any(blank)),
    };
    behind || inside
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
