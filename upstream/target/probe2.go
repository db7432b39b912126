package target

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// GRPC is a probe by gRPC's own protocol for health (grpc.health.v1).
type GRPC struct {
	On      bool
	Service string // which is asked about; "" for the server as a whole
}

// speaksHTTP2 reports whether a new connection to e is one by HTTP/2.
func (e *Endpoint) speaksHTTP2(c net.Conn) bool {
	if secure, ok := c.(*tls.Conn); ok {
		return secure.ConnectionState().NegotiatedProtocol == "h2"
	}
	return e.protocol == HTTP2
}

// run2 probes over a connection by HTTP/2, which is closed with the probe's
// context at the latest.
func (p probe) run2(ctx context.Context, e *Endpoint, c net.Conn) error {
	scheme := "http"
	if _, ok := c.(*tls.Conn); ok {
		scheme = "https"
	}
	conn, err := transport(c, HTTP2Options{Idle: time.Minute}).NewClientConn(ctx, scheme, e.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := p.request(ctx, scheme)
	if err != nil {
		return err
	}
	resp, err := conn.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if p.grpc.On {
		return serving(resp)
	}
	if !p.good(resp.StatusCode) {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

func (p probe) request(ctx context.Context, scheme string) (*http.Request, error) {
	method, path, body := http.MethodGet, p.path, []byte(nil)
	if p.grpc.On {
		method, path, body = http.MethodPost, "/grpc.health.v1.Health/Check", healthCheck(p.grpc.Service)
	}
	r, err := http.NewRequestWithContext(ctx, method, scheme+"://"+p.host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "gatehouse-health")
	if p.grpc.On {
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Te", "trailers")
	}
	return r, nil
}

// healthCheck is a HealthCheckRequest in its frame. The service's name is
// shorter than 128 bytes.
func healthCheck(service string) []byte {
	var m []byte
	if service != "" {
		m = append([]byte{0x0a, byte(len(service))}, service...)
	}
	return append([]byte{0, 0, 0, 0, byte(len(m))}, m...)
}

// serving holds a HealthCheckResponse to SERVING.
func serving(resp *http.Response) error {
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	status := resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
	if status != "0" {
		return fmt.Errorf("grpc-status %s", status)
	}
	// A message of one field, status = 1, a varint below 128.
	if bytes.Equal(answer, []byte{0, 0, 0, 0, 2, 0x08, 1}) {
		return nil
	}
	return errors.New("the service says that it is not serving")
}
