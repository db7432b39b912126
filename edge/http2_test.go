package edge

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The kinds of HTTP/2 frames, and errors, that the tests speak of (RFC 9113
// sections 6 and 7).
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway, frameContinuation = 0, 1, 3, 4, 7, 9
	endStream, endHeaders                                                              = 1, 4
	protocolError, frameSizeError, enhanceYourCalm                                     = 1, 6, 11
)

func frame(kind, flags byte, stream uint32, payload string) string {
	var head [9]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(payload))<<8|uint32(kind))
	head[4] = flags
	binary.BigEndian.PutUint32(head[5:], stream)
	return string(head[:]) + payload
}

// literal is a header field in HPACK's plainest form (RFC 7541 section 6.2.2).
func literal(name, value string) string {
	return "\x00" + hpackString(name) + hpackString(value)
}

func hpackString(s string) string {
	n := len(s)
	if n < 127 {
		return string([]byte{byte(n)}) + s
	}
	length := []byte{127}
	for n -= 127; n >= 128; n >>= 7 {
		length = append(length, byte(n)|128)
	}
	return string(append(length, byte(n))) + s
}

// getRoot are the pseudo-header fields of GET https://.../ without an authority;
// three fields of HPACK's static table.
const getRoot = "\x82\x87\x84"

// dialHTTP2 opens a connection and says what a client must before its requests,
// with settings of its own.
func dialHTTP2(t *testing.T, h *house, settings ...string) net.Conn {
	t.Helper()
	c := tls.Client(dial(t, h.addr()), &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots(), NextProtos: []string{"h2"}})
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(frameSettings, 0, 0, strings.Join(settings, ""))); err != nil {
		t.Fatal(err)
	}
	return c
}

// sendHeaders sends a request's header block in frames that are not too large.
func sendHeaders(t *testing.T, c io.Writer, block string) {
	t.Helper()
	const most = 16 << 10
	kind, flags := byte(frameHeaders), byte(endStream)
	var out strings.Builder
	for len(block) > most {
		out.WriteString(frame(kind, flags, 1, block[:most]))
		block, kind, flags = block[most:], frameContinuation, 0
	}
	out.WriteString(frame(kind, flags|endHeaders, 1, block))
	if _, err := io.WriteString(c, out.String()); err != nil {
		t.Fatal(err)
	}
}

// await reads frames until one of a kind has come, and returns its payload.
func await(t *testing.T, c io.Reader, kinds ...byte) (kind byte, payload string) {
	t.Helper()
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			t.Fatalf("no frame of the kinds %d: %v", kinds, err)
		}
		b := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatalf("no frame of the kinds %d: %v", kinds, err)
		}
		if slices.Contains(kinds, head[3]) {
			return head[3], string(b)
		}
	}
}

// answered waits for the answer to the one request of c and returns its status,
// of those that HPACK's static table holds or that are written out.
func answered(t *testing.T, c io.Reader) string {
	t.Helper()
	kind, block := await(t, c, frameHeaders, frameReset)
	switch {
	case kind == frameReset:
		return "reset"
	case block[0] == 0x88:
		return "200"
	case block[0] == 0x8c:
		return "400"
	case block[0]&0xc0 == 0x40 && block[1] == 3: // :status by its index, in full
		return block[2:5]
	}
	return fmt.Sprintf("%x", block)
}

// goneAway waits for the word that c ends, and returns the error that it names.
func goneAway(t *testing.T, c io.Reader) byte {
	t.Helper()
	_, payload := await(t, c, frameGoAway)
	return payload[7]
}

// Headers up to the limit pass as on HTTP/1; above it the gateway itself answers,
// and far above it the engine ends the connection.
func TestHTTP2HeaderLimit(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	for _, test := range []struct {
		fields, size int // of each field
		status       string
	}{{1, 15 << 10, "200"}, {200, 70, "200"}, {1, 17 << 10, "431"}, {10, 3 << 10, "431"}, {300, 70, "431"}} {
		before := h.counters().LargeHeaders.Load()
		c := dialHTTP2(t, h)
		sendHeaders(t, c, getRoot+literal(":authority", "api.shop.test")+strings.Repeat(literal("x", strings.Repeat("x", test.size)), test.fields))
		if got := answered(t, c); got != test.status {
			t.Errorf("%d of %d bytes: status %q, want %s", test.fields, test.size, got, test.status)
		}
		if counted := h.counters().LargeHeaders.Load() - before; counted != 0 != (test.status == "431") {
			t.Errorf("%d of %d bytes: counted %d times", test.fields, test.size, counted)
		}
		if _, body := await(t, c, frameData); test.status == "431" && !strings.Contains(body, `{"message":`) {
			t.Errorf("%q", body)
		}
	}
	c := dialHTTP2(t, h)
	sendHeaders(t, c, getRoot+literal(":authority", "api.shop.test")+literal("x", strings.Repeat("x", 40<<10)))
	goneAway(t, c)
	closedBy(t, c)
	if n := h.counters().HTTP2Errors.Load(); n != 1 {
		t.Errorf("%d errors of HTTP/2 counted", n)
	}
}

