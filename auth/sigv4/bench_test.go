package sigv4

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gatehouse/exchange"
)

// BenchmarkVerify: aim under 15 us of CPU a request. The machine may be busy
// with other things, so the time of this process is told as well.
func BenchmarkVerify(b *testing.B) {
	g := newGate(b)
	session, token := g.session(b, time.Hour)
	temporary := aws.Credentials{AccessKeyID: session.AccessKey, SecretAccessKey: session.Secret, SessionToken: token}
	body := strings.Repeat("x", 1<<10)
	get := func() *http.Request {
		return request(b, "GET", "https://api.shop.test/orders/42?limit=10&after=abc", "", "Accept", "application/json", "User-Agent", "sdk/1")
	}
	for name, r := range map[string]*http.Request{
		"get":       sign(b, get(), keys, emptyHash, time.Now()),
		"session":   sign(b, get(), temporary, emptyHash, time.Now()),
		"presigned": presign(b, get(), keys, emptyHash, time.Now(), "3600"),
		"post-1k":   sign(b, request(b, "POST", "https://api.shop.test/orders", body, "Content-Type", "application/json"), keys, hashOf(body), time.Now()),
	} {
		b.Run(name, func(b *testing.B) {
			in := arrive(b, r)
			sent := ""
			if in.ContentLength > 0 {
				sent = body
			}
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				in.Body = http.NoBody
				if sent != "" {
					in.Body = io.NopCloser(strings.NewReader(sent))
				}
				x, in := exchange.Begin(nil, in, &exchange.Conn{TLS: true}, nil)
				if err := x.Path.Parse(in.RequestURI); err != nil {
					b.Fatal(err)
				}
				if _, f := g.verifier.Verify(x, in); f != nil {
					b.Fatal(f)
				}
				x.Release()
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is the time that the process has had of the processors.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A route that asks for signatures pays no more than a look for requests that
// have none.
func BenchmarkNoSignature(b *testing.B) {
	g := newGate(b)
	s := &Scheme{g.verifier}
	x, r := exchange.Begin(httptest.NewRecorder(), arrive(b, request(b, "GET", "https://api.shop.test/orders?limit=10", "", "Authorization", "Bearer x")), &exchange.Conn{}, nil)
	_ = x.Path.Parse(r.RequestURI)
	b.ReportAllocs()
	for b.Loop() {
		if s.Authenticate(x, r).Found {
			b.Fatal("found")
		}
	}
}
