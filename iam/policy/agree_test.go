package policy

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

// questions is how many requests are made for each set of policies; fuzzing
// makes more of them, and so a million cases in a few seconds.
const (
	questions     = 20
	fuzzQuestions = 400
)

var cases = flag.Int("cases", 100_000, "how many cases both evaluators are asked about")

// TestAgreesWithNaive holds Evaluate against the naive evaluator on 100,000
// generated cases. FuzzAgree goes on where it ends.
func TestAgreesWithNaive(t *testing.T) {
	cases := *cases
	if testing.Short() {
		cases = 10_000
	}
	outcomes := make(map[string]int)
	for seed := range uint64(cases / questions) {
		agree(t, rand.New(rand.NewPCG(seed, 1)), questions, outcomes)
	}
	// Cases that are all denied would show nothing.
	for _, outcome := range []string{"allow", "explicit", "implicit"} {
		if outcomes[outcome] < cases/20 {
			t.Errorf("%d of %d cases are %s: the generator asks too little", outcomes[outcome], cases, outcome)
		}
	}
}

func FuzzAgree(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		agree(t, rand.New(rand.NewPCG(a, b)), fuzzQuestions, make(map[string]int))
	})
}

// agree makes policies, asks both evaluators about requests, and counts what
// they say.
func agree(t *testing.T, rnd *rand.Rand, questions int, outcomes map[string]int) {
	g := &generator{Rand: rnd, t: t}
	g.policies()
	for range questions {
		c, r := g.question()
		want := c.decide()
		d := Evaluate(r, g.beside)
		got := "implicit"
		if d.Allowed {
			got = "allow"
		} else if d.Explicit() {
			got = "explicit"
		}
		outcomes[got]++
		if r.Principal != nil {
			narrow := *r
			narrow.Principal = r.Principal.For(r.Action)
			if again := Evaluate(&narrow, g.beside); again.Allowed != d.Allowed || again.Layer != d.Layer || (again.By == nil) != (d.By == nil) || d.By != nil && again.By.Rule.At != d.By.Rule.At {
				t.Fatalf("of one action alone %+v, of all %+v", again, d)
			}
		}
		if got != want || d.By != nil && d.By.Deny == d.Allowed {
			t.Fatalf("got %s by %+v, the naive says %s\nof %s %s %s with %v\nby\n%s", got, d.By, want, c.user, c.action, c.target, c.context, strings.Join(g.texts, "\n"))
		}
	}
}

// generator makes cases out of few words, so that they often meet.
type generator struct {
	*rand.Rand
	t       *testing.T
	texts   []string
	naive   naiveCase
	request Request
	beside  Policies
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) some(most int, one func() any) any {
	n := 1 + g.IntN(most)
	if n == 1 && g.IntN(2) == 0 {
		return one()
	}
	var out []any
	for range n {
		out = append(out, one())
	}
	return out
}

// write makes a document and compiles it, for both evaluators.
func (g *generator) write(use Use) (naiveDoc, *Policy) {
	text := g.document(use)
	g.texts = append(g.texts, text)
	var report config.Report
	doc := Parse("p.json", []byte(text), use, &report)
	if doc == nil {
		g.t.Fatalf("%s\n%v", text, config.NewErrors(&report, nil))
	}
	return readNaive(text), Compile(doc, Scope{Name: "p"})
}

// policies makes who asks, and all policies that count.
func (g *generator) policies() {
	c, r := &g.naive, &g.request
	c.owner, r.Account, r.Region = account, account, "eu-central-1"
	if g.IntN(3) == 0 {
		doc, p := g.write(Identity)
		c.organisation, g.beside.Organisation = []naiveDoc{doc}, []*Policy{p}
	}
	if g.IntN(2) == 0 {
		c.resource, g.beside.Resource = g.write(Resource)
	}
	switch g.IntN(8) {
	case 0:
		return
	case 1:
		c.service, r.Service = "lambda.amazonaws.com", "lambda.amazonaws.com"
		return
	case 2, 3:
		r.Principal = session()
	default:
		r.Principal = user()
	}
	who := r.Principal
	if g.IntN(6) == 0 {
		r.Account, c.owner = other, other
	}
	c.user, c.role, c.account = who.Name, who.Role, who.Account
	if g.IntN(2) == 0 {
		who.Tags = []Tag{{g.pick("team", "Team"), g.pick("red", "blue", "ci", "*")}}
	}
	for range g.IntN(4) {
		doc, p := g.write(Identity)
		c.identity, who.Identity = append(c.identity, doc), append(who.Identity, p)
	}
	if g.IntN(4) == 0 {
		c.boundary, who.Boundary = g.write(Identity)
	}
	if who.IsSession() && g.IntN(2) == 0 {
		c.session, who.Session = g.write(Identity)
	}
}

