//! URIs and parameters, both ways.
use super::{ConvertError, ConvertErrorKind, text};
use crate::syntax::{Host, Method, Param, Params, Scheme, Uri};
use ::rsip::{Auth, Domain, HostWithPort, Transport};

impl TryFrom<&Uri<'_>> for ::rsip::Uri {
    type Error = ConvertError;

    /// A `sip:` or `sips:` URI without headers.
    fn try_from(uri: &Uri<'_>) -> Result<::rsip::Uri, ConvertError> {
        to_uri(uri, "URI")
    }
}

pub(super) fn to_uri(uri: &Uri<'_>, place: &str) -> Result<::rsip::Uri, ConvertError> {
    let refuse = |kind| ConvertError::new(place, kind);
    let scheme = match uri.scheme() {
        Scheme::Sip => ::rsip::Scheme::Sip,
        Scheme::Sips => ::rsip::Scheme::Sips,
        _ => return Err(refuse(ConvertErrorKind::Scheme)),
    };
    if !uri.headers().is_empty() {
        return Err(refuse(ConvertErrorKind::UriHeaders));
    }
    let auth = match uri.user() {
        None => None,
        Some(user) => {
            let password = uri.password().map(|password| text(password, place)).transpose()?;
            Some(Auth { user: text(user, place)?.to_owned(), password: password.map(str::to_owned) })
        }
    };
    let host = uri.host().ok_or(refuse(ConvertErrorKind::Value))?;
    Ok(::rsip::Uri {
        scheme: Some(scheme),
        auth,
        host_with_port: to_host_with_port(host, uri.port(), place)?,
        params: to_params(uri.params(), place)?,
        headers: Vec::new(),
    })
}

pub(super) fn to_host_with_port(
    host: Host<'_>,
    port: Option<u16>,
    place: &str,
) -> Result<HostWithPort, ConvertError> {
    let host = match host {
        Host::Name(name) => ::rsip::Host::Domain(Domain::from(text(name, place)?)),
        Host::V4(address) => ::rsip::Host::IpAddr(address.into()),
        // rsip prints an address of its own without the brackets, and the port behind it.
        Host::V6(address) => ::rsip::Host::Domain(Domain::from(format!("[{address}]"))),
    };
    Ok(HostWithPort { host, port: port.map(Into::into) })
}

/// The variant where rsip has one and can hold the value, `Param::Other` elsewhere.
pub(super) fn to_params(params: Params<'_>, place: &str) -> Result<Vec<::rsip::Param>, ConvertError> {
    params.iter().map(|param| to_param(param, place)).collect()
}

fn to_param(param: Param<'_>, place: &str) -> Result<::rsip::Param, ConvertError> {
    use ::rsip::Param as Theirs;
    let name = text(param.name, place)?;
    let value = param.value.map(|value| text(value, place)).transpose()?;
    let known = match (name.to_ascii_lowercase().as_str(), value) {
        ("transport", Some(value)) => to_transport(value).map(Theirs::Transport),
        ("method", Some(value)) => to_method(Method::from_bytes(value.as_bytes())).map(Theirs::Method),
        ("user", Some(value)) => Some(Theirs::User(value.into())),
        ("ttl", Some(value)) => Some(Theirs::Ttl(value.into())),
        ("maddr", Some(value)) => Some(Theirs::Maddr(value.into())),
        ("branch", Some(value)) => Some(Theirs::Branch(value.into())),
        ("received", Some(value)) => Some(Theirs::Received(value.into())),
        ("tag", Some(value)) => Some(Theirs::Tag(value.into())),
        ("expires", Some(value)) => Some(Theirs::Expires(value.into())),
        ("q", Some(value)) => Some(Theirs::Q(value.into())),
        ("lr", None) => Some(Theirs::Lr),
        _ => None,
    };
    Ok(known.unwrap_or_else(|| Theirs::Other(name.into(), value.map(Into::into))))
}

pub(super) fn to_transport(name: &str) -> Option<Transport> {
    Transport::all().into_iter().find(|transport| transport_name(*transport).eq_ignore_ascii_case(name))
}

const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Sctp => "sctp",
        Transport::TlsSctp => "tls-sctp",
        Transport::Ws => "ws",
        Transport::Wss => "wss",
    }
}

