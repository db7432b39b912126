package upstream

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"gatehouse/upstream/target"
)

// newIdentity compiles the tls section. Internal gives the gateway's own
// client certificate anew at every handshake, so that it renews by itself.
func newIdentity(t *TLS, p target.Protocol, internal func() (*tls.Certificate, error)) (target.Identity, error) {
	if t == nil {
		return target.Identity{Key: protocolKey(p), Protocol: p}, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocolNames(p)}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %x\n", t.ServerName, t.CA.Content)
	if t.CA.IsSet() {
		var err error
		if c.RootCAs, err = roots(t.CA.Content); err != nil {
			return target.Identity{}, fmt.Errorf("%s: %w", t.CA.Path, err)
		}
	}
	switch cc := t.Client; {
	case cc == nil:
	case cc.Internal:
		if internal == nil {
			return target.Identity{}, errors.New("there is no internal authority for a client certificate")
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return internal() }
		fmt.Fprintln(sum, "internal")
	default:
		own, err := pair(cc)
		if err != nil {
			return target.Identity{}, fmt.Errorf("%s and %s: %w", cc.Cert.Path, cc.Key.Path, err)
		}
		c.Certificates = []tls.Certificate{own}
		fmt.Fprintf(sum, "%x %x\n", cc.Cert.Content, cc.Key.Content)
	}
	return target.Identity{Key: protocolKey(p) + hex.EncodeToString(sum.Sum(nil)), Config: c, Name: t.ServerName, Protocol: p}, nil
}

// protocolNames are what is offered by ALPN, in order of liking.
func protocolNames(p target.Protocol) []string {
	switch p {
	case target.HTTP2:
		return []string{"h2"}
	case target.Auto:
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

// protocolKey keeps the connections of protocols apart.
func protocolKey(p target.Protocol) string {
	return [...]string{target.HTTP1: "", target.HTTP2: "h2 ", target.Auto: "auto "}[p]
}

func roots(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM form")
	}
	return pool, nil
}

func pair(c *ClientCertificate) (tls.Certificate, error) {
	return tls.X509KeyPair(c.Cert.Content, c.Key.Content)
}
