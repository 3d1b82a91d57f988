//! Which addresses a stranger's code may be connected to.
//!
//! The networks are those of IANA's special-purpose registries for IPv4 and IPv6, and the addresses at which clouds keep
//! their metadata servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is to a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// On the public internet.
    Public,
    /// On this machine or a private network: for the operator to open. With a word for what it is.
    Private(&'static str),
    /// Never to be reached. With a word for what it is.
    Closed(&'static str),
}

use Standing::{Closed, Private, Public};

const METADATA: Standing = Closed("a cloud's metadata server");

/// IPv4 networks that are not public: first address, length of the prefix, what it is. The first that fits counts.
const V4: &[(Ipv4Addr, u32, Standing)] = &[
    // Metadata servers outside 169.254.0.0/16: Alibaba's, Azure's, Oracle's.
    (Ipv4Addr::new(100, 100, 100, 200), 32, METADATA),
    (Ipv4Addr::new(168, 63, 129, 16), 32, METADATA),
    (Ipv4Addr::new(192, 0, 0, 192), 32, METADATA),
    (Ipv4Addr::new(0, 0, 0, 0), 8, Closed("an address of no host")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private("a private address")),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Private("a carrier's private address")),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Private("a loopback address")),
    // The metadata servers of Google, Amazon and Azure are here, as are the credentials of Amazon's containers.
    (Ipv4Addr::new(169, 254, 0, 0), 16, Closed("a link-local address")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private("a private address")),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Closed("a reserved address")),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Closed("an address for documentation")),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Closed("a relay to another network")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private("a private address")),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Closed("an address for benchmarks")),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Closed("an address for documentation")),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Closed("an address for documentation")),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Closed("a multicast address")),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Closed("a reserved address")),
];

/// IPv6 networks, public ones among them: what fits none is not public.
const V6: &[(Ipv6Addr, u32, Standing)] = &[
    (Ipv6Addr::LOCALHOST, 128, Private("a loopback address")),
    // Metadata servers in private networks: Amazon's, with its containers' credentials, and Google's.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32, METADATA),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0), 32, METADATA),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private("a private address")),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Closed("a link-local address")),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Closed("a multicast address")),
    // Teredo is among these; it and 6to4 carry an IPv4 address that a relay would connect to.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Closed("a protocol's own address")),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Closed("an address for documentation")),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Closed("a relay to another network")),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Closed("an address for documentation")),
    // All that is given out for the public internet so far.
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, Public),
];

/// NAT64 with the well-known prefix (RFC 6052): the last four bytes are the IPv4 address that is connected to. It is
/// what a network without IPv4 gives for every name that has no IPv6 address.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// What `address` is to a handler.
pub(super) fn standing(address: IpAddr) -> Standing {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let fits = |(network, length, _): &&(Ipv4Addr, u32, _)| is_in_v4(address, *network, *length);
            V4.iter().find(fits).map_or(Public, |(.., standing)| *standing)
        }
        IpAddr::V6(address) if is_in_v6(address, NAT64.0, NAT64.1) => {
            let [.., a, b, c, d] = address.octets();
            match standing(Ipv4Addr::new(a, b, c, d).into()) {
                Public => Public,
                // What the operator opens is an address of this network, not one behind a translator.
                Private(kind) | Closed(kind) => Closed(kind),
            }
        }
        IpAddr::V6(address) => {
            let fits = |(network, length, _): &&(Ipv6Addr, u32, _)| is_in_v6(address, *network, *length);
            V6.iter().find(fits).map_or(Closed("a reserved address"), |(.., standing)| *standing)
        }
    }
}

/// Whether the two agree in their first bits.
fn is_in_v4(address: Ipv4Addr, network: Ipv4Addr, length: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

fn is_in_v6(address: Ipv6Addr, network: Ipv6Addr, length: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Standing {
        standing(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public_up_to_the_edges_of_the_networks_beside_them() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "199.36.153.8",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2a00:1450:4001:80b::200e",
            "3ffe::1",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(of(text), Public, "{text}");
        }
    }

    #[test]
    fn private_addresses_are_for_the_operator_to_open() {
        for text in [
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "::1",
            "fc00::",
            "fdff:ffff::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
        ] {
            assert!(matches!(of(text), Private(_)), "{text}: {:?}", of(text));
        }
    }

    #[test]
    fn metadata_and_what_is_nobodys_stays_closed_in_every_form() {
        for text in [
            // Google, Amazon and Azure; their other services; Alibaba; Azure; Oracle.
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.0",
            "169.254.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "2001:0:a9fe:a9fe::1",
            "0.0.0.0",
            "0.255.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::2",
            "::ffff:0:8.8.8.8",
            "100::1",
            "2001:db8::1",
            "2001:2::1",
            "2001:1ff:ffff::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(matches!(of(text), Closed(_)), "{text}: {:?}", of(text));
        }
    }
}
