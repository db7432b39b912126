package record_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gatehouse/exchange"
	"gatehouse/waf/record"
	"gatehouse/waf/redact"
)

func TestDescribe(t *testing.T) {
	r := httptest.NewRequest("POST", "/orders/7?a=1&token=abc", nil)
	r.Host = "api.shop.test"
	r.Header = http.Header{"Authorization": {"Bearer x"}, "Cookie": {"sid=1"}, "X-Tier": {"gold"}, "X-Odd": {"a\xffb"}}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	defer x.Finish()
	x.Client, x.API, x.Stage, x.Host = netip.MustParseAddr("192.0.2.7"), "shop", "prod", "api.shop.test"
	x.Labels = append(x.Labels, "gatehouse:crs:942100")
	if err := x.Path.Parse(r.RequestURI); err != nil {
		t.Fatal(err)
	}
	rec := record.Record{ACL: "edge", Rule: "crs", Action: "BLOCK", Groups: []record.Group{{ID: "crs"}}}
	rec.Describe(x, r, "NO", &redact.Fields{Headers: []string{"x-tier"}})
	line := rec.Line()
	if line[len(line)-1] != '\n' || strings.Count(string(line), "\n") != 1 {
		t.Fatalf("%q", line)
	}
	var got map[string]any
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"timestamp", "formatVersion", "webaclId", "terminatingRuleId", "terminatingRuleType", "action", "terminatingRuleMatchDetails", "httpSourceName", "ruleGroupList", "rateBasedRuleList", "nonTerminatingMatchingRules", "httpRequest", "labels"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %s in %s", key, line)
		}
	}
	request := got["httpRequest"].(map[string]any)
	for key, want := range map[string]string{"clientIp": "192.0.2.7", "country": "NO", "uri": "/orders/7", "args": "a=1&token=REDACTED", "httpVersion": "HTTP/1.1", "httpMethod": "POST", "requestId": x.ID, "scheme": "https", "host": "api.shop.test"} {
		if request[key] != want {
			t.Errorf("%s is %v", key, request[key])
		}
	}
	if h := fmt.Sprint(request["headers"]); h != "[map[name:host value:api.shop.test] map[name:authorization value:REDACTED] map[name:cookie value:sid=REDACTED] map[name:x-odd value:a\ufffdb] map[name:x-tier value:REDACTED]]" {
		t.Error(h)
	}
}

func counted(client, uri string, matches ...record.RuleMatch) string {
	rec := record.Record{FormatVersion: 1, ACL: "edge", Action: "ALLOW", Groups: []record.Group{{ID: "crs", NonTerminating: matches}}}
	rec.Request.ClientIP, rec.Request.URI = client, uri
	return string(rec.Line())
}

func match(id, target, data string) record.RuleMatch {
	return record.RuleMatch{ID: id, Action: "COUNT", Message: "about " + id, Details: []record.Detail{{Target: target, Data: []string{data}}}}
}

func TestTune(t *testing.T) {
	var log strings.Builder
	for i := range 12 {
		client, uri := fmt.Sprintf("192.0.2.%d", i%3), fmt.Sprintf("/blog/%d/comments", i)
		log.WriteString(counted(client, uri, match("942100", "ARGS:comment", "n&s"), match("942190", "ARGS:comment", "union"), match("949110", "", "")))
		log.WriteString(counted(client, fmt.Sprintf("/a%d", i), match("920273", "REQUEST_HEADERS:X-It's", "x")))
		log.WriteString(counted(client, "/orders", match("942430", fmt.Sprintf("ARGS:json.items.%d.note", i), "(-)")))
	}
	log.WriteString(counted("192.0.2.9", "/once", match("941100", "ARGS:q", "<b>")))
	log.WriteString("no record\n\n")
	blocked := record.Record{FormatVersion: 1, Groups: []record.Group{{ID: "crs", Terminating: &record.RuleMatch{ID: "949110", Action: "BLOCK"}, NonTerminating: []record.RuleMatch{match("930100", "ARGS:f", "../")}}}}
	log.WriteString(strings.Repeat(string(blocked.Line()), 20))
	tuner := record.NewTuner()
	if err := tuner.Read(strings.NewReader(log.String())); err != nil {
		t.Fatal(err)
	}
	if tuner.Records != 57 || tuner.Skipped != 1 {
		t.Errorf("%d records, %d skipped", tuner.Records, tuner.Skipped)
	}
	var out strings.Builder
	if err := record.WriteYAML(&out, tuner.Proposals(2)); err != nil {
		t.Fatal(err)
	}
	want := `# edge, rule crs
exclusions:
  # 12 requests of 3 clients: about 920273: "x"
  - {rule: 920273, target: 'REQUEST_HEADERS:X-It''s'}
  # 12 requests of 3 clients: about 942100: "n&s"
  - {rule: 942100, target: 'ARGS:comment', path: '/blog/{id}/comments'}
  - {rule: 942190, target: 'ARGS:comment', path: '/blog/{id}/comments'}
  # 12 requests of 3 clients: about 942430: "(-)"
  - {rule: 942430, target: 'ARGS:/^json\.items\.\d+\.note$/', path: '/orders'}
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

// What a client writes cannot become configuration.
func TestTuneHostile(t *testing.T) {
	evil := "ARGS:a'}\n  - {tag: OWASP_CRS}\n#"
	tuner := record.NewTuner()
	text := counted("x", "/'}\n- {tag: OWASP_CRS}", record.RuleMatch{ID: "942100", Message: "m\n- {tag: OWASP_CRS}", Details: []record.Detail{{Target: evil, Data: []string{"\n- {tag: x}"}}}})
	if err := tuner.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := record.WriteYAML(&out, tuner.Proposals(1)); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Exclusions []map[string]any `yaml:"exclusions"`
	}
	if err := yaml.Unmarshal([]byte(out.String()), &back); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if len(back.Exclusions) != 1 || back.Exclusions[0]["target"] != evil {
		t.Errorf("%v in\n%s", back.Exclusions, out.String())
	}
}
