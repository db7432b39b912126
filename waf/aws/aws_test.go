package aws

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/waf/field"
	"gatehouse/waf/match"
	"gatehouse/waf/rule"
	"gatehouse/waf/text"
)

type section1 struct {
	Import *Import `yaml:"import"`
}

// load imports documents, each in a file of its own.
func load(t testing.TB, options string, docs ...string) (*Import, error) {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for i, doc := range docs {
		name := string(rune('a'+i)) + ".json"
		files = append(files, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var s section1
	_, err := config.LoadBytes(filepath.Join(dir, "test.yaml"), []byte("import: {files: ["+strings.Join(files, ", ")+"]"+options+"}"), &s, config.Options{})
	return s.Import, err
}

// statementOf imports one statement.
func statementOf(t *testing.T, statement string) match.Node {
	t.Helper()
	m, err := load(t, "", `{"Name": "a", "DefaultAction": {"Allow": {}}, "Rules": [{"Name": "r", "Priority": 0, "Statement": `+statement+`, "Action": {"Block": {}}}]}`)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return m.Rules[0].When.Node
}

func TestFields(t *testing.T) {
	for model, want := range map[string]field.Spec{
		`{"SingleHeader": {"Name": "User-Agent"}}`:                         {Kind: field.Header, Name: "user-agent"},
		`{"SingleQueryArgument": {"Name": "ID"}}`:                          {Kind: field.Argument, Name: "id"},
		`{"AllQueryArguments": {}}`:                                        {Kind: field.Arguments},
		`{"UriPath": {}}`:                                                  {Kind: field.Path},
		`{"QueryString": {}}`:                                              {Kind: field.Query},
		`{"Method": {}}`:                                                   {Kind: field.Method},
		`{"Body": {}}`:                                                     {Kind: field.Body, Over: field.Continue},
		`{"Body": {"OversizeHandling": "NO_MATCH"}}`:                       {Kind: field.Body, Over: field.NoMatch},
		`{"HeaderOrder": {"OversizeHandling": "MATCH"}}`:                   {Kind: field.HeaderOrder, Over: field.Match},
		`{"JA3Fingerprint": {"FallbackBehavior": "MATCH"}}`:                {Kind: field.JA3, Missing: field.Match},
		`{"JA4Fingerprint": {"FallbackBehavior": "NO_MATCH"}}`:             {Kind: field.JA4, Missing: field.NoMatch},
		`{"JsonBody": {"MatchPattern": {"All": {}}, "MatchScope": "KEY"}}`: {Kind: field.JSON, Scope: field.Keys, Over: field.Continue},
		`{"JsonBody": {"MatchPattern": {"IncludedPaths": ["/a/0"]}, "MatchScope": "ALL", "InvalidFallbackBehavior": "EVALUATE_AS_STRING", "OversizeHandling": "MATCH"}}`: {Kind: field.JSON, Include: []string{"/a/0"}, Over: field.Match, Invalid: field.InvalidText},
		`{"Headers": {"MatchPattern": {"ExcludedHeaders": ["Referer"]}, "MatchScope": "VALUE", "OversizeHandling": "CONTINUE"}}`:                                         {Kind: field.Headers, Scope: field.Values, Exclude: []string{"referer"}, Over: field.Continue},
		`{"Cookies": {"MatchPattern": {"IncludedCookies": ["SID"]}, "MatchScope": "ALL", "OversizeHandling": "NO_MATCH"}}`:                                               {Kind: field.Cookies, Include: []string{"SID"}, Over: field.NoMatch},
	} {
		node := statementOf(t, `{"SizeConstraintStatement": {"FieldToMatch": `+model+`, "ComparisonOperator": "LE", "Size": 5, "TextTransformations": [{"Priority": 9, "Type": "LOWERCASE"}, {"Priority": 1, "Type": "URL_DECODE_UNI"}]}}`)
		c := node.(*match.Content)
		if c.Field.Key() != want.Key() {
			t.Errorf("%s: %+v, want %+v", model, c.Field, want)
		}
		if size := c.Tests[0].(*match.Size); size.Operator != match.LessOrEqual || size.Bytes != 5 || c.Chain.Key() != (text.Chain{text.URLDecodeUni, text.Lowercase}).Key() {
			t.Errorf("%s: %+v %v", model, size, c.Chain)
		}
	}
}

func TestRates(t *testing.T) {
	for model, want := range map[string][]match.Key{
		`"AggregateKeyType": "IP"`:       {{IP: true}},
		`"AggregateKeyType": "CONSTANT"`: {{Constant: true}},
		`"AggregateKeyType": "FORWARDED_IP", "ForwardedIPConfig": {"HeaderName": "X-Forwarded-For", "FallbackBehavior": "MATCH"}`: {{IP: true, From: match.Source{Header: "X-Forwarded-For", Missing: true}}},
		`"AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": [{"IP": {}}, {"LabelNamespace": {"Namespace": "a:b:"}}]`:                {{IP: true}, {Label: "a:b:"}},
	} {
		r := statementOf(t, `{"RateBasedStatement": {"Limit": 100, "EvaluationWindowSec": 120, `+model+`}}`).(*match.RateBased)
		if r.Limit != 100 || r.Window.Seconds() != 120 || len(r.Keys) != len(want) {
			t.Fatalf("%s: %+v", model, r)
		}
		for i := range want {
			if got := r.Keys[i]; got.IP != want[i].IP || got.Constant != want[i].Constant || got.From.Header != want[i].From.Header || got.From.Missing != want[i].From.Missing || got.Label != want[i].Label {
				t.Errorf("%s: %+v, want %+v", model, got, want[i])
			}
		}
	}
	custom := statementOf(t, `{"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "CUSTOM_KEYS", "ScopeDownStatement": {"GeoMatchStatement": {"CountryCodes": ["DE"]}}, "CustomKeys": [
		{"Header": {"Name": "X-A", "TextTransformations": [{"Priority": 0, "Type": "NONE"}]}}, {"Cookie": {"Name": "sid", "TextTransformations": [{"Priority": 0, "Type": "LOWERCASE"}]}},
		{"QueryArgument": {"Name": "q", "TextTransformations": []}}, {"QueryString": {"TextTransformations": []}}, {"UriPath": {"TextTransformations": []}}, {"HTTPMethod": {}}, {"JA3Fingerprint": {"FallbackBehavior": "MATCH"}}]}}`).(*match.RateBased)
	kinds := []field.Kind{field.Header, field.Cookies, field.Argument, field.Query, field.Path, field.Method, field.JA3}
	for i, kind := range kinds {
		if custom.Keys[i].Field == nil || custom.Keys[i].Field.Kind != kind {
			t.Errorf("key %d: %+v, want %v", i, custom.Keys[i], kind)
		}
	}
	if custom.When == nil || custom.When.Node.(*match.Country).Codes[0] != "DE" || custom.Window.Seconds() != 300 {
		t.Errorf("%+v", custom)
	}
}

func TestActions(t *testing.T) {
	m, err := load(t, ", search-strings: text", `{"WebACL": {"Name": "a", "DefaultAction": {"Block": {"CustomResponse": {"ResponseCode": 503, "CustomResponseBodyKey": "k"}}}, "CustomResponseBodies": {"k": {"ContentType": "TEXT_HTML", "Content": "<p>"}}, "Rules": [
		{"Name": "b", "Priority": 5, "Statement": {"ByteMatchStatement": {"SearchString": "/plain text", "FieldToMatch": {"UriPath": {}}, "TextTransformations": [], "PositionalConstraint": "STARTS_WITH"}}, "Action": {"Challenge": {}}},
		{"Name": "a", "Priority": 1, "Statement": {"LabelMatchStatement": {"Scope": "NAMESPACE", "Key": "x:"}}, "Action": {"Count": {"CustomRequestHandling": {"InsertHeaders": [{"Name": "n", "Value": "v"}]}}}}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Default; d.Kind != rule.Block || d.Status != 503 || d.Body != "<p>" || !strings.HasPrefix(d.Type, "text/html") {
		t.Errorf("default: %+v", d)
	}
	if len(m.Rules) != 2 || m.Rules[0].Name != "a" || m.Rules[0].Action.Kind != rule.Count || m.Rules[0].Action.Insert["n"] != "v" || m.Rules[1].Action.Kind != rule.Challenge {
		t.Errorf("%+v %+v", m.Rules[0], m.Rules[1])
	}
	if b := m.Rules[1].When.Node.(*match.Content).Tests[0].(*match.Bytes); b.Strings[0] != "/plain text" || b.Position != match.StartsWith {
		t.Errorf("%+v", b)
	}
}

func TestErrors(t *testing.T) {
	acl := func(rules string) string {
		return `{"Name": "a", "DefaultAction": {"Allow": {}}, "Rules": [` + rules + `]}`
	}
	for doc, says := range map[string]string{
		`[]`:                                 "wanted a map",
		`{"Name": "a"}`:                      "a.json",
		`{"WebACL": {"Name": "a"}}`:          `"DefaultAction" is missing`,
		`{"Name": "a", "DefaultAction": {}}`: "wanted one of Allow, Block",
		acl(`{"Name": "r", "Statement": {}, "Action": {"Block": {}}}`):                                                                                                                            "the statement is empty",
		acl(`{"Name": "r", "Statement": {"GeoMatchStatement": {"CountryCodes": ["DE"]}}}`):                                                                                                        "the rule has no Action",
		acl(`{"Name": "r", "Statement": {"RateBasedStatement": {"Limit": 5, "AggregateKeyType": "IP"}}, "Action": {"Block": {}}}`):                                                                "10",
		acl(`{"Name": "r", "Statement": {"RateBasedStatement": {"Limit": 50, "AggregateKeyType": "FORWARDED_IP"}}, "Action": {"Block": {}}}`):                                                     "wants ForwardedIPConfig",
		acl(`{"Name": "r", "Statement": {"RateBasedStatement": {"Limit": 50, "AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": [{"ASN": {}}]}}, "Action": {"Block": {}}}`):                         "autonomous systems",
		acl(`{"Name": "r", "Statement": {"NotStatement": {"Statement": {"RuleGroupReferenceStatement": {"ARN": "a"}}}}, "Action": {"Block": {}}}`):                                                "stands in a rule by itself",
		acl(`{"Name": "r", "Statement": {"LabelMatchStatement": {"Scope": "LABEL", "Key": "x"}}, "Action": {"Block": {"CustomResponse": {"ResponseCode": 99}}}}`):                                 "200 to 599",
		acl(`{"Name": "r", "Statement": {"LabelMatchStatement": {"Scope": "LABEL", "Key": "x"}}, "Action": {"Block": {"CustomResponse": {"ResponseCode": 403, "CustomResponseBodyKey": "no"}}}}`): "unknown custom response body",
		`{"IPSet": {"Name": "a", "Addresses": ["192.0.2.300/32"]}}`:                                                                                                                               "192.0.2.300/32",
	} {
		if _, err := load(t, "", doc); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", doc, err, says)
		}
	}
	if _, err := load(t, ", without: [rr]", acl(`{"Name": "r", "Statement": {"LabelMatchStatement": {"Scope": "LABEL", "Key": "x"}}, "Action": {"Block": {}}}`)); err == nil || !strings.Contains(err.Error(), `did you mean "r"?`) {
		t.Error(err)
	}
	if _, err := load(t, "", acl(""), acl("")); err == nil || !strings.Contains(err.Error(), "one import has one web ACL") {
		t.Error(err)
	}
}

// FuzzImport holds that whatever a file says is imported or refused.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		`{"WebACL": {"Name": "a", "DefaultAction": {"Allow": {}}, "Rules": [{"Name": "r", "Priority": 0, "Statement": {"AndStatement": {"Statements": [{"GeoMatchStatement": {"CountryCodes": ["DE"]}}]}}, "Action": {"Block": {}}}]}}`,
		`{"Name": "a", "Rules": [{"Name": "r", "Statement": {"ByteMatchStatement": {"SearchString": "YQ==", "FieldToMatch": {"Body": {}}, "PositionalConstraint": "EXACTLY"}}, "Action": {"Count": {}}}]}`,
		`{"IPSet": {"Name": "a", "Addresses": ["192.0.2.0/24"]}}`, `{"RegexPatternSet": {"Name": "a", "RegularExpressionList": [{"RegexString": "a"}]}}`,
		`{"Name": "a", "DefaultAction": {"Block": {}}, "Rules": [{"Name": "r", "Statement": {"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": [{"IP": {}}]}}, "OverrideAction": {"Count": {}}}]}`,
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, doc string) {
		if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		var s section1
		_, _ = config.LoadBytes(filepath.Join(dir, "test.yaml"), []byte("import: a.json"), &s, config.Options{})
	})
}