macro_rules! methods {
    ($($ours:ident $theirs:ident,)*) => {
        pub(super) fn to_method(method: Method<'_>) -> Option<::rsip::Method> {
            match method {
                $(Method::$ours => Some(::rsip::Method::$theirs),)*
                _ => None,
            }
        }
        pub(super) const fn from_method(method: ::rsip::Method) -> Method<'static> {
            match method {
                $(::rsip::Method::$theirs => Method::$ours,)*
            }
        }
    };
}

methods! {
    Invite Invite, Ack Ack, Bye Bye, Cancel Cancel, Register Register, Options Options, Prack PRack, Subscribe Subscribe, Notify Notify,
    Publish Publish, Info Info, Refer Refer, Message Message, Update Update,
}

/// The text of a URI, which our parser takes apart into the same parts.
pub(super) fn from_uri(uri: &::rsip::Uri, place: &str) -> Result<String, ConvertError> {
    let refuse = |kind| ConvertError::new(place, kind);
    let scheme = match uri.scheme {
        Some(::rsip::Scheme::Sip) => "sip:",
        Some(::rsip::Scheme::Sips) => "sips:",
        _ => return Err(refuse(ConvertErrorKind::Scheme)),
    };
    if !uri.headers.is_empty() {
        return Err(refuse(ConvertErrorKind::UriHeaders));
    }
    let mut out = scheme.to_owned();
    let (user, password) =
        uri.auth.as_ref().map_or((None, None), |auth| (Some(auth.user.as_str()), auth.password.as_deref()));
    if let Some(user) = user {
        out.push_str(user);
        if let Some(password) = password {
            out.push(':');
            out.push_str(password);
        }
        out.push('@');
    }
    let host = match &uri.host_with_port.host {
        ::rsip::Host::Domain(domain) => domain.value().to_owned(),
        ::rsip::Host::IpAddr(std::net::IpAddr::V4(address)) => address.to_string(),
        ::rsip::Host::IpAddr(std::net::IpAddr::V6(address)) => format!("[{address}]"),
    };
    out.push_str(&host);
    let port: Option<u16> = uri.host_with_port.port.as_ref().map(|port| *port.value());
    if let Some(port) = port {
        out.push_str(&format!(":{port}"));
    }
    let params: Vec<(&str, Option<&str>)> = uri.params.iter().map(from_param).collect();
    for (name, value) in &params {
        out.push(';');
        out.push_str(name);
        if let Some(value) = value {
            out.push('=');
            out.push_str(value);
        }
    }
    // A part may hold what ends it: `a@b` as user, `h;lr` as host. Then it is another URI that we wrote.
    let read = Uri::parse(out.as_bytes()).map_err(|error| refuse(ConvertErrorKind::Syntax(error)))?;
    let same = read.user() == user.map(str::as_bytes)
        && read.password() == password.map(str::as_bytes)
        && read.port() == port
        && read.headers().is_empty()
        && read.host().is_some_and(|read| is_host(read, &host))
        && read
            .params()
            .iter()
            .map(|p| (p.name, p.value))
            .eq(params.iter().map(|(name, value)| (name.as_bytes(), value.map(str::as_bytes))));
    if same { Ok(out) } else { Err(refuse(ConvertErrorKind::Value)) }
}

fn is_host(read: Host<'_>, written: &str) -> bool {
    match read {
        Host::Name(name) => name == written.as_bytes(),
        Host::V4(_) => !written.contains([';', ':', '?']),
        Host::V6(_) => written.ends_with(']'),
    }
}

fn from_param(param: &::rsip::Param) -> (&str, Option<&str>) {
    use ::rsip::Param as Theirs;
    match param {
        Theirs::Transport(transport) => ("transport", Some(transport_name(*transport))),
        Theirs::Method(method) => ("method", std::str::from_utf8(from_method(*method).as_bytes()).ok()),
        Theirs::User(value) => ("user", Some(value.value())),
        Theirs::Ttl(value) => ("ttl", Some(value.value())),
        Theirs::Maddr(value) => ("maddr", Some(value.value())),
        Theirs::Lr => ("lr", None),
        Theirs::Branch(value) => ("branch", Some(value.value())),
        Theirs::Received(value) => ("received", Some(value.value())),
        Theirs::Tag(value) => ("tag", Some(value.value())),
        Theirs::Expires(value) => ("expires", Some(value.value())),
        Theirs::Q(value) => ("q", Some(value.value())),
        Theirs::Other(name, value) => (name.value(), value.as_ref().map(|value| value.value())),
    }
}