// question makes one request.
func (g *generator) question() (naiveCase, *Request) {
	c, r := g.naive, g.request
	c.action = g.pick("execute-api:Invoke", "lambda:InvokeFunction", "sts:AssumeRole")
	r.Action = NewAction(c.action)
	c.target = g.pick(apiARN+"/prod/GET/orders/42", apiARN+"/prod/POST/orders", apiARN+"/prod/GET/users/ci", "arn:aws:lambda:eu-central-1:"+account+":function:quote:live", "arn:aws:iam::"+account+":role/quote", "odd")
	r.Resource = c.target
	c.context = make(map[string][]string)
	g.facts(&c, &r)
	return c, &r
}

// facts fills in what is known of the request, and writes it into the naive
// case's map by rules of its own.
func (g *generator) facts(c *naiveCase, r *Request) {
	set := func(key string, values ...string) { c.context[key] = values }
	if who := r.Principal; who != nil {
		set("aws:principalaccount", who.Account)
		set("aws:userid", who.UserID)
		for _, tag := range who.Tags {
			set("aws:principaltag/team", tag.Value)
		}
		if who.Role == "" {
			set("aws:username", "ci")
			set("aws:principalarn", who.Name)
			set("aws:principaltype", "User")
		} else {
			set("aws:principalarn", who.Role)
			set("aws:principaltype", "AssumedRole")
			set("aws:multifactorauthpresent", "false")
			set("aws:tokenissuetime", "2026-01-02T03:00:00Z")
		}
	} else if r.Service == "" {
		set("aws:principaltype", "Anonymous")
	}
	set("aws:principalisawsservice", strconv.FormatBool(r.Service != ""))
	set("aws:resourceaccount", r.Account)
	set("aws:requestedregion", r.Region)
	if g.IntN(4) > 0 {
		ip := g.pick("203.0.113.9", "10.1.2.3", "2001:db8::1")
		r.SourceIP = netip.MustParseAddr(ip)
		set("aws:sourceip", ip)
	}
	if g.IntN(4) > 0 {
		r.Transport = Transport(g.pick("true", "false"))
		set("aws:securetransport", string(r.Transport))
	}
	if g.IntN(4) > 0 {
		seconds := 1767225600 + int64(g.IntN(3))
		r.Time = time.Unix(seconds, int64(g.IntN(1000)))
		set("aws:epochtime", strconv.FormatInt(seconds, 10))
		set("aws:currenttime", time.Unix(seconds, 0).UTC().Format(time.RFC3339))
	}
	if g.IntN(3) > 0 {
		r.UserAgent = []string{g.pick("curl/8", "ci", "")}
		set("aws:useragent", r.UserAgent[0])
	}
	if g.IntN(2) == 0 {
		r.RequestTags = []Tag{{"team", g.pick("red", "blue")}, {"cost", "7"}}[:1+g.IntN(2)]
		var keys []string
		for _, tag := range r.RequestTags {
			set("aws:requesttag/"+tag.Key, tag.Value)
			keys = append(keys, tag.Key)
		}
		set("aws:tagkeys", keys...)
	}
	if g.IntN(2) == 0 {
		r.Extra = map[string][]string{}
		for _, key := range []string{"x:text", "x:number", "x:many"} {
			if g.IntN(3) == 0 {
				continue
			}
			values := []string{g.pick("ci", "red", "10", "2.50", "", "QQ==", "*", "arn:aws:s3:::b")}
			if key == "x:many" {
				values = append(values, g.pick("ci", "blue", "7", "10"))
			}
			r.Extra[key], c.context[key] = values, values
		}
	}
}

