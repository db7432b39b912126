package gatehouse

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"gatehouse/usage"
)

// BenchmarkCallers is what a request costs by
// each way of knowing and judging callers, without a service behind: the rows of
// `make bench BENCH="-cases callers"`.
func BenchmarkCallers(b *testing.B) {
	secret := strings.Repeat("0123456789abcdef", 4)
	policies := filepath.Join(b.TempDir(), "bench.cedar")
	if err := os.WriteFile(policies, []byte(`permit (principal, action, resource in API::"cedar") when { principal.scopes.contains("orders.read") };
forbid (principal, action, resource) when { resource.path like "/staff/*" };`), 0o600); err != nil {
		b.Fatal(err)
	}
	authorizer := `authorizers: {callers: {jwt: {issuer: i, audience: a, secret: "` + secret + `"}}}`
	const routes = `routes: [{match: "ANY /{proxy*}", target: "mock:204"}]`
	g := boot(b, `
listen: [{address: "127.0.0.1:0"}]
admin: {address: off}
log: {access: off, level: warn}
state: {master-key: `+strconv.Quote(filepath.Join(b.TempDir(), "master.key"))+`}
usage-plans: {gold: {throttle: {rate: 1000000/s, burst: 1000000000}, quota: {limit: 1000000000000, per: day}, apis: [key]}}
apis:
  open: {domains: [open.test], authorize: none, `+routes+`}
  key: {domains: [key.test], authorize: none, api-key: required, `+routes+`}
  token: {domains: [token.test], authorize: callers, `+authorizer+`, `+routes+`}
  cedar: {domains: [cedar.test], authorize: callers, cedar: `+policies+`, `+authorizer+`, `+routes+`}
  policy:
    domains: [policy.test]
    authorize: none
    policy:
      Version: 2012-10-17
      Statement:
        - {Effect: Allow, Principal: "*", Action: "execute-api:Invoke", Resource: "execute-api:/*/GET/*"}
        - {Effect: Deny, Principal: "*", Action: "*", Resource: "execute-api:/*", Condition: {NotIpAddress: {"aws:SourceIp": [127.0.0.0/8, 10.0.0.0/8, "::1/128"]}}}
        - {Effect: Deny, Principal: "*", Action: "*", Resource: ["execute-api:/*/*/admin/*", "execute-api:/*/*/staff*"], Condition: {StringNotLike: {"aws:UserAgent": "staff/*"}}}
    `+routes+`
`)
	key, err := g.keepers.usage.Create(b.Context(), usage.Wish{Name: "bench", Plan: "gold"})
	if err != nil {
		b.Fatal(err)
	}
	keys, tokens := []string{key.Value}, benchTokens(b, secret)
	for _, bc := range []struct {
		api, header string
		values      []string
	}{
		{"open", "", nil}, {"policy", "", nil}, {"key", "X-Api-Key", keys}, {"token", "Authorization", tokens}, {"cedar", "Authorization", tokens},
	} {
		b.Run(bc.api, func(b *testing.B) { g.ask(b, bc.api+".test", bc.header, bc.values) })
	}
}

// pipelined is how many requests are sent at once, so that the kernel's part counts
// for little.
const pipelined = 50

// ask sends requests with the values of a header in turn. cpu-ns/op is the
// processor time of the process for one of them: it depends little on what else the
// machine does.
func (b *booted) ask(t *testing.B, host, header string, values []string) {
	var batches [][]byte
	for i := 0; i == 0 || i < len(values); i += pipelined {
		var batch []byte
		for j := range pipelined {
			batch = fmt.Appendf(batch, "GET /orders/1042 HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n", host)
			if header != "" {
				batch = fmt.Appendf(batch, "%s: %s\r\n", header, values[(i+j)%len(values)])
			}
			batch = append(batch, "\r\n"...)
		}
		batches = append(batches, batch)
	}
	conn, err := net.Dial("tcp", b.Addr("127.0.0.1:0").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	before, n := processorTime(), 0
	t.ReportAllocs()
	for t.Loop() {
		if n%pipelined == 0 {
			if _, err := conn.Write(batches[n/pipelined%len(batches)]); err != nil {
				t.Fatal(err)
			}
		}
		n++
		answered(t, answers)
	}
	t.ReportMetric(float64(processorTime()-before)/float64(n), "cpu-ns/op")
}

// answered reads one answer, a 204.
func answered(t *testing.B, r *bufio.Reader) {
	line, err := r.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(line, []byte("HTTP/1.1 204")) {
		t.Fatalf("%q %v", line, err)
	}
	for len(line) > 2 {
		if line, err = r.ReadSlice('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

// processorTime is what the process has used, in nanoseconds.
func processorTime() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// benchTokens are the tokens of a thousand customers, as Authorization has them.
func benchTokens(b *testing.B, secret string) (out []string) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		token, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": "i", "aud": "a", "sub": fmt.Sprintf("customer-%04d", i), "scope": "orders.read orders.write",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		}).Serialize()
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, "Bearer "+token)
	}
	return out
}