// A frame's length alone must not make the gateway reserve memory for it.
func TestHTTP2FrameSize(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	c := dialHTTP2(t, h)
	const announced = 16<<10 + 1
	_, _ = c.Write([]byte{announced >> 16, announced >> 8 & 255, announced & 255, frameData, 0, 0, 0, 0, 1})
	if got := goneAway(t, c); got != frameSizeError {
		t.Errorf("error %d", got)
	}
}

// Headers without end (CVE-2023-45288) end the connection.
func TestHTTP2EndlessHeaders(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	c := dialHTTP2(t, h)
	go func() {
		_, _ = io.WriteString(c, frame(frameHeaders, endStream, 1, getRoot+literal(":authority", "api.shop.test")))
		more := frame(frameContinuation, 0, 1, literal("x", strings.Repeat("x", 8<<10)))
		for range 1000 {
			if _, err := io.WriteString(c, more); err != nil {
				return
			}
		}
	}()
	if got := goneAway(t, c); got != protocolError {
		t.Errorf("error %d", got)
	}
}

// Streams that are reset as soon as they are opened (CVE-2023-44487) occupy no
// more handlers than streams that stay, and end the connection.
func TestHTTP2RapidReset(t *testing.T) {
	var running, most atomic.Int64
	goOn := make(chan bool)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-goOn
	}, listenerConfig(withTLS(), func(l *Listener) { l.HTTP2.Streams = 10 }))
	defer close(goOn)
	c := dialHTTP2(t, h)
	go func() {
		for id := uint32(1); id < 2000; id += 2 {
			open := frame(frameHeaders, endStream|endHeaders, id, getRoot+literal(":authority", "api.shop.test"))
			if _, err := io.WriteString(c, open+frame(frameReset, 0, id, "\x00\x00\x00\x08")); err != nil {
				return
			}
		}
	}()
	if got := goneAway(t, c); got != enhanceYourCalm {
		t.Errorf("error %d", got)
	}
	if n := most.Load(); n > 10 {
		t.Errorf("%d handlers at a time", n)
	}
	if h.counters().HTTP2Errors.Load() == 0 {
		t.Error("not counted")
	}
}

// A Host beside :authority must say the same, and there is one (RFC 9113 section
// 8.3.1).
func TestHTTP2HostAndAuthority(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	authority := literal(":authority", "api.shop.test")
	for name, test := range map[string]struct{ fields, status string }{
		"authority alone": {authority, "200"},
		"Host alone":      {literal("host", "api.shop.test"), "200"},
		"both the same":   {authority + literal("host", "API.shop.test"), "200"},
		"another Host":    {authority + literal("host", "admin.shop.test"), "400"},
		"two Hosts":       {literal("host", "api.shop.test") + literal("host", "admin.shop.test"), "400"},
		"neither":         {"", "400"},
		"userinfo":        {literal(":authority", "admin@api.shop.test"), "reset"},
	} {
		c := dialHTTP2(t, h)
		sendHeaders(t, c, getRoot+test.fields)
		if got := answered(t, c); got != test.status {
			t.Errorf("%s: status %q, want %s", name, got, test.status)
		}
	}
}

// A connection that says nothing more than it must ends with the idle timeout.
func TestHTTP2IdleConnectionsEnd(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS(), func(l *Listener) { l.Limits.IdleTimeout = 50e6 }))
	c := dialHTTP2(t, h)
	start := time.Now()
	goneAway(t, c)
	closedBy(t, c)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
	eventually(t, "closed", func() bool { return h.counters().Active.Load() == 0 })
}