func (g *generator) document(use Use) string {
	statements := g.some(4, func() any { return g.statement(use) })
	doc := map[string]any{"Statement": statements}
	if g.IntN(5) > 0 {
		doc["Version"] = g.pick("2012-10-17", "2012-10-17", "2012-10-17", "2008-10-17")
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	if doc["Version"] != "2012-10-17" { // in the older language ${ is text, where operands allow none
		return strings.NewReplacer("${", "$-{", ", '", ",'").Replace(string(text))
	}
	return string(text)
}

func (g *generator) statement(use Use) map[string]any {
	s := map[string]any{"Effect": "Allow"}
	if g.IntN(7) == 0 {
		s["Effect"] = "Deny"
	}
	not := func(name string, odds int) string {
		if g.IntN(odds) == 0 {
			return "Not" + name
		}
		return name
	}
	s[not("Action", 8)] = g.some(3, g.action)
	s[not("Resource", 8)] = g.some(3, g.resource)
	if use == Resource {
		name := "Principal"
		if s["Effect"] == "Deny" {
			name = not("Principal", 2)
		}
		s[name] = g.principal(name == "NotPrincipal")
	}
	if g.IntN(2) == 0 {
		conditions := map[string]any{}
		for range 1 + g.IntN(2) {
			operator, keys := g.condition()
			conditions[operator] = keys
		}
		s["Condition"] = conditions
	}
	return s
}

func (g *generator) action() any {
	return g.pick("*", "*", "execute-api:Invoke", "execute-api:*", "EXECUTE-API:INVOKE", "execute-api:Inv?ke", "lambda:*", "lambda:InvokeFunction", "sts:Assume*", "s3:GetObject", "*:*")
}

func (g *generator) resource() any {
	return g.pick("*", "*", "*", apiARN+"/*", "arn:aws:execute-api:*:*:shop/prod/GET/*", "arn:aws:execute-api:*:*:shop/*/orders*", apiARN+"/prod/GET/orders/4?",
		"arn:aws:execute-api:eu-*-1:"+account+":shop/*", apiARN+"/prod/GET/users/${aws:username}", apiARN+"/prod/GET/users/${aws:PrincipalTag/team, 'ci'}",
		apiARN+"/prod/GET/users/${aws:PrincipalTag/Team}", "arn:aws:lambda:*:*:function:*", "arn:aws:lambda:*:*:function:quote", "arn:aws:iam::"+account+":role/*", "arn:*:*:*:*:*",
		"arn:aws:${x:text}:*:*:*", apiARN+"/prod/GET/users/${*}")
}

func (g *generator) principal(spared bool) any {
	everybody := "*"
	if spared {
		everybody = account
	} else if g.IntN(3) == 0 {
		return everybody
	}
	one := func() any {
		return g.pick(everybody, account, other, "arn:aws:iam::"+account+":root", "arn:aws:iam::"+account+":user/ci", "arn:aws:iam::"+account+":user/x",
			"arn:aws:iam::"+account+":role/quote", "arn:aws:sts::"+account+":assumed-role/quote/run")
	}
	if g.IntN(5) == 0 {
		return map[string]any{"Service": g.pick("lambda.amazonaws.com", "apigateway.amazonaws.com")}
	}
	return map[string]any{"AWS": g.some(3, one)}
}

func (g *generator) condition() (string, map[string]any) {
	base := g.pick("String", "String", "String", "Numeric", "Date", "Bool", "Ip", "Arn", "Binary", "Null")
	var operator string
	var keys []string
	var value func() any
	switch base {
	case "String":
		operator = g.pick("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike")
		keys = []string{"aws:username", "aws:PrincipalTag/team", "aws:UserAgent", "aws:RequestTag/Team", "aws:TagKeys", "x:text", "x:many", "aws:userid", "AWS:PrincipalType", "aws:SourceIp"}
		value = func() any {
			return g.pick("ci", "CI", "red", "blue", "c?", "*", "curl/*", "team", "", "${aws:username}", "${aws:PrincipalTag/team, 'red'}", "${x:many}", "a-${aws:username}", "${*}", "User", "203.0.113.9", "10", "*i*")
		}
	case "Numeric":
		operator = "Numeric" + g.pick("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
		keys = []string{"x:text", "x:number", "x:many", "aws:EpochTime"}
		value = func() any {
			return []any{10, 7, "2.5", "-1", "1767225601", "010.0", 2.5}[g.IntN(7)]
		}
	case "Date":
		operator = "Date" + g.pick("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
		keys = []string{"aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime", "x:text"}
		value = func() any {
			return g.pick("2026-01-01T00:00:01Z", "2026-01-01", "2026", "1767225601", "2026-01-01T01:00:02+01:00")
		}
	case "Bool":
		operator, keys = "Bool", []string{"aws:SecureTransport", "aws:MultiFactorAuthPresent", "aws:PrincipalIsAWSService", "x:text"}
		value = func() any { return []any{true, "false", "True", false}[g.IntN(4)] }
	case "Ip":
		operator, keys = g.pick("IpAddress", "NotIpAddress"), []string{"aws:SourceIp", "x:text"}
		value = func() any { return g.pick("203.0.113.0/24", "10.0.0.0/8", "203.0.113.9", "2001:db8::/32", "0.0.0.0/0") }
	case "Arn":
		operator = g.pick("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike")
		keys = []string{"aws:PrincipalArn", "x:text", "x:many"}
		value = func() any {
			return g.pick("arn:aws:iam::"+account+":user/ci", "arn:aws:iam::*:role/*", "arn:aws:s3:::${x:text}", "*", "arn:aws:s3:::b")
		}
	case "Binary":
		operator, keys = "BinaryEquals", []string{"x:text", "x:many"}
		value = func() any { return g.pick("QQ==", "Qg==") }
	case "Null":
		key := g.pick("aws:username", "aws:SourceIp", "x:text", "x:many", "aws:TagKeys", "aws:RequestTag/cost", "aws:TokenIssueTime", "aws:SourceVpc")
		return "Null", map[string]any{key: g.some(2, func() any { return g.pick("true", "false") })}
	}
	operator = g.pick("", "", "ForAllValues:", "ForAnyValue:") + operator + g.pick("", "", "IfExists")
	out := map[string]any{}
	for range 1 + g.IntN(2) {
		out[keys[g.IntN(len(keys))]] = g.some(3, value)
	}
	return operator, out
}
