package webread

import (
	"fmt"
	"net/netip"
)

// special is a block that a web page has no business to be at: a row of the
// IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890; the
// registries, not the RFC, are the list), multicast, and what the last rows
// name. The test holds each row to its examples.
type special struct {
	block, name, source string
	// in lies in the block; out is the nearest public address beside it, empty
	// where the neighbours are special too.
	in, out string
}

var specials = []special{
	{"0.0.0.0/8", "this network", "RFC 791", "0.0.0.0", "1.0.0.0"},
	{"10.0.0.0/8", "a private network", "RFC 1918", "10.255.255.255", "11.0.0.0"},
	{"100.64.0.0/10", "shared by carriers", "RFC 6598", "100.100.100.200", "100.63.255.255"},
	{"127.0.0.0/8", "this machine", "RFC 1122", "127.0.0.1", "126.255.255.255"},
	{"169.254.0.0/16", "link-local", "RFC 3927", "169.254.169.254", "169.253.255.255"},
	{"172.16.0.0/12", "a private network", "RFC 1918", "172.31.255.255", "172.32.0.0"},
	{"192.0.0.0/24", "protocol assignments", "RFC 6890", "192.0.0.192", "192.0.1.0"},
	{"192.0.2.0/24", "documentation", "RFC 5737", "192.0.2.1", "192.0.3.0"},
	{"192.31.196.0/24", "AS112", "RFC 7535", "192.31.196.1", "192.31.197.0"},
	{"192.52.193.0/24", "multicast tunnels", "RFC 7450", "192.52.193.1", "192.52.192.255"},
	{"192.88.99.0/24", "6to4 relays", "RFC 7526", "192.88.99.1", "192.88.100.0"},
	{"192.168.0.0/16", "a private network", "RFC 1918", "192.168.1.1", "192.169.0.0"},
	{"192.175.48.0/24", "AS112", "RFC 7534", "192.175.48.1", "192.175.49.0"},
	{"198.18.0.0/15", "benchmarks", "RFC 2544", "198.19.255.255", "198.20.0.0"},
	{"198.51.100.0/24", "documentation", "RFC 5737", "198.51.100.7", "198.51.101.0"},
	{"203.0.113.0/24", "documentation", "RFC 5737", "203.0.113.255", "203.0.114.0"},
	{"224.0.0.0/4", "multicast", "RFC 5771", "239.255.255.250", "223.255.255.255"},
	{"240.0.0.0/4", "reserved", "RFC 1112", "255.255.255.255", ""},

	{"2001::/23", "protocol assignments, Teredo, ORCHID", "RFC 2928", "2001:0:c000:204::1", "2001:200::1"},
	{"2001:db8::/32", "documentation", "RFC 3849", "2001:db8::1", "2001:db9::1"},
	{"2002::/16", "an IPv4 address inside (6to4)", "RFC 3056", "2002:7f00:1::", "2003::1"},
	{"2620:4f:8000::/48", "AS112", "RFC 7534", "2620:4f:8000::1", "2620:4f:8001::1"},
	{"3fff::/20", "documentation", "RFC 9637", "3fff:fff::1", "3fff:1000::1"},

	// In no registry: a public address that every virtual machine of Azure
	// reaches its host at.
	{"168.63.129.16/32", "the host of a cloud machine", "Azure documentation, IP address 168.63.129.16", "168.63.129.16", "168.63.129.17"},
}

// global is the only block of IPv6 that IANA has handed out for unicast
// (RFC 4291 §2.4 and the IPv6 address space registry). Loopback, mapped IPv4,
// NAT64 (64:ff9b::/96), unique local, link-local and multicast lie outside.
var global = netip.MustParsePrefix("2000::/3")

// Public returns nil if an address is one at which the public web may be: IPv4
// or IPv6 unicast, outside of every special block. The error says what it is.
// It cannot see that a network translates a prefix of its own to IPv4 (NAT64
// with another prefix than 64:ff9b::/96).
func Public(a netip.Addr) error {
	if !a.IsValid() {
		return fmt.Errorf("no address")
	}
	if a.Zone() != "" {
		return fmt.Errorf("%s has a zone", a)
	}
	if a.Is6() && !global.Contains(a) {
		return fmt.Errorf("%s is not public IPv6 unicast", a)
	}
	if b := a.As16(); a.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		return fmt.Errorf("%s is an IPv4 address inside (ISATAP, RFC 5214)", a)
	}
	for _, s := range specials {
		if netip.MustParsePrefix(s.block).Contains(a) {
			return fmt.Errorf("%s is %s (%s)", a, s.name, s.block)
		}
	}
	return nil
}
