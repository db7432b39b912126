package place

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatehouse/exchange"
)

func TestStrip(t *testing.T) {
	for _, tc := range []struct{ place, name, header, value, want string }{
		{"header", "Authorization", "Authorization", "Bearer x", ""},
		{"header", "X-Token", "X-Token", "x", ""},
		{"cookie", "session", "Cookie", "a=b; session=x; c=d", "a=b; c=d"},
		{"cookie", "session", "Cookie", "session=x", ""},
		{"cookie", "session", "Cookie", "a=b;session = x; xsession=y;", "a=b; xsession=y"},
		{"cookie", "session", "Cookie", "a=b", "a=b"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header[tc.header] = []string{tc.value}
		x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
		f := From{tc.place, tc.name}
		f.Strip(x, r)
		if got := strings.Join(r.Header[tc.header], "|"); got != tc.want {
			t.Errorf("%v of %q leaves %q, want %q", f, tc.value, got, tc.want)
		}
	}
	for query, want := range map[string]string{"a=b&token=x": "a=b", "t%6Fken=x": "", "token": "", "tokens=x&a": "tokens=x&a", "": "", "token=a&token=b&": ""} {
		x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
		x.Path.Query = query
		(&From{"query", "token"}).Strip(x, r)
		if x.Path.Query != want {
			t.Errorf("%q leaves %q, want %q", query, x.Path.Query, want)
		}
	}
}

// FuzzPlaces holds the readers of cookies and queries against net/http and net/url,
// which services may well read them by: they find no other token than the one
// that is judged.
func FuzzPlaces(f *testing.F) {
	for _, seed := range []string{"session=a", "session=a; session=b", `session="a"`, "session =a", " session=a;session=a", "x=session=a", "session", "SESSION=a; session=", "session=a%20b&session=a+b", "s%65ssion=a&b", "session=\"a;b\"", "\tsession\t=\ta"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		if strings.ContainsAny(one+two, "\r\n") {
			return // no field holds them
		}
		r := &http.Request{Header: http.Header{"Cookie": {one, two}}}
		token, found, err := findCookie(r.Header["Cookie"], "session")
		for _, c := range r.Cookies() {
			if value := trim(c.Value); c.Name == "session" && value != "" && err == nil && value != token {
				t.Errorf("%q: net/http finds %q; judged is %q, %v", r.Header, c.Value, token, found)
			}
		}
		token, found, err = findQuery(one, "session")
		theirs, _ := url.ParseQuery(one)
		for _, value := range theirs["session"] {
			if value != "" && err == nil && value != token {
				t.Errorf("%q: net/url finds %q; judged is %q, %v", one, value, token, found)
			}
		}
	})
}
