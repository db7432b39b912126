package acme

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// The parts of a bundle, as certmagic names them.
const (
	certPart = ".crt"
	keyPart  = ".key"
	metaPart = ".json"

	bundleExt = ".pem"
	metaBlock = "ACME METADATA"
)

func parts() []string { return []string{certPart, keyPart, metaPart} }

// bundle is one certificate with its intermediates, its private key and what
// the CA said of it.
type bundle struct{ cert, key, meta []byte }

func (b *bundle) part(name string) *[]byte {
	switch name {
	case certPart:
		return &b.cert
	case keyPart:
		return &b.key
	}
	return &b.meta
}

func (b *bundle) set(part string, value []byte) { *b.part(part) = bytes.Clone(value) }
func (b *bundle) get(part string) []byte        { return *b.part(part) }

func (b *bundle) whole() bool { return len(b.cert) > 0 && len(b.key) > 0 && len(b.meta) > 0 }

// encode writes the bundle as one PEM file, the certificate first, so that other
// programs can read it too.
func (b *bundle) encode() []byte {
	var out []byte
	for _, text := range [][]byte{b.cert, b.key} {
		out = append(append(out, bytes.TrimSpace(text)...), '\n')
	}
	return append(out, pem.EncodeToMemory(&pem.Block{Type: metaBlock, Bytes: b.meta})...)
}

// decodeBundle reads what encode wrote.
func decodeBundle(text []byte) (*bundle, error) {
	b := &bundle{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			b.cert = append(b.cert, pem.EncodeToMemory(block)...)
		case strings.HasSuffix(block.Type, "PRIVATE KEY") && b.key == nil:
			b.key = pem.EncodeToMemory(block)
		case block.Type == metaBlock:
			b.meta = block.Bytes
		}
	}
	if !b.whole() {
		return nil, errors.New("a certificate, its private key or the CA's word on them is missing")
	}
	return b, nil
}

// decodeChain returns the first certificate of a chain.
func decodeChain(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
