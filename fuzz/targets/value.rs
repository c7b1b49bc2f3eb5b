//! Header values and URIs by themselves, as bytes of nowhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringback::syntax::{
    AuthParams, AuthenticationInfo, CSeq, Challenge, Contact, ContentDisposition, Credentials, Date,
    Diversion, Event, HeaderName, HistoryInfo, HostPort, Limits, MediaType, Multipart, NameAddr, Params,
    RAck, Reason, ReferTo, ReferredBy, RemotePartyId, Replaces, RetryAfter, SessionExpires, SipFrag,
    SubscriptionState, Tel, Uri, Via, Warning, multipart, unescape,
};

/// Takes a comma list apart: each step must take something away.
fn list<'a, T, E>(
    mut text: &'a [u8],
    mut first: impl FnMut(&'a [u8]) -> Result<(T, &'a [u8]), E>,
    mut look: impl FnMut(T),
) {
    while !text.is_empty() {
        let Ok((value, rest)) = first(text) else { return };
        assert!(rest.len() < text.len(), "a list that does not get shorter");
        look(value);
        text = rest;
    }
}

fn look_at_params(params: &Params<'_>) {
    for param in params.iter() {
        let _ = (param.unquoted(), params.get(param.name));
    }
}

fn look_at_uri(uri: &Uri<'_>) {
    let _ = (uri.scheme(), uri.user().map(unescape), uri.host(), uri.port(), uri.headers());
    look_at_params(&uri.params());
    let _ = (uri.header_fields().count(), uri.header_field(HeaderName::Replaces));
    if let Ok(tel) = Tel::from_uri(uri) {
        assert!(tel.is_equivalent(&tel) && tel.digits().count() > 0);
        look_at_params(&tel.params());
        let _ = (tel.context(), tel.extension(), tel.subaddress());
    }
}

fn look_at_parts(parts: Multipart<'_>) {
    for part in parts.flatten() {
        let _ = part.headers().count();
        if let Some(Ok(inner)) = part.parts() {
            look_at_parts(inner);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    list(data, Via::parse_first, |via: Via<'_>| {
        look_at_params(&via.params());
        let _ = (via.transport(), via.host(), via.port(), via.branch(), via.received(), via.rport());
    });
    list(data, NameAddr::parse_first, |address: NameAddr<'_>| {
        look_at_uri(&address.uri());
        look_at_params(&address.params());
        let _ = (address.display_name_unquoted(), address.tag());
    });
    list(data, Contact::parse_first, |contact: Contact<'_>| {
        let _ = (contact.expires(), contact.q_thousandths());
    });
    list(data, Challenge::parse_first, |challenge: Challenge<'_>| {
        for param in challenge.params.iter() {
            let _ = (param.unquoted(), challenge.params.get(param.name));
        }
    });
    let _ = (
        CSeq::parse(data),
        Params::parse(data),
        AuthParams::parse(data),
        Credentials::parse(data),
        HostPort::parse(data),
    );
    list(data, Warning::parse_first, |warning: Warning<'_>| drop(warning.text()));
    list(data, Reason::parse_first, |reason: Reason<'_>| {
        let _ = (reason.cause(), reason.text());
    });
    list(data, MediaType::parse_first, |kind: MediaType<'_>| look_at_params(&kind.params));
    let _ = (Date::parse(data).map(|date| date.unix_seconds()), RAck::parse(data), RetryAfter::parse(data));
    let _ = (
        Event::parse(data),
        SubscriptionState::parse(data),
        SessionExpires::parse(data),
        Replaces::parse(data),
    );
    list(data, Diversion::parse_first, |value: Diversion<'_>| {
        let _ = (value.reason(), value.counter(), value.limit(), value.privacy(), value.is_screened());
    });
    list(data, HistoryInfo::parse_first, |value: HistoryInfo<'_>| {
        let _ = (value.index(), value.levels().count(), value.target_from(), value.reason(), value.privacy());
    });
    list(data, RemotePartyId::parse_first, |value: RemotePartyId<'_>| {
        let _ = (value.party(), value.is_screened(), value.id_type(), value.hides(b"name"));
    });
    let _ = ReferTo::parse(data).map(|target| target.replaces().map(|text| Replaces::parse(&text).is_ok()));
    let _ = ReferredBy::parse(data).map(|by| by.cid());
    let _ = ContentDisposition::parse(data).map(|disposition| disposition.is_optional());
    let _ = AuthenticationInfo::parse(data).map(|info| (info.next_nonce(), info.nonce_count()));
    if let Ok(fragment) = SipFrag::parse(data) {
        let _ = fragment.part.headers().count();
    }
    let kind = MediaType::parse(b"multipart/mixed;boundary=b").expect("a literal");
    if let Ok(parts) = multipart(&kind, data, &Limits::default()) {
        look_at_parts(parts);
    }
    if let Ok(uri) = Uri::parse(data) {
        assert_eq!(uri.as_bytes(), data);
        look_at_uri(&uri);
    }
    // Comparing asks the same both ways.
    let (one, other) = data.split_at(data.len() / 2);
    if let (Ok(one), Ok(other)) = (Uri::parse(one), Uri::parse(other)) {
        assert_eq!(one.is_equivalent(&other), other.is_equivalent(&one));
    }
});
