//! A SIP message as lines of text, which may be as wrong as a test wants it.

/// One request or response.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// The start line.
    pub(crate) start: String,
    /// Names and values, in order; Content-Length is added when it is sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Text {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Text> {
        let whole = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = whole.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        start.contains("SIP/2.0").then_some(())?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        let mut text = Text { start, headers, body: body.to_owned() };
        text.remove("Content-Length");
        Some(text)
    }

    pub(crate) fn request(method: &str, uri: &str) -> Text {
        Text { start: format!("{method} {uri} SIP/2.0"), headers: Vec::new(), body: String::new() }
    }

    /// A response; its To has this tag where the request's has none.
    pub(crate) fn response(request: &Text, status: u16, phrase: &str, tag: &str) -> Text {
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            if ["via", "from", "to", "call-id", "cseq"].contains(&name.to_ascii_lowercase().as_str()) {
                let is_new = name.eq_ignore_ascii_case("to") && !value.contains(";tag=") && status > 100;
                let value = if is_new { format!("{value};tag={tag}") } else { value.clone() };
                headers.push((name.clone(), value));
            }
        }
        Text { start: format!("SIP/2.0 {status} {phrase}"), headers, body: String::new() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The value, empty where there is no such header.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Puts the value in the place of what was there, or behind all others.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value.into(),
            None => self.headers.push((name.to_owned(), value.into())),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Text {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds header lines, each `Name: value`.
    pub(crate) fn lines(mut self, lines: &str) -> Text {
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header line: {line:?}"));
            self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        self
    }

    pub(crate) fn sdp(mut self, body: impl Into<String>) -> Text {
        self.set("Content-Type", "application/sdp");
        self.body = body.into();
        self
    }

    /// The body goes, and what says of which type it is.
    pub(crate) fn without_body(&mut self) {
        self.remove("Content-Type");
        self.body.clear();
    }

    pub(crate) fn has_sdp(&self) -> bool {
        self.value("Content-Type").starts_with("application/sdp") && !self.body.is_empty()
    }

    /// The method of a request, or of the request that a response answers.
    pub(crate) fn method(&self) -> &str {
        match self.status() {
            None => self.start.split(' ').next().unwrap_or_default(),
            Some(_) => self.value("CSeq").split_whitespace().nth(1).unwrap_or_default(),
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    pub(crate) fn phrase(&self) -> &str {
        self.start.splitn(3, ' ').nth(2).unwrap_or_default()
    }

    /// Is it a request of this method?
    pub(crate) fn is(&self, method: &str) -> bool {
        self.status().is_none() && self.method() == method
    }

    /// Is it such a request, and outside of any dialog?
    pub(crate) fn begins(&self, method: &str) -> bool {
        self.is(method) && tag(self.value("To")).is_none()
    }

    /// Is it such a request, in a dialog?
    pub(crate) fn continues(&self, method: &str) -> bool {
        self.is(method) && tag(self.value("To")).is_some()
    }

    /// Is it a response with this status to this method?
    pub(crate) fn answers(&self, status: u16, method: &str) -> bool {
        self.status() == Some(status) && self.method() == method
    }

    pub(crate) fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn call_id(&self) -> &str {
        self.value("Call-ID")
    }

    pub(crate) fn branch(&self) -> &str {
        parameter(self.value("Via"), "branch").unwrap_or_default()
    }

    /// Replaces a part wherever it stands, in the start line, the headers and the body.
    pub(crate) fn edit(&mut self, from: &str, to: &str) {
        self.start = self.start.replace(from, to);
        self.headers.iter_mut().for_each(|(_, value)| *value = value.replace(from, to));
        self.body = self.body.replace(from, to);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{}\r\n", self.start);
        self.headers.iter().for_each(|(name, value)| out += &format!("{name}: {value}\r\n"));
        (out + &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body)).into_bytes()
    }
}

/// A parameter behind a `;`.
pub(crate) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let named =
        value.split(';').skip(1).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(named.split([',', '>', '?']).next().unwrap_or(named))
}

/// The tag of a From or To.
pub(crate) fn tag(value: &str) -> Option<&str> {
    parameter(value.rsplit_once('>').map_or(value, |(_, rest)| rest), "tag")
}

/// The URI of a From, To or Contact.
pub(crate) fn uri(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(rest),
        None => value.split(';').next().unwrap_or(value).trim(),
    }
}

/// The user of a URI.
pub(crate) fn user(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split_once('@').map_or("", |(user, _)| user)
}

/// Host and port of a URI as an address.
pub(crate) fn address(uri: &str) -> Option<std::net::SocketAddr> {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, host)| host);
    let host = rest.split([';', '?', '>']).next()?;
    host.parse().ok().or_else(|| Some(std::net::SocketAddr::new(host.parse().ok()?, 5060)))
}
