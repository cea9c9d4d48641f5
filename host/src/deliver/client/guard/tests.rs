//! The table of addresses, and arbitrary ones held against a second way to say the same.

use proptest::prelude::*;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// X9: none of these can be reached unless the operator says so.
#[test]
fn addresses_that_are_not_public_are_refused_whatever_their_form() {
    let closed = [
        // Loopback, unspecified, private, link-local, behind a carrier's NAT.
        "127.0.0.1",
        "127.255.255.255",
        "::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "169.254.0.1",
        "fe80::1",
        "febf::1",
        "100.64.0.0",
        "100.127.255.255",
        // Metadata services.
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        // Unique-local, site-local, multicast, broadcast, reserved, benchmarks, protocols, documentation, discard.
        "fc00::1",
        "fdff:ffff::1",
        "fec0::1",
        "224.0.0.1",
        "239.255.255.255",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "192.0.0.1",
        "192.88.99.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "5f00::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        // IPv4 in IPv6: mapped, compatible, translated, NAT64 (both prefixes), 6to4, Teredo, ISATAP below link-local.
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::127.0.0.1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fe80::5efe:127.0.0.1",
    ];
    let egress = Egress { plaintext: true, ..Egress::default() };
    for text in closed {
        for port in [80, 443, 8443] {
            let answer = egress.check(address(text), port);
            assert_eq!(answer, Err(Objection::Address(address(text).to_canonical())), "{text}");
        }
    }
    let open = [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700::1111",
        "3ffe::1",
        "3fff:1000::1",
    ];
    for text in open {
        assert_eq!(egress.check(address(text), 443), Ok(()), "{text}");
    }
}

#[test]
fn the_operator_allows_ranges_and_nothing_beside_them() {
    let allow = vec![(address("127.0.0.1"), 32), (address("10.1.0.0"), 16), (address("fd12::"), 16)];
    let egress = Egress { allow, ..Egress::default() };
    for text in ["127.0.0.1", "::ffff:127.0.0.1", "10.1.255.255", "fd12:1::1"] {
        // The operator knows what stands there: any port will do.
        assert_eq!(egress.check(address(text), 25), Ok(()), "{text}");
    }
    for text in ["127.0.0.2", "10.2.0.0", "10.0.255.255", "fd13::1", "::1", "::127.0.0.1", "64:ff9b::10.1.0.1"] {
        assert!(egress.check(address(text), 443).is_err(), "{text}");
    }
    let all = |family: &str| Egress { allow: vec![(address(family), 0)], ..Egress::default() };
    assert!(
        all("0.0.0.0").check(address("127.0.0.1"), 443).is_ok() && all("0.0.0.0").check(address("::1"), 443).is_err()
    );
    assert!(all("::").check(address("::1"), 443).is_ok() && all("::").check(address("127.0.0.1"), 443).is_err());
}

#[test]
fn schemes_and_ports_are_those_of_web_services() {
    let (strict, plain) = (Egress::default(), Egress { plaintext: true, ..Egress::default() });
    assert_eq!((strict.check_scheme(Some("https")), plain.check_scheme(Some("https"))), (Ok(true), Ok(true)));
    assert_eq!(
        (strict.check_scheme(Some("http")), plain.check_scheme(Some("http"))),
        (Err(Objection::Scheme), Ok(false))
    );
    for scheme in [None, Some("ftp"), Some("file"), Some("gopher"), Some("HTTPS"), Some("ws")] {
        assert_eq!(plain.check_scheme(scheme), Err(Objection::Scheme), "{scheme:?}");
    }
    let public = address("8.8.8.8");
    for port in [443, 1024, 5439, 8088, 9200, 65535] {
        assert_eq!(strict.check(public, port), Ok(()));
    }
    for port in [0, 22, 25, 53, 80, 110, 445, 1023] {
        assert_eq!(strict.check(public, port), Err(Objection::Port(port)));
    }
    assert_eq!(plain.check(public, 80), Ok(()));
}

proptest! {
    /// X9: what the standard library can name as special is never public, nor is any form that carries IPv4.
    #[test]
    fn no_special_address_is_public(bits in any::<u128>(), head in prop::sample::select(vec![
        None, Some(0u128), Some(0xffff), Some(0xffff_0000), Some(0x0064_ff9b << 64), Some(0x2002 << 80), Some(0x2001 << 80),
    ])) {
        let v4 = Ipv4Addr::from_bits(u32::try_from(bits & u128::from(u32::MAX)).unwrap());
        let special = v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_broadcast()
            || v4.is_documentation() || v4.is_unspecified() || v4.is_multicast() || v4.octets()[0] == 0;
        prop_assert!(!(special && is_public(IpAddr::V4(v4))), "{v4}");
        let v6 = match head {
            None => Ipv6Addr::from_bits(bits),
            Some(head) => Ipv6Addr::from_bits(head << 32 | u128::from(v4.to_bits())),
        };
        let egress = Egress::default();
        let is_allowed = egress.check(IpAddr::V6(v6), 443).is_ok();
        let special = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local()
            || v6.is_unicast_link_local();
        prop_assert!(!(special && is_allowed), "{v6}");
        // The mapped form is the address itself; any other form that carries one is closed.
        let mapped = v6.to_ipv4_mapped();
        prop_assert_eq!(mapped.is_some_and(|v4| is_public(IpAddr::V4(v4))), mapped.is_some() && is_allowed);
        prop_assert!(mapped.is_some() || head.is_none() || !is_allowed, "{v6}");
    }

    /// A range holds exactly the addresses whose first bits are its own.
    #[test]
    fn ranges_are_prefixes(network in any::<u32>(), other in any::<u32>(), bits in 0u8..=32) {
        let shift = 32 - u32::from(bits);
        let same = network.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0);
        prop_assert_eq!(shares_v4(Ipv4Addr::from_bits(network), Ipv4Addr::from_bits(other), bits), same);
    }
}
