package fields

import (
	"net/http"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for class, names := range map[Class]string{
		Free: "Accept Authorization Cookie Content-Type Content-Length Host-Name X-Api-Key X_api_key X-Forward X-Forwardedfor Xforwarded-For User-Agent " +
			"Te-Deum Upgrade-Insecure-Requests Keep Proxied Transfer X-Http-Methods X-Gatehouse Traceparent Connect " +
			"X-Real-Ip-And-A-Name-That-Is-Longer-Than-Others Content-Type-Of-Something-Else_ " +
			"Sec-Fetch-Site Range Referer Want-Digest X-Amzn-Trace-Id X-Amz-Date X-Auth-Token X-Client-Version X-Remote Client-Certificate Ssl-Clients",
		Never: "Keep-Alive Proxy Proxy-Connection Proxy-Authorization Proxy-Anything Trailer Transfer-Encoding Http2-Settings Host " +
			"X-Http-Method-Override X-HTTP-METHOD-OVERRIDE x_http_method_override X-Original-Url X-Rewrite-Url X-Gatehouse-Principal X_gatehouse_principal " +
			"X_forwarded_for X-Forwarded_For X_Real_Ip X.Forwarded.For X-Forwarded~Host Remote.User Http2!Settings Content.Type Content_Length content_type Keep_alive Transfer_Encoding Proxy_Authorization " +
			"X-Host x_original_method REMOTE_USER Ssl_Client_Verify X_Consumer_Username Client_Cert X-Remote_User " +
			"X-Gatehouse-A-Name-That-Is-Longer-Than-All-Others X_Forwarded_A-Name-That-Is-Longer-Than-All-Others",
		Forwarding: "Client-Cert Client-Cert-Chain Remote-User X-Remote-User X-Remote-Extra-Scopes X-Webauth-User Ssl-Client-Verify X-Ssl-Client-Cert X-Client-Cert-Dn " +
			"X-Amzn-Oidc-Identity X-Amzn-Mtls-Clientcert-Subject X-Auth-Request-User X-Consumer-Username X-Credential-Identifier X-Goog-Authenticated-User-Email " +
			"Cf-Access-Authenticated-User-Email X-Ms-Client-Principal X-Ms-Client-Principal-Name Forwarded X-Forwarded-For x-forwarded-for X-Forwarded-Proto X-Forwarded-Anything-That-Is-Longer-Than-All-Others X-Forwarded-",
		Address:    "X-Real-Ip True-Client-Ip CF-Connecting-IP Fly-Client-Ip WL-Proxy-Client-IP",
		Connection: "Connection CONNECTION",
		TE:         "TE te",
		Upgrade:    "Upgrade",
	} {
		for _, name := range strings.Fields(names) {
			if got := Classify(name); got != class {
				t.Errorf("%s: %d, want %d", name, got, class)
			}
		}
	}
	if Classify("") != Never {
		t.Error("the empty name passes")
	}
}

func TestCleanTrailer(t *testing.T) {
	trailer := http.Header{}
	for _, name := range []string{"Grpc-Status", "X-Checksum", "Content-Digest", "Server-Timing"} {
		trailer[name] = []string{"keep"}
	}
	for _, name := range []string{"X-Forwarded-For", "X_forwarded_for", "Forwarded", "Authorization", "Cookie", "Host", "Transfer-Encoding", "Content-Length", "Content_length", "Content.Length", "X.Forwarded.For", "Content-Type", "X-Http-Method-Override", "X-Gatehouse-Principal", "Te", "Connection", "Upgrade", "X-Real-Ip", "Client-Cert", "Remote_user", ""} {
		trailer[name] = []string{"drop"}
	}
	CleanTrailer(trailer)
	for name, v := range trailer {
		if v[0] != "keep" {
			t.Errorf("%q stays", name)
		}
	}
	if len(trailer) != 4 {
		t.Errorf("%v", trailer)
	}
}

func FuzzClassify(f *testing.F) {
	for _, name := range []string{"X-Forwarded-For", "x_forwarded_for", "x.forwarded.for", "Accept", "Proxy-", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := Classify(name)
		if got != Classify(strings.ToUpper(name)) && strings.ToUpper(name) == asciiUpper(name) {
			t.Errorf("%q: the case decides", name)
		}
		flat := strings.Map(func(r rune) rune {
			if r < 0x80 && isPunctuation(byte(r)) {
				return '-'
			}
			return r
		}, name)
		if flat != name && Classify(flat) != Free && got != Never {
			t.Errorf("%q passes for %q", name, flat)
		}
	})
}

func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 32
		}
		return r
	}, s)
}

func BenchmarkClassify(b *testing.B) {
	names := []string{"Accept", "Accept-Encoding", "Authorization", "Content-Type", "Cookie", "User-Agent", "X-Api-Key", "X-Request-Id"}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			if Classify(name) != Free {
				b.Fatal(name)
			}
		}
	}
}
