package permission

import "net/netip"

// metadataHost says that a host is one at which clouds give the credentials of a
// machine to whoever asks from it: link-local addresses (RFC 3927; AWS, Azure,
// Google, Oracle, ECS), the ones of AWS for IPv6 and of Alibaba, and the names that
// Google and AWS have for them. Host is canonical.
func metadataHost(host string) bool {
	switch host {
	case "metadata.google.internal", "metadata", "instance-data", "instance-data.ec2.internal", "metadata.azure.com", "metadata.platformequinix.com":
		return true
	}
	addr, err := netip.ParseAddr(hostAddress(host))
	if err != nil {
		return false
	}
	return addr.IsLinkLocalUnicast() || addr == netip.AddrFrom4([4]byte{100, 100, 100, 200}) || addr == netip.MustParseAddr("fd00:ec2::254") || addr == netip.MustParseAddr("fd00:ec2::23")
}
