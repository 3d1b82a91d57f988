use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host as it is connected to: a name in its one form (lower case, A-labels, no dot at the end), or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, for a resolver.
    Name(String),
    /// An address. One that maps IPv4 into IPv6 is the IPv4 address, since that is what is connected to.
    Address(IpAddr),
}

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is nothing.
    #[error("there is no host")]
    Empty,
    /// Decimal, hexadecimal, octal or shortened, as some resolvers take addresses and others don't.
    #[error("its host ends in a number and is no IPv4 address: write one as four decimal numbers, such as 192.0.2.1")]
    Number,
    /// Brackets around anything else.
    #[error("what has brackets around it is no IPv6 address: write one such as [2001:db8::1], without a zone")]
    Brackets,
    /// A name that no resolver should be asked for.
    #[error("its host is no name: use letters, digits, `-` and `_`, 63 at most between two dots and 253 in all")]
    Name,
}

impl Host {
    /// Reads a host as URLs have it, an IPv6 address in brackets.
    ///
    /// A name with letters beyond ASCII becomes A-labels (UTS 46, as browsers do it). An address has one form only:
    /// what would be an address to some resolver, and isn't in that form, is refused (WHATWG URL, "ends in a number").
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']').and_then(|inside| inside.parse::<Ipv6Addr>().ok());
            return address.map(|address| Self::Address(address.to_canonical())).ok_or(HostError::Brackets);
        }
        // The list refuses what would end a host or a URL, `%` among it.
        let name = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::URL).map_err(|_| HostError::Name)?;
        let name = name.strip_suffix('.').unwrap_or(&name);
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(known);
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(HostError::Name);
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit()));
        if hexadecimal || last.chars().all(|c| c.is_ascii_digit()) {
            return Err(HostError::Number);
        }
        Ok(Self::Name(name.to_owned()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, HostError> {
        Host::parse(text).map(|host| host.to_string())
    }

    #[test]
    fn a_name_has_one_form() {
        for (text, name) in [
            ("API.Example.com", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("ｅｘａｍｐｌｅ。com", "example.com"),
            ("my_service", "my_service"),
        ] {
            assert_eq!(shown(text), Ok(name.into()), "{text}");
        }
    }

    #[test]
    fn an_address_has_one_form() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1.", "192.0.2.1"),
            ("１９２.0.2.1", "192.0.2.1"),
            ("[2001:DB8:0::1]", "[2001:db8::1]"),
            ("[::ffff:169.254.169.254]", "169.254.169.254"),
            ("[::ffff:a9fe:a9fe]", "169.254.169.254"),
        ] {
            assert_eq!(shown(text), Ok(address.into()), "{text}");
            assert!(matches!(Host::parse(text), Ok(Host::Address(_))), "{text}");
        }
    }

    #[test]
    fn what_only_some_take_for_an_address_is_refused() {
        for text in [
            "2852039166",
            "0xa9fea9fe",
            "0xA9FEA9FE",
            "0x",
            "0251.0376.0251.0376",
            "0xa9.0xfe.0xa9.0xfe",
            "169.254.43518",
            "127.1",
            "127.1.",
            "1.2.3.4.5",
            "256.0.0.1",
            "example.1",
            "010.0.0.1",
            "１２７.１",
        ] {
            assert_eq!(shown(text), Err(HostError::Number), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        assert_eq!(shown(""), Err(HostError::Empty));
        for text in ["[::1", "[::1%eth0]", "[fe80::1%25eth0]", "[v1.a]", "[127.0.0.1]", "[]", "[::1]x"] {
            assert_eq!(shown(text), Err(HostError::Brackets), "{text}");
        }
        let long = format!("{}.example", "a".repeat(64));
        for text in [".", "a..b", ".example", "a b", "user@example", "a%2eb", "a:1", "::1", "*", "*.a.example", &long] {
            assert_eq!(shown(text), Err(HostError::Name), "{text}");
        }
    }
}
