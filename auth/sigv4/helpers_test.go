package sigv4

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam"
)

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	region = "eu-central-1"
)

// document is what the tests need of a configuration.
type document struct {
	config.At
	IAM *iam.Config `yaml:"iam"`
}

const section = `
iam:
  users: {ci: {access-keys: [{id: ` + keyID + `, secret: ` + secret + `}, {id: AKIADISABLED00000000, secret: ` + secret + `, disabled: true}]}}
  roles: {deploy: {trust: user:ci}}
`

func directory(t testing.TB, region string) *iam.Directory {
	t.Helper()
	return iam.Compile(loadIAM(t), "123456789012", region, nil)
}

// gate verifies requests as a gateway does.
type gate struct {
	keeper   *Keeper
	sealer   *iam.Sealer
	verifier *Verifier
	now      time.Time // zero for the clock's
}

func newGate(t testing.TB) *gate {
	g := &gate{sealer: iam.NewSealer([32]byte{1})}
	g.keeper = NewKeeper(g.sealer)
	g.verifier = g.keeper.Scheme(&Config{Body: 1 << 20, UnsignedPayload: "tls"}, directory(t, region)).verifier
	return g
}

// session returns a session's credentials and token.
func (g *gate) session(t testing.TB, lifetime time.Duration) (*iam.Session, string) {
	t.Helper()
	s := &iam.Session{Account: "123456789012", Role: "deploy", Name: "run", Issued: time.Now().Unix(), Expires: time.Now().Add(lifetime).Unix()}
	s.NewCredentials()
	token, err := g.sealer.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

// verify sends a request of a client to the gate, as HTTP carries it, and
// returns who it is from, why it is refused, and the body behind the gate.
func (g *gate) verify(t testing.TB, out *http.Request, change ...func(*http.Request, *exchange.Conn)) (who string, fault *Fault, body string, err error) {
	t.Helper()
	in := arrive(t, out)
	conn := &exchange.Conn{TLS: true}
	for _, f := range change {
		f(in, conn)
	}
	x, in := exchange.Begin(httptest.NewRecorder(), in, conn, exchange.NewBudget(8<<20))
	defer x.Finish()
	if !g.now.IsZero() {
		x.Start = g.now
	}
	if err := x.Path.Parse(in.RequestURI); err != nil {
		t.Fatal(err)
	}
	caller, fault := g.verifier.Verify(x, in)
	if fault != nil {
		return "", fault, "", nil
	}
	data, err := io.ReadAll(in.Body)
	return caller.Known.ID, nil, string(data), err
}

// arrive turns a client's request into what a server makes of its bytes.
func arrive(t testing.TB, out *http.Request) *http.Request {
	t.Helper()
	var body []byte
	if out.Body != nil {
		var err error
		if body, err = io.ReadAll(out.Body); err != nil {
			t.Fatal(err)
		}
		out.Body = io.NopCloser(bytes.NewReader(body))
	}
	in := httptest.NewRequestWithContext(context.Background(), out.Method, "http://"+out.URL.Host+out.URL.RequestURI(), bytes.NewReader(body))
	in.RequestURI, in.Host, in.Header = out.URL.RequestURI(), out.Host, out.Header.Clone()
	if in.Host == "" {
		in.Host = out.URL.Host
	}
	in.ContentLength = int64(len(body))
	if len(body) == 0 {
		in.Body = http.NoBody
	}
	return in
}

func reason(f *Fault) string {
	if f == nil {
		return ""
	}
	return f.Reason
}

func request(t testing.TB, method, url, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func loadIAM(t testing.TB) *iam.Config {
	t.Helper()
	var d document
	if _, err := config.LoadBytes("c.yaml", []byte(section), &d, config.Options{}); err != nil {
		t.Fatal(err)
	}
	return d.IAM
}
