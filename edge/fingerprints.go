package edge

import (
	"crypto/tls"

	"gatehouse/edge/fingerprint"
)

// printing has every handshake's fingerprints written down before it goes on to
// next, which may be nil.
func printing(next func(*tls.ClientHelloInfo) (*tls.Config, error)) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if c, ok := hello.Conn.(*conn); ok {
			c.info.JA3, c.info.JA4 = fingerprint.JA3(hello), fingerprint.JA4(hello)
		}
		if next == nil {
			return nil, nil
		}
		return next(hello)
	}
}
