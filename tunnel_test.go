package gatehouse

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
)

// A panic behind a tunnel that is open already, in a filter on the way out or in
// the tunnel itself, leaves neither connections nor the record of the request
// behind, and ends nothing else.
func TestTunnelPanics(t *testing.T) {
	for _, tc := range []struct {
		name           string
		filter, within any
		end            string
	}{
		{"none", nil, nil, `"end":"service"`},
		{"a filter", "on the way out", nil, `"end":"service"`},
		{"a filter that gives up", http.ErrAbortHandler, nil, `"end":"service"`},
		{"the tunnel", nil, "within", `"tunnel":{"bytesIn":0,"bytesOut":0}`},
	} {
		b := boot(t, `
listen: [{address: "127.0.0.1:0"}]
admin: {address: off}
log: {access: stdout}
apis: {a: {authorize: none, routes: [{match: GET /x, target: mock}]}}
`)
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			x := exchange.From(r)
			conn, head, _, err := x.Writer.Switch()
			if err != nil || head == nil {
				t.Error(head, err)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			x.Tunnel = &exchange.Tunnel{Open: true}
			x.Tunnel.Run = func() {
				defer conn.Close()
				if tc.within != nil {
					panic(tc.within)
				}
				x.Tunnel.End = "service"
			}
			if tc.filter != nil {
				panic(tc.filter)
			}
		})
		c, err := net.Dial("tcp", b.Addr("127.0.0.1:0").String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(c, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		got, err := io.ReadAll(c)
		if !strings.HasPrefix(string(got), "HTTP/1.1 101 ") || err != nil {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
		b.end()
		if lines := b.lines.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, tc.end) {
			t.Errorf("%s: the access log says %s", tc.name, lines)
		}
		if wanted := tc.filter != nil || tc.within != nil; wanted != strings.Contains(b.said.String(), "a request panicked") {
			t.Errorf("%s: the log says %s", tc.name, b.said.String())
		}
	}
}
