package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realistic returns a role with five policies of ten statements, such as grow
// over years: other services, other APIs, other methods, conditions; the last
// statement of the last policy allows what is asked.
func realistic(t testing.TB) *Principal {
	var policies []*Policy
	for i := range 5 {
		var statements []string
		for j := range 10 {
			switch j % 5 {
			case 0:
				statements = append(statements, fmt.Sprintf(`{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket-%d-%d/*"}`, i, j))
			case 1:
				statements = append(statements, fmt.Sprintf(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":["arn:aws:execute-api:*:*:api%d/*/GET/*","arn:aws:execute-api:*:*:api%d/*/POST/x%d"]}`, i, i, j))
			case 2:
				statements = append(statements, fmt.Sprintf(`{"Effect":"Deny","Action":"execute-api:*","Resource":"arn:aws:execute-api:*:*:shop/prod/*/admin%d/*"}`, j))
			case 3:
				statements = append(statements, `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.0/24"]},"Bool":{"aws:SecureTransport":"false"}}}`)
			case 4:
				statements = append(statements, `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:shop/prod/DELETE/users/${aws:userid}/*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}`)
			}
		}
		if i == 4 {
			statements[9] = `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-central-1:123456789012:shop/*/GET/orders/*"}`
		}
		policies = append(policies, compile(t, Identity, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`))
	}
	who := session(policies...)
	who.Tags = []Tag{{"team", "blue"}}
	return who
}

func benchmarkRequest(who *Principal) *Request {
	r := ask(who)
	r.SourceIP, r.Transport, r.Time = netip.MustParseAddr("203.0.113.9"), Secure, time.Unix(1767225600, 0)
	return r
}

// BenchmarkEvaluate: aim under 1 us of CPU, without an allocation. The machine
// may be busy with other things, so the time of this process is told as well.
func BenchmarkEvaluate(b *testing.B) {
	for name, who := range map[string]*Principal{
		"role":        realistic(b),
		"role-invoke": realistic(b).For(invoke), // as the gateway asks
		"one":         user(compile(b, Identity, statement("Allow", ""))),
	} {
		b.Run(name, func(b *testing.B) {
			r := benchmarkRequest(who)
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				if d := Evaluate(r, Policies{}); !d.Allowed {
					b.Fatal(d)
				}
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

// The decision of a realistic request allocates nothing.
func TestEvaluateAllocatesNothing(t *testing.T) {
	r := benchmarkRequest(realistic(t))
	p := Policies{
		Organisation: []*Policy{compile(t, Identity, statement("Allow", `,"Condition":{"StringLike":{"aws:UserAgent":"*"},"DateGreaterThan":{"aws:CurrentTime":"2020-01-01"}}`))},
		Resource:     compile(t, Resource, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"execute-api:/*","Principal":{"AWS":"123456789012"},"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}}}`),
	}
	r.UserAgent = []string{"curl/8"}
	if n := testing.AllocsPerRun(100, func() {
		if !Evaluate(r, p).Allowed {
			t.Fatal("denied")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
