package fingerprint

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// The example of JA4's own documentation: Chrome over TCP.
func TestDocumented(t *testing.T) {
	h := &tls.ClientHelloInfo{
		CipherSuites:      []uint16{0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		Extensions:        []uint16{0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x3a3a},
		SignatureSchemes:  []tls.SignatureScheme{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
		SupportedVersions: []uint16{0x4a4a, 0x0304, 0x0303},
		SupportedProtos:   []string{"h2", "http/1.1"},
	}
	if got, want := JA4(h), "t13d1516h2_8daaf6152771_e5627efa2ab1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What JA3's own documentation says of its text, but for the version.
func TestText(t *testing.T) {
	h := &tls.ClientHelloInfo{
		CipherSuites:    []uint16{0x5a5a, 47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
		Extensions:      []uint16{0, 10, 11, 0x6a6a},
		SupportedCurves: []tls.CurveID{0x7a7a, 23, 24, 25},
		SupportedPoints: []uint8{0},
	}
	if got := string(JA3Text(h)); got != "771,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0" {
		t.Error(got)
	}
	if got := string(JA3Text(&tls.ClientHelloInfo{CipherSuites: []uint16{4}})); got != "771,4,,," {
		t.Error(got)
	}
	if got := JA4(&tls.ClientHelloInfo{SupportedProtos: []string{"\xabx\xcd"}}); got != "t00i0000ad_000000000000_000000000000" {
		t.Error(got)
	}
}

// Real clients, against what another reading of the same bytes makes of them.
func TestClients(t *testing.T) {
	for _, client := range []struct{ name, command string }{
		{"curl", "curl -sk https://localhost:PORT/"},
		{"curl, HTTP/1 and TLS 1.2", "curl -sk --http1.1 --tls-max 1.2 https://localhost:PORT/"},
		{"curl, by address", "curl -sk https://127.0.0.1:PORT/"},
		{"openssl", "openssl s_client -connect 127.0.0.1:PORT -servername localhost -alpn http/1.1"},
		{"openssl without a name", "openssl s_client -connect 127.0.0.1:PORT -noservername -tls1_2"},
		{"chromium", "chromium --headless --no-sandbox --disable-gpu --ignore-certificate-errors --user-data-dir=DIR --dump-dom https://localhost:PORT/"},
	} {
		t.Run(client.name, func(t *testing.T) {
			program, _, _ := strings.Cut(client.command, " ")
			if _, err := exec.LookPath(program); err != nil {
				t.Skipf("%s is not installed", program)
			}
			if program == "chromium" && testing.Short() {
				t.Skip("a browser takes its time")
			}
			raw, ja3, ja4 := greet(t, client.command)
			hello := parse(t, raw)
			if want := hello.ja3(); ja3 != want {
				t.Errorf("JA3 %s, want %s", ja3, want)
			}
			if want := hello.ja4(); ja4 != want {
				t.Errorf("JA4 %s, want %s", ja4, want)
			}
			t.Log(ja3, ja4)
		})
	}
}

// tee is a connection that remembers what it has read.
type tee struct {
	net.Conn
	seen bytes.Buffer
}

func (c *tee) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.Write(p[:n])
	return n, err
}

// greet runs a client until it has said hello, and returns that.
func greet(t *testing.T, command string) (raw []byte, ja3, ja4 string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	args := strings.Fields(strings.NewReplacer("PORT", port, "DIR", t.TempDir()).Replace(command))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader("")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait()
	}()
	cert := certificate(t)
	for {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		seen := &tee{Conn: c}
		conf := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			raw, ja3, ja4 = slices.Clone(seen.seen.Bytes()), JA3(h), JA4(h)
			return nil, io.EOF // enough
		}}
		_ = tls.Server(seen, conf).HandshakeContext(ctx)
		_ = c.Close()
		if ja4 != "" {
			return raw, ja3, ja4
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// hello is a ClientHello as this test reads it, without crypto/tls.
type hello struct {
	version                                          int
	ciphers, extensions, curves, signatures, offered []int
	points                                           []int
	name                                             bool
	protocol                                         string
}

func parse(t *testing.T, raw []byte) *hello {
	var message []byte // without the records around it
	for len(raw) >= 5 && raw[0] == 22 {
		n := int(binary.BigEndian.Uint16(raw[3:]))
		message = append(message, raw[5:min(5+n, len(raw))]...)
		raw = raw[min(5+n, len(raw)):]
	}
	if len(message) < 4 || message[0] != 1 {
		t.Fatalf("no ClientHello: %x", message[:min(len(message), 16)])
	}
	b := message[4:]
	h := &hello{version: int(binary.BigEndian.Uint16(b))}
	b = b[34:]
	b = b[1+int(b[0]):]
	n := int(binary.BigEndian.Uint16(b))
	h.ciphers, b = words(b[2:2+n]), b[2+n:]
	b = b[1+int(b[0]):]
	b = b[2:]
	for len(b) >= 4 {
		kind, n := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
		data := b[4 : 4+n]
		b = b[4+n:]
		h.extensions = append(h.extensions, kind)
		switch kind {
		case 0:
			h.name = true
		case 10:
			h.curves = words(data[2:])
		case 11:
			for _, p := range data[1:] {
				h.points = append(h.points, int(p))
			}
		case 13:
			h.signatures = words(data[2:])
		case 16:
			h.protocol = string(data[3 : 3+int(data[2])])
		case 43:
			h.offered = words(data[1:])
		}
	}
	return h
}

// words reads numbers of two bytes, but for GREASE.
func words(b []byte) (out []int) {
	for ; len(b) >= 2; b = b[2:] {
		if b[0] == b[1] && b[0]&15 == 10 {
			out = append(out, -1)
			continue
		}
		out = append(out, int(b[0])<<8+int(b[1]))
	}
	return out
}

func texts(list []int, format string) (out []string) {
	for _, n := range list {
		if n >= 0 && !(format == "%d" && n&0x0f0f == 0x0a0a && n>>8 == n&255) {
			out = append(out, fmt.Sprintf(format, n))
		}
	}
	return out
}

func grease(list []int) (out []int) {
	for _, n := range list {
		if n >= 0 && !(n > 255 && n&0x0f0f == 0x0a0a && n>>8 == n&255) {
			out = append(out, n)
		}
	}
	return out
}

func (h *hello) ja3() string {
	text := fmt.Sprint(h.version)
	for _, list := range [][]int{h.ciphers, h.extensions, h.curves, h.points} {
		text += "," + strings.Join(texts(grease(list), "%d"), "-")
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(text)))
}

func (h *hello) ja4() string {
	version := h.version
	for _, v := range h.offered {
		version = max(version, v)
	}
	ciphers, extensions := grease(h.ciphers), grease(h.extensions)
	head := fmt.Sprintf("t1%d", version-0x0301)
	if h.name {
		head += "d"
	} else {
		head += "i"
	}
	head += fmt.Sprintf("%02d%02d", len(ciphers), len(extensions))
	if h.protocol == "" {
		head += "00"
	} else {
		head += h.protocol[:1] + h.protocol[len(h.protocol)-1:]
	}
	slices.Sort(ciphers)
	slices.Sort(extensions)
	extensions = slices.DeleteFunc(extensions, func(e int) bool { return e == 0 || e == 16 })
	second := strings.Join(texts(extensions, "%04x"), ",")
	if len(h.signatures) > 0 {
		second += "_" + strings.Join(texts(grease(h.signatures), "%04x"), ",")
	}
	short := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))[:12] }
	return head + "_" + short(strings.Join(texts(ciphers, "%04x"), ",")) + "_" + short(second)
}
