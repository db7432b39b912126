package accesslog

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"

	"gatehouse/exchange"
	"gatehouse/observe/escape"
)

// appendJSON appends the default line: a JSON object with the fields that the
// room's README names, in that order; what is not known is left out.
func (f *Format) appendJSON(b []byte, rec *Record) []byte {
	x := rec.Exchange
	b = append(b, `{"time":"`...)
	b = appendTime(b, x.Start)
	b = append(b, `","requestId":"`...)
	b = escape.JSON(b, x.ID)
	b = append(b, '"')
	b = text(b, `,"api":"`, x.API)
	b = text(b, `,"stage":"`, x.Stage)
	b = text(b, `,"route":"`, x.Route)
	switch x.Variant {
	case exchange.Canary:
		b = append(b, `,"canary":true`...)
	case exchange.Stable:
		b = append(b, `,"canary":false`...)
	}
	b = text(b, `,"method":"`, x.Method)
	b = text(b, `,"host":"`, x.Host)
	b = text(b, `,"path":"`, x.Path.Raw)
	if f.query && x.Path.Query != "" {
		b = append(b, `,"query":"`...)
		b = escape.Query(b, clip(x.Path.Query), escape.JSON)
		b = append(b, '"')
	}
	b = text(b, `,"protocol":"`, x.Proto)
	b = appendConn(b, x)
	b = number(b, `,"status":`, int64(x.Writer.Status()))
	b = number(b, `,"bytesIn":`, x.Body.Received())
	b = number(b, `,"bytesOut":`, x.Writer.Bytes())
	b = appendCoding(b, &x.Coding)
	b = millis(b, `,"latencyMs":`, rec.Latency)
	b = text(b, `,"userAgent":"`, rec.UserAgent)
	b = appendTrace(b, x)
	b = number(b, `,"generation":`, int64(x.Generation))
	b = appendUpstream(b, &x.Upstream)
	b = appendTunnel(b, x.Tunnel)
	b = appendRefusal(b, x.Refused)
	if x.Aborted {
		b = append(b, `,"aborted":true`...)
	}
	return append(b, '}', '\n')
}

func appendConn(b []byte, x *exchange.Exchange) []byte {
	if x.Conn.TLS {
		b = append(b, `,"tls":true`...)
		if x.Conn.SNI != x.Host {
			b = text(b, `,"sni":"`, x.Conn.SNI)
		}
	}
	b = address(b, `,"client":"`, x.Client)
	if x.Conn.Peer.Addr() != x.Client {
		b = address(b, `,"peer":"`, x.Conn.Peer.Addr())
	}
	if x.Principal != nil {
		b = text(b, `,"principal":"`, x.Principal.ID)
	}
	if x.APIKey != nil {
		b = text(b, `,"apiKeyId":"`, x.APIKey.ID)
	}
	return b
}

func appendCoding(b []byte, c *exchange.Coding) []byte {
	if c.Name == "" {
		return b
	}
	return number(text(b, `,"coding":"`, c.Name), `,"bytesPlain":`, c.Plain)
}

func appendTrace(b []byte, x *exchange.Exchange) []byte {
	if x.Trace.ID == [16]byte{} {
		return b
	}
	b = append(b, `,"traceId":"`...)
	b = hex.AppendEncode(b, x.Trace.ID[:])
	b = append(b, `","spanId":"`...)
	b = hex.AppendEncode(b, x.Trace.Span[:])
	return append(b, '"')
}

func appendUpstream(b []byte, u *exchange.Upstream) []byte {
	if u.Service == "" && u.Target == "" && u.Attempts == 0 {
		return b
	}
	b = append(b, `,"upstream":{"service":"`...)
	b = escape.JSON(b, u.Service)
	b = append(b, '"')
	b = text(b, `,"target":"`, u.Target)
	if u.Status != 0 {
		b = number(b, `,"status":`, int64(u.Status))
	}
	if u.Latency > 0 {
		b = millis(b, `,"latencyMs":`, u.Latency)
	}
	if u.Queued > 0 {
		b = millis(b, `,"queueMs":`, u.Queued)
	}
	if u.Init > 0 {
		b = millis(b, `,"initMs":`, u.Init)
	}
	if u.Connect > 0 {
		b = millis(b, `,"connectMs":`, u.Connect)
	}
	b = number(b, `,"attempts":`, int64(u.Attempts))
	b = text(b, `,"error":"`, u.Error)
	return append(b, '}')
}

func appendTunnel(b []byte, t *exchange.Tunnel) []byte {
	if t == nil || !t.Open {
		return b
	}
	b = number(b, `,"tunnel":{"bytesIn":`, t.In)
	b = number(b, `,"bytesOut":`, t.Out)
	b = text(b, `,"end":"`, t.End)
	return append(b, '}')
}

func appendRefusal(b []byte, f *exchange.Refusal) []byte {
	if f == nil {
		return b
	}
	b = append(b, `,"refused":{"reason":"`...)
	b = escape.JSON(b, f.Reason)
	b = append(b, '"')
	if r := f.Rule; r != nil {
		b = text(b, `,"filter":"`, r.Filter)
		b = text(b, `,"rule":"`, r.Name)
		if r.At.IsValid() {
			b = append(b, `,"at":"`...)
			b = escape.JSON(b, r.At.File)
			b = append(b, ':')
			b = strconv.AppendInt(b, int64(r.At.Line), 10)
			b = append(b, '"')
		}
	}
	b = text(b, `,"detail":"`, f.Detail)
	return append(b, '}')
}

// text appends a string field; key holds all up to the opening quote. An empty
// string is left out.
func text(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	b = append(b, key...)
	b = escape.JSON(b, clip(s))
	return append(b, '"')
}

// maxText bounds what one value takes of a line, however much a client sends.
const maxText = 4 << 10

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

func number(b []byte, key string, n int64) []byte {
	return appendInt(append(b, key...), n)
}

func millis(b []byte, key string, d time.Duration) []byte {
	return appendMillis(append(b, key...), d)
}

func address(b []byte, key string, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	b = append(b, key...)
	b = a.AppendTo(b)
	return append(b, '"')
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
