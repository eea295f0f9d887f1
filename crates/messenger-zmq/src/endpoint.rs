//! The endpoint of an operator: `host:port`.

use core::{fmt, net::Ipv6Addr, str::FromStr};
use std::net::SocketAddr;

/// A host and a TCP port: `operator.example:5000`, `192.0.2.7:5000` or `[2001:db8::7]:5000`.
///
/// A name is resolved anew for each connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Without brackets.
    host: String,
    port: u16,
}

impl Endpoint {
    /// Returns the name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port; 0 lets the system choose a port to listen on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why a string is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseEndpointError {
    /// It names a transport; TCP is the only one.
    #[error("endpoint `{0}` names a transport: expected host:port")]
    Transport(String),
    /// The port is missing or not a number from 0 to 65535.
    #[error("endpoint `{0}` must end in a colon and a port from 0 to 65535")]
    Port(String),
    /// An IPv6 address without brackets, or brackets without an IPv6 address.
    #[error("endpoint `{0}` must have its IPv6 address in brackets, as in [2001:db8::7]:5000")]
    Ipv6(String),
    /// The host name is missing or invalid.
    #[error("endpoint `{0}` must have a valid host name before its port")]
    Host(String),
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |kind: fn(String) -> ParseEndpointError| {
            // Long enough for any host name.
            kind(text.chars().take(300).collect())
        };
        if text.contains("://") {
            return Err(error(ParseEndpointError::Transport));
        }
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| error(ParseEndpointError::Port))?;
        let port = Some(port)
            .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|port| port.parse().ok())
            .ok_or_else(|| error(ParseEndpointError::Port))?;
        if host.contains([':', '[', ']']) {
            let address = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'))
                .and_then(|host| host.parse::<Ipv6Addr>().ok())
                .ok_or_else(|| error(ParseEndpointError::Ipv6))?;
            return Ok(Self {
                host: address.to_string(),
                port,
            });
        }
        let is_name = (1..=253).contains(&host.len())
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name {
            return Err(error(ParseEndpointError::Host));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_addresses_parse_and_print_back() {
        for text in [
            "operator.example:5000",
            "node_1:1",
            "192.0.2.7:65535",
            "[::1]:5000",
            "[2001:db8::7]:0",
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), text);
        }
        let endpoint: Endpoint = "[::1]:5000".parse().expect("IPv6");
        assert_eq!((endpoint.host(), endpoint.port()), ("::1", 5000));
        let address: SocketAddr = "[::1]:5000".parse().expect("an address");
        assert_eq!(Endpoint::from(address), endpoint);
    }

    #[test]
    fn invalid_endpoints_are_refused_with_the_reason() {
        use ParseEndpointError as E;

        type Kind = fn(String) -> E;
        let cases: [(&str, Kind); 13] = [
            ("tcp://host:5000", E::Transport),
            ("", E::Port),
            ("host", E::Port),
            ("host:", E::Port),
            ("host:65536", E::Port),
            ("host:+5", E::Port),
            ("host:5000 ", E::Port),
            ("::1:5000", E::Ipv6),
            ("[::1:5000", E::Ipv6),
            ("[host]:5000", E::Ipv6),
            (":5000", E::Host),
            ("ho st:5000", E::Host),
            ("h\u{f6}st:5000", E::Host),
        ];
        for (text, kind) in cases {
            assert_eq!(text.parse::<Endpoint>(), Err(kind(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn any_string_is_refused_or_prints_back(text in "\\PC{0,40}|[a-z.\\[\\]:0-9]{0,20}:[0-9]{1,5}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }
    }
}
