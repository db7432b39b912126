package sigv4

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
	"gatehouse/iam"
)

// vectors returns the folder of AWS's test vectors.
func vectors(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "conformance", "aws-signing-v4")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the conformance data is missing: %v", err)
		}
		t.Skipf("the conformance data is not here: %v", err)
	}
	return dir
}

type vector struct {
	Credentials struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
		Token  string `json:"token"`
	} `json:"credentials"`
	Normalize bool      `json:"normalize"`
	OmitToken bool      `json:"omit_session_token"`
	Region    string    `json:"region"`
	Service   string    `json:"service"`
	Timestamp time.Time `json:"timestamp"`
}

// store is the vector's access key, in the place of a configuration's.
type store vector

func (s *store) AccessKey(id string) (string, string, bool) {
	return s.Credentials.Secret, "ci", id == s.Credentials.ID
}

// TestConformance verifies all of AWS's vectors, in both forms, down to what
// they say of every step on the way.
func TestConformance(t *testing.T) {
	dir := vectors(t)
	cases, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range cases {
		if !c.IsDir() {
			continue
		}
		ran++
		for _, form := range []string{"header", "query"} {
			t.Run(c.Name()+"/"+form, func(t *testing.T) { conform(t, filepath.Join(dir, c.Name()), form) })
		}
	}
	if ran != 38 {
		t.Errorf("%d cases, not 38", ran)
	}
}

func conform(t *testing.T, dir, form string) {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	}
	var v vector
	if err := json.Unmarshal([]byte(read("context.json")), &v); err != nil {
		t.Fatal(err)
	}
	x, r := rawRequest(t, read(form+"-signed-request.txt"))
	defer x.Finish()
	x.Start = v.Timestamp.Add(time.Minute)
	verifier := v.verifier(t)

	as := reading{normal: v.Normalize, withoutToken: v.OmitToken}
	var c credential
	if f := c.read(x, r); f != nil {
		t.Fatalf("%+v", f)
	}
	p, f := verifier.payloadOf(&c, x, r)
	if f != nil {
		t.Fatalf("%+v", f)
	}
	var s scratch
	if !s.canonicalRequest(x, r, &c, p.signed, as) || string(s.buf) != read(form+"-canonical-request.txt") {
		t.Errorf("the canonical request is\n%s\nnot\n%s", s.buf, read(form+"-canonical-request.txt"))
	}
	if !s.stringToSign(x, r, &c, p.signed, as) || string(s.buf) != read(form+"-string-to-sign.txt") {
		t.Errorf("the string to sign is\n%s\nnot\n%s", s.buf, read(form+"-string-to-sign.txt"))
	}
	if c.signature != read(form+"-signature.txt") {
		t.Errorf("the signature is read as %s", c.signature)
	}
	caller, f := verifier.Verify(x, r)
	if f != nil || caller == nil {
		t.Errorf("refused: %+v", f)
	}
	// With one bit of the signature changed, nothing of it is good.
	x, r = rawRequest(t, strings.Replace(read(form+"-signed-request.txt"), c.signature, flipped(c.signature), 1))
	defer x.Finish()
	x.Start = v.Timestamp
	if _, f := verifier.Verify(x, r); reason(f) != "bad-signature" {
		t.Errorf("a changed signature: %+v", f)
	}
}

func flipped(signature string) string {
	last := signature[len(signature)-1]
	return signature[:len(signature)-1] + map[bool]string{true: "1", false: "0"}[last == '0']
}

func (v *vector) verifier(t *testing.T) *Verifier {
	d := iam.Compile(loadIAM(t), "123456789012", v.Region, (*store)(v))
	verifier := NewKeeper(iam.NewSealer([32]byte{})).Verifier(d, v.Service, 1<<20)
	if v.Credentials.Token != "" { // no session of ours: as if it had been opened
		session := &iam.Session{AccessKey: v.Credentials.ID, Secret: v.Credentials.Secret, Expires: v.Timestamp.Add(time.Hour).Unix()}
		verifier.cache.remember(&opened{token: v.Credentials.Token, directory: d, session: session, caller: d.User("ci")})
	}
	return verifier
}

// rawRequest reads a request as the vectors write it, which HTTP would not let
// pass: with spaces and unencoded characters in its target.
func rawRequest(t *testing.T, text string) (*exchange.Exchange, *http.Request) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	target := strings.TrimSuffix(rest, " HTTP/1.1")
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.RequestURI, r.ContentLength = target, int64(len(body))
	if body == "" {
		r.Body = http.NoBody
	}
	last := ""
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		switch {
		case line[0] == ' ': // folded
			values := r.Header[last]
			values[len(values)-1] += "\n" + line
			continue
		case strings.EqualFold(name, "host"):
			r.Host = value
			continue
		case strings.EqualFold(name, "content-length"):
			r.ContentLength, _ = strconv.ParseInt(value, 10, 64)
			continue
		}
		r.Header.Add(name, value)
		last = http.CanonicalHeaderKey(name)
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	_ = x.Path.Parse(target) // what it refuses, it still tells raw
	return x, r
}
